"""Stands around every gateway call: keeps it back while its breaker is open, and tells the breaker how it ended."""

import asyncio
import logging
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

from domain.breaker import Breaker, BreakerPolicy, BreakerState, Ending, Tally, second_of
from domain.errors import (
    BooksError,
    BreakerOpenError,
    GatewayError,
    GatewayUnreachableError,
    OutcomeUnknownError,
)
from gateways.contract import Verb
from ledger.breakers import Breakers, Key
from ledger.contract import StoreUnavailableError

LOOK_UP = "lookup"
OPERATIONS: tuple[str, ...] = (*Verb, LOOK_UP)
"""What has a breaker of its own at each gateway: the money operations, and the look-ups, which share one."""

_log = logging.getLogger(__name__)


class GatewayGuard:
    """One per process. A call that goes well costs no write: successes are told together with the next failure."""

    def __init__(
        self, breakers: Breakers, policy: BreakerPolicy | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._breakers, self._policy, self._clock = breakers, policy or BreakerPolicy(), clock
        self._answered: dict[Key, Counter[int]] = {}
        self._lending: dict[Key, asyncio.Lock] = {}

    @asynccontextmanager
    async def call(self, gateway: str, operation: str) -> AsyncIterator[None]:
        """Make one gateway call inside, a money operation's or (`LOOK_UP`) a look-up's.

        Raises BreakerOpenError, with the seconds to wait, when the call must not be made.
        """
        key = (gateway, operation)
        holder = await self._admitted(key)
        started = self._clock()
        try:
            yield
        except Exception as error:
            await self._ended(key, holder, self._judged(_ending_of(error), started), type(error).__name__)
            raise
        seconds = self._clock() - started
        ending = self._judged(Ending.ANSWERED, started)
        await self._ended(key, holder, ending, f"an answer that took {seconds:.0f} seconds")

    async def _admitted(self, key: Key) -> str | None:
        """None for an ordinary call, else the name under which this one is the probe."""
        board = await self._breakers.read()
        breaker = board.of(*key)
        if breaker.state is BreakerState.CLOSED:
            return None
        holder = secrets.token_hex(8)
        if breaker.wait_seconds(board.now, self._policy) == 0:
            breaker = await self._lent(key, holder)
        if breaker.state is BreakerState.CLOSED:
            return None
        if breaker.probe is not None and breaker.probe.holder == holder:
            return holder
        raise _kept_back(key, breaker, board.now, self._policy)

    async def _lent(self, key: Key, holder: str) -> Breaker:
        """The breaker after the probe was asked for, one call of this process at a time.

        All that waited come at once; those behind the first then know without the database that the probe is taken.
        """
        async with self._lending.setdefault(key, asyncio.Lock()):
            board = await self._breakers.read()
            breaker = board.of(*key)
            if breaker.wait_seconds(board.now, self._policy) > 0:
                return breaker
            return await self._breakers.change(*key, lambda b, now: b.lend(now, holder, self._policy))

    async def _ended(self, key: Key, holder: str | None, ending: Ending, last: str) -> None:
        """Tell the breaker what it should know. A database in trouble must not change how the call ended."""
        try:
            if holder is not None:
                await self._breakers.change(*key, lambda b, now: b.after_probe(now, holder, ending, last, self._policy))
            elif ending is not Ending.UNTRIED:
                await self._counted(key, ending, last)
        except (StoreUnavailableError, BooksError) as error:
            _log.warning("the breaker of %s %s was not told: %s", *key, error)

    async def _counted(self, key: Key, ending: Ending, last: str) -> None:
        board = await self._breakers.read()
        second, answered = second_of(board.now), self._answered.setdefault(key, Counter())
        if ending is Ending.ANSWERED:
            answered[second] += 1
            for old in [s for s in answered if s <= second - self._policy.window_seconds]:
                del answered[old]
            return
        if board.of(*key).state is not BreakerState.CLOSED:
            return
        tallies = [Tally(at, number, 0) for at, number in answered.items()]
        answered.clear()
        failure = Tally(second, 0, 1)
        await self._breakers.change(*key, lambda b, now: b.after_calls(now, (*tallies, failure), last, self._policy))

    def _judged(self, ending: Ending, started: float) -> Ending:
        slow = ending is Ending.ANSWERED and self._clock() - started > self._policy.slow_seconds
        return Ending.FAILED if slow else ending


def _ending_of(error: Exception) -> Ending:
    """No answer is a failure. What the gateway said no to, or asked to wait for, it answered."""
    match error:
        case OutcomeUnknownError() | GatewayUnreachableError():
            return Ending.FAILED
        case BreakerOpenError():
            return Ending.UNTRIED
        case GatewayError():
            return Ending.ANSWERED
        case _:
            # Of our own making: an amount that does not fit, or a defect.
            return Ending.UNTRIED


def _kept_back(key: Key, breaker: Breaker, now: datetime, policy: BreakerPolicy) -> BreakerOpenError:
    seconds = max(1.0, breaker.wait_seconds(now, policy))
    gateway, operation = key
    why = f": {breaker.reason}" if breaker.reason else ""
    return BreakerOpenError(f"{operation} at {gateway} is kept back, its breaker is {breaker.state}{why}", seconds)
