"""Holds that are taken in parts or made anew, and refunds over several captures, as snapshots."""

from typing import Any

import pytest

from domain.money import Money
from domain.payment import PaymentStatus, RefundSnapshot, RefundStatus
from gateways.paypal.pieces import custom_id, key_of, whole_of
from gateways.paypal.translate import payment_of
from tests.gateways.paypal.examples import CAPTURED, HELD, RELEASED, TEN, authorization, capture, money, order, refund

NOTHING = Money(0, "USD")

STATUSES: dict[str, tuple[dict[str, Any], PaymentStatus, Money]] = {
    "hold captured for less, for the last time": (
        order(
            "COMPLETED",
            {
                "authorizations": [authorization("PARTIALLY_CAPTURED")],
                "captures": [capture(amount=money("4.00"), final_capture=True)],
            },
        ),
        PaymentStatus.CAPTURED,
        Money(400, "USD"),
    ),
    "last capture of a hold declined": (
        order(
            "COMPLETED",
            {
                "authorizations": [authorization("PARTIALLY_CAPTURED")],
                "captures": [
                    capture(amount=money("4.00"), final_capture=False),
                    capture("DECLINED", id="C2", amount=money("6.00"), final_capture=True),
                ],
            },
        ),
        PaymentStatus.AUTHORIZED,
        Money(400, "USD"),
    ),
    "next capture of a hold pending": (
        order(
            "COMPLETED",
            {
                "authorizations": [authorization("PARTIALLY_CAPTURED")],
                "captures": [capture(amount=money("4.00")), capture("PENDING", id="C2", amount=money("2.00"))],
            },
        ),
        PaymentStatus.PROCESSING,
        Money(400, "USD"),
    ),
    "hold captured in parts, all of it": (
        order(
            "COMPLETED",
            {
                "authorizations": [authorization("PARTIALLY_CAPTURED")],
                "captures": [capture(amount=money("4.00")), capture(id="C2", amount=money("6.00"))],
            },
        ),
        PaymentStatus.CAPTURED,
        TEN,
    ),
    "rest of a hold released": (
        order(
            "COMPLETED",
            {"authorizations": [authorization("VOIDED")], "captures": [capture(amount=money("4.00"))]},
        ),
        PaymentStatus.CAPTURED,
        Money(400, "USD"),
    ),
    "hold made anew": (
        order("COMPLETED", {"authorizations": [authorization(), authorization(id="A2")]}),
        PaymentStatus.AUTHORIZED,
        NOTHING,
    ),
    "hold made anew released": (
        order("COMPLETED", {"authorizations": [authorization(), authorization("VOIDED", id="A2")]}),
        PaymentStatus.CANCELED,
        NOTHING,
    ),
}


@pytest.mark.parametrize(("stated", "status", "captured"), STATUSES.values(), ids=STATUSES.keys())
def test_statuses(stated: dict[str, Any], status: PaymentStatus, captured: Money) -> None:
    """A hold stands until its last capture, its whole amount or its end; whatever PayPal calls it meanwhile."""
    payment = payment_of(stated, live=False)
    assert (payment.status, payment.amount, payment.captured) == (status, TEN, captured)


def test_a_standing_hold_is_named() -> None:
    """The snapshot names the hold that stands now: the newest, and none once nothing is held."""
    anew = order("COMPLETED", {"authorizations": [authorization(), authorization(id="A2")]})
    assert payment_of(anew, live=False).authorization_id == "A2"
    assert payment_of(HELD, live=False).authorization_id == "0VF52814937998046"
    assert [payment_of(each, live=False).authorization_id for each in (RELEASED, CAPTURED)] == [None, None]


def pieces(*parts: tuple[str, str, str], of: str = ",1000") -> list[RefundSnapshot]:
    """The refunds of a payment in which each part has this id, amount and status."""
    stated = [
        refund(status, id=id_, amount=money(value), custom_id=f"chk_1.refund.1{of}") for id_, value, status in parts
    ]
    whole = order(
        "COMPLETED", {"captures": [capture("REFUNDED")], "refunds": [*stated, refund(id="R9", custom_id="x")]}
    )
    *ours, other = payment_of(whole, live=False).refunds
    assert (other.refund_id, other.reference) == ("R9", "x")
    return ours


def test_the_pieces_of_a_refund_are_one() -> None:
    """What was given back under one key is one refund of the whole, pending while a piece of it is."""
    for status, told in (("COMPLETED", RefundStatus.SUCCEEDED), ("PENDING", RefundStatus.PENDING)):
        (one,) = pieces(("R2", "6.00", "COMPLETED"), ("R1", "4.00", status))
        assert (one.refund_id, one.amount, one.status, one.reference) == ("R1+1", TEN, told, "chk_1:refund:1")


def test_a_refund_in_the_making_is_not_seen() -> None:
    """Until its last piece is there it would look like a smaller refund, and be booked as that."""
    assert pieces(("R2", "6.00", "COMPLETED")) == []


def test_a_refund_of_which_a_piece_failed_failed() -> None:
    """The whole is told as failed; what went out all the same stands for itself, nobody's refund."""
    one, left = pieces(("R2", "6.00", "COMPLETED"), ("R1", "4.00", "FAILED"))
    assert (one.amount, one.status, one.reference) == (TEN, RefundStatus.FAILED, "chk_1:refund:1")
    assert one.failure_code
    assert (left.refund_id, left.amount, left.status, left.reference) == (
        "R2",
        Money(600, "USD"),
        RefundStatus.SUCCEEDED,
        None,
    )
    (one,) = pieces(("R2", "6.00", "FAILED"), ("R1", "4.00", "FAILED"))
    assert (one.amount, one.status) == (TEN, RefundStatus.FAILED)


@pytest.mark.parametrize("of", ["", ",", ",x", ",-1", ",٣", ",12345678901234567"])
def test_refunds_that_are_no_pieces_stand_alone(of: str) -> None:
    """Only a whole number after the key makes a piece."""
    assert [one.refund_id for one in pieces(("R2", "6.00", "COMPLETED"), ("R1", "4.00", "COMPLETED"), of=of)] == [
        "R2",
        "R1",
    ]


@pytest.mark.parametrize("key", ["chk_1:refund:1", "a.b:c", "a,b", "plain"])
def test_what_a_refund_carries_leads_back(key: str) -> None:
    """Key and whole survive their way, together and alone."""
    assert (key_of(custom_id(key, TEN)), whole_of(custom_id(key, TEN))) == (key, 1000)
    assert (key_of(custom_id(key, None)), whole_of(custom_id(key, None))) == (key, None)
