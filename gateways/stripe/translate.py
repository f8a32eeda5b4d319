"""Stripe's objects as the domain's snapshots.

What cannot be read raises OutcomeUnknownError, never a guess: an answer without a status, or with an amount that is no
whole number of our minor units, proves nothing, and rounding it could make a wrong amount look right. An amount or a
currency that can be read but is not what was asked is passed on as stated (currency in capitals), so that the caller's
comparison with its own record fails.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from domain.errors import InvalidMoneyError, OutcomeUnknownError
from domain.money import Money
from domain.payment import Decline, NextAction, PaymentSnapshot, PaymentStatus, RefundSnapshot, RefundStatus
from gateways.contract import GatewayTransaction, TransactionType
from gateways.stripe import declines
from gateways.stripe.currencies import stated_amount

Object = Mapping[str, Any]

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
    status = _STATUSES.get(_text(intent, "status"))
    if status is None:
        raise _unreadable("status")
    decline = _decline(intent) if status is PaymentStatus.AWAITING_CUSTOMER else None
    currency = _text(intent, "currency")
    return PaymentSnapshot(
        gateway=NAME,
        payment_id=_text(intent, "id"),
        reference=_metadata(intent, REFERENCE),
        status=status,
        amount=_money(intent, "amount", currency),
        captured=_money(intent, "amount_received", currency),
        live=_flag(intent, "livemode"),
        attempt=_attempt(intent, decline),
        decline=decline,
        next_action=_next_action(intent, status, payment_page),
        authorized_until=_authorized_until(intent) if status is PaymentStatus.AUTHORIZED else None,
        refunds=tuple(refund_of(refund) for refund in refunds),
    )


def refund_of(refund: Object) -> RefundSnapshot:
    """A Refund. Raises OutcomeUnknownError when it cannot be read."""
    word = _text(refund, "status")
    status = _REFUND_STATUSES.get(word)
    if status is None:
        raise _unreadable("status")
    reason = refund.get("failure_reason")
    failed = status is RefundStatus.FAILED
    return RefundSnapshot(
        refund_id=_text(refund, "id"),
        amount=_money(refund, "amount", _text(refund, "currency")),
        status=status,
        reference=_metadata(refund, REFUND_REFERENCE),
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


def transaction_of(row: Object) -> GatewayTransaction:
    """A BalanceTransaction with its source expanded. Raises OutcomeUnknownError when it cannot be read."""
    source = row.get("source")
    source = source if isinstance(source, Mapping) else {}
    created, amount = row.get("created"), row.get("amount")
    if type(created) is not int or type(amount) is not int:
        raise _unreadable("created or amount")
    payment_id = source.get("payment_intent")
    return GatewayTransaction(
        transaction_id=_text(row, "id"),
        type=_TRANSACTION_TYPES.get(_text(row, "type"), TransactionType.OTHER),
        amount=_money({"amount": abs(amount)}, "amount", _text(row, "currency")),
        at=datetime.fromtimestamp(created, UTC),
        payment_id=payment_id if isinstance(payment_id, str) else None,
        reference=_metadata(source, REFERENCE) or _metadata(source, REFUND_REFERENCE),
    )


def latest_charge(intent: Object) -> Object:
    """The latest try to pay, empty when there was none or Stripe gave its id only."""
    charge = intent.get("latest_charge")
    return charge if isinstance(charge, Mapping) else {}


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
    secret = _text(intent, "client_secret")
    return NextAction("confirm", client_secret=secret, url=payment_page + secret if payment_page else None)


def _authorized_until(intent: Object) -> datetime | None:
    details = latest_charge(intent).get("payment_method_details")
    card = details.get("card") if isinstance(details, Mapping) else None
    until = card.get("capture_before") if isinstance(card, Mapping) else None
    if until is None:
        return None
    if type(until) is not int:
        raise _unreadable("capture_before")
    try:
        return datetime.fromtimestamp(until, UTC)
    except (OverflowError, ValueError, OSError):
        raise _unreadable("capture_before") from None


def _money(stated: Object, field: str, currency: str) -> Money:
    amount = stated.get(field)
    if type(amount) is not int:
        raise _unreadable(field)
    try:
        return stated_amount(amount, currency)
    except InvalidMoneyError as error:
        raise OutcomeUnknownError(f"Stripe's answer cannot be trusted: {field}: {error}") from None


def _text(stated: Object, field: str) -> str:
    value = stated.get(field)
    if not isinstance(value, str) or not value:
        raise _unreadable(field)
    return value


def _flag(stated: Object, field: str) -> bool:
    value = stated.get(field)
    if not isinstance(value, bool):
        raise _unreadable(field)
    return value


def _metadata(stated: Object, key: str) -> str | None:
    metadata = stated.get("metadata")
    value = metadata.get(key) if isinstance(metadata, Mapping) else None
    return value if isinstance(value, str) and value else None


def _unreadable(field: str) -> OutcomeUnknownError:
    return OutcomeUnknownError(f"Stripe's answer cannot be read: {field} is missing or of a kind we do not know")
