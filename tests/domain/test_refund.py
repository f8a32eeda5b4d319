"""Refunds that the shop asks for: their keys lead back to them, and what is left is never promised twice."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.booked import Booked, BookedRefund
from domain.money import Money
from domain.payment import RefundStatus
from domain.refund import Refund, RefundCommand, RefundRecord, refund_of
from domain.refundable import refundable
from domain.saga import GatewayAccount, SagaPolicy

NOW = datetime(2026, 3, 4, tzinfo=UTC)
P, S, F = RefundStatus.PENDING, RefundStatus.SUCCEEDED, RefundStatus.FAILED


def asked(minor: int, status: RefundStatus = P, gateway_refund_id: str | None = None) -> RefundRecord:
    """A refund of the shop's over this amount."""
    refund = Refund(f"rfd_{minor}", "chk_1", Money(minor, "EUR"), None, NOW)
    return RefundRecord(refund, status, NOW, gateway_refund_id)


def test_a_key_leads_back_to_its_refund() -> None:
    """The gateway keeps the key as its reference, whichever try it was made for."""
    account = GatewayAccount("stripe", live=False)
    command = RefundCommand("rfd_1", "chk_1", "pi_1", Money(1, "EUR"), account, SagaPolicy())
    assert {refund_of(command.key(number)) for number in (1, 2, 30)} == {"rfd_1"}
    assert len({command.key(number) for number in (1, 2, 30)}) == 3


@pytest.mark.parametrize("reference", [None, "", "chk_1:refund:1", "chk_1", "chk_1:RFD_1:1", "chk_rfd_1:1"])
def test_other_references_are_not_the_shops_refunds(reference: str | None) -> None:
    """A saga's own refunds and those made by hand at the gateway lead to none."""
    assert refund_of(reference) is None


@pytest.mark.parametrize(
    ("on_books", "records", "left"),
    [
        (Booked("EUR"), [], 0),
        (Booked("EUR", captured_minor=100), [], 100),
        (Booked("EUR", captured_minor=100), [asked(60)], 40),
        (Booked("EUR", captured_minor=100), [asked(60), asked(40)], 0),
        (Booked("EUR", captured_minor=100), [asked(60, F)], 100),
        (Booked("EUR", captured_minor=100, refunds={"re_1": BookedRefund(Money(60, "EUR"), P)}), [], 40),
        (
            Booked("EUR", captured_minor=100, refunds={"re_1": BookedRefund(Money(60, "EUR"), P)}),
            [asked(60, P, "re_1")],
            40,
        ),
        (
            Booked("EUR", captured_minor=100, refunds={"re_1": BookedRefund(Money(60, "EUR"), S)}),
            [asked(60, S, "re_1"), asked(10)],
            30,
        ),
        (
            Booked("EUR", captured_minor=100, refunds={"re_1": BookedRefund(Money(60, "EUR"), F)}),
            [asked(60, F, "re_1")],
            100,
        ),
        (Booked("EUR", captured_minor=100, withdrawn={"dp_1": 70}), [], 30),
        (Booked("EUR", captured_minor=100, withdrawn={"dp_1": 0}), [], 100),
        (Booked("EUR", captured_minor=100, withdrawn={"dp_1": 70}), [asked(60)], 0),
        (Booked("EUR", captured_minor=100, written_off_minor=60), [], 40),
        (Booked("EUR", captured_minor=0, written_off_minor=-100), [], 0),
    ],
)
def test_what_is_left(on_books: Booked, records: list[RefundRecord], left: int) -> None:
    """Captured, less what went back or is to go back, is disputed, or was let be: each counted once."""
    assert refundable(on_books, records) == left


@given(
    st.integers(0, 1000),
    st.lists(st.tuples(st.integers(1, 400), st.sampled_from(RefundStatus), st.booleans()), max_size=6),
    st.integers(0, 300),
)
def test_no_more_than_was_captured(captured: int, parts: list[tuple[int, RefundStatus, bool]], withdrawn: int) -> None:
    """With all that is left given back too, never more is out than was captured, unless it was already."""
    on_books = Booked("EUR", captured_minor=captured, withdrawn={"dp_1": withdrawn})
    records = []
    for number, (minor, status, is_booked) in enumerate(parts):
        taken_on = is_booked or status is not P
        records.append(asked(minor, status, f"re_{number}" if taken_on else None))
        if taken_on:
            on_books.refunds[f"re_{number}"] = BookedRefund(Money(minor, "EUR"), status)
    out = sum(minor for minor, status, _ in parts if status is not F) + withdrawn
    assert refundable(on_books, records) == max(0, captured - out)
