"""A broker that dies and comes back: nothing that it confirmed is lost, and everybody goes on by themselves."""

import logging
import time
import traceback
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from devstack.ports import any_free
from events.broker.contract import EVENTS, Broker, BrokerDownError
from events.broker.registry import connect
from tests.events.broker.reading import GROUPS, Reader, impatient, message, running, until
from tests.events.servers import FORGETFUL, SPECS, Server
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


@pytest.mark.parametrize("mortal", [one for one in SPECS if one not in FORGETFUL], indirect=True)
async def test_a_broker_that_was_killed_has_what_it_confirmed(mortal: Server, prefix: str) -> None:
    """The same connections work again afterwards, in order. Kafka's stand-in of the tests keeps all in memory."""
    reader = Reader()
    broker = impatient(mortal.url, prefix)
    broker.listen(EVENTS, "first", reader.take)
    await broker.start()
    try:
        for number in range(20):
            await broker.publish(EVENTS, message(number))
        mortal.kill()
        await _is_down(broker, mortal)
        mortal.start()

        async def published() -> bool:
            with suppress(BrokerDownError):
                await broker.publish(EVENTS, message(21))
                return True
            return False

        async def waiting() -> int:
            with suppress(BrokerDownError):
                return await broker.waiting(EVENTS, "second")
            return 0

        await eventually(published, lambda done: done)
        # Each of its connections is mended by itself.
        await eventually(waiting, lambda count: count >= 21)
        await until(reader, lambda seen: "chk_1:21" in seen.ids, patience=90)
        took = reader.of("chk_1")
        assert [one for one in took if one != "chk_1:20"] == [f"chk_1:{number}" for number in (*range(20), 21)]
    finally:
        await broker.close()


async def _is_down(broker: Broker, server: Server) -> None:
    """Every call ends in a named error and in time."""
    for call in (broker.publish(EVENTS, message(20)), broker.waiting(EVENTS, "second")):
        began = time.monotonic()
        with pytest.raises(BrokerDownError) as error:
            await call
        assert time.monotonic() - began < LONGEST_CALL + _SLACK
        assert str(server.port) not in "".join(traceback.format_exception(error.value))


@pytest.mark.parametrize("scheme", list(SPECS))
async def test_a_broker_that_is_not_there_is_named_in_time(
    scheme: str, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a word of the address, which may hold a password; a later start of the same connection may succeed."""
    caplog.set_level(logging.DEBUG)
    broker = connect(f"{scheme}://shop:s3cret@127.0.0.1:{any_free()}", GROUPS, prefix)
    broker.listen(EVENTS, "first", Reader().take)
    for _ in range(2):
        began = time.monotonic()
        with pytest.raises(BrokerDownError) as error:
            await broker.start()
        assert time.monotonic() - began < LONGEST_CALL + _SLACK
        assert "s3cret" not in "".join(traceback.format_exception(error.value))
    with pytest.raises(BrokerDownError):
        await broker.publish(EVENTS, message(1))
    await broker.close()
    assert "s3cret" not in caplog.text


async def test_a_broker_that_has_lost_everything_is_read_again(mortal: Server, prefix: str) -> None:
    """What was in it is gone; whoever listens hears of what comes after, without being started again."""
    reader = Reader()
    async with running(mortal, prefix, (EVENTS, "first", reader.take)) as broker:
        await broker.publish(EVENTS, message(1))
        await until(reader, lambda seen: seen.ids == ["chk_1:1"])
        mortal.kill()
        await _is_down(broker, mortal)
        mortal.forget()
        mortal.start()

        async def heard() -> list[str]:
            with suppress(BrokerDownError):
                await broker.publish(EVENTS, message(2 + len(reader.took)))
            return reader.ids

        await eventually(heard, lambda ids: len(ids) > 1, patience=90)


def test_an_address_of_no_broker_is_refused() -> None:
    """With those that there are."""
    with pytest.raises(ValueError, match="there are nats://, kafka://, amqp://, redis://"):
        connect("mqtt://127.0.0.1")
