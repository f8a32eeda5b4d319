"""Writing to and reading from the books; idempotent, so that these may run as local activities."""

from collections.abc import Sequence
from dataclasses import dataclass

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.contract import NoteCall, OnBooks, OpenOnBooks, Record
from activities.failures import failure
from domain.booked import booked
from domain.case import Case, CaseKind
from domain.checkout import CheckoutRecord, CheckoutStatus
from domain.errors import IllegalTransitionError, PaysagaError
from domain.postings import AccountKind, TransactionKind
from domain.states import ENDED, CheckoutState
from gateways.contract import Verb
from ledger.books import Books
from ledger.cases import CaseBook
from ledger.contract import CaseFilter, Noted, PostingRow
from ledger.movements import transactions_of
from ledger.operations import Operations


@dataclass
class BookActivities:
    """The saga's pen."""

    books: Books
    operations: Operations
    cases: CaseBook

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
            # A refund of the shop's has keys of its own, which the saga does not count.
            verb, number = Verb(operation.verb), int(operation.key.rpartition(":")[2])
            if operation.key == f"{checkout_id}:{verb}:{number}":
                asked[verb] = max(asked[verb], number)
        sold, lost = await self._sold(checkout_id, rows)
        return OnBooks(
            status=record.status,
            booked=money,
            sequence=record.sequence,
            refunds_asked=asked[Verb.REFUND],
            voids_asked=asked[Verb.VOID],
            sold=sold,
            lost_minor=lost,
            captures_asked=asked[Verb.CAPTURE],
            reauthorizations_asked=asked[Verb.REAUTHORIZE],
        )

    async def _sold(self, checkout_id: str, rows: Sequence[PostingRow]) -> tuple[bool, int]:
        """Whether the sale was made, and what was lost after it that no case was opened about."""
        sales = [row.sequence for row in await self.books.timeline(checkout_id) if row.state is CheckoutState.COMPLETED]
        if not sales:
            return False, 0
        lost = lost_after(min(sales), rows)
        if lost:
            wanted = CaseFilter(kind=CaseKind.CAPTURE_LOST, checkout_id=checkout_id, open=None)
            found = (await self.cases.list(wanted)).data
            lost -= sum(case.amount_minor for case in found if case.sequence > min(sales))
        return True, max(0, lost)

    @activity.defn
    async def note(self, call: NoteCall) -> Noted:
        """Write down what was learnt after the checkout's own workflow had no more say; nothing is written twice."""
        try:
            return await self.books.note(call.checkout_id, call.note)
        except PaysagaError as error:
            raise failure(error) from error

    @activity.defn
    async def read_case(self, case_id: str) -> Case | None:
        """A case, open or closed."""
        return await self.cases.get(case_id)

    @activity.defn
    async def read_cases(self, checkout_id: str) -> tuple[OpenOnBooks, ...]:
        """The checkout's open cases, oldest first."""
        record = await self.books.get(checkout_id)
        found = await self.cases.open_of(checkout_id)
        if record is None or not found:
            return ()
        states = {row.sequence: row.state for row in await self.books.timeline(checkout_id)}
        return tuple(OpenOnBooks(case, _before(case, record, states)) for case in found)

    @activity.defn
    async def read_tenders(self, checkout_id: str) -> tuple[CheckoutStatus, ...]:
        """Where the tenders of a split checkout stand, in their order."""
        return tuple(record.status for record in await self.books.legs(checkout_id))


def lost_after(sale: int, rows: Sequence[PostingRow]) -> int:
    """What of captured money went away again in rows later than the sale's, in minor units."""
    gone = (row for row in rows if row.kind == TransactionKind.CAPTURE_FAILED and row.sequence > sale)
    return sum(row.amount_minor for row in gone if row.account.endswith(f":{AccountKind.SALES}"))


def _before(case: Case, record: CheckoutRecord, states: dict[int, CheckoutState]) -> CheckoutStatus | None:
    """Where the checkout stood before the case, where the status is about the case at all.

    What was being given back when its capture was lost has gone back: there is nothing to go on with.
    """
    status = record.status
    if status.failure is None or status.failure.code != case.kind:
        return None
    state = states.get(case.sequence - 1, status.state)
    if case.kind is CaseKind.CAPTURE_LOST and status.refunded_minor >= record.checkout.amount.minor:
        state = CheckoutState.REFUNDED
    return CheckoutStatus(state)
