"""What was lost after the sale, and is nobody's case yet."""

from typing import Any

from activities.books import BookActivities
from domain.case import CaseKind, CloseCase, OpenCase
from domain.checkout import CheckoutStatus
from domain.money import Money
from domain.postings import capture, capture_failed
from domain.states import CheckoutState
from domain.timeline import Entry
from ledger.books import Books
from ledger.cases import CaseBook
from ledger.operations import Operations
from tests.ledger.samples import NOW, created, opened
from tests.ledger.samples import checkout as made_checkout

NONE = Money(0, "EUR")


async def test_a_loss_before_the_sale_hides_none_after_it(fresh_engine: Any) -> None:
    """A part was lost before the sale was made, and seen to; what is lost after it was nobody's case yet."""
    books, cases = Books(fresh_engine), CaseBook(fresh_engine)
    made = made_checkout()
    await books.create_checkout(made, created())
    pay, part = f"pi_{made.id}", Money(1000, "EUR")
    total = made.amount

    def row(key: str, state: CheckoutState, *transactions: Any, case: Any = None) -> Entry:
        return Entry(key, CheckoutStatus(state, pay), "poll", NOW, {}, tuple(transactions), None, case)

    mark = OpenCase(CaseKind.CAPTURE_LOST, "gone", "checkout/x", total.minor)
    await books.append(
        made.id,
        [
            opened(pay),
            row("held", CheckoutState.AUTHORIZED),
            row("part", CheckoutState.PARTIALLY_CAPTURED, capture("stripe", pay, part, NONE)),
        ],
    )
    await books.append(
        made.id, [row("lost", CheckoutState.NEEDS_REVIEW, capture_failed("stripe", pay, part, NONE), case=mark)]
    )
    await books.append(
        made.id, [row("closed", CheckoutState.PARTIALLY_CAPTURED, case=CloseCase(CaseKind.CAPTURE_LOST, "operator"))]
    )
    await books.append(
        made.id,
        [
            row("paid", CheckoutState.PAID, capture("stripe", pay, part, NONE)),
            row("completed", CheckoutState.COMPLETED),
        ],
    )
    await books.append(made.id, [row("lost2", CheckoutState.COMPLETED, capture_failed("stripe", pay, part, NONE))])
    found = await BookActivities(books, Operations(fresh_engine), cases).read_books(made.id)
    assert found.lost_minor == 1000, "money of the sale is gone and no case is opened about it"
