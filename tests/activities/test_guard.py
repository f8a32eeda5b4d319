"""The guard around gateway calls: what it counts, what it keeps back, and what it costs."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from itertools import islice

import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.guard import LOOK_UP, OPERATIONS, GatewayGuard
from domain import errors
from domain.breaker import Breaker, BreakerPolicy, BreakerState
from gateways.contract import Verb
from ledger.breakers import Breakers
from ledger.engine import create_engine

S = BreakerState
POLICY = BreakerPolicy(pause_seconds=0.6, probe_seconds=1.5)
PAUSE_OVER = POLICY.pause_seconds * 1.2
FAILURE = errors.OutcomeUnknownError("timed out")


@pytest.fixture(scope="session")
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """A pool on the shared database, running as paysaga_app."""
    pool = create_engine(database_url)
    yield pool
    await pool.dispose()


@dataclass
class Process:
    """One worker process with its own guard, calling one gateway."""

    engine: AsyncEngine
    gateway: str = field(default_factory=lambda: f"gw_{secrets.token_hex(4)}")
    policy: BreakerPolicy = POLICY
    made: int = 0
    now: float = 0.0

    def __post_init__(self) -> None:
        self.breakers = Breakers(self.engine, fresh_seconds=0)
        self.guard = GatewayGuard(self.breakers, self.policy, clock=lambda: self.now)

    async def call(self, *outcomes: Exception | None, operation: str = Verb.CREATE, seconds: float = 0) -> None:
        """Make calls that end like this, one after the other; a failure is what the caller expects."""
        for outcome in outcomes:
            with pytest.raises(type(outcome)) if outcome else nullcontext():
                async with self.guard.call(self.gateway, operation):
                    self.made += 1
                    self.now += seconds
                    if outcome is not None:
                        raise outcome

    async def breaker(self, operation: str = Verb.CREATE) -> Breaker:
        """What the database says."""
        return (await self.breakers.read()).of(self.gateway, operation)


@pytest.fixture
def process(engine: AsyncEngine) -> Process:
    """A process whose gateway nobody else calls."""
    return Process(engine)


async def test_failures_open_it_and_calls_are_kept_back(process: Process) -> None:
    """After five calls without an answer the sixth is not made; the error says why and when to come back."""
    await process.call(*[FAILURE] * 5)
    with pytest.raises(errors.BreakerOpenError, match=r"create at gw_.* is kept back.*OutcomeUnknownError") as kept:
        await process.call(None)
    assert process.made == 5
    assert kept.value.retry_after_seconds == 1.0


async def test_operations_and_gateways_have_breakers_of_their_own(engine: AsyncEngine, process: Process) -> None:
    """What fails at one gateway's create says nothing about its refunds, or about another gateway."""
    await process.call(*[FAILURE] * 5)
    for operation in set(OPERATIONS) - {Verb.CREATE}:
        await process.call(None, operation=operation)
    await Process(engine).call(None)
    assert set(OPERATIONS) == {*Verb, LOOK_UP}


@pytest.mark.parametrize(
    "answer",
    [
        None,
        errors.GatewayBusyError("429"),
        errors.GatewayRefusedError("code", "no"),
        errors.GatewayMisconfiguredError("401"),
    ],
    ids=lambda answer: type(answer).__name__,
)
async def test_an_answer_of_any_kind_is_no_failure(process: Process, answer: Exception | None) -> None:
    """Declines, refusals, and a gateway that asks for patience do not open it, and count as answers."""
    await process.call(*[answer] * 20)
    await process.call(FAILURE)
    board = await process.breakers.read()
    assert board.of(process.gateway, Verb.CREATE).counts(board.now, POLICY) == (21, 1)


@pytest.mark.parametrize(
    "failure",
    [FAILURE, errors.KeySpentError("a stored 500"), errors.GatewayUnreachableError("refused")],
    ids=lambda failure: type(failure).__name__,
)
async def test_no_answer_is_a_failure(process: Process, failure: Exception) -> None:
    """Time-outs, server errors and connections that never came about."""
    await process.call(*[failure] * 5)
    assert (await process.breaker()).state is S.OPEN


