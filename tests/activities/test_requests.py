"""Requests as they are stored with their keys: the same under every version, and looked up by what they lead to."""

from dataclasses import replace

import pytest

from activities.contract import Capture, Void
from activities.payments import _is_captured, _stated
from domain.money import Money
from domain.payment import PaymentSnapshot, PaymentStatus
from gateways.contract import CapturePayment, VoidPayment
from ledger.operations import fingerprint_of

AMOUNT = Money(4200, "USD")
WHOLE = CapturePayment("chk_1:capture:1", "pi_1", AMOUNT)
PAYMENT = PaymentSnapshot("stripe", "pi_1", "chk_1", PaymentStatus.AUTHORIZED, AMOUNT, AMOUNT.zero(), live=False)


def test_a_whole_capture_is_stored_as_ever() -> None:
    """A key of before captures in parts finds its request again: fields that were added since are left out."""
    stated = _stated(Capture("stripe", "chk_1", WHOLE))
    assert stated == {
        "key": "chk_1:capture:1",
        "payment_id": "pi_1",
        "amount": {"minor": 4200, "currency": "USD"},
    }
    assert (
        fingerprint_of("chk_1", "stripe", "capture", stated)
        == "60b0aa807f6e6c246210c9ae1c72507c0d5a03a1b6e6746fd28c306a7bb4ca87"
    )


def test_a_part_says_all_that_makes_it_another_request() -> None:
    """Another part of the same amount under the same key would be a mismatch: what follows it and its total count."""
    parts = [replace(WHOLE, final=False), replace(WHOLE, total=AMOUNT), WHOLE]
    said = [str(_stated(Capture("stripe", "chk_1", part))) for part in parts]
    assert len(set(said)) == 3


def test_other_requests_are_stored_whole() -> None:
    """Only what was added is ever left out."""
    assert set(_stated(Void("stripe", "chk_1", VoidPayment("k", "pi_1")))) == {"key", "payment_id"}


@pytest.mark.parametrize(
    ("status", "captured", "done"),
    [
        (PaymentStatus.AUTHORIZED, 0, False),
        (PaymentStatus.AUTHORIZED, 1000, False),
        (PaymentStatus.AUTHORIZED, 1999, False),
        (PaymentStatus.AUTHORIZED, 2000, True),
        (PaymentStatus.CAPTURED, 1000, True),
        (PaymentStatus.PROCESSING, 1000, False),
    ],
)
def test_a_part_is_looked_up_by_its_total(status: PaymentStatus, captured: int, done: bool) -> None:
    """An equal part that was captured before is not taken for this one; a payment that ended needs no more asking."""
    second = replace(WHOLE, amount=Money(1000, "USD"), final=False, total=Money(2000, "USD"))
    seen = replace(PAYMENT, status=status, captured=Money(captured, "USD"))
    assert _is_captured(seen, second) is done


def test_another_currency_is_no_capture_of_ours() -> None:
    """As many units of something else prove nothing."""
    assert not _is_captured(replace(PAYMENT, captured=Money(4200, "JPY")), WHOLE)
