"""Stripe's objects as the domain's snapshots.

What cannot be read raises OutcomeUnknownError, never a guess: an answer without a status, or with an amount that is no
whole number of our minor units, proves nothing, and rounding it could make a wrong amount look right. An amount or a
currency that can be read but is not what was asked is passed on as stated (currency in capitals), so that the caller's
comparison with its own record fails.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from domain.payment import Decline, NextAction, PaymentSnapshot, PaymentStatus, RefundSnapshot, RefundStatus
from gateways.contract import GatewayTransaction, TransactionType
from gateways.stripe import declines, fields
from gateways.stripe.fields import Object

NAME = "stripe"
REFERENCE = "checkout_id"
REFUND_REFERENCE = "reference"

_STATUSES = {
    "requires_payment_method": PaymentStatus.AWAITING_CUSTOMER,
    "requires_confirmation": PaymentStatus.AWAITING_CUSTOMER,
    "requires_action": PaymentStatus.REQUIRES_ACTION,
    "processing": PaymentStatus.PROCESSING,
    "requires_capture": PaymentStatus.AUTHORIZED,
    "succeeded": PaymentStatus.CAPTURED,
    "canceled": PaymentStatus.CANCELED,
}
_REFUND_STATUSES = {
    "pending": RefundStatus.PENDING,
    "requires_action": RefundStatus.PENDING,
    "succeeded": RefundStatus.SUCCEEDED,
    "failed": RefundStatus.FAILED,
    # A canceled refund gives nothing back either.
    "canceled": RefundStatus.FAILED,
}


def payment_of(intent: Object, refunds: Sequence[Object], payment_page: str | None = None) -> PaymentSnapshot:
    """A PaymentIntent with all its refunds. Raises OutcomeUnknownError when it cannot be read."""
    status = _STATUSES.get(fields.text(intent, "status"))
    if status is None:
        raise fields.unreadable("status")
    currency = fields.text(intent, "currency")
    captured = fields.money(intent, "amount_received", currency)
    if status is PaymentStatus.CANCELED and captured.minor:
        # Canceling the rest of a hold does not undo what was taken of it.
        status = PaymentStatus.CAPTURED
    decline = _decline(intent) if status is PaymentStatus.AWAITING_CUSTOMER else None
    return PaymentSnapshot(
        gateway=NAME,
        payment_id=fields.text(intent, "id"),
        reference=fields.metadata(intent, REFERENCE),
        status=status,
        amount=fields.money(intent, "amount", currency),
        captured=captured,
        live=fields.flag(intent, "livemode"),
        attempt=_attempt(intent, decline),
        decline=decline,
        next_action=_next_action(intent, status, payment_page),
        authorized_until=_authorized_until(intent) if status is PaymentStatus.AUTHORIZED else None,
        refunds=tuple(refund_of(refund) for refund in refunds),
    )


def refund_of(refund: Object) -> RefundSnapshot:
    """A Refund. Raises OutcomeUnknownError when it cannot be read."""
    word = fields.text(refund, "status")
    status = _REFUND_STATUSES.get(word)
    if status is None:
        raise fields.unreadable("status")
    reason = refund.get("failure_reason")
    failed = status is RefundStatus.FAILED
    return RefundSnapshot(
        refund_id=fields.text(refund, "id"),
        amount=fields.money(refund, "amount", fields.text(refund, "currency")),
        status=status,
        reference=fields.metadata(refund, REFUND_REFERENCE),
        failure_code=(reason if isinstance(reason, str) else word) if failed else None,
    )


_TRANSACTION_TYPES = {
    "charge": TransactionType.CHARGE,
    "payment": TransactionType.CHARGE,
    "refund": TransactionType.REFUND,
    "payment_refund": TransactionType.REFUND,
    "refund_failure": TransactionType.REFUND_FAILED,
    "payment_failure_refund": TransactionType.REFUND_FAILED,
}
# What a dispute moves is an `adjustment`, as are other things; only the category tells which.
_CATEGORIES = {"dispute": TransactionType.DISPUTE, "dispute_reversal": TransactionType.DISPUTE_REVERSED}


def transaction_of(row: Object) -> GatewayTransaction:
    """A BalanceTransaction with its source expanded. Raises OutcomeUnknownError when it cannot be read."""
    source = fields.part(row, "source")
    amount = row.get("amount")
    if type(amount) is not int:
        raise fields.unreadable("amount")
    kind = _TRANSACTION_TYPES.get(fields.text(row, "type"))
    payment_id = source.get("payment_intent")
    return GatewayTransaction(
        transaction_id=fields.text(row, "id"),
        type=kind or _CATEGORIES.get(str(row.get("reporting_category")), TransactionType.OTHER),
        amount=fields.money({"amount": abs(amount)}, "amount", fields.text(row, "currency")),
        at=fields.moment(row, "created"),
        payment_id=payment_id if isinstance(payment_id, str) else None,
        reference=fields.metadata(source, REFERENCE) or fields.metadata(source, REFUND_REFERENCE),
    )


def latest_charge(intent: Object) -> Object:
    """The latest try to pay, empty when there was none or Stripe gave its id only."""
    return fields.part(intent, "latest_charge")


def several_captures(intent: Object) -> bool:
    """Whether this hold can be taken in several parts, which depends on the card and its network."""
    card = fields.part(fields.part(latest_charge(intent), "payment_method_details"), "card")
    return bool(fields.part(card, "multicapture").get("status") == "available")


def _decline(intent: Object) -> Decline | None:
    error = intent.get("last_payment_error")
    if not isinstance(error, Mapping):
        return None
    words = [error.get(name) for name in ("decline_code", "code", "type")]
    code = next((word for word in words if isinstance(word, str) and word), "unknown")
    advice = error.get("advice_code")
    return declines.decline(code, str(error.get("message") or ""), advice if isinstance(advice, str) else None)


def _attempt(intent: Object, decline: Decline | None) -> str | None:
    """The charge of the latest try; a try that failed before there was a charge is named by its payment method."""
    charge = intent.get("latest_charge")
    names = [charge.get("id") if isinstance(charge, Mapping) else charge]
    if decline is not None:
        error = intent["last_payment_error"]
        method = error.get("payment_method")
        names = [error.get("charge"), method.get("id") if isinstance(method, Mapping) else method, *names]
    return next((name for name in names if isinstance(name, str) and name), None)


def _next_action(intent: Object, status: PaymentStatus, payment_page: str | None) -> NextAction | None:
    if status not in (PaymentStatus.AWAITING_CUSTOMER, PaymentStatus.REQUIRES_ACTION):
        return None
    if status is PaymentStatus.REQUIRES_ACTION:
        action = intent.get("next_action")
        redirect = action.get("redirect_to_url") if isinstance(action, Mapping) else None
        url = redirect.get("url") if isinstance(redirect, Mapping) else None
        if isinstance(url, str) and url.startswith(("https://", "http://")):
            return NextAction("redirect", url=url)
    secret = fields.text(intent, "client_secret")
    return NextAction("confirm", client_secret=secret, url=payment_page + secret if payment_page else None)


def _authorized_until(intent: Object) -> datetime | None:
    card = fields.part(fields.part(latest_charge(intent), "payment_method_details"), "card")
    return None if card.get("capture_before") is None else fields.moment(card, "capture_before")
