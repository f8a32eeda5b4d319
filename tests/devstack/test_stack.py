"""The whole stack with its real parts, started as demo, bench and `make up` start it."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]
import httpx
import psutil
import pytest
from sqlalchemy import select

from devstack import eventing, keys, postgres
from devstack.errors import AlreadyRunningError
from devstack.files import write_private
from devstack.layout import ROOT, Layout
from devstack.stack import Stack, running_stack
from events.broker.contract import EVENTS, Message
from events.broker.registry import connect
from ledger.engine import create_engine
from ledger.keys import ApiKeys
from ledger.tables import consumed_events


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The data folder of this module's stack. As root, the database's files lie elsewhere: they are removed too."""
    data = tmp_path_factory.mktemp("stack")
    yield data
    postgres.remove(Layout(data).postgres)


@pytest.fixture(scope="module")
async def stack(data: Path) -> AsyncIterator[Stack]:
    """A running stack of which every part is ours, whatever the environment of the tests names."""
    with pytest.MonkeyPatch.context() as environment:
        for name in ("BROKER_URL", "DATABASE_URL", "TEMPORAL_ADDRESS"):
            environment.delenv(name, raising=False)
        environment.setenv("STRIPE_API_KEY", "sk_live_must_never_be_used_here")
        async with running_stack(data, settings={"STUCK_AFTER_SECONDS": "77"}) as stack:
            yield stack


def _stored(stack: Stack) -> dict[str, object]:
    stored = json.loads(stack.options.layout.stack.read_text())
    assert isinstance(stored, dict)
    return stored


async def _status(stack: Stack, path: str, key: str | None = None) -> int:
    headers = {"Authorization": f"Bearer {key or stack.api_key}"}
    async with httpx.AsyncClient(trust_env=False) as client:
        return (await client.get(stack.addresses.api + path, headers=headers)).status_code


def _process(part: str, stack: Stack) -> psutil.Process:
    """The process of a part; of the first one where there may be several."""
    pid = stack.pids[part]
    return psutil.Process(pid if isinstance(pid, int) else pid[0])


async def test_stack_file_tells_where_everything_is(stack: Stack) -> None:
    """stack.json has what scripts need, for its owner alone, and every process in it runs."""
    stored = _stored(stack)
    assert set(stored) == {
        "api", "docs", "temporal", "temporal_ui", "sandbox", "broker", "mails", "metrics", "database_url", "api_key",
        "webhook_secrets", "pids",
    }  # fmt: skip
    assert stack.options.layout.stack.stat().st_mode & 0o777 == 0o600
    assert stored["docs"] == f"{stored['api']}/docs"
    assert stored["sandbox"] == stack.addresses.sandbox
    assert stored["webhook_secrets"] == stack.webhook_secrets
    pids = stored["pids"]
    assert isinstance(pids, dict)
    assert set(pids) == {"worker", "api", "sandbox", "temporal", "postgres", *eventing.PARTS}
    assert all(psutil.pid_exists(pid) for part in pids.values() for pid in (part if isinstance(part, list) else [part]))


async def test_key_opens_the_api(stack: Stack) -> None:
    """The development key is accepted, another is not."""
    assert await _status(stack, "/v1/checkouts") == 200
    assert await _status(stack, "/v1/checkouts", "psk_other") == 401


async def test_pages_are_there(stack: Stack) -> None:
    """What `make up` prints can be opened in a browser."""
    async with httpx.AsyncClient(trust_env=False, follow_redirects=True) as client:
        for url in (f"{stack.addresses.api}/docs", stack.addresses.temporal_ui, stack.addresses.sandbox):
            assert (await client.get(str(url))).status_code == 200


async def test_everything_listens_on_loopback_alone(stack: Stack) -> None:
    """No part can be reached from another machine."""
    for part in ("api", "sandbox", "temporal", "postgres", *eventing.PARTS):
        listening = [
            c.laddr.ip for c in _process(part, stack).net_connections("inet") if c.status == psutil.CONN_LISTEN
        ]
        assert set(listening) <= {"127.0.0.1", "::1"}, part


async def test_postgres_is_the_one_of_the_server_form(stack: Stack) -> None:
    """docker-compose.yml names the very version of Postgres that every test runs on."""
    connection = await asyncpg.connect(stack.addresses.database_url)
    version = await connection.fetchval("SHOW server_version")
    await connection.close()
    assert f"image: postgres:{version}-" in (ROOT / "docker-compose.yml").read_text()


async def test_settings_reach_worker_and_api(stack: Stack) -> None:
    """A setting given to the stack is in the environment of the product's processes."""
    assert _process("worker", stack).environ()["STUCK_AFTER_SECONDS"] == "77"
    assert _process("api", stack).environ()["STUCK_AFTER_SECONDS"] == "77"


