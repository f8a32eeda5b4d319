"""Writing to and reading from the books; idempotent, so that these may run as local activities."""

from collections.abc import Sequence
from dataclasses import dataclass

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.contract import OnBooks, Record
from activities.failures import failure
from domain.booked import booked
from domain.checkout import CheckoutStatus
from domain.errors import IllegalTransitionError, PaysagaError
from domain.postings import Posting, Transaction, TransactionKind
from domain.states import ENDED, CheckoutState
from gateways.contract import Verb
from ledger.books import Books
from ledger.contract import PostingRow
from ledger.operations import Operations


@dataclass
class BookActivities:
    """The saga's pen."""

    books: Books
    operations: Operations

    @activity.defn
    async def record(self, record: Record) -> CheckoutState:
        """Append entries to the timeline, with their postings and events, in one transaction.

        Answers the state on the books. It is another than the last entry's when the checkout has moved on without the
        workflow knowing: it was reset, or its worker died between this write and the end of the task.
        """
        try:
            return (await self.books.append(record.checkout_id, record.entries)).status.state
        except IllegalTransitionError as error:
            on_books = await self.books.get(record.checkout_id)
            if on_books is not None and on_books.status.state in ENDED:
                return on_books.status.state
            raise failure(error) from error
        except PaysagaError as error:
            raise failure(error) from error

    @activity.defn
    async def read_books(self, checkout_id: str) -> OnBooks:
        """Where the checkout stands, with its money."""
        record = await self.books.get(checkout_id)
        if record is None:
            raise ApplicationError(f"no checkout {checkout_id} on the books", type="NotOnBooks", non_retryable=True)
        rows = await self.books.postings(checkout_id)
        money = booked(record.checkout.amount.currency, transactions_of(rows))
        asked = dict.fromkeys(Verb, 0)
        for operation in await self.operations.of_checkout(checkout_id):
            verb, number = Verb(operation.verb), int(operation.key.rpartition(":")[2])
            asked[verb] = max(asked[verb], number)
        return OnBooks(record.status, money, record.sequence, asked[Verb.REFUND], asked[Verb.VOID])

    @activity.defn
    async def read_tenders(self, checkout_id: str) -> tuple[CheckoutStatus, ...]:
        """Where the tenders of a split checkout stand, in their order."""
        return tuple(record.status for record in await self.books.legs(checkout_id))


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
