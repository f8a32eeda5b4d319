"""PayPal's own reading may lag behind what it has just accepted: that is an unknown outcome, never an answer."""

from typing import Any

import pytest

from domain.errors import OutcomeUnknownError
from domain.outcomes import Completed, Declined, Pending
from domain.payment import PaymentStatus
from gateways.paypal.adapter import PayPalGateway
from gateways.paypal.answers import as_it_is
from gateways.paypal.translate import payment_of
from tests.gateways.paypal.examples import (
    APPROVED,
    AUTHORIZE,
    CAPTURE,
    CAPTURED,
    CREATED,
    HELD,
    ORDER_ID,
    PENDING,
    RELEASED,
    done,
    refused,
    seen,
)
from tests.gateways.scripted import ScriptedServer

TAKEN = frozenset({PaymentStatus.CAPTURED})
COMPLETED = {"id": ORDER_ID, "status": "COMPLETED"}


@pytest.mark.parametrize("stated", [APPROVED, CREATED])
def test_an_order_that_shows_nothing_of_the_operation_is_no_answer(stated: dict[str, Any]) -> None:
    """Told as it looks, it would count as not done, and what was taken would be nobody's."""
    with pytest.raises(OutcomeUnknownError, match="still shows the order as"):
        as_it_is(payment_of(stated, live=False), TAKEN)


@pytest.mark.parametrize(
    ("stated", "kind"), [(CAPTURED, Completed), (HELD, Pending), (PENDING, Pending), (RELEASED, Declined)]
)
def test_an_order_that_shows_something_is_answered_as_it_is(stated: dict[str, Any], kind: type) -> None:
    """What was done, is being worked on or has ended shows that the operation was heard, or can do nothing more."""
    assert type(as_it_is(payment_of(stated, live=False), TAKEN)) is kind


async def test_an_accepted_capture_that_does_not_show_is_asked_for_again(
    gateway: PayPalGateway, scripted: ScriptedServer
) -> None:
    """The first call ends in an unknown outcome; the same key finds the capture once it shows."""
    scripted.tell(seen(APPROVED), done(COMPLETED), seen(APPROVED))
    with pytest.raises(OutcomeUnknownError):
        await gateway.capture(CAPTURE)
    scripted.tell(seen(CAPTURED))
    assert isinstance(await gateway.capture(CAPTURE), Completed)


async def test_an_accepted_authorization_that_does_not_show_is_asked_for_again(
    gateway: PayPalGateway, scripted: ScriptedServer
) -> None:
    """The first call ends in an unknown outcome; the same key finds the hold once it shows."""
    scripted.tell(seen(APPROVED), done(COMPLETED), seen(APPROVED))
    with pytest.raises(OutcomeUnknownError):
        await gateway.authorize(AUTHORIZE)
    scripted.tell(seen(HELD))
    assert isinstance(await gateway.authorize(AUTHORIZE), Completed)


@pytest.mark.parametrize("issue", ["ORDER_ALREADY_CAPTURED", "ORDER_COMPLETED_OR_VOIDED"])
async def test_a_capture_that_was_done_before_and_does_not_show_is_no_decline(
    gateway: PayPalGateway, scripted: ScriptedServer, issue: str
) -> None:
    """PayPal says that it has been done and shows an order that was only approved: the money may be ours."""
    scripted.tell(seen(APPROVED), refused(422, issue), seen(APPROVED))
    with pytest.raises(OutcomeUnknownError, match=issue):
        await gateway.capture(CAPTURE)


async def test_a_taken_hold_that_still_shows_as_held_is_no_decline(
    gateway: PayPalGateway, scripted: ScriptedServer
) -> None:
    """The hold was captured before, says PayPal, and shows it as held."""
    scripted.tell(seen(HELD), refused(422, "AUTHORIZATION_ALREADY_CAPTURED"), seen(HELD))
    with pytest.raises(OutcomeUnknownError, match="AUTHORIZATION_ALREADY_CAPTURED"):
        await gateway.capture(CAPTURE)


@pytest.mark.parametrize("issue", ["ORDER_ALREADY_AUTHORIZED", "ORDER_COMPLETED_OR_VOIDED"])
async def test_an_authorization_that_was_done_before_and_does_not_show_is_no_decline(
    gateway: PayPalGateway, scripted: ScriptedServer, issue: str
) -> None:
    """PayPal says that it has been done and shows an order that was only approved: the money may be held."""
    scripted.tell(seen(APPROVED), refused(422, issue), seen(APPROVED))
    with pytest.raises(OutcomeUnknownError, match=issue):
        await gateway.authorize(AUTHORIZE)
