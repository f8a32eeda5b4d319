"""Writing to and reading from the books; idempotent, so that these may run as local activities."""

from collections.abc import Sequence
from dataclasses import dataclass

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.contract import OnBooks, Record
from activities.failures import failure
from domain.booked import booked
from domain.errors import PaysagaError
from domain.postings import Posting, Transaction, TransactionKind
from domain.states import CheckoutState
from ledger.books import Books
from ledger.contract import PostingRow


@dataclass
class BookActivities:
    """The saga's pen."""

    books: Books

    @activity.defn
    async def record(self, record: Record) -> CheckoutState:
        """Append entries to the timeline, with their postings and events, in one transaction.

        Answers the state on the books, which is another than the last entry's when that had been written before and
        the checkout has moved on since.
        """
        try:
            return (await self.books.append(record.checkout_id, record.entries)).status.state
        except PaysagaError as error:
            raise failure(error) from error

    @activity.defn
    async def read_books(self, checkout_id: str) -> OnBooks:
        """Where the checkout stands, with its money."""
        record = await self.books.get(checkout_id)
        if record is None:
            raise ApplicationError(f"no checkout {checkout_id} on the books", type="NotOnBooks", non_retryable=True)
        rows = await self.books.postings(checkout_id)
        return OnBooks(record.status, booked(record.checkout.amount.currency, transactions_of(rows)), record.sequence)


def transactions_of(rows: Sequence[PostingRow]) -> list[Transaction]:
    """The transactions that these rows, in their order on the books, make up."""
    grouped: dict[str, list[PostingRow]] = {}
    for row in rows:
        grouped.setdefault(row.transaction_id, []).append(row)
    return [
        Transaction(
            TransactionKind(group[0].kind),
            group[0].reference,
            tuple(Posting(row.account, row.currency, row.amount_minor) for row in group),
        )
        for group in grouped.values()
    ]
