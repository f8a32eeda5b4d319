"""PayPal's orders as snapshots: what they say is passed on, what they do not say is never guessed."""

from datetime import UTC, datetime
from typing import Any

import pytest

from domain.errors import OutcomeUnknownError
from domain.money import Money
from domain.payment import DeclineCode, NextAction, PaymentStatus, RefundStatus
from gateways.paypal.pieces import swapped
from gateways.paypal.translate import payment_of, payments_of, refund_of
from tests.gateways.paypal.examples import (
    API,
    APPROVED,
    CAPTURED,
    CREATED,
    HELD,
    ORDER_ID,
    PAGE,
    PENDING,
    REFUNDED,
    RELEASED,
    SELF,
    TEN,
    authorization,
    capture,
    link,
    money,
    order,
    refund,
)

NOTHING = Money(0, "USD")
DECLINED = capture("DECLINED", id="DECLINED1", processor_response={"response_code": "5120"})
DENIED = authorization("DENIED", id="DENIED1")

STATUSES: dict[str, tuple[dict[str, Any], PaymentStatus, Money]] = {
    "created": (CREATED, PaymentStatus.AWAITING_CUSTOMER, NOTHING),
    "saved": (order("SAVED"), PaymentStatus.AWAITING_CUSTOMER, NOTHING),
    "opened with a source": (order("PAYER_ACTION_REQUIRED"), PaymentStatus.AWAITING_CUSTOMER, NOTHING),
    "payer called back": (
        order("PAYER_ACTION_REQUIRED", payer={"payer_id": "P"}),
        PaymentStatus.REQUIRES_ACTION,
        NOTHING,
    ),
    "approved": (APPROVED, PaymentStatus.APPROVED, NOTHING),
    "order voided": (order("VOIDED"), PaymentStatus.CANCELED, NOTHING),
    "held": (HELD, PaymentStatus.AUTHORIZED, NOTHING),
    "hold under review": (
        order("COMPLETED", {"authorizations": [authorization("PENDING")]}),
        PaymentStatus.PROCESSING,
        NOTHING,
    ),
    "released": (RELEASED, PaymentStatus.CANCELED, NOTHING),
    "hold expired": (
        order("COMPLETED", {"authorizations": [authorization("EXPIRED")]}),
        PaymentStatus.CANCELED,
        NOTHING,
    ),
    "hold denied": (order("COMPLETED", {"authorizations": [DENIED]}), PaymentStatus.CANCELED, NOTHING),
    "captured": (CAPTURED, PaymentStatus.CAPTURED, TEN),
    "hold captured": (
        order("COMPLETED", {"authorizations": [authorization("CAPTURED")], "captures": [capture()]}),
        PaymentStatus.CAPTURED,
        TEN,
    ),
    "hold captured in part": (
        order(
            "COMPLETED",
            {"authorizations": [authorization("PARTIALLY_CAPTURED")], "captures": [capture(amount=money("4.00"))]},
        ),
        PaymentStatus.AUTHORIZED,
        Money(400, "USD"),
    ),
    "capture pending": (PENDING, PaymentStatus.PROCESSING, NOTHING),
    "given back": (REFUNDED, PaymentStatus.CAPTURED, TEN),
    "given back in part": (
        order("COMPLETED", {"captures": [capture("PARTIALLY_REFUNDED")], "refunds": [refund(amount=money("1.00"))]}),
        PaymentStatus.CAPTURED,
        TEN,
    ),
    "capture declined": (order("COMPLETED", {"captures": [DECLINED]}), PaymentStatus.CANCELED, NOTHING),
    "capture declined, payable": (order("APPROVED", {"captures": [DECLINED]}), PaymentStatus.APPROVED, NOTHING),
    "capture of a hold declined": (
        order("COMPLETED", {"authorizations": [authorization()], "captures": [DECLINED]}),
        PaymentStatus.AUTHORIZED,
        NOTHING,
    ),
    "hold used up by a declined capture": (
        order("COMPLETED", {"authorizations": [authorization("CAPTURED")], "captures": [DECLINED]}),
        PaymentStatus.CANCELED,
        NOTHING,
    ),
    "declined, then captured": (order("COMPLETED", {"captures": [DECLINED, capture()]}), PaymentStatus.CAPTURED, TEN),
}


