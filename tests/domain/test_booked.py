"""Bringing the books up to what a gateway says: exact, balanced, and nothing a second time."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from domain.booked import Booked, booked, catch_up, catch_up_dispute, is_lost, is_lower
from domain.dispute import DisputeSnapshot, DisputeState
from domain.money import Money
from domain.payment import Decline, DeclineCode, PaymentSnapshot, PaymentStatus, RefundSnapshot, RefundStatus
from domain.postings import Transaction, TransactionKind

AMOUNT = Money(4200, "USD")


def payment(status: PaymentStatus, *refunds: RefundSnapshot) -> PaymentSnapshot:
    """A payment of 42 dollars in this status."""
    captured = AMOUNT if status is PaymentStatus.CAPTURED else AMOUNT.zero()
    return PaymentSnapshot("gate", "pay_1", "chk_1", status, AMOUNT, captured, live=False, refunds=refunds)


def balances(transactions: Sequence[Transaction]) -> dict[str, int]:
    """What the transactions left on each account, empty accounts left out."""
    totals: dict[str, int] = {}
    for posting in (posting for transaction in transactions for posting in transaction.postings):
        totals[posting.account] = totals.get(posting.account, 0) + posting.amount_minor
    return {account: total for account, total in totals.items() if total}


@st.composite
def lives(draw: st.DrawFn) -> list[PaymentSnapshot]:
    """What a gateway may be seen to say of one payment, in order: any look may be missed or come twice."""
    ends = draw(st.sampled_from([PaymentStatus.CAPTURED, PaymentStatus.CANCELED]))
    hold = [PaymentStatus.AUTHORIZED] if draw(st.booleans()) else []
    looks = [payment(status) for status in [PaymentStatus.AWAITING_CUSTOMER, *hold, ends]]
    if ends is PaymentStatus.CAPTURED:
        parts = draw(st.lists(st.integers(1, 1400), max_size=3))
        fates = [draw(st.sampled_from(list(RefundStatus))) for _ in parts]
        begun = [RefundSnapshot(f"re_{i}", Money(part, "USD"), RefundStatus.PENDING) for i, part in enumerate(parts)]
        done = [RefundSnapshot(r.refund_id, r.amount, fate) for r, fate in zip(begun, fates, strict=True)]
        looks += [payment(ends, *refunds) for refunds in accumulate(([r] for r in begun), initial=[])]
        looks += [payment(ends, *done)]
    seen = [look for look in looks[:-1] for _ in range(draw(st.integers(0, 2)))]
    return [*seen, looks[-1]]


@given(lives())
def test_the_books_end_where_the_gateway_is(looks: list[PaymentSnapshot]) -> None:
    """Whichever looks were missed or doubled, the books say in the end what the last look says."""
    on_books, written = Booked("USD"), list[Transaction]()
    for look in looks:
        for transaction in catch_up(on_books, look):
            on_books = on_books.after(transaction)
            written.append(transaction)
    last = looks[-1]
    assert on_books.captured_minor == last.captured.minor
    assert on_books.refunded_minor == last.refunded(RefundStatus.SUCCEEDED).minor
    assert on_books.held_minor == 0
    assert catch_up(on_books, last) == ()
    assert booked("USD", written) == on_books
    left = balances(written)
    assert left.get("gate:balance", 0) == on_books.captured_minor - on_books.refunded_minor
    assert left.get("gate:holds", 0) == 0


@given(lives())
def test_an_old_look_moves_nothing_once_money_was_taken(looks: list[PaymentSnapshot]) -> None:
    """A look from before the capture, coming after it, neither holds nor releases anything, nor is it a loss."""
    on_books = Booked("USD")
    for look in looks:
        for transaction in catch_up(on_books, look):
            on_books = on_books.after(transaction)
    assume(on_books.captured_minor)
    for look in looks:
        if look.status is not PaymentStatus.CAPTURED:
            assert is_lower(on_books, look)
            assert catch_up(on_books, look) == ()


DECLINE = Decline(DeclineCode.UNKNOWN, True, "rejected", "rejected")


@pytest.mark.parametrize(
    ("status", "decline", "left"),
    [
        (PaymentStatus.CANCELED, None, {}),
        (PaymentStatus.PROCESSING, None, {}),
        (PaymentStatus.APPROVED, DECLINE, {}),
        (PaymentStatus.AUTHORIZED, DECLINE, {"gate:authorized": 4200, "gate:holds": -4200}),
    ],
)
@pytest.mark.parametrize("held", [False, True])
def test_captured_money_that_goes_away_is_taken_off(
    status: PaymentStatus, decline: Decline | None, left: dict[str, int], held: bool
) -> None:
    """The correction is one new transaction; a hold that is open again is on the books again, and said once."""
    looks = [payment(PaymentStatus.AUTHORIZED)] if held else []
    written: list[Transaction] = []
    for look in [*looks, payment(PaymentStatus.CAPTURED)]:
        written += catch_up(booked("USD", written), look)
    gone = replace(payment(status), decline=decline)
    assert is_lost(booked("USD", written), gone)
    correction = catch_up(booked("USD", written), gone)
    assert [transaction.kind for transaction in correction] == [TransactionKind.CAPTURE_FAILED]
    written += correction
    assert booked("USD", written).captured_minor == 0
    assert balances(written) == left
    assert catch_up(booked("USD", written), gone) == ()


def test_money_that_went_away_can_come_again() -> None:
    """Taken, gone with the hold open again, and taken again: the books have it once, and no hold."""
    written: list[Transaction] = []
    gone = replace(payment(PaymentStatus.AUTHORIZED), decline=DECLINE)
    for look in [payment(PaymentStatus.CAPTURED), gone, payment(PaymentStatus.CAPTURED)]:
        written += catch_up(booked("USD", written), look)
    assert balances(written) == {"gate:balance": 4200, "gate:sales": -4200}
    assert booked("USD", written) == Booked("USD", captured_minor=4200)


def test_a_refund_that_fails_after_it_had_settled_is_taken_back() -> None:
    """Settled, then failed: the correction is a new transaction, and the money counts as ours again."""
    done = payment(PaymentStatus.CAPTURED, RefundSnapshot("re_1", AMOUNT, RefundStatus.SUCCEEDED))
    written = list(catch_up(Booked("USD"), done))
    assert balances(written) == {}
    failed = payment(PaymentStatus.CAPTURED, RefundSnapshot("re_1", AMOUNT, RefundStatus.FAILED))
    written += catch_up(booked("USD", written), failed)
    assert booked("USD", written).refunded_minor == 0
    assert balances(written) == {"gate:balance": 4200, "gate:sales": -4200}


def held(captured: int, status: PaymentStatus = PaymentStatus.AUTHORIZED, **changes: object) -> PaymentSnapshot:
    """A payment of 42 dollars of which this much is captured."""
    made = PaymentSnapshot("gate", "pay_1", "chk_1", status, AMOUNT, Money(captured, "USD"), live=False)
    return replace(made, **changes)


def followed(*looks: PaymentSnapshot) -> list[Transaction]:
    """What the books write, look by look."""
    written: list[Transaction] = []
    for look in looks:
        written += catch_up(booked("USD", written), look)
        assert catch_up(booked("USD", written), look) == ()
    return written


PARTS = st.lists(st.integers(1, 1400), min_size=1, max_size=3)


@given(PARTS, st.lists(st.booleans(), min_size=3, max_size=3), st.booleans(), st.booleans())
def test_captures_in_parts_end_where_the_gateway_is(
    parts: list[int], seen: list[bool], first: bool, by_void: bool
) -> None:
    """Whichever parts were missed, the last look decides: the rest of the hold is gone, by whatever name."""
    totals = list(accumulate(parts))
    looks = [held(0)] if first else []
    looks += [held(total) for total, look in zip(totals, seen, strict=False) if look]
    if by_void:
        looks.append(held(totals[-1]))
    written = followed(*looks, held(totals[-1], PaymentStatus.CAPTURED))
    on_books = booked("USD", written)
    assert (on_books.captured_minor, on_books.held_minor) == (totals[-1], 0)
    assert balances(written) == {"gate:balance": totals[-1], "gate:sales": -totals[-1]}


def test_after_a_part_the_rest_is_held() -> None:
    """Ten of 42 dollars are taken: the books hold 32 still, also when the hold itself was never seen."""
    for looks in ([held(0), held(1000)], [held(1000)]):
        on_books = booked("USD", followed(*looks))
        assert (on_books.captured_minor, on_books.held_minor) == (1000, 3200)


def test_what_is_released_after_parts_is_a_void() -> None:
    """Nothing more is taken and nothing held: the rest is released by a transaction of its own."""
    written = followed(held(0), held(1000), held(1000, PaymentStatus.CAPTURED))
    assert [t.kind for t in written] == [TransactionKind.AUTHORIZE, TransactionKind.CAPTURE, TransactionKind.VOID]


def test_an_old_look_at_a_part_moves_nothing() -> None:
    """A look from before the second part, coming after it, is no loss, and holds nothing anew."""
    written = followed(held(0), held(1000), held(3000))
    for old in (held(0), held(1000)):
        assert is_lower(booked("USD", written), old)
        assert not is_lost(booked("USD", written), old)
        assert catch_up(booked("USD", written), old) == ()


def test_a_part_that_goes_away_leaves_the_others() -> None:
    """The second part bounced: the first stands, and the hold is open again as far as the gateway says."""
    bounced = held(1000, decline=DECLINE)
    written = followed(held(0), held(1000), held(3000), bounced)
    on_books = booked("USD", written)
    assert written[-1].kind is TransactionKind.CAPTURE_FAILED
    assert (on_books.captured_minor, on_books.held_minor) == (1000, 3200)
    written = followed(held(0), held(1000), held(3000, PaymentStatus.CAPTURED), held(1000, PaymentStatus.CAPTURED))
    on_books = booked("USD", written)
    assert (on_books.captured_minor, on_books.held_minor) == (1000, 0)


OUT = st.lists(st.integers(0, AMOUNT.minor), min_size=1, max_size=6)


@given(OUT)
def test_what_is_out_for_a_dispute_is_what_the_last_look_says(looks: list[int]) -> None:
    """Up and down, in part and in whole: balance and disputed move against each other, and no look counts twice."""
    written: list[Transaction] = []
    for out in looks:
        seen = dispute(out)
        written += catch_up_dispute(booked("USD", written), seen)
        assert catch_up_dispute(booked("USD", written), seen) == ()
    last = looks[-1]
    assert booked("USD", written).withdrawn_minor == last
    assert balances(written) == ({"gate:balance": -last, "gate:disputed": last} if last else {})


def test_disputes_are_told_apart() -> None:
    """What one gives back is not what another took."""
    written = [*catch_up_dispute(Booked("USD"), dispute(100)), *catch_up_dispute(Booked("USD"), dispute(70, "dp_2"))]
    written += catch_up_dispute(booked("USD", written), dispute(0))
    assert booked("USD", written).withdrawn == {"dp_1": 0, "dp_2": 70}


def dispute(out: int, id_: str = "dp_1") -> DisputeSnapshot:
    """A dispute for which this much is withdrawn."""
    withdrawn = Money(out, "USD")
    return DisputeSnapshot(
        "gate", id_, "pay_1", "chk_1", AMOUNT, withdrawn, DisputeState.NEEDS_RESPONSE, "fraud", live=False
    )
