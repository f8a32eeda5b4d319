"""Adyen's payment links and notifications as the domain's snapshots.

A link says whether it can still be paid; what became of the money is understood from the set of the notifications about
its reference, in whatever order they came. Only their signed fields decide; the others give texts, name an attempt or
make us wait.

What cannot be read raises OutcomeUnknownError, never a guess. An amount or a currency that can be read but is not what
was asked is passed on as stated, so that the caller's comparison with its own record fails.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from domain.errors import InvalidMoneyError, OutcomeUnknownError
from domain.money import Money
from domain.payment import Decline, NextAction, PaymentSnapshot, PaymentStatus, RefundSnapshot, RefundStatus
from gateways.adyen import declines
from gateways.adyen.client import Link
from gateways.adyen.history import AuthorisedPayment, Part, authorised, money_of
from gateways.adyen.webhooks import PAYMENT_EVENTS, Notification
from gateways.contract import GatewayTransaction, TransactionType

_log = logging.getLogger(__name__)

NAME = "adyen"

# What a link says of a payment that no notification has told of.
_UNPAID = {
    "active": PaymentStatus.AWAITING_CUSTOMER,
    "paymentPending": PaymentStatus.PROCESSING,
    "completed": PaymentStatus.PROCESSING,
    "paid": PaymentStatus.PROCESSING,
    "expired": PaymentStatus.CANCELED,
}
_TRANSACTION_TYPES = {
    "CAPTURE": TransactionType.CHARGE,
    # Money that was taken and went back without a refund: what we asked for stands as a charge under the same id.
    "CAPTURE_FAILED": TransactionType.OTHER,
    "REFUND": TransactionType.REFUND,
    "REFUND_FAILED": TransactionType.REFUND_FAILED,
    "REFUNDED_REVERSED": TransactionType.REFUND_FAILED,
    "CHARGEBACK": TransactionType.DISPUTE,
    "CHARGEBACK_REVERSED": TransactionType.DISPUTE_REVERSED,
    "SECOND_CHARGEBACK": TransactionType.DISPUTE,
}


@dataclass(frozen=True)
class Seen:
    """A payment as it is now. `psp_reference`: of the authorised payment, to which captures and refunds are addressed.

    `failures`: by our key, the captures and cancels of ours that came to nothing.
    """

    payment: PaymentSnapshot
    psp_reference: str | None = None
    failures: Mapping[str, Decline] = field(default_factory=dict)


def seen(link: Link, told: Iterable[Notification], live: bool, several_captures: bool = False) -> Seen:
    """The link's payment, from the notifications about its reference; those about others are left out.

    `live` is that of the account: Adyen's answers do not state it, and each HMAC key is of one mode only. So is
    `several_captures`: without them any capture is the last, with them the one that leaves nothing held.
    """
    ours = (n for n in told if n.account == link.account and n.checkout_id == link.reference)
    about = _without_others(link, [n for n in ours if n.code in PAYMENT_EVENTS])
    # Copies that differ in unsigned fields only are one notification; which of them is read depends on no order.
    once = {n.signed: n for n in sorted(about, key=lambda n: (n.at, repr(n)), reverse=True)}
    payments = authorised(list(once.values()))
    if not payments:
        return Seen(_unauthorised(link, once.values(), live))
    return _authorised(link, payments, live, several_captures)


def _without_others(link: Link, told: Sequence[Notification]) -> list[Notification]:
    """Without payments of another link that somebody gave our reference, and what was done to them.

    Which link it was is not signed. So that decides only what the reference cannot: between several payments, and while
    our own link is unpaid.
    """
    opened = [n for n in told if n.code == "AUTHORISATION" and n.success]
    others = {n.psp_reference for n in opened if n.link_id not in (None, link.link_id)}
    if _UNPAID.get(link.status) is not PaymentStatus.AWAITING_CUSTOMER and others >= {n.psp_reference for n in opened}:
        return list(told)
    return [n for n in told if not others & {n.psp_reference, n.original_reference}]


def transaction_of(n: Notification) -> GatewayTransaction | None:
    """The movement of money that a notification tells of, if any. Raises OutcomeUnknownError for an unreadable one."""
    kind = _TRANSACTION_TYPES.get(n.code)
    if kind is None or not n.success:
        return None
    refund = kind in (TransactionType.REFUND, TransactionType.REFUND_FAILED)
    # A second chargeback has the dispute's pspReference too, and is another movement of the same kind.
    again = n.code == "SECOND_CHARGEBACK"
    return GatewayTransaction(
        transaction_id=f"{n.psp_reference}:{n.code}" if again else n.psp_reference,
        type=kind,
        amount=money_of(n),
        at=n.at,
        payment_id=n.link_id,
        reference=(n.key if refund else None) or n.checkout_id,
    )


def _unauthorised(link: Link, told: Iterable[Notification], live: bool) -> PaymentSnapshot:
    tries = [n for n in told if n.code == "AUTHORISATION"]
    refused = max(tries, key=_age, default=None)
    status = _UNPAID.get(link.status)
    if status is None:
        raise OutcomeUnknownError("Adyen's link has a status that we do not know")
    waits = status is PaymentStatus.AWAITING_CUSTOMER
    return PaymentSnapshot(
        gateway=NAME,
        payment_id=link.link_id,
        reference=link.reference,
        status=status,
        amount=link.amount,
        captured=link.amount.zero(),
        live=live,
        attempt=refused.psp_reference if refused else None,
        decline=declines.decline(refused.reason) if refused and waits else None,
        next_action=NextAction("redirect", url=link.url) if waits else None,
        account=link.account,
    )


def _authorised(link: Link, payments: Sequence[AuthorisedPayment], live: bool, several_captures: bool) -> Seen:
    payments = sorted(payments, key=lambda payment: payment.psp_reference)
    standing = [payment for payment in payments if not payment.released] or payments[:1]
    if len(standing) > 1:
        names = ", ".join(payment.psp_reference for payment in standing)
        _log.error("several Adyen payments carry the reference %s: %s", link.reference, names)
    first = next((payment for payment in standing if payment.taken), standing[0])
    captures = [capture for payment in payments for capture in payment.captures if capture.done]
    amount = _total([payment.amount or link.amount for payment in standing])
    status = _status(payments, link.amount, several_captures)
    failures = sorted((part for payment in payments for part in payment.failures()), key=lambda part: _age(part.last))
    failed = _standing_failure(failures, captures) if status is PaymentStatus.AUTHORIZED else None
    payment = PaymentSnapshot(
        gateway=NAME,
        payment_id=link.link_id,
        reference=link.reference,
        status=status,
        amount=amount,
        captured=_total([capture.money for capture in captures]) if captures else amount.zero(),
        live=live,
        attempt=(failed.key or failed.psp_reference) if failed else first.psp_reference,
        decline=declines.decline(_reason(failed)) if failed else None,
        authorized_until=first.held_until if status is PaymentStatus.AUTHORIZED else None,
        account=link.account,
        refunds=tuple(_refund(part) for payment in payments for part in payment.all_refunds()),
    )
    by_key = {part.last.key: declines.decline(_reason(part.last)) for part in failures}
    return Seen(payment, first.psp_reference, {key: decline for key, decline in by_key.items() if key})


def _standing_failure(failures: Sequence[Part], captures: Sequence[Part]) -> Notification | None:
    """The latest no, unless something was taken since."""
    failed = failures[-1].last if failures else None
    taken = max((capture.last for capture in captures), key=_age, default=None)
    return failed if failed is not None and (taken is None or _age(failed) > _age(taken)) else None


def _status(payments: Sequence[AuthorisedPayment], asked: Money, several_captures: bool) -> PaymentStatus:
    taken = [payment for payment in payments if payment.taken]
    if taken:
        more = several_captures and any(_holds_more(payment, asked) for payment in taken)
        return PaymentStatus.AUTHORIZED if more else PaymentStatus.CAPTURED
    if any(payment.unclear for payment in payments):
        return PaymentStatus.PROCESSING
    return PaymentStatus.CANCELED if all(payment.released for payment in payments) else PaymentStatus.AUTHORIZED


def _holds_more(payment: AuthorisedPayment, asked: Money) -> bool:
    held = payment.amount or asked
    captured = _total([capture.money for capture in payment.captures if capture.done])
    return not payment.over and captured.currency == held.currency and captured.minor < held.minor


def _refund(part: Part) -> RefundSnapshot:
    return RefundSnapshot(
        refund_id=part.psp_reference,
        amount=part.money,
        status=RefundStatus.SUCCEEDED if part.done else RefundStatus.FAILED,
        reference=part.last.key,
        failure_code=None if part.done else declines.decline(_reason(part.last)).gateway_code,
    )


def _age(n: Notification) -> tuple[datetime, bool, int, str, str]:
    """The latest counts, and its date is not signed: this decides which no is told, never what happened.

    Dates have whole seconds: of one second's, a cancel comes after a capture, and a later key after an earlier.
    """
    return n.at, not n.code.startswith("CAPTURE"), len(n.reference), n.reference, n.event_id


def _reason(n: Notification) -> str:
    return n.reason or n.code.replace("_", " ").lower()


def _total(parts: Sequence[Money]) -> Money:
    try:
        return sum(parts[1:], start=parts[0])
    except InvalidMoneyError as error:
        raise OutcomeUnknownError(f"Adyen's notifications cannot be trusted: {error}") from None
