"""Refunds and reversals in a payment's notifications: what went back, and what only was to."""

import pytest

from domain.money import Money
from domain.payment import PaymentSnapshot, PaymentStatus, RefundSnapshot, RefundStatus
from gateways.adyen.translate import seen
from tests.gateways.adyen.examples import PRICE, read_link
from tests.gateways.adyen.notices import CHECKOUT, Item, done, item, refused, told

CAPTURED = done("CAPTURE", "capture:1")


def look(*items: Item) -> PaymentSnapshot:
    """The paid payment after these notifications."""
    return seen(read_link(status="completed"), told(*items), live=False).payment


def test_a_refund_that_succeeded() -> None:
    """It carries its own pspReference and our key, and captured stays what it was."""
    refund = done("REFUND", "refund:1", amount={"currency": "USD", "value": 1000})
    payment = look(item(), CAPTURED, refund)
    assert payment.refunds == (
        RefundSnapshot("PSPREFUND1", Money(1000, "USD"), RefundStatus.SUCCEEDED, f"{CHECKOUT}:refund:1"),
    )
    assert (payment.status, payment.captured) == (PaymentStatus.CAPTURED, PRICE)


@pytest.mark.parametrize(
    ("items", "code"),
    [
        ([refused(done("REFUND", "refund:1"), "Insufficient balance on payment")], "Insufficient balance on payment"),
        ([done("REFUND", "refund:1"), done("REFUND_FAILED", "refund:1", reason="Refund Failed")], "Refund Failed"),
        ([done("REFUND", "refund:1"), done("REFUND_FAILED", "refund:1", psp="PSPOTHER")], "refund failed"),
        ([done("REFUND_FAILED", "refund:1", psp="PSPREFUND1")], "refund failed"),
        ([done("REFUND", "refund:1"), done("REFUNDED_REVERSED", "refund:1")], "refunded reversed"),
    ],
    ids=["refused", "failed later", "failed under a reference of its own", "only its failure told", "reversed"],
)
def test_a_refund_that_failed(items: list[Item], code: str) -> None:
    """Refused at once, by the card scheme or sent back: one failed refund under the request's reference and our key."""
    (refund,) = look(item(), CAPTURED, *items).refunds
    assert (refund.refund_id, refund.status, refund.reference) == (
        "PSPREFUND1",
        RefundStatus.FAILED,
        f"{CHECKOUT}:refund:1",
    )
    assert refund.failure_code == code


def test_somebody_elses_refund() -> None:
    """A refund made at Adyen's own pages counts, and is none of ours."""
    (refund,) = look(item(), CAPTURED, done("REFUND", psp="PSPTHEIRS")).refunds
    assert (refund.refund_id, refund.status, refund.reference) == ("PSPTHEIRS", RefundStatus.SUCCEEDED, None)


@pytest.mark.parametrize("action", ["refund", "cancel", None])
def test_a_reversal_of_captured_money_is_a_refund(action: str | None) -> None:
    """What a reversal did follows from the signed capture, whatever its unsigned word says."""
    data = {"modification.action": action} if action else {}
    payment = look(item(), CAPTURED, done("CANCEL_OR_REFUND", "refund:1", data=data))
    assert (payment.status, payment.refunded(RefundStatus.SUCCEEDED)) == (PaymentStatus.CAPTURED, PRICE)


def test_a_reversal_after_a_failed_capture_is_a_cancel() -> None:
    """Nothing was captured in the end, so nothing can have gone back, whatever the unsigned word says."""
    reversal = done("CANCEL_OR_REFUND", "refund:1", data={"modification.action": "refund"})
    payment = look(item(), CAPTURED, done("CAPTURE_FAILED", "capture:1"), reversal)
    assert (payment.status, payment.refunds) == (PaymentStatus.CANCELED, ())


@pytest.mark.parametrize(
    "early", [done("CANCEL_OR_REFUND", "refund:1", data={"modification.action": "refund"}), done("REFUND", "refund:1")]
)
def test_money_that_went_back_before_it_was_seen_to_come(early: Item) -> None:
    """A refund told of before its capture is no reason to conclude anything: the capture will be told of."""
    assert look(item(), early).status is PaymentStatus.PROCESSING
