"""What a payment or refund, as PayPal shows it after an operation, means as that operation's answer."""

from collections.abc import Set

from domain.errors import OutcomeUnknownError
from domain.outcomes import Answer, Completed, Declined, Pending, RequiresAction
from domain.payment import PaymentSnapshot, PaymentStatus, RefundSnapshot, RefundStatus
from gateways.contract import CapturePayment
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


def captured_already(request: CapturePayment, payment: PaymentSnapshot) -> bool:
    """Whether as much is captured as shall be after this; what is captured in another currency is for the caller."""
    wanted, captured = request.captured_after, payment.captured
    if captured.currency != wanted.currency:
        return payment.status is PaymentStatus.CAPTURED
    return captured.minor >= wanted.minor


def after_capture(request: CapturePayment, payment: PaymentSnapshot) -> Answer:
    """The payment after a capture, or one of which nothing can be captured now.

    Raises OutcomeUnknownError while nothing of the operation shows.
    """
    if captured_already(request, payment):
        return Completed(payment)
    if payment.status is PaymentStatus.CAPTURED:
        return not_asked_for(payment, "AUTHORIZATION_ALREADY_CAPTURED", "it was captured for less, for the last time")
    return as_it_is(payment, frozenset())


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


def not_asked_for(payment: PaymentSnapshot, code: str, message: str) -> Declined:
    """Our own no, where PayPal could only be asked in vain or would do more than is wanted."""
    return Declined(declines.invalid_request(code, message), payment)
