"""What a gateway says after the sale, as timeline rows: those, and only those, that the books do not have yet."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from domain.booked import Booked, catch_up, catch_up_dispute, moved
from domain.case import CaseKind, OpenCase
from domain.checkout import CheckoutStatus
from domain.dispute import DisputeSnapshot, DisputeState, dispute_id_of, is_reopened, may_follow
from domain.money import Money
from domain.payment import PaymentSnapshot, RefundSnapshot, RefundStatus
from domain.postings import Transaction, TransactionKind
from domain.refund import RefundRecord, refund_of
from domain.timeline import Entry, EventType, JsonScalar

_PAYMENT_ROWS = {
    TransactionKind.AUTHORIZE: "authorized",
    TransactionKind.VOID: "void",
    TransactionKind.CAPTURE: "captured",
    TransactionKind.CAPTURE_FAILED: "lost",
}
_REFUND_ROWS = {
    TransactionKind.REFUND: (RefundStatus.PENDING, EventType.REFUND_CREATED),
    TransactionKind.REFUND_SETTLED: (RefundStatus.SUCCEEDED, EventType.REFUND_SUCCEEDED),
    TransactionKind.REFUND_FAILED: (RefundStatus.FAILED, EventType.REFUND_FAILED),
}
_DECISIONS = {DisputeState.WON: EventType.DISPUTE_WON, DisputeState.LOST: EventType.DISPUTE_LOST}


@dataclass(frozen=True)
class Standing:
    """What the books have of a checkout when something is learnt of it. `sequence` is that of its last row.

    `refunds` are the shop's, by our ids; `dispute` is the one that the news is about, as it was last noted.
    `failed`: the gateway's refunds, by its ids, whose failure has a row.
    """

    checkout_id: str
    status: CheckoutStatus
    sequence: int
    booked: Booked
    refunds: Mapping[str, RefundRecord]
    dispute: DisputeSnapshot | None = None
    failed: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Learnt:
    """By what something was learnt, and when."""

    cause: str
    at: datetime


def payment_entries(standing: Standing, payment: PaymentSnapshot, learnt: Learnt) -> tuple[Entry, ...]:
    """A row for each step of the money that is missing on the books, and for the shop's refunds that came to nothing.

    `payment` must be a fresh look where it may show that money went away; see `catch_up`.
    """
    return tuple(_numbered(standing, _payment_rows(standing, payment, learnt)))


def dispute_entries(standing: Standing, seen: DisputeSnapshot, learnt: Learnt) -> tuple[Entry, ...]:
    """A row for what is new of a dispute, with the money that moved for it.

    One that is decided when it is first seen has two, for others wait to be told of either. A look that may not follow
    what is known comes from before it, and says nothing.
    """
    known = standing.dispute
    if not (may_follow(known.state if known else None, seen.state) or _is_reopened(standing, seen)):
        return ()
    money = catch_up_dispute(standing.booked, seen)
    if known is not None and not money and _facts(known) == _facts(seen):
        return ()
    return tuple(_numbered(standing, _dispute_rows(standing, seen, money, learnt)))


def _numbered(standing: Standing, rows: Iterable[Entry]) -> Iterator[Entry]:
    """Facts of these kinds can come again, so a key that ends with a colon gets the row's own number."""
    for sequence, row in enumerate(rows, start=standing.sequence + 1):
        key = f"{row.key}{sequence}" if row.key.endswith(":") else row.key
        yield replace(row, key=key)


def _payment_rows(standing: Standing, payment: PaymentSnapshot, learnt: Learnt) -> Iterator[Entry]:
    refunds = {r.refund_id: r for r in payment.refunds if not _known_as_nothing(standing, r)}
    for step in catch_up(standing.booked, replace(payment, refunds=tuple(refunds.values()))):
        if step.kind in _REFUND_ROWS:
            yield _refund_row(standing, refunds[step.reference], step, learnt)
        else:
            details = {"payment_id": payment.payment_id} | _amount(moved(step))
            yield _row(standing, f"{_PAYMENT_ROWS[step.kind]}:", learnt, details, (step,))
    for refund in payment.refunds:
        if _came_to_nothing(standing, refund, payment):
            yield _refusal_row(standing, refund, learnt)


