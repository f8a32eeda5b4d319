"""Checkouts, entries and deliveries as the stores' tests need them."""

import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from domain.checkout import CaptureMode, Checkout, CheckoutStatus
from domain.dispute import DisputeSnapshot, DisputeState
from domain.money import Money
from domain.payment import NextAction, PaymentSnapshot, PaymentStatus, RefundSnapshot, RefundStatus
from domain.postings import capture, refund, refund_settled
from domain.refund import Refund
from domain.states import CheckoutState
from domain.timeline import Entry, EventType
from ledger.books import Books
from ledger.contract import Delivery

NOW = datetime(2026, 3, 4, 5, 6, 7, 890123, tzinfo=UTC)
PRICE = Money(4200, "EUR")
PROCESSING = CheckoutStatus(CheckoutState.PROCESSING)
COMPLETED = EventType.CHECKOUT_COMPLETED


def checkout(**changes: object) -> Checkout:
    """A checkout of a new order."""
    name = secrets.token_hex(6)
    made = Checkout(
        id=f"chk_{name}",
        order_id=f"order-{name}",
        amount=PRICE,
        gateway="stripe",
        capture=CaptureMode.AUTOMATIC,
        confirm_within_seconds=None,
        created_at=NOW,
        expires_at=NOW + timedelta(minutes=30),
        return_url="https://shop.example/thanks",
        email="buyer@shop.example",
        metadata={"campaign": "märz"},
    )
    return replace(made, **changes)


def created() -> Entry:
    """The first row of every timeline."""
    return Entry("created", PROCESSING, "api", NOW, {}, (), EventType.CHECKOUT_CREATED)


def opened(payment_id: str) -> Entry:
    """The customer has a next step."""
    action = NextAction("confirm", client_secret=f"{payment_id}_secret_x")
    status = CheckoutStatus(CheckoutState.AWAITING_PAYMENT, payment_id, next_action=action, waiting_for="the customer")
    return Entry("opened", status, "api", NOW, {"payment_id": payment_id}, (), EventType.CHECKOUT_OPENED)


def paid(payment_id: str) -> Entry:
    """The money is captured."""
    status = CheckoutStatus(CheckoutState.PAID, payment_id, captured_minor=PRICE.minor)
    money = (capture("stripe", payment_id, PRICE, PRICE.zero()),)
    return Entry("paid", status, "webhook:evt_1", NOW, {"payment_id": payment_id}, money, EventType.PAYMENT_SUCCEEDED)


def refunding(payment_id: str) -> Entry:
    """The gateway accepted to give all of it back."""
    status = CheckoutStatus(CheckoutState.REFUNDING, payment_id, captured_minor=PRICE.minor)
    money = (refund("stripe", "re_1", PRICE),)
    return Entry("refund", status, "timer", NOW, {"code": "expired"}, money, EventType.REFUND_CREATED)


def refunded(payment_id: str) -> Entry:
    """The customer has it back."""
    status = CheckoutStatus(CheckoutState.REFUNDED, payment_id, PRICE.minor, PRICE.minor)
    money = (refund_settled("stripe", "re_1", PRICE),)
    return Entry("refunded", status, "poll", NOW, {"refund_id": "re_1"}, money, EventType.REFUND_SUCCEEDED)


async def whole_life(books: Books, **changes: object) -> Checkout:
    """A checkout on the books that was paid and refunded: five rows, three transactions."""
    made = checkout(**changes)
    payment_id = f"pi_{made.id}"
    await books.create_checkout(made, created())
    await books.append(made.id, [opened(payment_id)])
    await books.append(made.id, [paid(payment_id), refunding(payment_id), refunded(payment_id)])
    return made


async def sale(books: Books, minor: int = PRICE.minor, **changes: object) -> Checkout:
    """A completed checkout on the books, captured whole: four rows, one transaction."""
    price = Money(minor, "EUR")
    made = checkout(amount=price, **changes)
    payment_id = f"pi_{made.id}"
    await books.create_checkout(made, created())
    taken = replace(paid(payment_id), transactions=(capture("stripe", payment_id, price, price.zero()),))
    done = Entry("completed", CheckoutStatus(CheckoutState.COMPLETED, payment_id), "api", NOW, {}, (), COMPLETED)
    await books.append(made.id, [opened(payment_id), taken, done])
    return made


def snapshot(made: Checkout, *refunds: RefundSnapshot, **changes: object) -> PaymentSnapshot:
    """The captured payment of a sale, as the gateway shows it with these refunds."""
    payment_id, price = f"pi_{made.id}", made.amount
    status = PaymentStatus.CAPTURED
    seen = PaymentSnapshot("stripe", payment_id, made.id, status, price, price, live=False, refunds=refunds)
    return replace(seen, **changes)


def asked(made: Checkout, minor: int, **changes: object) -> Refund:
    """A refund of a sale, as the shop asks for it."""
    refund_id = f"rfd_{secrets.token_hex(12)}"
    return replace(Refund(refund_id, made.id, Money(minor, made.amount.currency), "too small", NOW), **changes)


def shown(refund: Refund, status: RefundStatus, number: int = 1) -> RefundSnapshot:
    """The shop's refund as the gateway shows it."""
    code = "lost_card" if status is RefundStatus.FAILED else None
    reference = f"{refund.checkout_id}:{refund.id}:{number}"
    return RefundSnapshot(f"re_{refund.id}_{number}", refund.amount, status, reference, code)


def disputed(made: Checkout, state: DisputeState, withdrawn: int = 0, **changes: object) -> DisputeSnapshot:
    """A dispute over all of a sale, as the gateway shows it."""
    seen = DisputeSnapshot(
        gateway="stripe",
        dispute_id=f"dp_{made.id}",
        payment_id=f"pi_{made.id}",
        reference=made.id,
        amount=made.amount,
        withdrawn=Money(withdrawn, made.amount.currency),
        state=state,
        reason="fraudulent",
        live=False,
        respond_by=NOW + timedelta(days=7),
    )
    return replace(seen, **changes)


def note(key: str) -> Entry:
    """A fact learnt that changes no state."""
    return Entry(key, PROCESSING, "poll", NOW, {"seen": key})


def delivery(**changes: object) -> Delivery:
    """A webhook event nobody has seen before."""
    made = Delivery(
        gateway="stripe",
        event_id=f"evt_{secrets.token_hex(6)}",
        type="payment_intent.succeeded",
        payment_id="pi_1",
        reference="chk_1",
        live=False,
        relevant=True,
        body=b'{"id":"evt"}\xff',
        headers={"stripe-signature": "t=1,v1=00"},
        received_at=NOW,
    )
    return replace(made, **changes)