async def test_real_account_is_not_touched_unasked(stack: Stack) -> None:
    """A Stripe key that happens to be in the environment does not reach a stack that was not told to use it."""
    environment = _process("worker", stack).environ()
    assert environment["STRIPE_API_KEY"] == "sk_test_sandbox"
    assert environment["STRIPE_API_BASE"] == stack.addresses.sandbox


async def test_worker_killed_and_started_again(stack: Stack) -> None:
    """Killing a worker on purpose does not end the stack, and stack.json follows."""
    victim = _process("worker", stack)
    stack.kill_worker()
    assert not victim.is_running()
    assert _stored(stack)["pids"] == stack.pids | {"worker": []}
    name = await stack.start_worker()
    assert stack.workers == (name,)
    assert _stored(stack)["pids"] == stack.pids


async def test_api_killed_and_started_again(stack: Stack) -> None:
    """The API comes back where it was."""
    stack.kill("api")
    await stack.start_api()
    assert await _status(stack, "/readyz") == 200


async def test_a_subscriber_killed_and_started_again(stack: Stack) -> None:
    """Killing one on purpose does not end the stack; started again, it answers where it did before."""
    victim = _process("analytics", stack)
    assert stack.kill("analytics") == "analytics"
    assert not victim.is_running()
    assert "analytics" not in _stored(stack)["pids"]  # type: ignore[operator]
    await stack.start_part("analytics")
    assert _stored(stack)["pids"] == stack.pids
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(stack.addresses.metrics["analytics"])).status_code == 200


async def test_the_broker_keeps_what_it_has(stack: Stack) -> None:
    """Killed and started again, it is where it was, with what it had taken."""
    broker = connect(stack.addresses.broker, prefix="stacktest")
    await broker.start()
    await broker.publish(EVENTS, Message("1", "chk_1", "payment.succeeded", b"{}"))
    stack.kill("nats")
    await stack.start_part("nats")
    await broker.publish(EVENTS, Message("2", "chk_1", "payment.succeeded", b"{}"))
    assert await broker.waiting(EVENTS, "somebody") == 2
    await broker.close()


async def test_subscribers_have_keys_for_what_they_do(stack: Stack) -> None:
    """Each that calls the API has a key of its own, with the scopes that it needs; the others have none."""
    engine = create_engine(stack.addresses.database_url, pool_size=1)
    found: dict[str, object] = {}
    for name in eventing.SUBSCRIBERS:
        if (secret := _process(name, stack).environ().get("PAYSAGA_API_KEY")) is not None:
            key = await ApiKeys(engine).authenticate(secret)
            found[name] = key and (key.name, key.scopes)
    await engine.dispose()
    assert found == {name: (name, {*scopes.split(",")}) for name, scopes in eventing.SCOPES.items()}


async def test_a_sale_is_heard_of(stack: Stack) -> None:
    """What the API opens reaches every subscriber that listens to everything."""
    async with httpx.AsyncClient(trust_env=False) as client:
        headers = {"Authorization": f"Bearer {stack.api_key}"}
        order = {"order_id": "stack-1", "amount": 4200, "currency": "USD", "gateway": "stripe"}
        made = await client.post(f"{stack.addresses.api}/v1/checkouts", json=order, headers=headers, timeout=30)
    assert made.status_code in (201, 202)
    engine = create_engine(stack.addresses.database_url, pool_size=1)
    heard: set[str] = set()
    async with asyncio.timeout(30):
        while not {"analytics", "webhooks"} <= heard:
            async with engine.connect() as connection:
                c = consumed_events.c
                rows = await connection.execute(select(c.subscriber).where(c.event_id == f"{made.json()['id']}:1"))
                heard = set(rows.scalars())
            await asyncio.sleep(0.1)
    await engine.dispose()


async def test_second_stack_is_refused(stack: Stack, data: Path) -> None:
    """A second stack on the same data says so and leaves the first alone."""
    with pytest.raises(AlreadyRunningError):
        async with running_stack(data):
            pass
    assert await _status(stack, "/readyz") == 200


async def test_key_is_kept_while_the_database_knows_it(stack: Stack) -> None:
    """The next start gives the same key; when the database is another one, a new key that works."""
    layout = stack.options.layout
    assert await keys.api_key(layout, stack.addresses.database_url) == stack.api_key
    write_private(layout.secrets, json.dumps({"development_api_key": "psk_of_a_database_that_is_gone"}))
    made = await keys.api_key(layout, stack.addresses.database_url)
    assert await _status(stack, "/v1/checkouts", made) == 200
    assert await keys.api_key(layout, stack.addresses.database_url, scopes="read") != made
    assert layout.secrets.stat().st_mode & 0o777 == 0o600
