"""The table of reactions: whole, as docs/events.md has it, and asked about what payments really look like."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devstack.layout import ROOT
from domain.booked import Booked
from domain.money import Money
from domain.payment import Decline, DeclineCode, PaymentSnapshot, PaymentStatus, RefundSnapshot, RefundStatus
from domain.reactions import REACTIONS, Reaction, Sight, reaction, seen_as
from domain.states import NOTHING_TAKEN, CheckoutState

G = Sight
AMOUNT = Money(4200, "USD")
NO = Decline(DeclineCode.DO_NOT_HONOR, False, "no", "no")
BASE = PaymentSnapshot("stripe", "pi_1", "chk_1", PaymentStatus.AUTHORIZED, AMOUNT, AMOUNT.zero(), live=False)


def usd(minor: int) -> Money:
    """Dollars and cents."""
    return Money(minor, "USD")


def _table() -> dict[str, dict[str, str]]:
    lines = (ROOT / "docs/events.md").read_text().splitlines()
    head = next(line for line in lines if line.startswith("| state |"))
    rows = [_cells(line) for line in lines if line.startswith("| `")]
    return {row[0].strip("`"): dict(zip(_cells(head)[1:], row[1:], strict=True)) for row in rows}


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_page_is_the_code() -> None:
    """What docs/events.md says of each pair is what the code does."""
    coded = {str(state): {str(g): str(r) for g, r in row.items()} for state, row in REACTIONS.items()}
    assert _table() == coded


def test_the_page_names_every_word() -> None:
    """Each sight and each reaction is told in words."""
    named = set(re.findall(r"^\| (\w+) \| \w", (ROOT / "docs/events.md").read_text(), re.MULTILINE))
    assert {*map(str, Sight), *map(str, Reaction)} <= named


def test_every_pair_is_decided() -> None:
    """13 states, 11 sights, no pair without a reaction; and each reaction is somebody's."""
    pairs = [(state, sight, reaction(state, sight)) for state in CheckoutState for sight in Sight]
    assert len(pairs) == 143
    assert {decided for _, _, decided in pairs} == set(Reaction)


def test_only_sales_that_are_made_have_cases_of_lost_money() -> None:
    """A loss before the sale ends it; after it, or after money went back, a person looks."""
    lost = {state for state in CheckoutState if Reaction.CASE in REACTIONS[state].values()}
    assert lost == {"partially_captured", "completed", "refunded"}


@pytest.mark.parametrize("state", sorted(NOTHING_TAKEN))
def test_money_without_a_sale_never_stays(state: CheckoutState) -> None:
    """Whatever is held or taken where nothing is to be is given back."""
    money = (G.HELD, G.PARTLY_CAPTURED, G.CAPTURED, G.RETURNED)
    assert {reaction(state, sight) for sight in money} == {Reaction.GIVE_BACK}


SEEN = [
    (BASE, Booked("USD"), G.HELD),
    (replace(BASE, captured=usd(1000)), Booked("USD"), G.PARTLY_CAPTURED),
    (replace(BASE, captured=AMOUNT), Booked("USD"), G.CAPTURED),
    (replace(BASE, status=PaymentStatus.CAPTURED, captured=usd(1000)), Booked("USD"), G.CAPTURED),
    (replace(BASE, status=PaymentStatus.CANCELED, captured=usd(1000)), Booked("USD"), G.CAPTURED),
    (replace(BASE, status=PaymentStatus.CANCELED), Booked("USD"), G.CANCELED),
    (replace(BASE, status=PaymentStatus.CANCELED), Booked("USD", captured_minor=1000), G.LOST),
    (replace(BASE, decline=NO), Booked("USD", captured_minor=1000), G.LOST_HELD),
    # No word of a loss: a look from before the capture.
    (BASE, Booked("USD", captured_minor=1000), G.HELD),
]


@pytest.mark.parametrize(("payment", "on_books", "sight"), SEEN)
def test_what_is_seen(payment: PaymentSnapshot, on_books: Booked, sight: Sight) -> None:
    """Status, amounts and books together make the sight."""
    assert seen_as(on_books, payment) is sight


def test_all_of_it_has_to_be_back_to_be_returned() -> None:
    """A refund of a part, one on its way, and one of a part while the rest is held leave the payment captured."""
    taken = replace(BASE, status=PaymentStatus.CAPTURED, captured=usd(1000))
    back = RefundSnapshot("re_1", usd(1000), RefundStatus.SUCCEEDED)
    assert seen_as(Booked("USD"), replace(taken, refunds=(back,))) is G.RETURNED
    for refund in (replace(back, amount=usd(999)), replace(back, status=RefundStatus.PENDING)):
        assert seen_as(Booked("USD"), replace(taken, refunds=(refund,))) is G.CAPTURED
    held = replace(BASE, captured=usd(1000), refunds=(back,))
    assert seen_as(Booked("USD"), held) is G.PARTLY_CAPTURED


@given(
    st.sampled_from(list(PaymentStatus)),
    st.integers(0, 4200),
    st.integers(0, 4200),
    st.sampled_from([None, NO]),
)
def test_a_loss_is_seen_only_where_something_is_on_the_books(
    status: PaymentStatus, captured: int, on_books: int, decline: Decline | None
) -> None:
    """Any payment whatever is seen as something; as a loss only when the books have more."""
    payment = replace(BASE, status=status, captured=usd(captured), decline=decline)
    sight = seen_as(Booked("USD", captured_minor=on_books), payment)
    assert sight not in (G.LOST, G.LOST_HELD) or captured < on_books
