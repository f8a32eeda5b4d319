"""One stack for all saga tests."""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from temporalio.testing import WorkflowEnvironment

from devstack.errors import PartFailedError
from devstack.temporal import TUNED, temporal_server
from tests.conftest import new_database
from tests.events.schemas.telling import last_event, mistold
from tests.workflows.long_clock import skipping_server
from tests.workflows.receiving import Sending, sending
from tests.workflows.several import HASTY, further_gateways
from tests.workflows.support import Shop, running_shop

FORGETFUL = {f"history.{queue}ProcessorUpdateAckInterval": '"1s"' for queue in ("transfer", "visibility", "timer")}
"""A workflow is deleted once the server has noted that its end was worked off, which it else does twice a minute."""

_STARTS = 3
"""Servers of several processes that start in one moment may find the same ports free, and one of them ends."""


_LOST = [r"waited \S+ s, last seen", r"Timeout \(>", "has stood still"]
"""How a test ends whose server has lost a task."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Try anew what waited in vain on a server that skips time, with a new server.

    It ends no task of a workflow that cancels what is over in the same moment, a timer or an activity
    (temporalio/sdk-java#3088): the workflow goes no further. Whatever else goes wrong there stays wrong.
    """
    for item in items:
        if "skipping" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.flaky(reruns=2, only_rerun=_LOST))


@pytest.fixture(scope="session")
async def temporal_address(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """A Temporal dev server for the whole run."""
    async with AsyncExitStack() as stack:
        # Other tests of this process compare what the development server is started with.
        with pytest.MonkeyPatch.context() as patch:
            for name, value in FORGETFUL.items():
                patch.setitem(TUNED, name, value)
            for left in reversed(range(_STARTS)):
                try:
                    address = await stack.enter_async_context(temporal_server(tmp_path_factory.mktemp("temporal")))
                    break
                except PartFailedError:
                    if not left:
                        raise
        yield address


@pytest.fixture(scope="session")
async def database_url(server_url: str, template_database: str) -> AsyncIterator[str]:
    """A database of these tests' own: their worker takes up whatever waits in it."""
    async with new_database(server_url, template_database) as url:
        yield url


@pytest.fixture(scope="session")
async def shop(
    tmp_path_factory: pytest.TempPathFactory, database_url: str, temporal_address: str
) -> AsyncIterator[Shop]:
    """The running stack."""
    async with running_shop(tmp_path_factory.mktemp("shop"), database_url, temporal_address) as running:
        yield running


@pytest.fixture(scope="module", autouse=True)
async def _told_as_published(database_url: str) -> AsyncIterator[None]:
    """Every event that a module's sagas put into the shared outbox is as the published schemas say."""
    before = await last_event(database_url)
    yield
    assert await mistold(database_url, before) == []


@pytest.fixture(autouse=True)
async def _no_faults_left(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """A test's faults end with it."""
    yield
    for name in {"shop", "shops"} & set(request.fixturenames):
        await request.getfixturevalue(name).sandbox.delete("/sandbox/faults")


def pytest_sessionfinish() -> None:
    """Let the SDK's native threads end before the interpreter does (temporalio/sdk-python#300)."""
    time.sleep(0.2)


@pytest.fixture(scope="module")
async def shops(
    tmp_path_factory: pytest.TempPathFactory, server_url: str, template_database: str, temporal_address: str
) -> AsyncIterator[Shop]:
    """A stack with gateways that fail, on books of its own: breakers are shared by all who share a database."""
    async with (
        new_database(server_url, template_database) as url,
        running_shop(tmp_path_factory.mktemp("failover"), url, temporal_address, further_gateways) as running,
    ):
        running.policy = HASTY
        yield running
        assert await mistold(url) == []


@pytest.fixture
async def skipping() -> AsyncIterator[WorkflowEnvironment]:
    """A Temporal server whose clock runs ahead while a result is awaited; for one test, since no clock goes back."""
    async with skipping_server() as environment:
        yield environment


@pytest.fixture
async def long_shop(
    tmp_path_factory: pytest.TempPathFactory, fresh_database_url: str, skipping: WorkflowEnvironment
) -> AsyncIterator[Shop]:
    """A stack on that server, with books of its own."""
    address = skipping.client.service_client.config.target_host
    async with running_shop(tmp_path_factory.mktemp("long"), fresh_database_url, address) as running:
        yield running
        assert await mistold(fresh_database_url) == []


@pytest.fixture(scope="module")
async def sending_stack(server_url: str, template_database: str, temporal_address: str) -> AsyncIterator[Sending]:
    """What sends webhooks, on books of its own: whoever hears of everything would hear of others' events too."""
    async with new_database(server_url, template_database) as url, sending(url, temporal_address) as running:
        yield running


@pytest.fixture
async def sender(sending_stack: Sending) -> AsyncIterator[Sending]:
    """The same for one test, whose endpoints end with it."""
    yield sending_stack
    for endpoint in (await sending_stack.endpoints.list(None, None, 200)).data:
        await sending_stack.endpoints.remove(endpoint.id)
