"""Checkouts, entries and deliveries as the stores' tests need them."""

import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from domain.checkout import CaptureMode, Checkout, CheckoutStatus
from domain.money import Money
from domain.payment import NextAction
from domain.postings import capture, refund, refund_settled
from domain.states import CheckoutState
from domain.timeline import Entry, EventType
from ledger.books import Books
from ledger.contract import Delivery

NOW = datetime(2026, 3, 4, 5, 6, 7, 890123, tzinfo=UTC)
PRICE = Money(4200, "EUR")
PROCESSING = CheckoutStatus(CheckoutState.PROCESSING)


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
