"""Daily totals: added up event by event, each once, and read back by the day."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, Date, bindparam, delete, func, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from domain.checkout import SPLIT
from ledger.failures import translated
from ledger.subscriber_tables import analytics_checkouts, analytics_daily
from ledger.tables import checkout_status, checkouts, outbox


@dataclass(frozen=True)
class Known:
    """What was last known of a checkout: amounts in minor units, and the event that told them."""

    day: date = date.min
    last_sequence: int = 0
    captured_minor: int = 0
    refunded_minor: int = 0
    created_at: datetime | None = None
    paid_at: datetime | None = None


@dataclass(frozen=True)
class Told:
    """One event of a checkout, from the broker or from the books."""

    checkout_id: str
    sequence: int
    type: str
    at: datetime
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Addition:
    """What one event adds to the totals of its day."""

    gateway: str
    currency: str
    outcome: str
    count: int = 1
    amount_minor: int = 0
    milliseconds: int = 0


Judge = Callable[[Known, Told], tuple[Known, Iterable[Addition]]]
"""Says what is known after an event and what the event adds; called within a transaction, so it only computes."""


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


# Two processes, or what is new and what is sent again, may be at one checkout; and nobody adds while days are dropped.
_LOCK = text(
    """
    SELECT pg_advisory_xact_lock_shared(hashtext('analytics')),
        pg_advisory_xact_lock(hashtext('analytics_checkouts'), hashtext(:checkout_id))
    """
)
_LOCK_ALL = text("SELECT pg_advisory_xact_lock(hashtext('analytics'))")

# One round trip for both: a subscriber has one event in hand at a time, so each of them is all other events' lag.
_WRITE = text(
    """
    WITH kept AS (
        INSERT INTO analytics_checkouts AS known (
            checkout_id, day, last_sequence, captured_minor, refunded_minor, created_at, paid_at)
        VALUES (:checkout_id, :day, :last_sequence, :captured_minor, :refunded_minor, :created_at, :paid_at)
        ON CONFLICT (checkout_id, day) DO UPDATE SET
            last_sequence = excluded.last_sequence, captured_minor = excluded.captured_minor,
            refunded_minor = excluded.refunded_minor, created_at = excluded.created_at, paid_at = excluded.paid_at)
    INSERT INTO analytics_daily AS total (day, gateway, currency, outcome, count, amount_minor, milliseconds)
    SELECT :day, added.* FROM jsonb_to_recordset(:additions) AS added (
        gateway text, currency text, outcome text, count bigint, amount_minor bigint, milliseconds bigint)
    ON CONFLICT (day, gateway, currency, outcome) DO UPDATE SET
        count = total.count + excluded.count, amount_minor = total.amount_minor + excluded.amount_minor,
        milliseconds = total.milliseconds + excluded.milliseconds
    """
).bindparams(
    bindparam("additions", type_=JSONB),
    bindparam("day", type_=Date),
    *(bindparam(name, type_=BigInteger) for name in ("captured_minor", "refunded_minor")),
)


class Analytics:
    """Every method may raise StoreUnavailableError."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def add(self, told: Told, judge: Judge) -> None:
        """Add what `judge` makes of the event, given what is known of its checkout; once, however often it is told.

        A checkout's events are added in their order and without a gap, and each event whole or not at all. What is
        missing before this one is taken from the books: it was put aside, or forgotten and not yet sent again.
        """
        with translated():
            async with self._engine.begin() as connection:
                await connection.execute(_LOCK, {"checkout_id": told.checkout_id})
                known = await _known(connection, told.checkout_id)
                if told.sequence <= known.last_sequence:
                    return
                if told.sequence > known.last_sequence + 1:
                    for earlier in await _missing(connection, told, known.last_sequence):
                        known = await _add(connection, earlier, known, judge)
                await _add(connection, told, known, judge)

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
                await connection.execute(_LOCK_ALL)
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
    shown = (c.day, c.last_sequence, c.captured_minor, c.refunded_minor, c.created_at, c.paid_at)
    query = select(*shown).where(c.checkout_id == checkout_id).order_by(c.day.desc()).limit(1)
    row = (await connection.execute(query)).one_or_none()
    return Known() if row is None else Known(**row._mapping)


async def _missing(connection: AsyncConnection, told: Told, after: int) -> Sequence[Told]:
    o = outbox.c
    ordinal = func.row_number().over(order_by=o.sequence).label("ordinal")
    rows = select(o.type, o.payload, o.created_at, ordinal).where(o.subject == told.checkout_id).subquery()
    query = select(rows).where(rows.c.ordinal.between(after + 1, told.sequence - 1)).order_by(rows.c.ordinal)
    return [
        Told(told.checkout_id, row.ordinal, row.type, row.created_at, row.payload)
        for row in await connection.execute(query)
    ]


async def _add(connection: AsyncConnection, told: Told, before: Known, judge: Judge) -> Known:
    after, additions = judge(before, told)
    # Days go forwards for each checkout, even if a clock was set back: what is kept before a day does not need the day.
    known = replace(after, day=max(told.at.date(), before.day), last_sequence=told.sequence)
    values = {"checkout_id": told.checkout_id, "additions": [asdict(addition) for addition in additions]}
    await connection.execute(_WRITE, values | asdict(known))
    return known
