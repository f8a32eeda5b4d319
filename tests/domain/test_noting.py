"""What is learnt after the sale becomes rows: each fact once, by whomever, in whatever order."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.booked import Booked
from domain.case import CaseKind, OpenCase
from domain.checkout import CheckoutStatus
from domain.dispute import DisputeSnapshot, DisputeState, dispute_id_of
from domain.money import Money
from domain.noting import Learnt, Standing, dispute_entries, payment_entries
from domain.payment import PaymentSnapshot, PaymentStatus, RefundSnapshot, RefundStatus
from domain.postings import TransactionKind
from domain.refund import Refund, RefundRecord
from domain.states import CheckoutState
from domain.timeline import Entry, EventType

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
LEARNT = Learnt("poll", NOW)
PRICE = Money(10000, "EUR")
SOLD = CheckoutStatus(CheckoutState.COMPLETED, "pi_1", captured_minor=PRICE.minor)
P, S, F = RefundStatus.PENDING, RefundStatus.SUCCEEDED, RefundStatus.FAILED
E = EventType


def record(minor: int = 4000, status: RefundStatus = P, gateway_refund_id: str | None = None) -> RefundRecord:
    """A refund that the shop asked for."""
    refund = Refund("rfd_1", "chk_1", Money(minor, "EUR"), None, NOW)
    return RefundRecord(refund, status, NOW, gateway_refund_id)


def standing(*records: RefundRecord, **changes: object) -> Standing:
    """A sale over 100 euro whose last row is the seventh."""
    books = Booked("EUR", captured_minor=PRICE.minor)
    made = Standing("chk_1", SOLD, 7, books, {record.refund.id: record for record in records})
    return replace(made, **changes)


def payment(*refunds: RefundSnapshot, **changes: object) -> PaymentSnapshot:
    """The captured payment with these refunds."""
    made = PaymentSnapshot("stripe", "pi_1", "chk_1", PaymentStatus.CAPTURED, PRICE, PRICE, live=False, refunds=refunds)
    return replace(made, **changes)


def refund(status: RefundStatus, reference: str | None = "chk_1:rfd_1:1", id_: str = "re_1") -> RefundSnapshot:
    """A refund of 40 euro as the gateway shows it."""
    return RefundSnapshot(id_, Money(4000, "EUR"), status, reference, "lost_card" if status is F else None)


def dispute(state: DisputeState, withdrawn: int = 0, **changes: object) -> DisputeSnapshot:
    """A dispute over the whole sale."""
    out = Money(withdrawn, "EUR")
    made = DisputeSnapshot("stripe", "dp_1", "pi_1", "chk_1", PRICE, out, state, "fraudulent", live=False)
    return replace(made, **changes)


def after(before: Standing, entries: Iterable[Entry]) -> Standing:
    """The books once these rows are on them."""
    books, refunds, sequence = before.booked, dict(before.refunds), before.sequence
    for entry in entries:
        for transaction in entry.transactions:
            books = books.after(transaction)
        sequence += 1
        id_ = entry.details.get("refund_id")
        if isinstance(id_, str):
            told = RefundStatus(str(entry.details["status"]))
            refunds[id_] = replace(refunds[id_], status=told, gateway_refund_id=str(entry.details["gateway_refund_id"]))
    rows = (entry.key.split(":") for entry in entries)
    failed = before.failed | {row[1] for row in rows if row[0] == "refund" and row[-1] == "failed"}
    return replace(before, booked=books, refunds=refunds, sequence=sequence, failed=failed)


def told(entries: Sequence[Entry]) -> list[EventType | None]:
    """What the rows tell others."""
    return [entry.event for entry in entries]


def test_a_refund_of_the_shops_is_not_announced_again() -> None:
    """It was told of when it was asked for; that the gateway has taken it on is a row that tells nobody."""
    here = standing(record())
    taken_on = payment_entries(here, payment(refund(P)), LEARNT)
    assert [entry.key for entry in taken_on] == ["refund:re_1:pending"]
    assert told(taken_on) == [None]
    done = payment_entries(after(here, taken_on), payment(refund(S)), LEARNT)
    assert told(done) == [E.REFUND_SUCCEEDED]
    assert done[0].details == {
        "gateway_refund_id": "re_1",
        "status": "succeeded",
        "refund_id": "rfd_1",
        "amount": 4000,
        "currency": "EUR",
    }


def test_a_refund_made_at_the_gateway_is_announced() -> None:
    """One that somebody made by hand is created and succeeded, in two rows, when it is first seen done."""
    found = payment_entries(standing(), payment(refund(S, None)), LEARNT)
    assert told(found) == [E.REFUND_CREATED, E.REFUND_SUCCEEDED]
    assert all("refund_id" not in entry.details for entry in found)
    assert [t.kind for entry in found for t in entry.transactions] == [
        TransactionKind.REFUND,
        TransactionKind.REFUND_SETTLED,
    ]


@pytest.mark.parametrize("before", [P, S])
def test_a_refund_of_the_shops_that_comes_back_is_a_case(before: RefundStatus) -> None:
    """Whether it was pending or counted as done: the money is back, and a person has to look."""
    here = standing(record())
    here = after(here, payment_entries(here, payment(refund(before)), LEARNT))
    (row,) = payment_entries(here, payment(refund(F)), LEARNT)
    assert (row.event, row.details["code"]) == (E.REFUND_FAILED, "lost_card")
    assert isinstance(row.case, OpenCase)
    assert (row.case.kind, row.case.subject) == (CaseKind.REFUND_FAILED_LATER, "rfd_1")
    assert (row.case.workflow_id, row.case.amount_minor) == ("late/chk_1", 4000)
    back = after(here, [row]).booked
    assert (back.captured_minor, back.refunded_minor) == (PRICE.minor, 0)


def test_anothers_refund_that_comes_back_is_no_case() -> None:
    """The money is back on the books, and the one who made it by hand has to know."""
    here = standing()
    here = after(here, payment_entries(here, payment(refund(S, None)), LEARNT))
    (row,) = payment_entries(here, payment(refund(F, None)), LEARNT)
    assert (row.event, row.case) == (E.REFUND_FAILED, None)


def test_a_refund_that_was_never_taken_on_is_freed_without_a_case() -> None:
    """The gateway shows it as failed before it was ever booked: no money moved, and nobody was told otherwise."""
    here = standing(record())
    (row,) = payment_entries(here, payment(refund(F)), LEARNT)
    assert (row.event, row.transactions, row.case) == (E.REFUND_FAILED, (), None)
    assert payment_entries(after(here, [row]), payment(refund(F)), LEARNT) == ()


def test_a_failed_try_frees_nothing_while_another_is_alive() -> None:
    """The first try failed and the second is under way: what is reserved stays reserved."""
    tries = refund(F), refund(P, "chk_1:rfd_1:2", "re_2")
    rows = payment_entries(standing(record()), payment(*tries), LEARNT)
    assert [row.details["gateway_refund_id"] for row in rows] == ["re_2"]


def test_another_checkouts_refund_is_not_the_shops() -> None:
    """A reference that names a refund the checkout does not have makes it nobody's."""
    rows = payment_entries(standing(), payment(refund(S)), LEARNT)
    assert told(rows) == [E.REFUND_CREATED, E.REFUND_SUCCEEDED]


