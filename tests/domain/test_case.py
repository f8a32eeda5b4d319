"""Cases: what a person may do is decided for every kind and every state, and nobody is left without anything."""

import pytest

from domain.case import ACTIONS, MOVES_MONEY, NEEDS, CaseAction, CaseKind, allowed
from domain.states import NOTHING_TAKEN, CheckoutState


def test_every_kind_and_every_action_is_decided() -> None:
    """A kind or an action that nobody thought of cannot be added in silence."""
    assert set(ACTIONS) == set(CaseKind)
    assert set(NEEDS) == set(CaseAction)
    assert frozenset().union(*ACTIONS.values()) == set(CaseAction)


@pytest.mark.parametrize("kind", CaseKind)
@pytest.mark.parametrize("state", CheckoutState)
def test_whoever_has_a_case_can_at_least_look(kind: CaseKind, state: CheckoutState) -> None:
    """Wherever the checkout stands, looking again is possible, and nothing is that its kind does not have."""
    assert CaseAction.LOOK_AGAIN in allowed(kind, state) <= ACTIONS[kind]


@pytest.mark.parametrize("kind", CaseKind)
@pytest.mark.parametrize("state", sorted(NOTHING_TAKEN | {CheckoutState.REFUNDED}))
def test_where_nothing_is_taken_nothing_moves(kind: CaseKind, state: CheckoutState) -> None:
    """An ended checkout without money has nothing to give back, to let be or to count as paid."""
    assert not allowed(kind, state) & (MOVES_MONEY | {CaseAction.VOID})


@pytest.mark.parametrize("kind", CaseKind)
def test_a_sale_is_not_paid_twice(kind: CaseKind) -> None:
    """What is paid cannot be marked as paid, and what is taken is not released but refunded."""
    for state in (CheckoutState.PAID, CheckoutState.COMPLETED, CheckoutState.PARTIALLY_CAPTURED):
        assert not allowed(kind, state) & {CaseAction.MARK_PAID, CaseAction.VOID}
