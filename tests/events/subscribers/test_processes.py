"""Relay and subscriber as the processes they are: killed, started again, looked at and made to do it anew by hand."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from devstack.layout import ROOT
from events.broker.contract import Message, dead_letters_of
from events.broker.registry import connect
from events.subscribers.consuming import WHY
from ledger.analytics import Analytics
from ledger.books import Books
from ledger.engine import create_engine
from tests.events.servers import Server
from tests.ledger.samples import whole_life
from tests.workflows.support import eventually

pytestmark = pytest.mark.timeout(180)


@dataclass
class Town:
    """A broker and books of their own, and the environment in which commands find both."""

    server: Server
    engine: AsyncEngine
    environment: dict[str, str]

    @asynccontextmanager
    async def running(self, *command: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """The process, which says that it is ready first; asked to end at the end, if it has not."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", *command, cwd=ROOT, env=self.environment, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        try:
            assert b"ready" in await asyncio.wait_for(process.stdout.readline(), 60)
            yield process
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
                assert await asyncio.wait_for(process.wait(), 30) == 0

    async def by_hand(self, *command: str) -> tuple[int, str]:
        """What `python -m events …` said, and how it ended."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "events", *command),
            cwd=ROOT,
            env=self.environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await asyncio.wait_for(process.communicate(), 60)
        return process.returncode or 0, said.decode()

    async def sales(self, count: int) -> None:
        """Write whole lives of checkouts on the books."""
        for _ in range(count):
            await whole_life(Books(self.engine))

    async def agreed(self) -> None:
        """Wait until the daily totals are those of the books."""
        await eventually(Analytics(self.engine).differences, lambda found: found == [])


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[Server]:
    """A server of the test's own: the processes use the product's own names there."""
    server = Server("nats", tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.fixture
async def town(nats: Server, fresh_database_url: str) -> AsyncIterator[Town]:
    """Nothing runs there yet."""
    engine = create_engine(fresh_database_url, pool_size=3)
    environment = dict(os.environ) | {
        "BROKER_URL": nats.url,
        "DATABASE_URL": fresh_database_url,
        "PYTHONUNBUFFERED": "1",
    }
    yield Town(nats, engine, environment)
    await engine.dispose()


async def test_a_subscriber_that_is_killed_in_the_middle_of_an_event_does_it_again(town: Town) -> None:
    """The event that it had in hand comes to the next process, before its successors; nothing is lost or done twice."""
    async with town.running("events.relay"):
        async with town.running("events.subscribers", "analytics") as first:
            await town.sales(3)
            await town.agreed()
            async with town.engine.connect() as connection:
                # Whoever holds this keeps analytics from adding anything.
                await connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('analytics'))"))
                await town.sales(3)
                await eventually(lambda: waiting_for_locks(connection), lambda count: count == 1)
                first.kill()
                await first.wait()
        await town.sales(3)
        assert {one.count for one in await Analytics(town.engine).daily(date.min, date.max)} == {3}
        async with town.running("events.subscribers", "analytics"):
            await town.agreed()
            assert {one.count for one in await Analytics(town.engine).daily(date.min, date.max)} == {9}


async def waiting_for_locks(connection: AsyncConnection) -> int:
    """How many transactions of this database wait for an advisory lock."""
    query = """
        SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
        WHERE datname = current_database() AND locktype = 'advisory' AND NOT granted
    """
    return int(await connection.scalar(text(query)) or 0)


async def test_what_waits_is_told_and_can_be_done_anew(town: Town) -> None:
    """`status` counts, `replay --to` sends what was missed, `--afresh` comes to the same totals."""
    since = datetime.now(UTC).date().isoformat()
    async with town.running("events.relay"):
        await town.sales(3)
        code, said = await eventually(lambda: town.by_hand("status"), lambda seen: "0 events not published" in seen[1])
        assert code == 0, said
        (line,) = [line for line in said.splitlines() if line.startswith("analytics")]
        assert int(line.split()[1]) > 0
        assert line.endswith("never")
        async with town.running("events.subscribers", "analytics"):
            await town.agreed()
            before = await Analytics(town.engine).daily(date.min, date.max)
            code, said = await town.by_hand("replay", "--to", "analytics", "--since", since, "--afresh")
            assert code == 0, said
            await town.agreed()
            after = await Analytics(town.engine).daily(date.min, date.max)
            assert after == before
    _, said = await town.by_hand("status")
    assert [int(line.split()[1]) for line in said.splitlines() if line.startswith("analytics")] == [0]


async def test_dead_letters_are_shown_and_sent_again(town: Town) -> None:
    """Showing leaves them; sending again hands them over, and those that are still hopeless lie there again."""
    async with town.running("events.relay"):
        pass
    broker = connect(town.server.url)
    await broker.start()
    for number in range(2):
        letter = Message(f"chk_x:{number}", "chk_x", "payment.succeeded", b"{}", ((WHY, "no such sku"),))
        await broker.publish(dead_letters_of("analytics"), letter)
    await broker.close()
    for _ in range(2):
        code, said = await town.by_hand("replay", "--dead", "analytics", "--show")
        assert code == 0, said
        assert said.splitlines()[-1] == "2 dead letters of analytics"
        assert said.count("no such sku") == 2
    code, said = await town.by_hand("replay", "--dead", "analytics")
    assert (code, said.splitlines()[-1]) == (0, "2 dead letters sent again to analytics")
    assert (await town.by_hand("replay", "--dead", "analytics", "--show"))[1] == "0 dead letters of analytics\n"
    async with town.running("events.subscribers", "analytics"):
        again = await eventually(
            lambda: town.by_hand("replay", "--dead", "analytics", "--show"), lambda seen: "2 dead letters" in seen[1]
        )
    assert "no event of ours" in again[1]


@pytest.mark.parametrize(
    ("command", "named"),
    [
        (("replay", "--to", "analytics"), "--since"),
        (("replay", "--to", "nobody", "--since", "2026-01-01"), "--to"),
        (("replay", "--to", "analytics", "--since", "soon"), "--since"),
        (("replay", "--to", "analytics", "--since", "2026-01-02", "--until", "2026-01-01"), "--until"),
        (("replay", "--to", "analytics", "--since", "2026-01-01", "--until", "2026-01-02", "--afresh"), "--until"),
        (("replay", "--to", "notifications", "--since", "2026-01-01", "--afresh"), "--afresh"),
        (("replay", "--to", "webhooks", "--since", "2026-01-01", "--afresh"), "--afresh"),
        (("replay", "--to", "orders", "--since", "2026-01-01", "--show"), "--show"),
        (("replay", "--dead", "orders", "--since", "2026-01-01"), "--dead"),
        (("replay",), "--to"),
    ],
)
async def test_an_order_that_makes_no_sense_names_its_option(town: Town, command: tuple[str, ...], named: str) -> None:
    """And does nothing."""
    code, said = await town.by_hand(*command)
    assert code == 2
    assert named in said


async def test_a_broker_that_is_down_is_named(town: Town) -> None:
    """By hand nobody waits for it; a subscriber does, and works once it is there."""
    town.server.kill()
    code, said = await town.by_hand("status")
    assert code == 1
    assert "BrokerDownError: NATS does not answer" in said
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "events.subscribers", "analytics"),
        cwd=ROOT,
        env=town.environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert b"the broker is down" in await asyncio.wait_for(process.stderr.readline(), 60)
    town.server.start()
    assert await asyncio.wait_for(process.stdout.readline(), 60) == b"analytics ready\n"
    process.terminate()
    assert await asyncio.wait_for(process.wait(), 30) == 0
