"""One checkout, locked for a transaction: what is read under the lock stays true until what follows from it is written.

Whoever wants to write to the checkout next waits until this transaction ends: sequences have no gaps and no forks.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Select, exists, select
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.checkout import CheckoutRecord
from domain.errors import BooksError
from domain.states import CheckoutState
from domain.timeline import Entry
from ledger.append import Batch, write
from ledger.case_rows import CaseRows, open_rows
from ledger.rows import record_of, select_records
from ledger.tables import checkout_status, checkouts, timeline


class HeldCheckout:
    """A checkout whose status row is locked; `record` is where it stands, after `append` too."""

    def __init__(self, connection: AsyncConnection, row: Row[Any]) -> None:
        self.connection = connection
        self.record: CheckoutRecord = record_of(row)
        self._last_hash: str = row.last_hash

    @property
    def id(self) -> str:
        """The checkout's id."""
        return self.record.checkout.id

    async def append(self, entries: Sequence[Entry]) -> CheckoutRecord:
        """Append the entries, all or none; one whose key is on the books with the same state is skipped.

        Raises EntryMismatchError, IllegalTransitionError.
        """
        record, status = self.record, self.record.status
        batch = Batch(
            record.checkout,
            await self.known([entry.key for entry in entries]),
            await self._cases(entries),
            status.state,
            record.sequence,
            self._last_hash,
            status.captured_minor,
            status.refunded_minor,
        )
        batch.add(entries)
        if batch.status is not None and batch.updated_at is not None:
            await write(self.connection, batch)
            self.record = CheckoutRecord(record.checkout, batch.status, batch.sequence, batch.updated_at)
            self._last_hash = batch.hash
        return self.record

    async def sold(self) -> bool:
        """Whether the sale was made, whatever came after it."""
        return bool((await self.connection.execute(select(was_sold(self.id)))).scalar_one())

    async def known(self, keys: Sequence[str]) -> dict[str, CheckoutState]:
        """Which of these keys are on the timeline, and the states of their rows.

        Read after the lock, in a statement of its own: the locking one may see the timeline of before its
        wait.
        """
        t = timeline.c
        query = select(t.key, t.state).where(t.checkout_id == self.id, t.key.in_(keys))
        return {row.key: CheckoutState(row.state) for row in await self.connection.execute(query)}

    async def _cases(self, entries: Sequence[Entry]) -> CaseRows:
        if any(entry.case is not None for entry in entries):
            return await open_rows(self.connection, self.record.checkout)
        return CaseRows(self.record.checkout)


async def hold(connection: AsyncConnection, checkout_id: str) -> HeldCheckout:
    """Lock the checkout until the connection's transaction ends. Raises BooksError for an unknown one."""
    query = select_records().where(checkouts.c.id == checkout_id).with_for_update(of=checkout_status)
    return await _found(connection, query, checkout_id)


async def glance(connection: AsyncConnection, checkout_id: str) -> HeldCheckout:
    """The checkout to read about only, without keeping writers away. Raises BooksError for an unknown one."""
    return await _found(connection, select_records().where(checkouts.c.id == checkout_id), checkout_id)


async def _found(connection: AsyncConnection, query: Select[Any], checkout_id: str) -> HeldCheckout:
    row: Row[Any] | None = (await connection.execute(query)).one_or_none()
    if row is None:
        raise BooksError(f"there is no checkout {checkout_id!r}")
    return HeldCheckout(connection, row)


def was_sold(checkout_id: str) -> Any:
    """Whether the checkout has ever been completed, as an expression."""
    return exists().where(timeline.c.checkout_id == checkout_id, timeline.c.state == CheckoutState.COMPLETED)
