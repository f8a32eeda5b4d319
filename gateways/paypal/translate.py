"""PayPal's orders as the domain's snapshots.

What cannot be read raises OutcomeUnknownError, never a guess. An amount, currency, account or mode that can be read but
is not what was asked is passed on as stated, so that the caller's comparison with its own record fails.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from domain.errors import CurrencyMismatchError, OutcomeUnknownError
from domain.money import Money
from domain.payment import Decline, NextAction, PaymentSnapshot, PaymentStatus, RefundSnapshot, RefundStatus
from gateways.contract import GatewayTransaction, TransactionType
from gateways.paypal import declines, fields
from gateways.paypal.fields import Object
from gateways.paypal.options import LIVE_HOSTS
from gateways.paypal.pieces import Piece, key_of, shown, whole_of

NAME = "paypal"

_ORDER_STATUSES = {
    "CREATED": PaymentStatus.AWAITING_CUSTOMER,
    "SAVED": PaymentStatus.AWAITING_CUSTOMER,
    "PAYER_ACTION_REQUIRED": PaymentStatus.REQUIRES_ACTION,
    "APPROVED": PaymentStatus.APPROVED,
    "VOIDED": PaymentStatus.CANCELED,
    # A completed order is what its payments are; it comes to this only when all of them came to nothing.
    "COMPLETED": PaymentStatus.CANCELED,
}
_TAKEN = frozenset({"COMPLETED", "PARTIALLY_REFUNDED", "REFUNDED"})
_REFUSED = frozenset({"DECLINED", "FAILED", "DENIED"})
_HELD = frozenset({"CREATED", "PARTIALLY_CAPTURED"})
_RELEASED = frozenset({"VOIDED", "EXPIRED"})
_PENDING = frozenset({"PENDING"})
_CAPTURED = frozenset({"CAPTURED"})
_KNOWN = _TAKEN | _REFUSED | _HELD | _RELEASED | _PENDING | _CAPTURED
_DRAWN = _TAKEN | _PENDING
_REFUND_STATUSES = {
    "PENDING": RefundStatus.PENDING,
    "COMPLETED": RefundStatus.SUCCEEDED,
    "FAILED": RefundStatus.FAILED,
    # A canceled refund gives nothing back either.
    "CANCELLED": RefundStatus.FAILED,
}
# Holds for disputes and their release, chargebacks, their reversal, reimbursement, second round and cancellation.
# https://developer.paypal.com/docs/transaction-search/transaction-event-codes
_DISPUTES = frozenset({"T1110", "T1111", "T1201", "T1202", "T1205", "T1207", "T1208"})
# PayPal's page where the payer agrees, by the two names it has.
_PAYER_LINKS = ("payer-action", "approve")


@dataclass(frozen=True)
class Payments:
    """What was done with an order, in PayPal's objects."""

    authorizations: Sequence[Object]
    captures: Sequence[Object]
    refunds: Sequence[Object]

    @property
    def held(self) -> Object | None:
        """The authorization that holds money now; one that was made anew stands in for those before it."""
        if any(c.get("final_capture") is True and c["status"] in _DRAWN for c in self.captures):
            # PayPal may go on calling a hold partially captured after a final capture of less than the whole.
            return None
        current = next((held for held in reversed(self.authorizations) if held["status"] not in _REFUSED), None)
        return current if current is not None and current["status"] in _HELD else None

    @property
    def original(self) -> Object | None:
        """The authorization that those made anew stem from; only this one can be made anew or voided."""
        return next((held for held in self.authorizations if held["status"] in _HELD), None)

    @property
    def drawn(self) -> Money | None:
        """What was captured or is about to be, None where nothing was."""
        return _sum([fields.money(part, "amount") for part in self.captures if part["status"] in _DRAWN])

    @property
    def taken(self) -> list[Object]:
        """The captures that took money, the newest first."""
        return [part for part in reversed(self.captures) if part["status"] in _TAKEN]

    @property
    def latest(self) -> Object | None:
        """The newest try: a capture, else an authorization."""
        return next(reversed((*self.authorizations, *self.captures)), None)