async def test_slow_answers_are_failures(process: Process) -> None:
    """A gateway that answers after more than ten seconds holds up every worker; at ten it does not count."""
    await process.call(*[None] * 5, seconds=10)
    assert (await process.breaker()).state is S.CLOSED
    await process.call(*[None] * 5, seconds=10.5)
    breaker = await process.breaker()
    assert (breaker.state, (breaker.reason or "").endswith("an answer that took 10 seconds")) == (S.OPEN, True)


async def test_what_never_reached_the_gateway_counts_for_nothing(process: Process) -> None:
    """An amount that does not fit, or a defect of ours, is neither an answer nor a failure."""
    await process.call(*[errors.AmountDoesNotFitError(1, "USD", "x")] * 10, *[ZeroDivisionError()] * 10, FAILURE)
    board = await process.breakers.read()
    assert board.of(process.gateway, Verb.CREATE).counts(board.now, POLICY) == (1, 1)


async def test_a_defect_of_ours_is_no_slow_answer(process: Process) -> None:
    """However long it took until it showed: the gateway is not to blame."""
    await process.call(*[ZeroDivisionError()] * 10, seconds=60)
    assert await process.breaker() == Breaker()


async def test_many_calls_of_a_process_do_not_crowd_the_database(engine: AsyncEngine, process: Process) -> None:
    """When it opens under forty calls, or their pause is over, few of them lock its row: the others know by then."""
    locks: list[str] = []

    def count(*args: str) -> None:
        locks.extend([args[2]] if "FOR UPDATE" in args[2] else [])

    event.listen(engine.sync_engine, "before_cursor_execute", count)
    crowd = Process(engine, process.gateway, replace(POLICY, probe_seconds=30))
    crowd.breakers = Breakers(engine)
    crowd.guard = GatewayGuard(crowd.breakers, crowd.policy)
    together = asyncio.Barrier(41)

    async def one(*, waiting: bool = False) -> None:
        async with crowd.guard.call(crowd.gateway, Verb.CREATE):
            if waiting:
                await together.wait()  # All are under way,
                await together.wait()  # and all end.
            raise FAILURE

    under_way = [asyncio.create_task(one(waiting=True)) for _ in range(40)]
    await together.wait()
    await asyncio.gather(*(one() for _ in range(5)), return_exceptions=True)
    assert (await crowd.breakers.read()).of(crowd.gateway, Verb.CREATE).state is S.OPEN
    await together.wait()
    await asyncio.wait(under_way)
    assert len(locks) == 5
    await asyncio.sleep(PAUSE_OVER)
    answers = await asyncio.gather(*(one() for _ in range(40)), return_exceptions=True)
    event.remove(engine.sync_engine, "before_cursor_execute", count)
    assert sum(answer is FAILURE for answer in answers) == 1
    # The probe is lent, and its failure told.
    assert len(locks) == 5 + 2


