"""The breakers in Postgres, shared by every process: read from memory, changed under the row's lock."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, func, select, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from domain.breaker import Breaker, BreakerState, Probe, Tally
from domain.errors import BooksError
from ledger.contract import StoreUnavailableError
from ledger.engine import statement_by_statement
from ledger.failures import translated
from ledger.tables import breaker_events, breakers

AUTOMATIC = "automatic"
"""Who changed a breaker when nobody did: the calls themselves."""
FRESH_SECONDS = 1.0
"""How long a process believes what it has read; the most that a change elsewhere takes to be felt."""

Key = tuple[str, str]
"""Gateway and operation."""
Step = Callable[[Breaker, datetime], Breaker]
"""What a breaker turns into at this moment."""

# The time comes along in the same statement, also while there is no breaker.
_CLOCK = select(func.clock_timestamp().label("now")).subquery("clock")
_ALL = select(_CLOCK.c.now, breakers).select_from(_CLOCK.outerjoin(breakers, true()))
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Board:
    """All breakers as they were read. `now` is the database's clock, which all processes share."""

    breakers: Mapping[Key, Breaker]
    now: datetime

    def of(self, gateway: str, operation: str) -> Breaker:
        """One breaker; closed where nothing was ever written about it."""
        return self.breakers.get((gateway, operation), Breaker())


@dataclass(frozen=True)
class BreakerEvent:
    """One change of a breaker's state."""

    gateway: str
    operation: str
    before: BreakerState
    after: BreakerState
    reason: str | None
    who: str
    at: datetime


class Breakers:
    """Reads are remembered for a second; every method may raise StoreUnavailableError."""

    def __init__(
        self, engine: AsyncEngine, fresh_seconds: float = FRESH_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._engine, self._reader = engine, statement_by_statement(engine)
        self._fresh_seconds, self._clock = fresh_seconds, clock
        self._last: _Reading | None = None
        self._tried_at = 0.0
        self._reading = asyncio.Lock()

    async def read(self) -> Board:
        """All breakers, at most a second old; older while the database does not answer."""
        if self._last is None:
            async with self._reading:
                last = self._last or await self._refreshed()
        elif self._clock() - self._tried_at >= self._fresh_seconds and not self._reading.locked():
            # Whoever comes meanwhile goes on with what is known: nobody queues behind a slow database.
            async with self._reading:
                last = await self._refreshed_if_possible(self._last)
        else:
            last = self._last
        return Board(dict(last.breakers), last.database_time + timedelta(seconds=self._clock() - last.at))

    async def change(self, gateway: str, operation: str, step: Step, who: str = AUTOMATIC) -> Breaker:
        """Let `step` change the breaker while nobody else can; the state's change goes into the history."""
        key = (gateway, operation)
        row = (breakers.c.gateway == gateway) & (breakers.c.operation == operation)
        new = insert(breakers).values(gateway=gateway, operation=operation).on_conflict_do_nothing()
        with translated():
            async with self._engine.begin() as connection:
                await connection.execute(new)
                before = _breaker_of((await connection.execute(select(breakers).where(row).with_for_update())).one())
                # Asked after the lock was had, since the wait for it may be long.
                now = (await connection.execute(select(func.clock_timestamp()))).scalar_one()
                after = step(before, now)
                if after != before:
                    await connection.execute(update(breakers).where(row).values(_values(after)))
                if after.state is not before.state:
                    await _tell(connection, BreakerEvent(*key, before.state, after.state, after.reason, who, now))
        if self._last is not None:
            self._last.breakers[key] = after
        if after.state is not before.state:
            _log.warning("breaker %s %s: %s → %s: %s", *key, before.state, after.state, after.reason)
        return after

    async def history(self, gateway: str, operation: str, limit: int = 100) -> tuple[BreakerEvent, ...]:
        """The latest changes of a breaker's state, newest first."""
        e = breaker_events.c
        query = select(breaker_events).where(e.gateway == gateway, e.operation == operation)
        with translated():
            async with self._reader.connect() as connection:
                rows = await connection.execute(query.order_by(e.id.desc()).limit(limit))
                return tuple(_event_of(row) for row in rows)

    async def _refreshed_if_possible(self, last: "_Reading") -> "_Reading":
        try:
            return await self._refreshed()
        except (StoreUnavailableError, BooksError) as error:
            _log.warning("the breakers cannot be read, the last known ones stand: %s", error)
            return last

    async def _refreshed(self) -> "_Reading":
        self._tried_at = self._clock()
        with translated():
            async with self._reader.connect() as connection:
                rows = (await connection.execute(_ALL)).all()
        known = {(row.gateway, row.operation): _breaker_of(row) for row in rows if row.gateway is not None}
        self._last = _Reading(known, rows[0].now, self._clock())
        return self._last


@dataclass(frozen=True)
class _Reading:
    """What was read, when by the database's clock, and when by ours."""

    breakers: dict[Key, Breaker]
    database_time: datetime
    at: float


def _breaker_of(row: Row[Any]) -> Breaker:
    return Breaker(
        state=BreakerState(row.state),
        since=row.since,
        reason=row.reason,
        tallies=tuple(Tally(*numbers) for numbers in row.tallies),
        trips=row.trips,
        next_probe_at=row.next_probe_at,
        probe=Probe(row.probe_holder, row.probe_until) if row.probe_holder is not None else None,
    )


def _values(breaker: Breaker) -> dict[str, Any]:
    return {
        "state": breaker.state,
        "since": breaker.since,
        "reason": breaker.reason,
        "tallies": [[tally.second, tally.answered, tally.failed] for tally in breaker.tallies],
        "trips": breaker.trips,
        "next_probe_at": breaker.next_probe_at,
        "probe_holder": breaker.probe.holder if breaker.probe else None,
        "probe_until": breaker.probe.until if breaker.probe else None,
    }


async def _tell(connection: AsyncConnection, event: BreakerEvent) -> None:
    values = {"gateway": event.gateway, "operation": event.operation, "reason": event.reason, "who": event.who}
    states = {"from_state": event.before, "to_state": event.after, "at": event.at}
    await connection.execute(insert(breaker_events).values(values | states))


def _event_of(row: Row[Any]) -> BreakerEvent:
    before, after = BreakerState(row.from_state), BreakerState(row.to_state)
    return BreakerEvent(row.gateway, row.operation, before, after, row.reason, row.who, row.at)
