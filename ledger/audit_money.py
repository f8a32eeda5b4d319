"""What must hold for the money of one checkout, row by row and in the end."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Row

from domain.booked import Booked
from domain.payment import RefundStatus
from domain.postings import AccountKind, TransactionKind, account
from domain.states import CheckoutState
from ledger.chapter import Chapter, Moved


def money_faults(chapter: Chapter) -> Iterator[tuple[int, str]]:
    """What cannot be after a row, with the row's sequence. The transactions must be whole ones."""
    on_books, most, state = Booked(chapter.checkout.currency), 0, None
    moved_at: dict[int, list[Moved]] = {}
    for moved in chapter.moved:
        moved_at.setdefault(moved.sequence, []).append(moved)
    for row in chapter.rows:
        for moved in moved_at.get(row.sequence, ()):
            on_books = on_books.after(moved.whole())
            most = max(most, on_books.captured_minor)
            if moved.kind == TransactionKind.WRITE_OFF and row.cause != "operator":
                yield row.sequence, f"{moved.reference} was written off by {row.cause}, which only a person may"
        for reason in _impossible(on_books, most):
            yield row.sequence, reason
        if row.state == CheckoutState.WRITTEN_OFF != state and on_books.kept_minor:
            yield row.sequence, f"written off with {on_books.kept_minor} of the customer's neither returned nor let be"
        state = row.state


def _impossible(on_books: Booked, most_captured: int) -> Iterator[str]:
    if on_books.held_minor < 0:
        yield f"more of the hold was released than was held: {on_books.held_minor}"
    if on_books.captured_minor < 0:
        yield f"more captured money went away than was captured: {on_books.captured_minor}"
    returned = sum(r.amount.minor for r in on_books.refunds.values() if r.status is not RefundStatus.FAILED)
    # Money that went away after it was captured may have been refunded before that.
    if returned > most_captured:
        yield f"{returned} was refunded, and never more captured than {most_captured}"
    for dispute_id, minor in on_books.withdrawn.items():
        if minor < 0:
            yield f"more came back for dispute {dispute_id} than was withdrawn: {minor}"


def total_faults(status: Row[Any], moved: tuple[Moved, ...]) -> Iterator[str]:
    """Where the status says other totals than the postings."""
    balance = account(status.gateway, AccountKind.BALANCE)
    # A capture that fails after it was done takes the amount off the balance again.
    captured = _total(moved, TransactionKind.CAPTURE, balance) + _total(moved, TransactionKind.CAPTURE_FAILED, balance)
    # A refund that fails after it had settled puts the amount back on the balance, and counts as refunded no more.
    refunded = -_total(moved, TransactionKind.REFUND_SETTLED, balance) - _total(
        moved, TransactionKind.REFUND_FAILED, balance
    )
    if status.captured_minor != captured:
        yield f"the status says {status.captured_minor} captured, the postings {captured}"
    if status.refunded_minor != refunded:
        yield f"the status says {status.refunded_minor} refunded, the postings {refunded}"


def _total(moved: tuple[Moved, ...], kind: TransactionKind, name: str) -> int:
    return sum(amount for m in moved if m.kind == kind for posted_to, _, amount in m.postings if posted_to == name)
