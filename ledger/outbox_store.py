"""The outbox as those see it who pass its events on, or send them again. `outbox` makes the rows."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Integer, Text, bindparam, func, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ledger.engine import statement_by_statement
from ledger.failures import translated
from ledger.tables import outbox

CHANNEL = "outbox"
"""Postgres notifies it of every commit that added events."""
_PAGE = 1000
_OF_ONE_SUBJECT = 100


@dataclass(frozen=True)
class OutboxRow:
    """One event on the books. `sequence` is the row's own; `ordinal` counts the subject's events from 1, gapless."""

    id: int
    subject: str
    sequence: int
    ordinal: int
    type: str
    payload: dict[str, Any]
    created_at: datetime


@dataclass(frozen=True)
class Backlog:
    """How many events are not published, and for how long the oldest has been waiting; None where none waits."""

    unpublished: int
    oldest: timedelta | None


PassOn = Callable[[Sequence[Sequence[OutboxRow]]], Awaitable[Collection[int]]]
"""Takes the rows of some subjects, each subject's in order; answers the ids of those that are published for good."""


# Whoever holds a subject's first unpublished row holds the subject: its later rows are nobody else's either. A head
# that somebody has published meanwhile is dropped when its lock is taken, and its successors are left to the next
# look. The subquery keeps this a walk along the index of what is unpublished, oldest first, that ends at the limit.
_HEADS = text(
    """
    SELECT o.subject, o.sequence FROM outbox AS o
    WHERE o.published_at IS NULL AND o.sequence = (
        SELECT min(first.sequence) FROM outbox AS first
        WHERE first.subject = o.subject AND first.published_at IS NULL)
    ORDER BY o.id LIMIT :subjects FOR UPDATE OF o SKIP LOCKED
    """
)
# First every subject's first row, then their second ones: the limit cuts long queues and starves nobody. It is cut
# before the rows are read, and what came before is counted once for each subject: these would be the costly parts.
_ROWS = text(
    """
    WITH heads AS MATERIALIZED (
        SELECT subject, (
            SELECT count(*) FROM outbox AS earlier
            WHERE earlier.subject = head.subject AND earlier.sequence < head.sequence) AS published
        FROM unnest(:subjects, :sequences) AS head (subject, sequence)
    ), due AS (
        SELECT queue.id, queue.place, published + queue.place AS ordinal
        FROM heads, LATERAL (
            SELECT id, row_number() OVER (ORDER BY sequence) AS place FROM outbox
            WHERE subject = heads.subject AND published_at IS NULL ORDER BY sequence LIMIT :of_one_subject) AS queue
        ORDER BY queue.place, queue.id LIMIT :rows)
    SELECT id, subject, sequence, ordinal, type, payload, created_at
    FROM due JOIN outbox USING (id) ORDER BY subject, sequence
    """
).bindparams(bindparam("subjects", type_=ARRAY(Text)), bindparam("sequences", type_=ARRAY(Integer)))
_MARK = (
    update(outbox)
    .where(outbox.c.id == func.any(bindparam("ids", type_=ARRAY(BigInteger))))
    .values(published_at=func.clock_timestamp())
)


class Outbox:
    """Events in the order of the books. Every method may raise StoreUnavailableError and BooksError."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine, self._single = engine, statement_by_statement(engine)

    async def pass_on(self, publish: PassOn, subjects: int = 200, rows: int = 1000) -> int:
        """Give `publish`, which must not raise, what is due; mark what it confirms. Answers how many rows were due.

        While `publish` works, a transaction keeps these subjects from every other caller: never is a row given away
        before its predecessors are marked. Who dies meanwhile has marked nothing; its rows are given away again.
        """
        with translated():
            async with self._engine.begin() as connection:
                due = await _due(connection, subjects, rows)
                confirmed = await publish(due) if due else ()
                if confirmed:
                    await connection.execute(_MARK, {"ids": list(confirmed)})
        return sum(len(queue) for queue in due)

    async def backlog(self) -> Backlog:
        """What waits to be published."""
        o = outbox.c
        waits = outbox.select().where(o.published_at.is_(None)).subquery()
        # Ids are given in the order of time, nearly; asking for the lowest time would read every row that waits.
        oldest = select(func.clock_timestamp() - waits.c.created_at).order_by(waits.c.id).limit(1).scalar_subquery()
        query = select(select(func.count()).select_from(waits).scalar_subquery(), oldest)
        with translated():
            async with self._single.connect() as connection:
                number, age = (await connection.execute(query)).one()
        return Backlog(number, age)

    async def since(
        self, moment: datetime, types: Collection[str] | None = None, until: datetime | None = None
    ) -> AsyncIterator[OutboxRow]:
        """Every event from the moment on, published or not, up to the newest there is now; None takes all types.

        They come in the order of the books. What goes on the books meanwhile is left out: it is not published yet.
        """
        first, last = await self._bounds(moment, until)
        while first is not None and last is not None and first <= last:
            page = await self._page(first, last, types)
            for row in page:
                yield row
            if len(page) < _PAGE:
                return
            first = page[-1].id + 1

    async def _bounds(self, moment: datetime, until: datetime | None) -> tuple[int | None, int | None]:
        """The ids to read between: unlike the time, they are in every subject's order even if a clock was set back."""
        within = select(outbox.c.id).where(outbox.c.created_at >= moment)
        if until is not None:
            within = within.where(outbox.c.created_at < until)
        # The offset keeps Postgres from looking for the lowest id by walking over everything that is older.
        ids = within.offset(0).subquery().c.id
        query = select(func.min(ids), func.max(ids))
        with translated():
            async with self._single.connect() as connection:
                first, last = (await connection.execute(query)).one()
        return first, last

    async def _page(self, first: int, last: int, types: Collection[str] | None) -> list[OutboxRow]:
        o, earlier = outbox.c, outbox.alias()
        counted = select(func.count()).where(earlier.c.subject == o.subject, earlier.c.sequence <= o.sequence)
        shown = (
            o.id,
            o.subject,
            o.sequence,
            o.type,
            o.payload,
            o.created_at,
            counted.scalar_subquery().label("ordinal"),
        )
        query = select(*shown).where(o.id.between(first, last)).order_by(o.id).limit(_PAGE)
        if types is not None:
            query = query.where(o.type.in_(types))
        with translated():
            async with self._single.connect() as connection:
                return [OutboxRow(**row._mapping) for row in await connection.execute(query)]


async def _due(connection: AsyncConnection, subjects: int, rows: int) -> list[list[OutboxRow]]:
    heads = (await connection.execute(_HEADS, {"subjects": subjects})).all()
    if not heads:
        return []
    names, sequences = zip(*heads, strict=True)
    limits = {"subjects": names, "sequences": sequences, "rows": rows, "of_one_subject": _OF_ONE_SUBJECT}
    queues: dict[str, list[OutboxRow]] = {}
    for row in await connection.execute(_ROWS, limits):
        queues.setdefault(row.subject, []).append(OutboxRow(**row._mapping))
    return list(queues.values())
