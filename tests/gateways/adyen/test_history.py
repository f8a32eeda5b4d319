"""The order in which notifications come plays no part, nor does how often, nor what is not signed."""

import itertools
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.payment import PaymentSnapshot, PaymentStatus
from gateways.adyen.translate import seen
from tests.gateways.adyen.examples import PRICE, read_link
from tests.gateways.adyen.notices import Item, after, done, item, refused, told

_PART = {"currency": "USD", "value": 1000}
STORIES: dict[str, tuple[PaymentStatus, list[Item]]] = {
    "declined, paid and captured": (
        PaymentStatus.CAPTURED,
        [refused(item(pspReference="PSPTRY1"), "Refused"), item(), done("CAPTURE", "capture:1")],
    ),
    "captured at the second try": (
        PaymentStatus.CAPTURED,
        [item(), refused(done("CAPTURE", "capture:1"), "Refused"), done("CAPTURE", "capture:2")],
    ),
    "captured, and the capture failed": (
        PaymentStatus.AUTHORIZED,
        [item(), done("CAPTURE", "capture:1"), done("CAPTURE_FAILED", "capture:1", reason="Capture Failed")],
    ),
    "failed, then cancelled": (
        PaymentStatus.CANCELED,
        [item(), done("CAPTURE", "capture:1"), done("CAPTURE_FAILED", "capture:1"), done("CANCELLATION", "void:1")],
    ),
    "given back in parts, one of which failed": (
        PaymentStatus.CAPTURED,
        [
            item(),
            done("CAPTURE", "capture:1"),
            done("REFUND", "refund:1", amount=_PART),
            done("REFUND_FAILED", "refund:1", amount=_PART, psp="PSPITSOWN", reason="Refund Failed"),
            done("REFUND", "refund:2", amount=_PART),
        ],
    ),
    "cancelled": (
        PaymentStatus.CANCELED,
        [item(), done("CANCELLATION", "void:1"), refused(done("CANCELLATION", "void:2"), "already cancelled")],
    ),
    "captured in part, the rest expired": (
        PaymentStatus.CAPTURED,
        [item(), done("CAPTURE", "capture:1", amount=_PART), item("EXPIRE", pspReference="PSPEXPIRY")],
    ),
    "reversed after the capture": (
        PaymentStatus.CAPTURED,
        [
            item(),
            done("CAPTURE", "capture:1"),
            done("CANCEL_OR_REFUND", "refund:1", data={"modification.action": "refund"}),
        ],
    ),
}


def look(items: Sequence[Item]) -> PaymentSnapshot:
    """The payment after these notifications, in this order."""
    return seen(read_link(status="completed"), told(*items), live=False).payment


@pytest.mark.parametrize(("status", "story"), STORIES.values(), ids=STORIES.keys())
def test_every_order_tells_the_same(status: PaymentStatus, story: list[Item]) -> None:
    """However the notifications are shuffled, and with any of them doubled, the payment is the same in every field."""
    expected = look(story)
    assert expected.status is status
    for order in itertools.permutations(story):
        assert look([*order, order[0]]) == expected


def test_copies_that_differ_are_one_in_every_order() -> None:
    """Of copies with other unsigned words the same one is read whichever came first, so that nothing flickers."""
    failure = refused(done("CAPTURE", "capture:1"), "Capture Failed")
    copies = [item(), item(eventDate="2026-11-22T14:00:00Z"), failure, failure | {"reason": "Refused"}]
    assert len({look(order) for order in itertools.permutations(copies)}) == 1


def test_money_that_was_seen_is_never_unseen() -> None:
    """In every order, each further notification of a sale leaves the captured money and the refund where they were."""
    sale = [item(), done("CAPTURE", "capture:1"), done("REFUND", "refund:1"), item("EXPIRE", pspReference="PSPEXPIRY")]
    for order in itertools.permutations(sale):
        sights = [look(order[:n]) for n in range(len(sale) + 1)]
        for before, later in itertools.pairwise(sights):
            assert later.captured.minor >= before.captured.minor
            assert set(before.refunds) <= set(later.refunds)
            assert before.status is not PaymentStatus.CAPTURED or later.status is PaymentStatus.CAPTURED
        assert (sights[-1].status, sights[-1].captured) == (PaymentStatus.CAPTURED, PRICE)