@pytest.mark.parametrize(("stated", "status", "captured"), STATUSES.values(), ids=STATUSES.keys())
def test_statuses(stated: dict[str, Any], status: PaymentStatus, captured: Money) -> None:
    """An order is what its payments are; its own word counts only where they came to nothing."""
    payment = payment_of(stated, live=False)
    assert (payment.status, payment.amount, payment.captured) == (status, TEN, captured)
    assert (payment.payment_id, payment.reference, payment.account) == (ORDER_ID, "chk_1", "7KNGBPH2U58GQ")


@pytest.mark.parametrize("stated", [CREATED, order("PAYER_ACTION_REQUIRED", links=[SELF, link("payer-action", PAGE)])])
def test_the_payer_is_led_to_paypal(stated: dict[str, Any]) -> None:
    """While the payer has to act the snapshot leads to PayPal's page, by whichever name PayPal has for it."""
    assert payment_of(stated, live=False).next_action == NextAction("redirect", url=PAGE)


@pytest.mark.parametrize("stated", [APPROVED, HELD, CAPTURED, RELEASED, PENDING, order(links=[SELF])])
def test_nobody_is_led_anywhere_else(stated: dict[str, Any]) -> None:
    """Where there is nothing to do, or no address, there is no next action."""
    assert payment_of(stated, live=False).next_action is None


def test_a_hold_tells_its_end() -> None:
    """Only what is held now says until when."""
    assert payment_of(HELD, live=False).authorized_until == datetime(2026, 12, 21, 12, tzinfo=UTC)
    assert payment_of(RELEASED, live=False).authorized_until is None


@pytest.mark.parametrize(
    ("href", "live"),
    [
        (f"{API}/v2/checkout/orders/1", False),
        ("https://api-m.paypal.com/v2/checkout/orders/1", True),
        ("https://api.paypal.com/v2/checkout/orders/1", True),
        ("https://api.paypal.com.example.com/v2/checkout/orders/1", False),
        ("http://127.0.0.1:8090/paypal/v2/checkout/orders/1", False),
        ("http://[broken", False),
    ],
)
def test_the_mode_is_what_the_order_says(href: str, live: bool) -> None:
    """The order's own address tells whether real money moves, whatever the account is."""
    for ours in (True, False):
        assert payment_of(order(links=[link("self", href)]), ours).live is live


def test_the_mode_of_an_order_without_address_is_the_accounts() -> None:
    """An answer without links came from the host we asked, which knows one mode only."""
    for ours in (True, False):
        assert payment_of(order(links=[]), ours).live is ours


def test_a_declined_try_is_told() -> None:
    """The newest try names the attempt, and says in our words why it failed; an older failure is past."""
    declined = payment_of(STATUSES["capture declined"][0], live=False)
    assert declined.decline is not None
    assert (declined.attempt, declined.decline.code, declined.decline.hard) == (
        "DECLINED1",
        DeclineCode.INSUFFICIENT_FUNDS,
        False,
    )
    denied = payment_of(STATUSES["hold denied"][0], live=False)
    assert denied.decline is not None
    assert (denied.attempt, denied.decline.gateway_code) == ("DENIED1", "DENIED")
    for later in (
        order("COMPLETED", {"authorizations": [DENIED, authorization()]}),
        STATUSES["declined, then captured"][0],
    ):
        payment = payment_of(later, live=False)
        assert payment.decline is None
        assert payment.attempt not in ("DENIED1", "DECLINED1")


def test_a_reason_or_the_networks_advice_is_heard() -> None:
    """Without a response code the reason is the code; the network's advice not to try again hardens it."""
    held_up = capture("DECLINED", status_details={"reason": "BUYER_COMPLAINT"})
    never = capture("DECLINED", processor_response={"response_code": "5100", "payment_advice_code": "03"})
    codes = [payment_of(order("COMPLETED", {"captures": [c]}), live=False).decline for c in (held_up, never)]
    assert [(d.gateway_code, d.hard) for d in codes if d] == [("BUYER_COMPLAINT", False), ("5100", True)]


