"""The books: what was asked, what happened, and what money moved.

Until a checkout's end its own workflow alone writes here; what is learnt after the sale, several may write, as notes.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, Select, and_, exists, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from domain.checkout import Checkout, CheckoutRecord
from domain.errors import OrderExistsError
from domain.states import CheckoutState
from domain.timeline import Entry, TimelineRow
from ledger.append import Batch, write
from ledger.case_rows import CaseRows
from ledger.contract import CheckoutFilter, Note, Noted, Page, PostingRow
from ledger.engine import statement_by_statement
from ledger.failures import translated
from ledger.held import hold, was_sold
from ledger.listing import listing, page_of
from ledger.movements import posting_rows
from ledger.notes import take_note
from ledger.rows import checkout_values, record_of, select_records, timeline_row_of
from ledger.tables import checkout_status, checkouts, operations, timeline


class Books:
    """Reads and writes of the books, each in a transaction of its own.

    Every method may raise StoreUnavailableError, and a write BooksError when Postgres refuses it.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._reader = statement_by_statement(engine)

    async def create_checkout(self, checkout: Checkout, entry: Entry) -> CheckoutRecord:
        """Record a new checkout with its first timeline row. Raises OrderExistsError when the order has one."""
        return (await self._create([checkout], [entry]))[0]

    async def create_split(
        self, checkout: Checkout, legs: Sequence[Checkout], entries: Sequence[Entry]
    ) -> tuple[CheckoutRecord, ...]:
        """Record a split checkout and its legs, all or none; `entries` are their first rows, in the same order.

        Raises OrderExistsError when the order has a checkout.
        """
        return await self._create([checkout, *legs], entries)

    async def _create(self, made: Sequence[Checkout], entries: Sequence[Entry]) -> tuple[CheckoutRecord, ...]:
        """The first is the order's one checkout; the others are its legs."""
        batches = [Batch(checkout, {}, CaseRows(checkout)) for checkout in made]
        with translated():
            for batch, entry in zip(batches, entries, strict=True):
                batch.add([entry])
            async with self._engine.begin() as connection:
                await self._insert(connection, made[0])
                for leg in made[1:]:
                    await connection.execute(insert(checkouts).values(checkout_values(leg)))
                for batch in batches:
                    await write(connection, batch)
        return tuple(
            CheckoutRecord(batch.checkout, batch.status or entry.status, batch.sequence, entry.at)
            for batch, entry in zip(batches, entries, strict=True)
        )

    @staticmethod
    async def _insert(connection: AsyncConnection, checkout: Checkout) -> None:
        new = (
            insert(checkouts)
            .values(checkout_values(checkout))
            .on_conflict_do_nothing(index_elements=["order_id"], index_where=checkouts.c.parent_id.is_(None))
        )
        existing = select(checkouts.c.id).where(
            checkouts.c.order_id == checkout.order_id, checkouts.c.parent_id.is_(None)
        )
        # A concurrent creation of the same order is waited for here, so its row is there to be read.
        if (await connection.execute(new.returning(checkouts.c.id))).one_or_none() is None:
            raise OrderExistsError(checkout.order_id, (await connection.execute(existing)).scalar_one())

    async def append(self, checkout_id: str, entries: Sequence[Entry]) -> CheckoutRecord:
        """Append the entries, all or none; one whose key is on the books with the same state is skipped.

        Raises EntryMismatchError, IllegalTransitionError, and BooksError for an unknown checkout.
        """
        with translated():
            async with self._engine.begin() as connection:
                return await (await hold(connection, checkout_id)).append(entries)

    async def note(self, checkout_id: str, note: Note) -> Noted:
        """Put on the books what a note tells and they do not have; see `ledger.notes`."""
        with translated():
            async with self._engine.begin() as connection:
                return await take_note(await hold(connection, checkout_id), note)

    async def sold(self, checkout_id: str) -> bool:
        """Whether the sale was made, whatever came after it."""
        with translated():
            async with self._reader.connect() as connection:
                return bool((await connection.execute(select(was_sold(checkout_id)))).scalar_one())

    async def get(self, checkout_id: str) -> CheckoutRecord | None:
        """The checkout, None when there is no such."""
        return await self._one(select_records().where(checkouts.c.id == checkout_id))

    async def legs(self, *checkout_ids: str) -> tuple[CheckoutRecord, ...]:
        """The legs of these split checkouts, each one's in their order."""
        query = (
            select_records()
            .where(checkouts.c.parent_id.in_(checkout_ids))
            .order_by(checkouts.c.parent_id, checkouts.c.leg)
        )
        return tuple(record_of(row) for row in await self._all(query)) if checkout_ids else ()

    async def find_by_order(self, order_id: str) -> CheckoutRecord | None:
        """The order's one checkout."""
        return await self._one(
            select_records().where(checkouts.c.order_id == order_id, checkouts.c.parent_id.is_(None))
        )

    async def find_by_payment(self, gateway: str, payment_id: str) -> CheckoutRecord | None:
        """The checkout to which the gateway's payment belongs."""
        status = checkout_status.c
        return await self._one(select_records().where(status.gateway == gateway, status.payment_id == payment_id))

    async def find_unopened(self, older_than: timedelta, limit: int) -> tuple[CheckoutRecord, ...]:
        """Checkouts of that long ago for which nothing was ever done, oldest first: their workflow may be missing.

        A workflow's first act stores the key of an operation, so one that merely waits for its gateway is not here. A
        split checkout's first act is to start its legs, so these are never here, and are what it is judged by.
        """
        status, legs = checkout_status.c, checkouts.alias("legs")
        untouched = ~exists().where(operations.c.checkout_id == status.checkout_id)
        unsplit = ~exists().where(legs.c.parent_id == status.checkout_id, operations.c.checkout_id == legs.c.id)
        query = (
            select_records()
            .where(status.state == CheckoutState.PROCESSING, untouched, status.created_at < func.now() - older_than)
            .where(checkouts.c.parent_id.is_(None), unsplit)
            .order_by(status.created_at, status.checkout_id)
            .limit(limit)
        )
        return tuple(record_of(row) for row in await self._all(query))

    async def timeline(self, checkout_id: str) -> tuple[TimelineRow, ...]:
        """What happened to the checkout, first row first."""
        query = select(timeline).where(timeline.c.checkout_id == checkout_id).order_by(timeline.c.sequence)
        return tuple(timeline_row_of(row) for row in await self._all(query))

    async def rows_after(self, seen: Mapping[str, int], limit: int) -> tuple[TimelineRow, ...]:
        """At most so many rows of these checkouts that come after the sequence given for each, each one's in order."""
        t = timeline.c
        unseen = or_(*(and_(t.checkout_id == each, t.sequence > sequence) for each, sequence in seen.items()))
        query = select(timeline).where(unseen).order_by(t.checkout_id, t.sequence).limit(limit)
        return tuple(timeline_row_of(row) for row in await self._all(query))

    async def postings(self, checkout_id: str) -> tuple[PostingRow, ...]:
        """What money the checkout moved, in order."""
        with translated():
            async with self._reader.connect() as connection:
                return await posting_rows(connection, checkout_id)

    async def list(self, wanted: CheckoutFilter) -> Page:
        """One page of checkouts, newest first. Raises ValueError for a cursor that no page gave."""
        return page_of(wanted, await self._all(listing(wanted)))

    async def _one(self, query: Select[Any]) -> CheckoutRecord | None:
        rows = await self._all(query)
        return record_of(rows[0]) if rows else None

    async def _all(self, query: Select[Any]) -> tuple[Row[Any], ...]:
        with translated():
            async with self._reader.connect() as connection:
                return tuple(await connection.execute(query))