UNSIGNED: dict[str, dict[str, Any]] = {
    "reason": {"reason": "something else"},
    "paymentMethod": {"paymentMethod": "ideal"},
    "operations": {"operations": ["REFUND"]},
    "link": {"additionalData": {"paymentLinkId": "PLSOMEBODYELSE"}},
    "action": {"additionalData": {"modification.action": "cancel"}},
    "refusal": {"additionalData": {"refusalReasonRaw": "AUTHORISED"}},
    "date": {"eventDate": "2026-11-22T10:00:00Z"},
}


@pytest.mark.parametrize("change", UNSIGNED.values(), ids=UNSIGNED.keys())
@pytest.mark.parametrize("story", [story for _, story in STORIES.values()], ids=STORIES.keys())
def test_what_is_not_signed_decides_nothing(story: list[Item], change: dict[str, Any]) -> None:
    """Whatever is written into the unsigned fields, status, money and refunds stay what the signed ones say."""

    def decided(payment: PaymentSnapshot) -> tuple[object, ...]:
        refunds = [(r.refund_id, r.amount, r.status, r.reference) for r in payment.refunds]
        return payment.status, payment.amount, payment.captured, refunds, payment.payment_id, payment.account

    expected = decided(look(story))
    tampered = [one | change for one in story]
    assert decided(look(tampered)) == expected
    assert decided(look([*story, *tampered])) == expected


def test_a_payment_of_another_link_with_our_reference_is_not_ours() -> None:
    """Somebody else's link carries our reference: it pays for nothing while ours is unpaid, and adds nothing after."""
    foreign = item(pspReference="PSPFOREIGN", additionalData={"paymentLinkId": "PLSOMEBODYELSE"})
    taken = {**done("CAPTURE", psp="PSPTHEIRS"), "originalReference": "PSPFOREIGN"}
    unpaid = seen(read_link(), told(foreign, taken), live=False).payment
    assert (unpaid.status, unpaid.captured.minor) == (PaymentStatus.AWAITING_CUSTOMER, 0)
    paid = look([foreign, taken, item()])
    assert (paid.status, paid.amount, paid.captured.minor) == (PaymentStatus.AUTHORIZED, PRICE, 0)


_ABOUT = {"CAPTURE": "capture", "CAPTURE_FAILED": "capture", "CANCELLATION": "void", "TECHNICAL_CANCEL": "void",
          "EXPIRE": "void", "CANCEL_OR_REFUND": "refund", "REFUND": "refund", "REFUND_FAILED": "refund",
          "REFUNDED_REVERSED": "refund"}  # fmt: skip
_ANYTHING = st.builds(
    lambda code, number, minute, success: _one(code, number, minute, success),
    st.sampled_from(sorted(_ABOUT)),
    st.integers(1, 2),
    st.integers(0, 3),
    st.booleans(),
)


def _one(code: str, number: int, minute: int, success: bool) -> Item:
    """Something that was done to the payment, or was to be."""
    stated = after(done(code, f"{_ABOUT[code]}:{number}", amount=_PART), minute)
    return stated if success else refused(stated, "Refused")


@settings(max_examples=150, deadline=None)
@given(pile=st.lists(_ANYTHING, max_size=6), opened=st.booleans(), data=st.data())
def test_any_pile_of_notifications_means_the_same_in_any_order(
    pile: list[Item], opened: bool, data: st.DataObject
) -> None:
    """Notifications that make no story together say the same in every order, and no more money than was stated."""
    pile = [*pile, item()] if opened else pile
    expected = look(pile)
    assert look(data.draw(st.permutations(pile))) == expected
    captures = {one["pspReference"] for one in pile if one["eventCode"] == "CAPTURE" and one["success"] == "true"}
    failed = {one["pspReference"] for one in pile if one["eventCode"] == "CAPTURE_FAILED" and one["success"] == "true"}
    assert expected.captured.minor == 1000 * len(captures - failed)
    assert (expected.status is PaymentStatus.CAPTURED) == bool(captures - failed)
