"""What a payment or refund, as PayPal shows it after an operation, means as that operation's answer."""

from collections.abc import Set

from domain.errors import GatewayRefusedError, OutcomeUnknownError
from domain.outcomes import Answer, Completed, Declined, Pending, RequiresAction
from domain.payment import PaymentSnapshot, PaymentStatus, RefundSnapshot, RefundStatus
from gateways.contract import RefundPayment
from gateways.paypal import declines

_UNTOUCHED = frozenset({PaymentStatus.APPROVED, PaymentStatus.AWAITING_CUSTOMER})


def as_it_is(payment: PaymentSnapshot, done: Set[PaymentStatus]) -> Answer:
    """The payment after an operation that wanted it to come to one of the statuses `done`.

    Raises OutcomeUnknownError while nothing of the operation shows.
    """
    if payment.status in done:
        return Completed(payment)
    if payment.decline is not None:
        return Declined(payment.decline, payment)
    if payment.status is PaymentStatus.CANCELED:
        return not_asked_for(payment, "ORDER_ENDED", "the order has ended at PayPal")
    if payment.status is PaymentStatus.REQUIRES_ACTION and payment.next_action is not None:
        return RequiresAction(payment, payment.next_action)
    if payment.status in _UNTOUCHED:
        # Its own reading lags behind what it has just accepted: told as it looks, it would count as not done.
        raise OutcomeUnknownError(f"PayPal took it in and still shows the order as {payment.status}")
    return Pending(payment)


def after_void(payment: PaymentSnapshot) -> Answer:
    """The payment after a void, or one that there is nothing of to void."""
    match payment.status:
        case PaymentStatus.CANCELED | PaymentStatus.CAPTURED:
            return Completed(payment)
        case PaymentStatus.PROCESSING | PaymentStatus.AUTHORIZED:
            return Pending(payment)
        case _:
            return not_asked_for(payment, "ORDER_NOT_HELD", "PayPal ends no order that holds nothing; it lapses")


def after_refund(refund: RefundSnapshot) -> Answer:
    """The refund after it was asked for."""
    match refund.status:
        case RefundStatus.SUCCEEDED:
            return Completed(refund)
        case RefundStatus.PENDING:
            return Pending(refund)
        case RefundStatus.FAILED:
            return Declined(declines.decline(refund.failure_code or "UNKNOWN", f"refund {refund.refund_id} failed"))


def refund_under(request: RefundPayment, payment: PaymentSnapshot) -> RefundSnapshot | None:
    """The refund made under this key, if any. Raises GatewayRefusedError when it gave another amount."""
    made = next((refund for refund in payment.refunds if refund.reference == request.key), None)
    if made is not None and made.amount != request.amount:
        raise GatewayRefusedError("DUPLICATE_REQUEST_ID", f"the key was used to refund {made.amount}")
    return made


def not_asked_for(payment: PaymentSnapshot, code: str, message: str) -> Declined:
    """Our own no, where PayPal could only be asked in vain or would do more than is wanted."""
    return Declined(declines.invalid_request(code, message), payment)