def test_captured_money_that_goes_away_is_a_row_of_its_own() -> None:
    """Its key has the row's number, since it can happen again."""
    gone = payment(status=PaymentStatus.CANCELED, captured=PRICE.zero())
    (row,) = payment_entries(standing(), gone, LEARNT)
    assert (row.key, row.event, row.status) == ("lost:8", None, SOLD)
    assert row.details == {"payment_id": "pi_1", "amount": PRICE.minor, "currency": "EUR"}
    again = payment_entries(after(standing(), [row]), payment(), LEARNT)
    assert [entry.key for entry in again] == ["captured:9"]


def test_a_dispute_tells_its_story() -> None:
    """Opened, a new deadline, won: opened and won are told to others, and the money goes and comes back."""
    day = timedelta(days=1)
    looks = [
        dispute(DisputeState.NEEDS_RESPONSE, 10000, respond_by=NOW + day),
        dispute(DisputeState.NEEDS_RESPONSE, 10000, respond_by=NOW + 2 * day),
        dispute(DisputeState.UNDER_REVIEW, 10000, respond_by=NOW + 2 * day),
        dispute(DisputeState.WON, 0, respond_by=NOW + 2 * day),
    ]
    here, events, kinds = standing(), [], []
    for look in looks:
        rows = dispute_entries(here, look, LEARNT)
        assert len(rows) == 1
        here = replace(after(here, rows), dispute=look)
        assert dispute_entries(here, look, LEARNT) == ()
        events += told(rows)
        kinds += [t.kind for row in rows for t in row.transactions]
    assert events == [E.DISPUTE_OPENED, None, None, E.DISPUTE_WON]
    assert kinds == [TransactionKind.DISPUTE_WITHDRAWN, TransactionKind.DISPUTE_REINSTATED]
    assert here.booked.withdrawn_minor == 0