def unit_of(order: Object) -> Object:
    """The one thing an order of ours is about. Raises OutcomeUnknownError for any other order."""
    units = fields.several(order, "purchase_units")
    if len(units) != 1:
        raise fields.unreadable("purchase_units")
    return units[0]


def payments_of(order: Object) -> Payments:
    """Its authorizations, captures and refunds, in the order they were made."""
    payments = fields.inner(unit_of(order), "payments")
    authorizations, captures, refunds = (
        fields.several(payments, name) for name in ("authorizations", "captures", "refunds")
    )
    # Which one was made last decides what several of them are together.
    refunds = sorted(refunds, key=lambda refund: fields.text_if_any(refund, "create_time") or "")
    return Payments(authorizations, captures, refunds)


def payment_of(order: Object, live: bool) -> PaymentSnapshot:
    """An order with all that was done with it; `live` is the account's mode, for an order that does not say.

    Raises OutcomeUnknownError when it cannot be read.
    """
    unit, payments = unit_of(order), payments_of(order)
    amount, reference = fields.money(unit, "amount"), fields.text_if_any(unit, "custom_id")
    status = _status(order, payments)
    latest = payments.latest
    held = payments.held if status is PaymentStatus.AUTHORIZED else None
    return PaymentSnapshot(
        gateway=NAME,
        payment_id=fields.text(order, "id"),
        reference=reference,
        status=status,
        amount=amount,
        captured=_captured(payments, amount),
        live=_live(order, live),
        attempt=fields.text(latest, "id") if latest else None,
        decline=_decline(latest) if latest and status is not PaymentStatus.CAPTURED else None,
        next_action=_next_action(order, status),
        authorized_until=fields.moment(held, "expiration_time") if held else None,
        account=fields.text_if_any(fields.inner(unit, "payee"), "merchant_id"),
        refunds=shown([piece_of(refund, reference) for refund in payments.refunds]),
        authorization_id=fields.text(held, "id") if held else None,
    )


def refund_of(refund: Object, inherited: str | None = None) -> RefundSnapshot:
    """A refund; `inherited` is what PayPal writes on those that were asked for without a reference of their own.

    Raises OutcomeUnknownError when it cannot be read.
    """
    word = fields.text(refund, "status")
    status = _REFUND_STATUSES.get(word)
    if status is None:
        raise fields.unreadable("status")
    ours = fields.text_if_any(refund, "custom_id")
    failed = status is RefundStatus.FAILED
    return RefundSnapshot(
        refund_id=fields.text(refund, "id"),
        amount=fields.money(refund, "amount"),
        status=status,
        reference=key_of(ours) if ours and ours != inherited else None,
        failure_code=(fields.text_if_any(fields.inner(refund, "status_details"), "reason") or word) if failed else None,
    )


def piece_of(refund: Object, inherited: str | None = None) -> Piece:
    """A refund with what it is a part of. Raises OutcomeUnknownError when it cannot be read."""
    return Piece(refund_of(refund, inherited), whole_of(fields.text_if_any(refund, "custom_id") or ""))


def transaction_of(row: Object) -> GatewayTransaction | None:
    """One row of the transaction list; None for one that moved nothing. Raises OutcomeUnknownError."""
    info = fields.inner(row, "transaction_info")
    # Of a denied row nothing moved, of a pending one not yet; a reversed one moved and its reversal has its own row.
    if fields.text(info, "transaction_status") not in ("S", "V"):
        return None
    stated = fields.inner(info, "transaction_amount")
    signed = fields.text(stated, "value")
    amount = fields.money({"amount": {**stated, "value": signed.removeprefix("-")}}, "amount")
    kind = _transaction_type(fields.text(info, "transaction_event_code"), signed.startswith("-"))
    custom = fields.text_if_any(info, "custom_field")
    order_named = info.get("paypal_reference_id_type") == "ODR"
    return GatewayTransaction(
        transaction_id=fields.text(info, "transaction_id"),
        type=kind,
        amount=amount,
        at=fields.moment(info, "transaction_initiation_date"),
        payment_id=fields.text_if_any(info, "paypal_reference_id") if order_named else None,
        reference=key_of(custom) if custom and kind in _OF_REFUNDS else custom,
    )


