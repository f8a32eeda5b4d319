"""Disputes: where they may go, and that the same one always has the same id."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.dispute import BLOCKS_REFUNDS, OPEN, DisputeState, dispute_id_of, may_follow

D = DisputeState
ALLOWED = {
    D.INQUIRY: {D.INQUIRY, D.NEEDS_RESPONSE, D.UNDER_REVIEW, D.WON, D.LOST},
    D.NEEDS_RESPONSE: {D.NEEDS_RESPONSE, D.UNDER_REVIEW, D.WON, D.LOST},
    D.UNDER_REVIEW: {D.NEEDS_RESPONSE, D.UNDER_REVIEW, D.WON, D.LOST},
    D.WON: {D.WON, D.LOST},
    D.LOST: {D.WON, D.LOST},
}


@pytest.mark.parametrize("current", D)
@pytest.mark.parametrize("seen", D)
def test_every_pair_is_decided(current: DisputeState, seen: DisputeState) -> None:
    """What is decided is never open again, and what is a chargeback is no mere question again."""
    assert may_follow(current, seen) == (seen in ALLOWED[current])


@pytest.mark.parametrize("seen", D)
def test_a_dispute_may_be_first_seen_anywhere(seen: DisputeState) -> None:
    """Events come out of order, so the first that is heard of a dispute may be its end."""
    assert may_follow(None, seen)


def test_a_question_blocks_no_refund() -> None:
    """A refund answers an inquiry; beside a chargeback it would pay twice; after a decision nothing is open."""
    assert {D.INQUIRY} == OPEN - BLOCKS_REFUNDS
    assert OPEN & {D.WON, D.LOST} == set()


NAMES = st.text(min_size=1, max_size=30)


@given(st.tuples(NAMES, NAMES), st.tuples(NAMES, NAMES))
def test_ids_tell_disputes_apart(one: tuple[str, str], other: tuple[str, str]) -> None:
    """Two gateways may use the same id; the same dispute is always called the same."""
    assert (dispute_id_of(*one) == dispute_id_of(*other)) == (one == other)
    assert dispute_id_of(*one).startswith("dsp_")
    assert len(dispute_id_of(*one)) == len("dsp_") + 24
