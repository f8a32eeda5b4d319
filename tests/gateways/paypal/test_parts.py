"""Holds that are taken in parts or made anew, and refunds over several captures, as snapshots."""

from dataclasses import replace
from typing import Any

import pytest

from domain.booked import Booked, catch_up
from domain.money import Money
from domain.payment import PaymentStatus, RefundSnapshot, RefundStatus
from gateways.paypal.pieces import custom_id, key_of, whole_of
from gateways.paypal.translate import payment_of
from tests.gateways.paypal.examples import CAPTURED, HELD, RELEASED, TEN, authorization, capture, money, order, refund

NOTHING = Money(0, "USD")
KEY = "chk_1:refund:1"

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


def facts(refunds: list[RefundSnapshot]) -> list[tuple[str, int, RefundStatus, str | None]]:
    """What the books are told of each."""
    return [(one.refund_id, one.amount.minor, one.status, one.reference) for one in refunds]


def test_the_last_piece_of_a_refund_carries_its_reference() -> None:
    """Each piece is a refund of its own amount; the one that completes the whole is pending while any of them is."""
    for first, last in (("COMPLETED", "COMPLETED"), ("PENDING", "COMPLETED"), ("COMPLETED", "PENDING")):
        told = pieces(("R2", "6.00", first), ("R1", "4.00", last))
        statuses = {"COMPLETED": RefundStatus.SUCCEEDED, "PENDING": RefundStatus.PENDING}
        whole = RefundStatus.PENDING if "PENDING" in (first, last) else RefundStatus.SUCCEEDED
        assert facts(told) == [("R2", 600, statuses[first], None), ("R1", 400, whole, KEY)]


def test_the_last_piece_is_the_one_made_last() -> None:
    """PayPal may list them in any order; which of them speaks for the whole must never change."""
    stated = [
        refund(id=id_, amount=money(value), custom_id="chk_1.refund.1,1000", create_time=f"2026-01-02T03:04:0{at}Z")
        for id_, value, at in (("R3", "4.00", 9), ("R2", "6.00", 1))
    ]
    for listed in (stated, stated[::-1]):
        payment = payment_of(order("COMPLETED", {"captures": [capture("REFUNDED")], "refunds": listed}), live=False)
        assert [(one.refund_id, one.reference) for one in payment.refunds] == [("R2", None), ("R3", KEY)]


def test_a_refund_in_the_making_is_a_smaller_one_of_nobody() -> None:
    """What went out is seen at once; that the refund of ours was made is not said before its last piece is there."""
    assert facts(pieces(("R2", "6.00", "COMPLETED"))) == [("R2", 600, RefundStatus.SUCCEEDED, None)]


def test_a_refund_of_which_a_piece_failed_failed() -> None:
    """The failed piece says so of the whole; what went out all the same stands for itself, nobody's refund."""
    for rest in ("COMPLETED", "PENDING"):
        left, failed = pieces(("R2", "6.00", rest), ("R1", "4.00", "FAILED"))
        assert (failed.status, failed.reference, bool(failed.failure_code)) == (RefundStatus.FAILED, KEY, True)
        assert (left.amount, left.reference) == (Money(600, "USD"), None)
        failed, left = pieces(("R2", "6.00", "FAILED"), ("R1", "4.00", rest))
        assert (failed.reference, left.reference) == (KEY, None)
    both = pieces(("R2", "6.00", "FAILED"), ("R1", "4.00", "FAILED"))
    assert [(one.status, one.reference) for one in both] == [(RefundStatus.FAILED, KEY)] * 2


@pytest.mark.parametrize("failing", [None, "R1", "R2"])
def test_the_books_have_every_piece_once(failing: str | None) -> None:
    """However far it was when it was looked at: in the end the books say what PayPal gave, no more and no less."""
    on_books = Booked("USD")
    course = [
        (("R1", "6.00", "PENDING"),),
        (("R1", "6.00", "PENDING"), ("R2", "4.00", "COMPLETED")),
        tuple(
            (id_, value, "FAILED" if id_ == failing else "COMPLETED") for id_, value in (("R1", "6.00"), ("R2", "4.00"))
        ),
    ]
    for parts in course:
        payment = replace(payment_of(CAPTURED, live=False), refunds=tuple(pieces(*parts)))
        for transaction in catch_up(on_books, payment):
            on_books = on_books.after(transaction)
    assert on_books.refunded_minor == {None: 1000, "R1": 400, "R2": 600}[failing]
    assert all(one.status is not RefundStatus.PENDING for one in on_books.refunds.values())


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