_OF_REFUNDS = frozenset({TransactionType.REFUND, TransactionType.REFUND_FAILED})


def _transaction_type(code: str, outgoing: bool) -> TransactionType:
    """T00xx are payments, T1107 refunds of ours.

    A reversal by PayPal (T1106) is a refund that came back where it brings money, and a dispute's end where it takes.
    """
    if code.startswith("T00"):
        return TransactionType.OTHER if outgoing else TransactionType.CHARGE
    if code == "T1107" or (code == "T1106" and not outgoing):
        return TransactionType.REFUND if outgoing else TransactionType.REFUND_FAILED
    if code in _DISPUTES or code == "T1106":
        return TransactionType.DISPUTE if outgoing else TransactionType.DISPUTE_REVERSED
    return TransactionType.OTHER


def _newest(parts: Sequence[Object], statuses: frozenset[str]) -> Object | None:
    return next((part for part in reversed(parts) if part["status"] in statuses), None)


def _status(order: Object, payments: Payments) -> PaymentStatus:
    """What the payments say, the weightiest word first; the order's own only where they came to nothing."""
    done = (*payments.authorizations, *payments.captures)
    if any(fields.text(part, "status") not in _KNOWN for part in done):
        raise fields.unreadable("a payment's status")
    if _newest(done, _PENDING):
        return PaymentStatus.PROCESSING
    taken = payments.drawn
    if payments.held and (taken is None or taken.minor < fields.money(unit_of(order), "amount").minor):
        return PaymentStatus.AUTHORIZED
    if taken is not None:
        return PaymentStatus.CAPTURED
    if _newest(payments.authorizations, _RELEASED):
        return PaymentStatus.CANCELED
    word = fields.text(order, "status")
    status = _ORDER_STATUSES.get(word)
    # A completed order shows what was done with it, and a hold that is captured shows by which capture.
    tried = payments.captures if _newest(payments.authorizations, _CAPTURED) else done
    if status is None or (word == "COMPLETED" and not tried):
        raise fields.unreadable("status")
    # From its opening an order may stand as requiring the payer; it asks once more only when it knows them.
    if status is PaymentStatus.REQUIRES_ACTION and not fields.inner(order, "payer"):
        return PaymentStatus.AWAITING_CUSTOMER
    return status


def _captured(payments: Payments, amount: Money) -> Money:
    return _sum([fields.money(part, "amount") for part in payments.taken]) or amount.zero()


def _sum(amounts: Sequence[Money]) -> Money | None:
    if not amounts:
        return None
    try:
        return sum(amounts[1:], start=amounts[0])
    except CurrencyMismatchError:
        raise OutcomeUnknownError("PayPal's answer cannot be trusted: amounts in several currencies") from None


def _decline(latest: Object) -> Decline | None:
    """Why the newest try came to nothing, if it did."""
    if latest["status"] not in _REFUSED:
        return None
    said = fields.inner(latest, "processor_response")
    reason = fields.text_if_any(fields.inner(latest, "status_details"), "reason")
    word = fields.text_if_any(said, "response_code") or reason or fields.text(latest, "status")
    return declines.decline(word, "PayPal could not take the money", fields.text_if_any(said, "payment_advice_code"))


def _next_action(order: Object, status: PaymentStatus) -> NextAction | None:
    if status not in (PaymentStatus.AWAITING_CUSTOMER, PaymentStatus.REQUIRES_ACTION):
        return None
    url = fields.link(order, *_PAYER_LINKS)
    return NextAction("redirect", url=url) if url else None


def _live(order: Object, otherwise: bool) -> bool:
    """The mode by the address that PayPal gives the order itself."""
    address = fields.link(order, "self")
    return fields.host(address) in LIVE_HOSTS if address else otherwise
