"""Stripe's objects as snapshots, beginning with the examples that Stripe itself publishes."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from domain.errors import OutcomeUnknownError
from domain.money import Money
from domain.payment import DeclineCode, NextAction, PaymentStatus, RefundSnapshot, RefundStatus
from gateways.stripe.translate import payment_of, refund_of

FIXTURES = Path(__file__).parents[3].parent / "shared" / "specs" / "stripe-fixtures3.json"


def intent(**changes: Any) -> dict[str, Any]:
    """A PaymentIntent nobody has paid yet."""
    stated: dict[str, Any] = {
        "id": "pi_1",
        "status": "requires_payment_method",
        "amount": 4200,
        "amount_received": 0,
        "currency": "usd",
        "livemode": False,
        "client_secret": "pi_1_secret_2",
        "metadata": {"checkout_id": "chk_1", "order_id": "order-1"},
        "latest_charge": None,
        "last_payment_error": None,
    }
    return stated | changes


def refund(**changes: Any) -> dict[str, Any]:
    """A refund of ours."""
    stated = {"id": "re_1", "status": "succeeded", "amount": 100, "currency": "usd", "metadata": {"reference": "k"}}
    return stated | changes


@pytest.mark.skipif(not FIXTURES.exists(), reason="Stripe's published examples are not here")
def test_published_examples_are_read() -> None:
    """The PaymentIntent and the Refund of Stripe's own fixtures make snapshots."""
    resources = json.loads(FIXTURES.read_text())["resources"]
    payment = payment_of(resources["payment_intent"], [resources["refund"]])
    assert (payment.amount, payment.captured, payment.reference) == (Money(1099, "USD"), Money(0, "USD"), None)
    assert payment.status is PaymentStatus.AWAITING_CUSTOMER
    assert payment.refunded(RefundStatus.SUCCEEDED) == Money(100, "USD")


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("requires_payment_method", PaymentStatus.AWAITING_CUSTOMER),
        ("requires_confirmation", PaymentStatus.AWAITING_CUSTOMER),
        ("requires_action", PaymentStatus.REQUIRES_ACTION),
        ("processing", PaymentStatus.PROCESSING),
        ("requires_capture", PaymentStatus.AUTHORIZED),
        ("succeeded", PaymentStatus.CAPTURED),
        ("canceled", PaymentStatus.CANCELED),
    ],
)
def test_statuses(word: str, status: PaymentStatus) -> None:
    """Each status of Stripe's has one of ours; the customer's next step is there while there is one."""
    payment = payment_of(intent(status=word), ())
    assert payment.status is status
    waits = status in (PaymentStatus.AWAITING_CUSTOMER, PaymentStatus.REQUIRES_ACTION)
    assert payment.next_action == (NextAction("confirm", client_secret="pi_1_secret_2") if waits else None)


def test_the_next_step() -> None:
    """The customer confirms in the shop, at the payment page where there is one, or follows Stripe's redirect."""
    page = payment_of(intent(), (), "https://pay.example/").next_action
    assert page == NextAction("confirm", client_secret="pi_1_secret_2", url="https://pay.example/pi_1_secret_2")
    action = {"type": "redirect_to_url", "redirect_to_url": {"url": "https://bank.example/3ds", "return_url": None}}
    redirect = payment_of(intent(status="requires_action", next_action=action), ()).next_action
    assert redirect == NextAction("redirect", url="https://bank.example/3ds")
    script = {"type": "redirect_to_url", "redirect_to_url": {"url": "javascript:alert(1)"}}
    refused = payment_of(intent(status="requires_action", next_action=script), ()).next_action
    assert refused == NextAction("confirm", client_secret="pi_1_secret_2")


def test_a_declined_attempt_names_its_charge() -> None:
    """The decline of the latest try comes with the charge of that try, so that it is told once."""
    error = {"code": "card_declined", "decline_code": "lost_card", "message": "No.", "charge": "ch_2"}
    payment = payment_of(intent(last_payment_error=error, latest_charge={"id": "ch_2"}), ())
    assert payment.attempt == "ch_2"
    assert payment.decline is not None
    assert (payment.decline.code, payment.decline.hard) == (DeclineCode.LOST_OR_STOLEN, True)