def test_a_disputes_row_names_it_and_its_deadline() -> None:
    """Ids, codes and amounts; the deadline as a word that may leave for others."""
    (row,) = dispute_entries(standing(), dispute(DisputeState.INQUIRY, respond_by=NOW), LEARNT)
    assert row.key == f"dispute:{dispute_id_of('stripe', 'dp_1')}:8"
    assert row.details == {
        "dispute_id": dispute_id_of("stripe", "dp_1"),
        "gateway_dispute_id": "dp_1",
        "state": "inquiry",
        "amount": PRICE.minor,
        "withdrawn": 0,
        "currency": "EUR",
        "reason": "fraudulent",
        "respond_by": "2026-03-04T05:06:07Z",
    }


def test_a_dispute_first_seen_decided_is_opened_and_decided() -> None:
    """Whoever waits for either is told; the money moves once."""
    rows = dispute_entries(standing(), dispute(DisputeState.LOST, 10000), LEARNT)
    assert told(rows) == [E.DISPUTE_OPENED, E.DISPUTE_LOST]
    assert [len(row.transactions) for row in rows] == [1, 0]
    assert len({row.key for row in rows}) == 2


def test_an_old_look_at_a_dispute_says_nothing() -> None:
    """Decided, it is not open again, and the money that was withdrawn then is not withdrawn again."""
    books = Booked("EUR", captured_minor=PRICE.minor, withdrawn={"dp_1": 0})
    here = standing(booked=books, dispute=dispute(DisputeState.WON))
    assert dispute_entries(here, dispute(DisputeState.NEEDS_RESPONSE, 10000), LEARNT) == ()


def test_a_decision_can_be_turned() -> None:
    """Won, and lost after all in a second round: told again, and the money is gone again."""
    here = standing(dispute=dispute(DisputeState.WON))
    rows = dispute_entries(here, dispute(DisputeState.LOST, 10000), LEARNT)
    assert told(rows) == [E.DISPUTE_LOST]
    assert after(here, rows).booked.withdrawn_minor == 10000


REFUNDS = st.lists(
    st.tuples(
        st.sampled_from(["chk_1:rfd_1:1", None]), st.lists(st.sampled_from(RefundStatus), min_size=1, max_size=4)
    ),
    max_size=3,
)


@given(REFUNDS, st.randoms(use_true_random=False))
def test_whoever_notes_in_whatever_order_no_fact_is_written_twice(
    lives: list[tuple[str | None, list[RefundStatus]]], random: object
) -> None:
    """Looks may be doubled or come late; every key is new, and the same look again adds nothing."""
    shuffled = [
        refund(status, reference, f"re_{number}") for number, (reference, fates) in enumerate(lives) for status in fates
    ]
    random.shuffle(shuffled)
    here, keys = standing(record()), list[str]()
    for look in shuffled:
        rows = payment_entries(here, payment(look), LEARNT)
        keys += [row.key for row in rows]
        here = after(here, rows)
        assert payment_entries(here, payment(look), LEARNT) == ()
    assert len(keys) == len(set(keys))