def _refund_row(standing: Standing, refund: RefundSnapshot, step: Transaction, learnt: Learnt) -> Entry:
    """The shop's own refund was told of when it was asked for, so that the gateway has taken it on tells nobody."""
    status, event = _REFUND_ROWS[step.kind]
    record = _asked_by_shop(standing, refund)
    details = _refund_details(refund, record, status)
    key = refund_row(refund.refund_id, status)
    told = None if record and event is EventType.REFUND_CREATED else event
    case = None
    if record and status is RefundStatus.FAILED:
        case = OpenCase(
            CaseKind.REFUND_FAILED_LATER,
            f"refund {record.refund.id} over {refund.amount} came back after the gateway had taken it on",
            f"late/{standing.checkout_id}",
            refund.amount.minor,
            record.refund.id,
        )
    return _row(standing, key, learnt, details, (step,), told, case)


def refund_row(refund_id: str, status: RefundStatus) -> str:
    """The key of the row that tells that a gateway's refund, by its id, stands so."""
    return f"refund:{refund_id}:{status}"


def _came_to_nothing(standing: Standing, refund: RefundSnapshot, payment: PaymentSnapshot) -> bool:
    """Whether a refund of the shop's failed before its money was on the books, and no other try of it is alive."""
    record = _asked_by_shop(standing, refund)
    if record is None or record.status is not RefundStatus.PENDING or record.gateway_refund_id is not None:
        return False
    tries = [other for other in payment.refunds if refund_of(other.reference) == record.refund.id]
    return tries[-1] is refund and all(other.status is RefundStatus.FAILED for other in tries)


def _known_as_nothing(standing: Standing, refund: RefundSnapshot) -> bool:
    """Whether this refund has failed before it was booked: a look from before that must not book it any more."""
    return refund.refund_id in standing.failed and refund.refund_id not in standing.booked.refunds


def _refusal_row(standing: Standing, refund: RefundSnapshot, learnt: Learnt) -> Entry:
    details = _refund_details(refund, _asked_by_shop(standing, refund), RefundStatus.FAILED)
    key = refund_row(refund.refund_id, RefundStatus.FAILED)
    return _row(standing, key, learnt, details, event=EventType.REFUND_FAILED)


def _asked_by_shop(standing: Standing, refund: RefundSnapshot) -> RefundRecord | None:
    return standing.refunds.get(refund_of(refund.reference) or "")


def _refund_details(refund: RefundSnapshot, record: RefundRecord | None, status: RefundStatus) -> dict[str, JsonScalar]:
    details: dict[str, JsonScalar] = {"gateway_refund_id": refund.refund_id, "status": str(status)}
    if record is not None:
        details["refund_id"] = record.refund.id
    if status is RefundStatus.FAILED:
        details["code"] = refund.failure_code or "refund_failed"
    return details | _amount(refund.amount)


def _dispute_rows(
    standing: Standing, seen: DisputeSnapshot, money: tuple[Transaction, ...], learnt: Learnt
) -> Iterator[Entry]:
    known = standing.dispute
    key = f"dispute:{dispute_id_of(seen.gateway, seen.dispute_id)}:"
    details = _dispute_details(seen)
    decision = _DECISIONS.get(seen.state) if known is None or known.state is not seen.state else None
    if known is None:
        yield _row(standing, key, learnt, details, money, EventType.DISPUTE_OPENED)
        if decision is None:
            return
        money = ()
    event = EventType.DISPUTE_OPENED if _is_reopened(standing, seen) else decision
    yield _row(standing, key, learnt, details, money, event)


def _is_reopened(standing: Standing, seen: DisputeSnapshot) -> bool:
    return is_reopened(standing.dispute, seen, seen.dispute_id in standing.booked.withdrawn)


def _dispute_details(seen: DisputeSnapshot) -> dict[str, JsonScalar]:
    return {
        "dispute_id": dispute_id_of(seen.gateway, seen.dispute_id),
        "gateway_dispute_id": seen.dispute_id,
        "state": str(seen.state),
        "amount": seen.amount.minor,
        "withdrawn": seen.withdrawn.minor,
        "currency": seen.amount.currency,
        "reason": seen.reason,
        "respond_by": moment_text(seen.respond_by),
    }


def moment_text(moment: datetime | None) -> str | None:
    """A moment as details have it, so that it counts as a code and may be told to others."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z") if moment else None


def _facts(dispute: DisputeSnapshot) -> tuple[object, ...]:
    """What of a dispute is news when it changes."""
    return dispute.state, dispute.amount, dispute.withdrawn, dispute.reason, dispute.respond_by


def _amount(money: Money) -> dict[str, JsonScalar]:
    return {"amount": money.minor, "currency": money.currency}


def _row(
    standing: Standing,
    key: str,
    learnt: Learnt,
    details: dict[str, JsonScalar],
    transactions: tuple[Transaction, ...] = (),
    event: EventType | None = None,
    case: OpenCase | None = None,
) -> Entry:
    return Entry(key, standing.status, learnt.cause, learnt.at, details, transactions, event, case)
