"""The state table: all of it, so that any change to it shows here."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import IllegalTransitionError
from domain.states import ENDED, NOTHING_TAKEN, TRANSITIONS, CheckoutState, check_transition

S = CheckoutState
# Read as: from here, all of these and nothing else.
ALLOWED = {
    "processing": "authorized awaiting_payment canceled declined expired needs_review paid refunding",
    "awaiting_payment": "authorized canceled declined expired needs_review paid refunding",
    "authorized": "canceled declined expired needs_review paid partially_captured refunding",
    "partially_captured": "canceled declined needs_review paid refunding",
    "paid": "canceled completed declined needs_review refunding",
    "refunding": "canceled declined expired needs_review refunded",
    "needs_review": (
        "processing awaiting_payment authorized partially_captured canceled completed declined expired paid refunded "
        "refunding written_off"
    ),
    "declined": "needs_review refunding",
    "canceled": "needs_review refunding",
    "expired": "needs_review refunding",
    "completed": "needs_review",
    "refunded": "needs_review refunding",
    "written_off": "needs_review refunding",
}


def allowed(current: CheckoutState | None, wanted: CheckoutState) -> bool:
    """Whether the check lets it pass."""
    try:
        check_transition(current, wanted)
    except IllegalTransitionError:
        return False
    return True


@pytest.mark.parametrize("current", S)
def test_every_pair_is_as_the_table_says(current: CheckoutState) -> None:
    """Each of the 169 pairs, staying included."""
    reachable = {wanted for wanted in S if allowed(current, wanted)}
    assert reachable == {current} | {S(name) for name in ALLOWED[current].split()}


def test_every_state_has_its_row() -> None:
    """A state nobody thought of cannot be added in silence."""
    assert set(TRANSITIONS) == set(S) == {S(name) for name in ALLOWED}


def test_everything_begins_with_processing() -> None:
    """A checkout that is not there can only begin to be processed."""
    assert {wanted for wanted in S if allowed(None, wanted)} == {S.PROCESSING}


def test_a_refusal_names_both_states() -> None:
    """The error says from where and to where, also where there was nothing yet."""
    for current, named in ((S.COMPLETED, S.COMPLETED), (None, "nothing")):
        with pytest.raises(IllegalTransitionError) as caught:
            check_transition(current, S.PAID)
        assert (caught.value.current, caught.value.wanted) == (named, S.PAID)


def test_nothing_returns_to_the_beginning() -> None:
    """No state but an open case leads back to processing or to waiting for the customer."""
    for current in set(S) - {S.PROCESSING, S.NEEDS_REVIEW}:
        assert S.PROCESSING not in TRANSITIONS[current]
        assert S.AWAITING_PAYMENT not in TRANSITIONS[current]


def test_nothing_sold_or_returned_becomes_failed() -> None:
    """What was sold, and what was given back, leads to declined, canceled or expired only through a person."""
    for ended in (S.COMPLETED, S.REFUNDED, S.WRITTEN_OFF):
        seen, ahead = {ended}, [ended]
        while ahead:
            # Money on its way back can go away at the gateway; the journal looks at the money before it lets that pass.
            for following in TRANSITIONS[ahead.pop()] - seen - {S.NEEDS_REVIEW, S.REFUNDING}:
                seen.add(following)
                ahead.append(following)
        assert not seen & NOTHING_TAKEN


def test_every_state_can_end() -> None:
    """From everywhere some way leads to an end, and the ends are those where a workflow stops."""
    can_end = set(ENDED)
    while more := {state for state in S if state not in can_end and TRANSITIONS[state] & can_end}:
        can_end |= more
    assert can_end == set(S)
    assert {S.COMPLETED, S.REFUNDED, S.WRITTEN_OFF} | NOTHING_TAKEN == ENDED


@given(st.lists(st.sampled_from(list(S)), max_size=30))
def test_any_walk_keeps_to_the_table(wanted: list[CheckoutState]) -> None:
    """Whatever is asked in whatever order, what is allowed is a path of the table that started at processing."""
    current: CheckoutState | None = None
    for state in wanted:
        if allowed(current, state):
            assert state is S.PROCESSING if current is None else state is current or state in TRANSITIONS[current]
            current = state
    assert current is None or S.PROCESSING in wanted
