"""The breakers in Postgres: shared, safe under concurrency, cheap to read, with a history."""

import asyncio
import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.breaker import Breaker, BreakerPolicy, BreakerState, Ending, Tally, second_of
from ledger.breakers import AUTOMATIC, Breakers
from ledger.contract import StoreUnavailableError
from ledger.engine import create_engine

S = BreakerState
POLICY = BreakerPolicy(pause_seconds=0.05)


def some_gateway() -> str:
    """A name that no other test uses."""
    return f"gw_{secrets.token_hex(4)}"


def failing(number: int = 1) -> object:
    """The step of a process that saw so many failures at once."""
    return lambda b, now: b.after_calls(now, [Tally(second_of(now), 0, number)], "Failure", POLICY)


async def trip(breakers: Breakers, gateway: str) -> Breaker:
    """Open the breaker of this gateway's create."""
    return await breakers.change(gateway, "create", failing(POLICY.failures))  # type: ignore[arg-type]


async def test_a_breaker_nobody_wrote_about_is_closed(engine: AsyncEngine) -> None:
    """Reading makes no row, and what is not there lets calls through."""
    board = await Breakers(engine).read()
    assert board.of(some_gateway(), "create") == Breaker()


async def test_everything_about_a_breaker_is_kept(engine: AsyncEngine) -> None:
    """What one process wrote another reads, whatever the state; moments, counts and the probe included."""
    gateway, now = some_gateway(), datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)
    opened = Breaker().after_calls(now, [Tally(second_of(now), 2, 7)], "Failure", POLICY)
    lent = opened.lend(now + timedelta(seconds=1), "me", POLICY)
    for breaker in (opened, lent, lent.forced(now, "maintenance"), Breaker(since=now, reason="done")):
        written = await Breakers(engine).change(gateway, "create", lambda *_, breaker=breaker: breaker)
        read = (await Breakers(engine).read()).of(gateway, "create")
        assert read == written == breaker


async def test_failures_of_many_processes_are_counted_together(engine: AsyncEngine) -> None:
    """Twenty processes that each see some failures at the same moment lose none of them."""
    gateway = some_gateway()
    patient = replace(POLICY, failures=1000)
    processes = [Breakers(engine) for _ in range(20)]
    await asyncio.gather(
        *(
            one.change(
                gateway, "create", lambda b, now: b.after_calls(now, [Tally(second_of(now), 2, 1)], "x", patient)
            )
            for one in processes
            for _ in range(3)
        )
    )
    board = await Breakers(engine).read()
    assert board.of(gateway, "create").counts(board.now, patient) == (180, 60)


async def test_exactly_one_process_gets_the_probe(engine: AsyncEngine) -> None:
    """Thirty processes ask at the same moment, round after round: one probes each time, the others are kept back."""
    gateway = some_gateway()
    processes = [Breakers(engine) for _ in range(30)]
    await trip(processes[0], gateway)
    for turn in range(4):
        await asyncio.sleep(POLICY.pause_seconds * 2 ** (turn + 1))
        answers = await asyncio.gather(
            *(
                one.change(gateway, "create", lambda b, now, name=str(name): b.lend(now, name, POLICY))
                for name, one in enumerate(processes)
            )
        )
        holders = {answer.probe.holder for answer in answers if answer.probe}
        assert len(holders) == 1
        holder = holders.pop()
        await processes[int(holder)].change(
            gateway, "create", lambda b, now, name=holder: b.after_probe(now, name, Ending.FAILED, "x", POLICY)
        )


async def test_every_change_of_state_is_in_the_history(engine: AsyncEngine) -> None:
    """From what to what, why, who and when; a call that only counts is not in it."""
    gateway, breakers = some_gateway(), Breakers(engine)
    await breakers.change(gateway, "create", failing())  # type: ignore[arg-type]
    await trip(breakers, gateway)
    await breakers.change(gateway, "create", lambda b, now: b.forced(now, "maintenance"), "key_1")
    await breakers.change(gateway, "create", lambda b, now: b.forced(now, "longer"), "key_1")
    await breakers.change(gateway, "create", lambda b, now: b.released(now, "done"), "key_2")
    told = await breakers.history(gateway, "create")
    assert [(e.before, e.after, e.who) for e in told] == [
        (S.FORCED_OPEN, S.CLOSED, "key_2"),
        (S.OPEN, S.FORCED_OPEN, "key_1"),
        (S.CLOSED, S.OPEN, AUTOMATIC),
    ]
    assert [e.reason for e in told][:2] == ["done", "maintenance"]
    assert told[0].at >= told[1].at >= told[2].at


async def test_reading_is_remembered(fresh_database_url: str) -> None:
    """However many calls ask within a second, the database is read once; then once more."""
    pool, clock = create_engine(fresh_database_url), 0.0
    statements: list[str] = []
    event.listen(pool.sync_engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    breakers = Breakers(pool, clock=lambda: clock)
    await asyncio.gather(*(breakers.read() for _ in range(50)))
    assert sum("JOIN breakers" in text for text in statements) == 1
    clock = 0.99
    await breakers.read()
    assert sum("JOIN breakers" in text for text in statements) == 1
    clock = 1.0
    await asyncio.gather(*(breakers.read() for _ in range(50)))
    assert sum("JOIN breakers" in text for text in statements) == 2
    assert not [text for text in statements if "UPDATE" in text or "INSERT" in text]
    await pool.dispose()


async def test_a_change_elsewhere_is_felt_within_a_second(engine: AsyncEngine) -> None:
    """One's own change at once, another's when what was read is a second old."""
    gateway, clock = some_gateway(), 0.0
    mine, other = Breakers(engine, clock=lambda: clock), Breakers(engine)
    await mine.read()
    await trip(other, gateway)
    assert (await mine.read()).of(gateway, "create").state is S.CLOSED
    clock = 1.0
    assert (await mine.read()).of(gateway, "create").state is S.OPEN
    await mine.change(gateway, "create", lambda b, now: b.forced(now, "x"))
    assert (await mine.read()).of(gateway, "create").state is S.FORCED_OPEN


async def test_the_last_known_breakers_stand_while_the_database_is_away(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that goes away stops no payment by way of the breakers; one that never was there is told."""
    gateway, clock = some_gateway(), 0.0
    nowhere = create_engine("postgresql://nobody@127.0.0.1:9/none")
    with pytest.raises(StoreUnavailableError):
        await Breakers(nowhere).read()
    breakers = Breakers(engine, clock=lambda: clock)
    await trip(breakers, gateway)
    await breakers.read()
    monkeypatch.setattr(breakers, "_reader", nowhere)
    clock = 5.0
    board = await breakers.read()
    assert board.of(gateway, "create").state is S.OPEN
    await nowhere.dispose()
