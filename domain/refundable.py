"""How much of a sale can still be given back."""

from collections.abc import Iterable

from domain.booked import Booked
from domain.payment import RefundStatus
from domain.refund import RefundRecord


def refundable(on_books: Booked, asked: Iterable[RefundRecord]) -> int:
    """What is left of the captured money, in minor units, once nothing is promised twice; never less than zero.

    Off it go refunds that the gateway has taken on and not failed, whoever asked for them; what is out for disputes;
    what the shop has `asked` for and the gateway has not yet taken on; and what a person has let be. Money of ours that
    is lost and was written off comes not back by that.
    """
    returned = sum(r.amount.minor for r in on_books.refunds.values() if r.status is not RefundStatus.FAILED)
    reserved = sum(
        record.refund.amount.minor
        for record in asked
        if record.status is RefundStatus.PENDING and record.gateway_refund_id not in on_books.refunds
    )
    let_be = max(0, on_books.written_off_minor)
    return max(0, on_books.captured_minor - returned - on_books.withdrawn_minor - reserved - let_be)
