"""What of a payment is on the books, and the transactions that bring the books up to what the gateway says."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from domain import postings
from domain.dispute import DisputeSnapshot
from domain.money import Money
from domain.payment import PaymentSnapshot, PaymentStatus, RefundSnapshot, RefundStatus
from domain.postings import AccountKind, Transaction, TransactionKind

_REFUND_STATUSES = {
    TransactionKind.REFUND: RefundStatus.PENDING,
    TransactionKind.REFUND_SETTLED: RefundStatus.SUCCEEDED,
    TransactionKind.REFUND_FAILED: RefundStatus.FAILED,
}


@dataclass(frozen=True)
class BookedRefund:
    """A refund as the books have it."""

    amount: Money
    status: RefundStatus


@dataclass(frozen=True)
class Booked:
    """The money of one checkout that is on the books, in `currency`'s minor units.

    `held_minor`: authorized and not yet captured or voided. `refunds` is keyed by the gateway's refund id, `withdrawn`
    (what is out for a dispute now) by the gateway's dispute id. `written_off_minor`: what a person let be of the money
    that should have gone back; below zero where it was money of ours that is lost.
    """

    currency: str
    held_minor: int = 0
    captured_minor: int = 0
    refunds: dict[str, BookedRefund] = field(default_factory=dict)
    withdrawn: dict[str, int] = field(default_factory=dict)
    written_off_minor: int = 0

    @property
    def kept_minor(self) -> int:
        """What was captured and neither went back, nor is on its way back, nor was let be."""
        returned = sum(r.amount.minor for r in self.refunds.values() if r.status is not RefundStatus.FAILED)
        return self.captured_minor - returned - self.written_off_minor

    @property
    def withdrawn_minor(self) -> int:
        """What is out for disputes, those that are lost among them."""
        return sum(self.withdrawn.values())

    @property
    def refunded_minor(self) -> int:
        """What was given back, finally."""
        return sum(r.amount.minor for r in self.refunds.values() if r.status is RefundStatus.SUCCEEDED)

    def after(self, transaction: Transaction) -> "Booked":
        """The books once this transaction is on them."""
        money = moved(transaction)
        match transaction.kind:
            case TransactionKind.AUTHORIZE:
                return replace(self, held_minor=self.held_minor + money.minor)
            case TransactionKind.VOID:
                return replace(self, held_minor=self.held_minor - money.minor)
            case TransactionKind.CAPTURE:
                released = _sum(transaction, AccountKind.HOLDS)
                return replace(
                    self, held_minor=self.held_minor - released, captured_minor=self.captured_minor + money.minor
                )
            case TransactionKind.CAPTURE_FAILED:
                reopened = -_sum(transaction, AccountKind.HOLDS)
                return replace(
                    self, held_minor=self.held_minor + reopened, captured_minor=self.captured_minor - money.minor
                )
            case TransactionKind.WRITE_OFF:
                let_be = -_sum(transaction, AccountKind.WRITE_OFFS)
                return replace(self, written_off_minor=self.written_off_minor + let_be)
            case TransactionKind.DISPUTE_WITHDRAWN | TransactionKind.DISPUTE_REINSTATED:
                sign = 1 if transaction.kind is TransactionKind.DISPUTE_WITHDRAWN else -1
                return self._withdraw(transaction.reference, sign * money.minor)
            case _:
                return self._refund(transaction.reference, money, _REFUND_STATUSES[transaction.kind])

    def _refund(self, refund_id: str, amount: Money, status: RefundStatus) -> "Booked":
        return replace(self, refunds={**self.refunds, refund_id: BookedRefund(amount, status)})

    def _withdraw(self, dispute_id: str, minor: int) -> "Booked":
        out = self.withdrawn.get(dispute_id, 0) + minor
        return replace(self, withdrawn={**self.withdrawn, dispute_id: out})


def booked(currency: str, transactions: Iterable[Transaction]) -> Booked:
    """What these transactions, in their order, left on the books."""
    result = Booked(currency)
    for transaction in transactions:
        result = result.after(transaction)
    return result


def is_lower(on_books: Booked, snapshot: PaymentSnapshot) -> bool:
    """Whether less is captured than is on the books: money went away again, or the look is from before it came."""
    return snapshot.captured.minor < on_books.captured_minor


def is_lost(on_books: Booked, snapshot: PaymentSnapshot) -> bool:
    """Whether the snapshot tells that captured money went away again, and how: a failure, an end, or work on it.

    One that tells of nothing of the kind shows a payment as it was before the capture, and is no proof of a loss.
    """
    if not is_lower(on_books, snapshot):
        return False
    return snapshot.decline is not None or snapshot.status in _TELLING


def is_at_rest(snapshot: PaymentSnapshot) -> bool:
    """Whether nothing is held or kept at the gateway, nor about to be without another act of the customer's or ours."""
    if snapshot.captured.minor:
        return snapshot.refunded(RefundStatus.SUCCEEDED) == snapshot.captured and not _held(snapshot)
    return snapshot.status in _AT_REST


