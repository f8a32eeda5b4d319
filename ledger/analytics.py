"""Daily totals: added up event by event, each once, and read back by the day."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from domain.checkout import SPLIT
from ledger.consumed import mark_consumed
from ledger.failures import translated
from ledger.subscriber_tables import analytics_checkouts, analytics_daily
from ledger.tables import checkout_status, checkouts


@dataclass(frozen=True)
class Known:
    """What was last known of a checkout: amounts in minor units, the sequence of the event that told them."""

    last_sequence: int = 0
    captured_minor: int = 0
    refunded_minor: int = 0
    created_at: datetime | None = None
    paid_at: datetime | None = None


@dataclass(frozen=True)
class Addition:
    """What one event adds to the totals of its day, gateway and currency."""

    outcome: str
    count: int = 1
    amount_minor: int = 0
    milliseconds: int = 0


Judge = Callable[[Known], tuple[Known, Iterable[Addition]]]
"""Says what an event adds and what is known after it; called within the transaction, so it only computes."""


@dataclass(frozen=True)
class Told:
    """One event as the totals take it."""

    event_id: str
    at: datetime
    checkout_id: str
    sequence: int
    gateway: str
    currency: str


@dataclass(frozen=True)
class Total:
    """One outcome's total of a day."""

    day: date
    gateway: str
    currency: str
    outcome: str
    count: int
    amount_minor: int
    milliseconds: int


@dataclass(frozen=True)
class Difference:
    """Where totals and books disagree, in minor units."""

    gateway: str
    currency: str
    outcome: str
    totals_minor: int
    books_minor: int


class Analytics:
    """Every method may raise StoreUnavailableError."""

    def __init__(self, engine: AsyncEngine, subscriber: str = "analytics") -> None:
        self._engine, self._subscriber = engine, subscriber

    async def add(self, told: Told, judge: Judge) -> bool:
        """Add what `judge` makes of the event, given what is known of its checkout; False where it was added before.

        One transaction: an event counts whole or not at all, and once.
        """
        with translated():
            async with self._engine.begin() as connection:
                if not await mark_consumed(connection, self._subscriber, told.event_id, told.at):
                    return False
                # Two processes, or the live events and those sent again, may be at the same checkout.
                await connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(told.checkout_id, 0))))
                known, additions = judge(await _known(connection, told.checkout_id))
                await _keep(connection, told, known)
                await _total(connection, told, additions)
                return True

    async def daily(
        self, first: date, last: date, gateway: str | None = None, currency: str | None = None
    ) -> Sequence[Total]:
        """The totals of these days, both included."""
        d = analytics_daily.c
        query = select(analytics_daily).where(d.day.between(first, last)).order_by(d.day, d.gateway, d.currency)
        if gateway is not None:
            query = query.where(d.gateway == gateway)
        if currency is not None:
            query = query.where(d.currency == currency)
        with translated():
            async with self._engine.connect() as connection:
                return [Total(**row._mapping) for row in await connection.execute(query)]

    async def forget(self, since: date) -> None:
        """Drop what is kept of this day and those after it."""
        with translated():
            async with self._engine.begin() as connection:
                for table in (analytics_daily, analytics_checkouts):
                    await connection.execute(delete(table).where(table.c.day >= since))

    async def differences(self) -> Sequence[Difference]:
        """Where what was captured and refunded in all is not what the books say; empty once all events are added."""
        totals, books = analytics_daily.c, checkout_status.c
        added = (
            select(totals.gateway, totals.currency, totals.outcome, func.sum(totals.amount_minor))
            .where(totals.outcome.in_(("captured", "refunded")))
            .group_by(totals.gateway, totals.currency, totals.outcome)
        )
        booked = (
            select(books.gateway, checkouts.c.currency, func.sum(books.captured_minor), func.sum(books.refunded_minor))
            .join(checkouts, checkouts.c.id == books.checkout_id)
            .where(books.gateway != SPLIT)
            .group_by(books.gateway, checkouts.c.currency)
        )
        with translated():
            async with self._engine.connect() as connection:
                mine = {(g, c, o): int(amount) for g, c, o, amount in await connection.execute(added)}
                theirs: dict[tuple[str, str, str], int] = {}
                for gateway, currency, captured, refunded in await connection.execute(booked):
                    theirs[(gateway, currency, "captured")] = int(captured)
                    theirs[(gateway, currency, "refunded")] = int(refunded)
        return _compared(mine, theirs)


def _compared(
    mine: Mapping[tuple[str, str, str], int], theirs: Mapping[tuple[str, str, str], int]
) -> Sequence[Difference]:
    keys = sorted({*mine, *theirs})
    return [
        Difference(*key, mine.get(key, 0), theirs.get(key, 0)) for key in keys if mine.get(key, 0) != theirs.get(key, 0)
    ]


async def _known(connection: AsyncConnection, checkout_id: str) -> Known:
    c = analytics_checkouts.c
    shown = (c.last_sequence, c.captured_minor, c.refunded_minor, c.created_at, c.paid_at)
    query = select(*shown).where(c.checkout_id == checkout_id).order_by(c.day.desc()).limit(1)
    row = (await connection.execute(query)).one_or_none()
    return Known() if row is None else Known(**row._mapping)


async def _keep(connection: AsyncConnection, told: Told, known: Known) -> None:
    values = {
        "last_sequence": known.last_sequence,
        "captured_minor": known.captured_minor,
        "refunded_minor": known.refunded_minor,
        "created_at": known.created_at,
        "paid_at": known.paid_at,
    }
    new = insert(analytics_checkouts).values(checkout_id=told.checkout_id, day=told.at.date(), **values)
    await connection.execute(new.on_conflict_do_update(index_elements=["checkout_id", "day"], set_=values))


async def _total(connection: AsyncConnection, told: Told, additions: Iterable[Addition]) -> None:
    d = analytics_daily.c
    for addition in additions:
        new = insert(analytics_daily).values(
            day=told.at.date(),
            gateway=told.gateway,
            currency=told.currency,
            outcome=addition.outcome,
            count=addition.count,
            amount_minor=addition.amount_minor,
            milliseconds=addition.milliseconds,
        )
        grown = {
            "count": d.count + new.excluded.count,
            "amount_minor": d.amount_minor + new.excluded.amount_minor,
            "milliseconds": d.milliseconds + new.excluded.milliseconds,
        }
        keys = ["day", "gateway", "currency", "outcome"]
        await connection.execute(new.on_conflict_do_update(index_elements=keys, set_=grown))