def test_an_attempt_that_made_no_charge_names_its_payment_method() -> None:
    """A failed 3-D Secure check leaves no charge: it must not pass for the declined try before it."""
    error = {"code": "payment_intent_authentication_failure", "message": "No.", "payment_method": {"id": "pm_9"}}
    payment = payment_of(intent(last_payment_error=error, latest_charge="ch_1"), ())
    assert payment.attempt == "pm_9"
    assert payment.decline is not None
    assert payment.decline.code is DeclineCode.AUTHENTICATION_FAILED


@pytest.mark.parametrize("status", ["succeeded", "requires_capture", "processing", "requires_action", "canceled"])
def test_an_old_decline_is_not_told_again(status: str) -> None:
    """Once another try goes on or has ended well, the error of the one before it says nothing any more."""
    error = {"code": "card_declined", "message": "No.", "charge": "ch_1"}
    payment = payment_of(intent(status=status, last_payment_error=error, latest_charge="ch_2"), ())
    assert (payment.decline, payment.attempt) == (None, "ch_2")


def test_a_hold_tells_its_end() -> None:
    """An authorization says until when it can be captured, as far as Stripe does."""
    charge = {"id": "ch_1", "payment_method_details": {"card": {"capture_before": 1_800_000_000}}}
    payment = payment_of(intent(status="requires_capture", latest_charge=charge), ())
    assert payment.authorized_until == datetime.fromtimestamp(1_800_000_000, UTC)
    for other in ({"id": "ch_1", "payment_method_details": {"type": "klarna"}}, {"id": "ch_1"}, "ch_1"):
        assert payment_of(intent(status="requires_capture", latest_charge=other), ()).authorized_until is None


def test_refunds() -> None:
    """Each status of a refund has one of ours; a refund that gave nothing back tells why."""
    words = {"pending": "pending", "requires_action": "pending", "succeeded": "succeeded"}
    for word, status in words.items():
        assert refund_of(refund(status=word)) == RefundSnapshot("re_1", Money(100, "USD"), RefundStatus(status), "k")
    failed = refund_of(refund(status="failed", failure_reason="lost_or_stolen_card"))
    assert (failed.status, failed.failure_code) == (RefundStatus.FAILED, "lost_or_stolen_card")
    canceled = refund_of(refund(status="canceled", metadata=None))
    assert (canceled.status, canceled.failure_code, canceled.reference) == (RefundStatus.FAILED, "canceled", None)


@pytest.mark.parametrize(
    ("changes", "amount", "live"),
    [
        ({"amount": 4201}, Money(4201, "USD"), False),
        ({"currency": "eur"}, Money(4200, "EUR"), False),
        ({"currency": "irr"}, Money(4200, "IRR"), False),
        ({"livemode": True}, Money(4200, "USD"), True),
    ],
)
def test_what_differs_is_passed_on_as_stated(changes: dict[str, Any], amount: Money, live: bool) -> None:
    """Another amount, currency or mode than asked is shown as it is, for the caller to compare."""
    payment = payment_of(intent(**changes), ())
    assert (payment.amount, payment.live) == (amount, live)


UNREADABLE = [
    {"status": "succeeded_somehow"},
    {"status": None},
    {"status": ["succeeded"]},
    {"id": None},
    {"amount": "4200"},
    {"amount": 42.0},
    {"amount": True},
    {"amount": -1},
    {"amount": 2**60},
    {"amount_received": None},
    {"amount": 501, "currency": "isk"},
    {"currency": "doge"},
    {"currency": None},
    {"livemode": None},
    {"livemode": 0},
    {"client_secret": None},
]


@pytest.mark.parametrize("changes", UNREADABLE, ids=str)
def test_what_cannot_be_read_is_unknown(changes: dict[str, Any]) -> None:
    """An answer without a sure meaning, or with a fraction of our minor unit, proves nothing and is never rounded."""
    with pytest.raises(OutcomeUnknownError):
        payment_of(intent(**changes), ())


@pytest.mark.parametrize("changes", [{"status": "odd"}, {"amount": None}, {"currency": "usdc"}, {"id": 1}], ids=str)
def test_a_refund_that_cannot_be_read_is_unknown(changes: dict[str, Any]) -> None:
    """The same holds for each refund of a payment."""
    with pytest.raises(OutcomeUnknownError):
        payment_of(intent(), [refund(**changes)])
