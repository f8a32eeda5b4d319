"""A broker that dies and comes back: nothing that it confirmed is lost, and everybody goes on by themselves."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.ports import any_free
from events.broker.contract import EVENTS, BrokerDownError
from events.broker.registry import connect
from tests.events.broker.test_contract import GROUPS, Reader, message, until
from tests.events.servers import FORGETFUL, LOGIN, SPECS, Server
from tests.workflows.support import eventually

pytestmark = pytest.mark.timeout(180)
LONGEST_CALL = 10
# What a loaded machine adds to a time-out.
_SLACK = 5


@pytest.fixture(params=list(SPECS))
def mortal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """A server of the test's own."""
    tmp_path.chmod(0o755)
    server = Server(request.param, tmp_path)
    server.start()
    yield server
    server.kill()


async def test_a_broker_that_was_killed_has_what_it_confirmed(mortal: Server, prefix: str) -> None:
    """Meanwhile every call ends in a named error and in time; afterwards the same connections work again."""
    if mortal.scheme in FORGETFUL:
        pytest.skip(f"the {mortal.scheme} server of the tests keeps everything in memory; a real one does not")
    reader = Reader()
    broker = connect(mortal.url, GROUPS, prefix)
    broker.listen(EVENTS, "first", reader.take)
    await broker.start()
    try:
        for number in range(20):
            await broker.publish(EVENTS, message(number))
        mortal.kill()
        for call in (broker.publish(EVENTS, message(20)), broker.waiting(EVENTS, "second")):
            began = time.monotonic()
            with pytest.raises(BrokerDownError) as error:
                await call
            assert time.monotonic() - began < LONGEST_CALL + _SLACK
            assert "guest" not in str(error.value)
        mortal.start()

        async def published() -> bool:
            try:
                await broker.publish(EVENTS, message(21))
            except BrokerDownError:
                return False
            return True

        await eventually(published, lambda done: done)
        assert await broker.waiting(EVENTS, "second") >= 21
        await until(reader, lambda seen: "chk_1:21" in seen.ids, patience=90)
        took = reader.of("chk_1")
        assert [one for one in took if one != "chk_1:20"] == [f"chk_1:{number}" for number in (*range(20), 21)]
    finally:
        await broker.close()


@pytest.mark.parametrize("scheme", list(SPECS))
async def test_a_broker_that_is_not_there_is_named_in_time(scheme: str, prefix: str) -> None:
    """Without a word of the address, which may hold a password; a later start of the same connection may succeed."""
    broker = connect(f"{scheme}://{LOGIN.get(scheme, '')}127.0.0.1:{any_free()}", GROUPS, prefix)
    broker.listen(EVENTS, "first", Reader().take)
    for _ in range(2):
        began = time.monotonic()
        with pytest.raises(BrokerDownError) as error:
            await broker.start()
        assert time.monotonic() - began < LONGEST_CALL + _SLACK
        assert "guest" not in str(error.value)
    with pytest.raises(BrokerDownError):
        await broker.publish(EVENTS, message(1))
    await broker.close()


def test_an_address_of_no_broker_is_refused() -> None:
    """With those that there are."""
    with pytest.raises(ValueError, match="there are nats://, kafka://, amqp://, redis://"):
        connect("mqtt://127.0.0.1")