async def test_a_healthy_call_writes_nothing(fresh_database_url: str) -> None:
    """A thousand calls that go well cost one read; what they were is told with the first failure."""
    pool = create_engine(fresh_database_url)
    statements: list[str] = []
    event.listen(pool.sync_engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    process = Process(pool)
    process.breakers = Breakers(pool, clock=lambda: 0.0)
    process.guard = GatewayGuard(process.breakers, POLICY)
    await process.call(*[None] * 1000)
    assert [text for text in statements if "JOIN breakers" in text] == statements[:1]
    assert not [text for text in statements if "INSERT" in text or "UPDATE" in text]
    await process.call(FAILURE)
    board = await process.breakers.read()
    assert board.of(process.gateway, Verb.CREATE).counts(board.now, POLICY) == (1001, 1)
    await process.call(FAILURE)
    board = await process.breakers.read()
    # The thousand are told once.
    assert board.of(process.gateway, Verb.CREATE).counts(board.now, POLICY) == (1002, 2)
    await pool.dispose()


async def test_a_probe_brings_it_back_for_all(engine: AsyncEngine, process: Process) -> None:
    """When the pause is over one call is made, and its answer lets every process call again."""
    other = Process(engine, process.gateway)
    await process.call(*[FAILURE] * 5)
    with pytest.raises(errors.BreakerOpenError):
        await other.call(None)
    await asyncio.sleep(PAUSE_OVER)
    await other.call(None)
    assert (await process.breaker()).state is S.CLOSED
    await process.call(None, None)


async def test_only_one_of_many_probes(engine: AsyncEngine, process: Process) -> None:
    """Of forty calls in eight processes that come when the pause is over, the gateway sees one."""
    await process.call(*[FAILURE] * 5)
    await asyncio.sleep(PAUSE_OVER)
    processes = [Process(engine, process.gateway, replace(POLICY, probe_seconds=30)) for _ in range(8)]
    release = asyncio.Event()

    async def one(caller: Process) -> bool:
        try:
            async with caller.guard.call(caller.gateway, Verb.CREATE):
                await release.wait()
        except errors.BreakerOpenError:
            return False
        return True

    calls = [asyncio.create_task(one(caller)) for caller in processes for _ in range(5)]
    kept_back = [await call for call in islice(asyncio.as_completed(calls), 39)]
    release.set()
    assert (any(kept_back), sum(await asyncio.gather(*calls))) == (False, 1)
    assert (await process.breaker()).state is S.CLOSED


async def test_a_probe_that_fails_doubles_the_pause(process: Process) -> None:
    """Its failure opens it again at once, without five more."""
    await process.call(*[FAILURE] * 5)
    await asyncio.sleep(PAUSE_OVER)
    await process.call(FAILURE)
    breaker = await process.breaker()
    assert (breaker.state, breaker.trips) == (S.OPEN, 2)


async def test_a_dead_prober_frees_the_probe(engine: AsyncEngine, process: Process) -> None:
    """A process that dies with the probe in hand keeps the others back for the lease only."""
    await process.call(*[FAILURE] * 5)
    await asyncio.sleep(PAUSE_OVER)
    dying = asyncio.create_task(_hang(process.guard.call, process.gateway))
    other = Process(engine, process.gateway)
    while (await other.breaker()).state is not S.HALF_OPEN:  # noqa: ASYNC110 - another process cannot set an event.
        await asyncio.sleep(0.01)
    dying.cancel()
    with pytest.raises(errors.BreakerOpenError) as kept:
        await other.call(None)
    assert kept.value.retry_after_seconds == POLICY.probe_check_seconds
    await asyncio.sleep(POLICY.probe_seconds)
    await other.call(None)
    assert (await other.breaker()).state is S.CLOSED


async def _hang(call: Callable[[str, str], object], gateway: str) -> None:
    async with call(gateway, Verb.CREATE):  # type: ignore[attr-defined]
        await asyncio.Event().wait()


async def test_a_probe_that_asked_nothing_is_handed_back(process: Process) -> None:
    """The amount did not fit, so the gateway was not asked: the next call is the probe at once."""
    await process.call(*[FAILURE] * 5)
    await asyncio.sleep(PAUSE_OVER)
    await process.call(errors.AmountDoesNotFitError(1, "USD", "x"))
    await process.call(None)
    assert (await process.breaker()).state is S.CLOSED


async def test_an_operator_keeps_calls_back(process: Process) -> None:
    """Forced open nothing is called, however long it waits; released it is called at once."""
    await process.breakers.change(process.gateway, Verb.CREATE, lambda b, now: b.forced(now, "maintenance"), "key_1")
    with pytest.raises(errors.BreakerOpenError, match="forced_open: maintenance") as kept:
        await process.call(None)
    assert kept.value.retry_after_seconds == POLICY.forced_check_seconds
    await process.breakers.change(process.gateway, Verb.CREATE, lambda b, now: b.released(now, "done"), "key_1")
    await process.call(None)
    assert process.made == 1


async def test_a_database_in_trouble_does_not_change_how_a_call_ended(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway's own error reaches the caller even when it cannot be counted."""
    await process.call(None)
    nowhere = create_engine("postgresql://nobody@127.0.0.1:9/none")
    monkeypatch.setattr(process.breakers, "_engine", nowhere)
    monkeypatch.setattr(process.breakers, "_reader", nowhere)
    await process.call(FAILURE, None)
    assert process.made == 3
    await nowhere.dispose()