def test_refunds() -> None:
    """Each refund has its status, amount and our key; one that somebody else made has no key of ours."""
    refunds = [
        refund(),
        refund("PENDING", id="R2", custom_id="chk_1.refund.2", status_details={"reason": "ECHECK"}),
        refund("FAILED", id="R3", custom_id="chk_1", status_details={"reason": "ECHECK"}),
        refund("CANCELLED", id="R4", custom_id=None),
    ]
    payment = payment_of(
        order("COMPLETED", {"captures": [capture("PARTIALLY_REFUNDED")], "refunds": refunds}), live=False
    )
    assert [(r.status, r.reference, r.failure_code) for r in payment.refunds] == [
        (RefundStatus.SUCCEEDED, "chk_1:refund:1", None),
        (RefundStatus.PENDING, "chk_1:refund:2", None),
        (RefundStatus.FAILED, None, "ECHECK"),
        (RefundStatus.FAILED, None, "CANCELLED"),
    ]


@pytest.mark.parametrize("key", ["chk_1:refund:1", "a.b:c", "plain", "::..", "é:"])
def test_keys_survive_their_way(key: str) -> None:
    """Whatever the key, the custom id of a refund brings the very same one back."""
    assert swapped(swapped(key)) == key


UNREADABLE: dict[str, dict[str, Any]] = {
    "no unit": order(purchase_units=[]),
    "two units": order(purchase_units=CREATED["purchase_units"] * 2),
    "units no list": order(purchase_units={}),
    "no amount": order(purchase_units=[{"custom_id": "chk_1"}]),
    "a float": order(purchase_units=[{"amount": {"currency_code": "USD", "value": 10.0}}]),
    "a fraction of a cent": order(purchase_units=[{"amount": money("10.001")}]),
    "negative": order(purchase_units=[{"amount": money("-10.00")}]),
    "no currency": order(purchase_units=[{"amount": money(currency="XXX")}]),
    "odd status": order("ODD"),
    "no status": order(status=None),
    "no id": order(id=""),
    "completed without payments": order("COMPLETED"),
    "hold captured, no capture": order("COMPLETED", {"authorizations": [authorization("CAPTURED")]}),
    "odd capture": order("COMPLETED", {"captures": [capture("ODD"), capture()]}),
    "odd hold": order("COMPLETED", {"authorizations": [authorization("ODD")]}),
    "captures no list": order("COMPLETED", {"captures": capture()}),
    "capture without amount": order("COMPLETED", {"captures": [capture(amount=None)]}),
    "captures of two currencies": order("COMPLETED", {"captures": [capture(), capture(amount=money(currency="EUR"))]}),
    "end of hold no time": order("COMPLETED", {"authorizations": [authorization(expiration_time="soon")]}),
    "end of hold without zone": order(
        "COMPLETED", {"authorizations": [authorization(expiration_time="2026-12-21T12:00:00")]}
    ),
    "odd refund": order("COMPLETED", {"captures": [capture()], "refunds": [refund("ODD")]}),
    "links no list": order(links={}),
}


@pytest.mark.parametrize("stated", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_cannot_be_read_is_unknown(stated: dict[str, Any]) -> None:
    """An answer without a sure meaning proves nothing: it is neither guessed nor rounded."""
    with pytest.raises(OutcomeUnknownError):
        payment_of(stated, live=False)


def test_what_differs_is_passed_on() -> None:
    """Another amount, currency or account than asked is no error here: the caller compares."""
    other = order(
        purchase_units=[{"custom_id": "chk_2", "amount": money("10.01", "EUR"), "payee": {"merchant_id": "X"}}]
    )
    payment = payment_of(other, live=False)
    assert (payment.amount, payment.reference, payment.account) == (Money(1001, "EUR"), "chk_2", "X")


def test_the_right_parts_are_acted_on() -> None:
    """The newest hold that still holds, and a capture of which something is left, are those to act on."""
    spent, older = authorization("VOIDED", id="A1"), authorization(id="A2")
    parts = payments_of(order("COMPLETED", {"authorizations": [spent, older, authorization(id="A3")]}))
    assert parts.held is not None
    assert parts.held["id"] == "A3"
    assert parts.original is not None
    assert parts.original["id"] == "A2"
    parts = payments_of(order("COMPLETED", {"captures": [capture(id="C1"), capture("REFUNDED", id="C2"), DECLINED]}))
    assert [taken["id"] for taken in parts.taken] == ["C2", "C1"]
    assert payments_of(CREATED).taken == []


@pytest.mark.parametrize("changes", [{"status": "odd"}, {"amount": None}, {"id": 1}], ids=str)
def test_a_refund_that_cannot_be_read_is_unknown(changes: dict[str, Any]) -> None:
    """The same holds for each refund of a payment."""
    with pytest.raises(OutcomeUnknownError):
        refund_of(refund(**changes))
