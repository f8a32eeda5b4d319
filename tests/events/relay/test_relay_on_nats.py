"""Relays on real books and a real broker: many at once, killed, and with a broker that is killed."""

import asyncio
import logging
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import asyncpg
import httpx
import nats.js.errors
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from devstack.layout import ROOT
from devstack.ports import any_free
from events.broker.registry import connect
from ledger.books import Books
from tests.events.relay.conftest import first_seen, published, relaying, until
from tests.events.relay.jetstream import JetStream
from tests.ledger.samples import whole_life

Tell = Callable[[str, Iterable[int]], Awaitable[None]]


@pytest.fixture
def jetstream(tmp_path: Path) -> Iterator[JetStream]:
    """A server of the test's own."""
    folder = tmp_path / "jetstream"
    folder.mkdir()
    server = JetStream(folder)
    server.start()
    yield server
    server.kill()


async def test_several_relays_under_load_keep_every_order(engine: AsyncEngine, jetstream: JetStream) -> None:
    """Three relays, ten writers: whoever reads the stream sees each checkout's events in order, and none missing."""
    books, made = Books(engine), []

    async def write() -> None:
        made.extend([(await whole_life(books)).id for _ in range(8)])

    async with AsyncExitStack() as stack:
        for _ in range(3):
            await stack.enter_async_context(_relay(engine, jetstream))
        await asyncio.gather(*(write() for _ in range(10)))
        await until(lambda: published(engine), 60)
    assert first_seen(await jetstream.ids()) == {subject: [1, 2, 3, 4, 5] for subject in made}


async def test_a_broker_that_is_killed_costs_nothing_but_time(
    engine: AsyncEngine, jetstream: JetStream, caplog: pytest.LogCaptureFixture
) -> None:
    """Killed under load and started again on its disk: no event is lost, no order broken, and no writer noticed."""
    books, made, stopped = Books(engine), [], asyncio.Event()

    async def write() -> None:
        while not stopped.is_set():
            async with asyncio.timeout(5):
                made.append((await whole_life(books)).id)

    with caplog.at_level(logging.INFO):
        async with _relay(engine, jetstream), _relay(engine, jetstream):
            writers = [asyncio.create_task(write()) for _ in range(3)]
            await until(lambda: len(made) > 20)
            await asyncio.to_thread(jetstream.kill)
            before = len(made)
            await until(lambda: "the broker is down" in caplog.text)
            await until(lambda: len(made) > before + 20)
            await asyncio.to_thread(jetstream.start)
            stopped.set()
            await asyncio.gather(*writers)
            await until(lambda: published(engine), 60)
    assert first_seen(await jetstream.ids()) == {subject: [1, 2, 3, 4, 5] for subject in made}
    assert "the broker is back" in caplog.text


async def test_a_relay_that_is_killed_before_it_marks_doubles_and_loses_nothing(
    engine: AsyncEngine, owner: asyncpg.Connection, told: Tell, jetstream: JetStream, fresh_database_url: str
) -> None:
    """Killed between the broker's answer and the mark: the rows still count as unpublished, and are sent again."""
    for name in "abc":
        await told(name, [1, 2])
    environment = _environment(fresh_database_url, jetstream)
    async with owner.transaction():
        await owner.execute("LOCK TABLE outbox IN SHARE MODE")  # Rows can be claimed, and not be marked.
        async with _process(environment) as relay:
            await until(lambda: _counted(jetstream, 6))
            await until(lambda: _waits_to_mark(owner))
            relay.kill()
            await relay.wait()
    assert not await published(engine)
    for name in "abc":
        await told(name, [3])
    async with _process(environment):
        await until(lambda: published(engine))
    assert first_seen(await jetstream.ids()) == {name: [1, 2, 3] for name in "abc"}


async def test_the_process_tells_how_it_does_and_ends_when_told(
    told: Tell, jetstream: JetStream, engine: AsyncEngine, fresh_database_url: str
) -> None:
    """It says that it is ready, answers /metrics, and ends with 0 on SIGTERM."""
    port = any_free()
    await told("a", [1, 2, 3])
    async with _process(_environment(fresh_database_url, jetstream) | {"METRICS_PORT": str(port)}) as relay:
        await until(lambda: published(engine))

        async def shown() -> bool:
            text = await asyncio.to_thread(_get, f"http://127.0.0.1:{port}/metrics")
            wanted = (
                "paysaga_relay_published_total 3.0",
                "paysaga_relay_unpublished 0.0",
                "paysaga_relay_oldest_unpublished_seconds 0.0",
                "paysaga_relay_publish_failures_total 0.0",
                'paysaga_broker_waiting{subscriber="orders"} 3.0',
            )
            return all(line in text for line in wanted)

        await until(shown)
        relay.terminate()
        assert await asyncio.wait_for(relay.wait(), 15) == 0


async def test_a_broker_that_was_never_there_is_waited_for(
    told: Tell, jetstream: JetStream, engine: AsyncEngine, fresh_database_url: str
) -> None:
    """The process starts without its broker, says so once, and passes everything on as soon as that is there."""
    jetstream.kill()
    await told("a", [1, 2])
    async with _process(_environment(fresh_database_url, jetstream)) as relay:
        assert relay.stderr is not None
        assert b"the broker is down" in await asyncio.wait_for(relay.stderr.readline(), 20)
        await asyncio.to_thread(jetstream.start)
        await until(lambda: published(engine), 30)
    assert await jetstream.ids() == ["a:1", "a:2"]


def test_a_setting_that_cannot_be_is_refused(fresh_database_url: str) -> None:
    """The process names the variable and ends with 2."""
    environment = {**os.environ, "DATABASE_URL": fresh_database_url, "BROKER_URL": "http://127.0.0.1:1"}
    ended = subprocess.run(
        [sys.executable, "-m", "events.relay"], cwd=ROOT, env=environment, capture_output=True, timeout=60, check=False
    )
    assert ended.returncode == 2
    assert b"BROKER_URL" in ended.stderr


@asynccontextmanager
async def _relay(engine: AsyncEngine, jetstream: JetStream) -> AsyncIterator[None]:
    broker = connect(jetstream.url)
    async with relaying(engine, broker):
        yield
    await broker.close()


@asynccontextmanager
async def _process(environment: dict[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    """A relay in a process of its own, ready."""
    pipe = asyncio.subprocess.PIPE
    relay = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "events.relay", cwd=ROOT, env=environment, stdout=pipe, stderr=pipe
    )
    try:
        assert relay.stdout is not None
        assert await asyncio.wait_for(relay.stdout.readline(), 30) == b"relay ready\n"
        yield relay
    finally:
        if relay.returncode is None:
            relay.kill()
        await relay.communicate()


def _environment(database_url: str, jetstream: JetStream) -> dict[str, str]:
    return {**os.environ, "DATABASE_URL": database_url, "BROKER_URL": jetstream.url}


async def _counted(jetstream: JetStream, number: int) -> bool:
    try:
        return len(await jetstream.ids()) == number
    except nats.js.errors.Error:  # The stream is made by the relay, which may not have come so far.
        return False


async def _waits_to_mark(owner: asyncpg.Connection) -> bool:
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    return await owner.fetchval(f"{query} AND query LIKE 'UPDATE outbox%'") == 1


def _get(url: str) -> str:
    try:
        return httpx.get(url, timeout=5).text
    except httpx.TransportError:
        return ""