def catch_up(on_books: Booked, snapshot: PaymentSnapshot) -> tuple[Transaction, ...]:
    """The transactions that are missing for the books to say what the gateway says. None missing: an empty tuple.

    A snapshot `is_lost` by must be fresh: one from before the capture may tell of a try that failed then.
    """
    missing = [*_losses(on_books, snapshot), *_payment_steps(on_books, snapshot)]
    for refund in snapshot.refunds:
        missing += _refund_steps(snapshot.gateway, on_books.refunds.get(refund.refund_id), refund)
    return tuple(missing)


def catch_up_dispute(on_books: Booked, dispute: DisputeSnapshot) -> tuple[Transaction, ...]:
    """The same for what was withdrawn for a dispute, or reinstated."""
    booked_minor = on_books.withdrawn.get(dispute.dispute_id, 0)
    difference = Money(abs(dispute.withdrawn.minor - booked_minor), dispute.withdrawn.currency)
    if not difference.minor:
        return ()
    step = postings.dispute_withdrawn if dispute.withdrawn.minor > booked_minor else postings.dispute_reinstated
    return (step(dispute.gateway, dispute.dispute_id, difference),)


_AT_REST = frozenset(
    {
        PaymentStatus.AWAITING_CUSTOMER,
        PaymentStatus.REQUIRES_ACTION,
        PaymentStatus.APPROVED,
        PaymentStatus.CANCELED,
    }
)
_TELLING = frozenset({PaymentStatus.CAPTURED, PaymentStatus.CANCELED, PaymentStatus.PROCESSING})
"""What a payment can be after its capture has failed, and that does not look as if none had been tried."""


def _losses(on_books: Booked, snapshot: PaymentSnapshot) -> Iterable[Transaction]:
    """The loss takes the hold into account: where it is open again, the books have it as before the capture."""
    if is_lost(on_books, snapshot):
        currency = snapshot.amount.currency
        lost = Money(on_books.captured_minor - snapshot.captured.minor, currency)
        held_now = _held(snapshot) - on_books.held_minor
        reopened = Money(max(0, held_now), currency)
        yield postings.capture_failed(snapshot.gateway, snapshot.payment_id, lost, reopened)


def _held(snapshot: PaymentSnapshot) -> int:
    """What the gateway holds and has not taken."""
    return snapshot.amount.minor - snapshot.captured.minor if snapshot.status is PaymentStatus.AUTHORIZED else 0


def _payment_steps(on_books: Booked, snapshot: PaymentSnapshot) -> Iterable[Transaction]:
    currency, gateway, payment_id = snapshot.amount.currency, snapshot.gateway, snapshot.payment_id
    held = Money(on_books.held_minor, currency)
    taken = Money(max(0, snapshot.captured.minor - on_books.captured_minor), currency)
    match snapshot.status:
        case PaymentStatus.AUTHORIZED:
            if not on_books.held_minor and not on_books.captured_minor:
                yield postings.authorize(gateway, payment_id, snapshot.amount)
                held = snapshot.amount
            if taken.minor:
                # The rest stays held: more may be taken.
                yield postings.capture(gateway, payment_id, taken, Money(min(taken.minor, held.minor), currency))
        case PaymentStatus.CAPTURED if taken.minor:
            yield postings.capture(gateway, payment_id, taken, held)
        case PaymentStatus.CAPTURED | PaymentStatus.CANCELED if held.minor:
            yield postings.void(gateway, payment_id, held)
        case _:
            return


def _refund_steps(gateway: str, on_books: BookedRefund | None, refund: RefundSnapshot) -> Iterable[Transaction]:
    status = on_books.status if on_books else None
    if status is refund.status or status is RefundStatus.FAILED:
        return
    accepted = status is not None
    match refund.status:
        case RefundStatus.PENDING if not accepted:
            yield postings.refund(gateway, refund.refund_id, refund.amount)
        case RefundStatus.SUCCEEDED:
            if not accepted:
                yield postings.refund(gateway, refund.refund_id, refund.amount)
            yield postings.refund_settled(gateway, refund.refund_id, refund.amount)
        case RefundStatus.FAILED if accepted:
            yield postings.refund_failed(
                gateway, refund.refund_id, refund.amount, settled=status is RefundStatus.SUCCEEDED
            )
        case _:
            return


def moved(transaction: Transaction) -> Money:
    """What the transaction's first pair of postings moved."""
    first = transaction.postings[0]
    return Money(abs(first.amount_minor), first.currency)


def _sum(transaction: Transaction, kind: AccountKind) -> int:
    return sum(p.amount_minor for p in transaction.postings if p.account.endswith(f":{kind}"))
