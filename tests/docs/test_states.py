"""The picture of the states in docs/architecture.md is the table in the domain."""

import re

from devstack.layout import ROOT
from domain.states import ENDED, TRANSITIONS, CheckoutState

REVIEW = CheckoutState.NEEDS_REVIEW


def _drawn() -> set[tuple[str, str]]:
    text = (ROOT / "docs/architecture.md").read_text()
    diagram = re.search(r"stateDiagram-v2\n(.*?)```", text, re.DOTALL)
    assert diagram is not None
    return set(re.findall(r"^\s*(\S+) --> (\w+|\[\*\])", diagram.group(1), re.MULTILINE))


def test_the_picture_is_the_table() -> None:
    """Every change between states but those of review is drawn, and nothing else; ended states lead to the end."""
    table = {
        (str(before), str(after))
        for before, reachable in TRANSITIONS.items()
        for after in reachable
        if REVIEW not in (before, after)
    }
    ends = {(str(state), "[*]") for state in ENDED}
    assert _drawn() == table | ends | {("[*]", str(CheckoutState.PROCESSING))}


def test_what_is_said_of_review_holds() -> None:
    """Every state can lead to review, and review to every other state, as the text says."""
    can_be_reviewed = {state for state, reachable in TRANSITIONS.items() if REVIEW in reachable}
    assert can_be_reviewed == set(CheckoutState) - {REVIEW}
    assert TRANSITIONS[REVIEW] == set(CheckoutState) - {REVIEW}
