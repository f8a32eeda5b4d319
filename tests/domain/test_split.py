"""What a tender's state means for the split checkout it belongs to."""

from datetime import UTC, datetime

import pytest

from domain.checkout import SPLIT, CaptureMode, Checkout, CheckoutStatus, Failure
from domain.money import Money
from domain.saga import EndReason, GatewayAccount, SagaPolicy
from domain.split import SplitCommand, is_held, is_taken, split_terms, why_lost
from domain.states import ENDED, CheckoutState

S = CheckoutState
NOW = datetime(2026, 3, 4, tzinfo=UTC)


def checkout(name: str, minor: int, gateway: str, leg: int | None = None) -> Checkout:
    """A checkout of one order."""
    parent = None if leg is None else "chk_whole"
    amount, mode = Money(minor, "EUR"), CaptureMode.AUTOMATIC
    return Checkout(name, "order-1", amount, gateway, mode, 600, NOW, NOW, parent_id=parent, leg=leg)


WHOLE = checkout("chk_whole", 4200, SPLIT)
LEGS = [checkout("chk_one", 3000, "a", 1), checkout("chk_two", 1200, "b", 2)]


@pytest.mark.parametrize("state", S)
def test_every_end_but_a_sale_loses_the_whole(state: CheckoutState) -> None:
    """A tender that has ended without a sale leaves none for the whole; one that is on its way does not."""
    captured = 3000 if state in (S.PAID, S.COMPLETED, S.REFUNDED) else 0
    lost = why_lost(CheckoutStatus(state, captured_minor=captured))
    assert (lost is not None) is (state in ENDED - {S.COMPLETED})


@pytest.mark.parametrize(
    ("state", "code", "reason"),
    [
        (S.DECLINED, "insufficient_funds", EndReason.DECLINED),
        (S.EXPIRED, "", EndReason.EXPIRED),
        (S.CANCELED, "canceled_at_gateway", EndReason.CANCELED_AT_GATEWAY),
        (S.REFUNDED, "canceled_by_operator", EndReason.CANCELED_BY_OPERATOR),
        (S.CANCELED, "not_confirmed_in_time", EndReason.NOT_CONFIRMED_IN_TIME),
        (S.REFUNDED, "something_else", EndReason.FAILED),
    ],
)
def test_the_reason_is_that_of_the_tender(state: CheckoutState, code: str, reason: EndReason) -> None:
    """What the whole says of its end is what the tender said of its own."""
    assert why_lost(CheckoutStatus(state, failure=Failure(code, "x"))) is reason


def test_a_tender_that_was_refunded_in_full_while_all_waited_is_lost() -> None:
    """Taken and given back at the gateway: there is no sale; given back in part, there still is one."""
    assert why_lost(CheckoutStatus(S.PAID, captured_minor=3000, refunded_minor=3000)) is EndReason.CANCELED_AT_GATEWAY
    assert why_lost(CheckoutStatus(S.PAID, captured_minor=3000, refunded_minor=2999)) is None


def test_a_tender_whose_money_went_away_is_lost() -> None:
    """Paid, with nothing captured any more: there is no sale to be made with it."""
    assert why_lost(CheckoutStatus(S.PAID)) is EndReason.CAPTURE_LOST


def test_what_is_taken_is_held() -> None:
    """Each state on the way to a sale implies those before it."""
    held = {state for state in S if is_held(CheckoutStatus(state))}
    taken = {state for state in S if is_taken(CheckoutStatus(state))}
    assert held == {S.AUTHORIZED, S.PAID, S.COMPLETED}
    assert taken == held - {S.AUTHORIZED}


def test_the_terms_name_the_tenders_in_their_order() -> None:
    """The first row of a split checkout says who was to take how much."""
    assert split_terms(WHOLE, LEGS)["tenders"] == "a:3000,b:1200"
    assert split_terms(WHOLE, LEGS[::-1])["tenders"] == "b:1200,a:3000"


def test_the_command_holds_those_of_its_tenders() -> None:
    """Each tender has the account of its gateway and names its parent; the whole has no account at all."""
    accounts = {name: GatewayAccount(name, False) for name in ("a", "b")}
    command = SplitCommand.of(WHOLE, LEGS, accounts, SagaPolicy())
    assert [tender.accounts[0].gateway for tender in command.tenders] == ["a", "b"]
    assert {tender.parent_id for tender in command.tenders} == {WHOLE.id}
    assert (command.checkout.gateway, command.checkout.accounts, command.checkout.live) == (SPLIT, (), False)
