"""Captures in parts and holds made anew: what is asked of PayPal, and what is answered."""

import json
from dataclasses import replace
from typing import Any

import pytest

from domain.errors import OutcomeUnknownError
from domain.money import Money
from domain.outcomes import Completed, Declined, Pending
from domain.payment import PaymentSnapshot, PaymentStatus
from gateways.contract import ReauthorizePayment
from gateways.paypal.adapter import PayPalGateway
from tests.gateways.paypal.examples import (
    CAPTURE,
    CAPTURED,
    HELD,
    ORDER_ID,
    PENDING,
    RELEASED,
    TEN,
    VOID,
    asked,
    authorization,
    capture,
    done,
    money,
    order,
    refused,
    seen,
)
from tests.gateways.scripted import ScriptedServer

HOLD = "/v2/payments/authorizations/0VF52814937998046"
FOUR, SIX = Money(400, "USD"), Money(600, "USD")
REAUTHORIZE = ReauthorizePayment("chk_1:reauthorize:1", ORDER_ID, TEN)


def partly(*captures: dict[str, Any], status: str = "PARTIALLY_CAPTURED") -> dict[str, Any]:
    """The order after these captures of its hold."""
    return order("COMPLETED", {"authorizations": [authorization(status)], "captures": list(captures)})


FIRST = capture(id="C1", amount=money("4.00"), final_capture=False)
SECOND = capture(id="C2", amount=money("6.00"), final_capture=True)


async def test_a_part_leaves_the_rest_held(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """A part that is not the last is asked for as such, and the payment stays authorized with what was taken."""
    scripted.tell(seen(HELD), done(FIRST), seen(partly(FIRST)))
    answered = await gateway.capture(replace(CAPTURE, amount=FOUR, final=False))
    assert isinstance(answered, Completed)
    assert isinstance(answered.evidence, PaymentSnapshot)
    assert (answered.evidence.status, answered.evidence.captured) == (PaymentStatus.AUTHORIZED, FOUR)
    assert asked(scripted)[1] == f"POST {HOLD}/capture"
    assert json.loads(scripted.received()[1][1]) == {"amount": money("4.00"), "final_capture": False}


async def test_the_last_part_ends_the_hold(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """The last part is asked for as such, whatever PayPal calls the hold after it."""
    for status in ("PARTIALLY_CAPTURED", "CAPTURED"):
        scripted.tell(seen(partly(FIRST)), done(SECOND), seen(partly(FIRST, SECOND, status=status)))
        answered = await gateway.capture(replace(CAPTURE, amount=SIX, total=TEN))
        assert isinstance(answered, Completed)
        assert getattr(answered.evidence, "status") is PaymentStatus.CAPTURED  # noqa: B009
        assert json.loads(scripted.received()[1][1])["final_capture"] is True


async def test_what_is_captured_in_all_counts(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """A part whose total is captured is done, under whichever key; nothing is asked for."""
    scripted.tell(seen(partly(FIRST)))
    for key in (CAPTURE.key, "another"):
        answered = await gateway.capture(replace(CAPTURE, key=key, amount=FOUR, final=False, total=FOUR))
        assert isinstance(answered, Completed)
    assert asked(scripted) == [f"GET /v2/checkout/orders/{ORDER_ID}"] * 2


@pytest.mark.parametrize(
    ("amount", "total", "code"),
    [
        (Money(601, "USD"), Money(1001, "USD"), "MAX_CAPTURE_AMOUNT_EXCEEDED"),
        (Money(601, "USD"), TEN, "MAX_CAPTURE_AMOUNT_EXCEEDED"),
        (Money(500, "USD"), None, "AMOUNT_MISMATCH"),
        (Money(500, "USD"), Money(800, "USD"), "AMOUNT_MISMATCH"),
        (Money(600, "EUR"), Money(1000, "EUR"), "MAX_CAPTURE_AMOUNT_EXCEEDED"),
    ],
)
async def test_a_part_that_does_not_fit_is_not_asked_for(
    gateway: PayPalGateway, scripted: ScriptedServer, amount: Money, total: Money | None, code: str
) -> None:
    """More than is left of the hold, and a part that does not know of what was captured before, are declined."""
    scripted.tell(seen(partly(FIRST)))
    answered = await gateway.capture(replace(CAPTURE, amount=amount, total=total))
    assert isinstance(answered, Declined)
    assert (answered.decline.gateway_code, answered.decline.hard) == (code, True)
    assert len(scripted.requests) == 1


async def test_nothing_is_taken_after_the_last_part(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """A hold that was captured for less, for the last time, has nothing more."""
    scripted.tell(seen(partly(capture(amount=money("4.00"), final_capture=True))))
    answered = await gateway.capture(replace(CAPTURE, amount=SIX, total=TEN))
    assert isinstance(answered, Declined)
    assert answered.decline.gateway_code == "AUTHORIZATION_ALREADY_CAPTURED"
    assert answered.evidence is not None
    assert answered.evidence.captured == FOUR
    assert len(scripted.requests) == 1


async def test_a_part_that_waits_is_pending(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """A part that PayPal works on is not asked for again; the next one may be, since it adds to it."""
    waiting = capture("PENDING", id="C1", amount=money("4.00"), final_capture=False)
    scripted.tell(seen(partly(waiting)))
    assert isinstance(await gateway.capture(replace(CAPTURE, amount=FOUR, final=False)), Pending)
    assert len(scripted.requests) == 1
    both = partly(waiting, {**SECOND, "status": "PENDING"})
    scripted.tell(seen(partly(waiting)), done(SECOND), seen(both))
    assert isinstance(await gateway.capture(replace(CAPTURE, amount=SIX, total=TEN)), Pending)
    assert asked(scripted)[1] == f"POST {HOLD}/capture"
    refusal = refused(422, "PAYER_CANNOT_PAY")
    scripted.tell(seen(partly(waiting)), refusal, seen(partly(waiting)))
    assert isinstance(await gateway.capture(replace(CAPTURE, amount=SIX, total=TEN)), Declined)


async def test_a_declined_part_is_told(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """A part that was declined within a success is Declined, and the part before it stays captured."""
    declined = {**SECOND, "status": "DECLINED", "processor_response": {"response_code": "5120"}}
    scripted.tell(seen(partly(FIRST)), done(declined), seen(partly(FIRST, declined)))
    answered = await gateway.capture(replace(CAPTURE, amount=SIX, total=TEN))
    assert isinstance(answered, Declined)
    assert answered.evidence is not None
    assert (answered.evidence.status, answered.evidence.captured) == (PaymentStatus.AUTHORIZED, FOUR)


async def test_a_refused_part_that_was_done_is_done(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """Whatever PayPal refuses with: once the total shows, the part is done; one that was done before is unknown."""
    part = replace(CAPTURE, amount=FOUR, final=False)
    scripted.tell(seen(HELD), refused(422, "PAYER_CANNOT_PAY"), seen(partly(FIRST)))
    assert isinstance(await gateway.capture(part), Completed)
    scripted.tell(seen(HELD), refused(422, "AUTHORIZATION_ALREADY_CAPTURED"), seen(HELD))
    with pytest.raises(OutcomeUnknownError):
        await gateway.capture(part)


async def test_which_capture_was_the_last_is_read(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """Where the order does not tell whether a capture was the last of its hold, the capture itself does."""
    brief = {name: value for name, value in FIRST.items() if name != "final_capture"}
    for final, status in ((False, PaymentStatus.AUTHORIZED), (True, PaymentStatus.CAPTURED)):
        scripted.tell(seen(partly(brief)), seen({**brief, "final_capture": final}))
        payment = await gateway.lookup(ORDER_ID)
        assert payment is not None
        assert payment.status is status
        assert asked(scripted)[1] == "GET /v2/payments/captures/C1"


ANEW = order("COMPLETED", {"authorizations": [authorization(), authorization(id="A2")]})


async def test_a_hold_is_made_anew(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """The original hold is made anew, over the amount wanted; the answer names the new one, also when asked again."""
    for before in (HELD, ANEW):
        scripted.tell(seen(before), done(authorization(id="A2")), seen(ANEW))
        answered = await gateway.reauthorize(REAUTHORIZE)
        assert isinstance(answered, Completed)
        assert getattr(answered.evidence, "authorization_id") == "A2"  # noqa: B009
        assert asked(scripted)[1] == f"POST {HOLD}/reauthorize"
        head, body = scripted.received()[1]
        assert (head["paypal-request-id"], json.loads(body)) == (REAUTHORIZE.key, {"amount": money()})


async def test_a_new_hold_that_does_not_show_is_unknown(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """Until the order shows it, nobody could capture it: asked again with the same key it is the same hold."""
    scripted.tell(seen(HELD), done(authorization(id="A2")), seen(HELD))
    with pytest.raises(OutcomeUnknownError, match="made the hold anew"):
        await gateway.reauthorize(REAUTHORIZE)


@pytest.mark.parametrize(
    ("issue", "hard"), [("REAUTHORIZATION_TOO_SOON", False), ("REAUTHORIZATION_NOT_SUPPORTED", True)]
)
async def test_a_hold_that_paypal_does_not_make_anew(
    gateway: PayPalGateway, scripted: ScriptedServer, issue: str, hard: bool
) -> None:
    """PayPal's no is told with the payment as it is, which is still held."""
    scripted.tell(seen(HELD), refused(422, issue), seen(HELD))
    answered = await gateway.reauthorize(REAUTHORIZE)
    assert isinstance(answered, Declined)
    assert (answered.decline.gateway_code, answered.decline.hard) == (issue, hard)
    assert answered.evidence is not None
    assert answered.evidence.status is PaymentStatus.AUTHORIZED


@pytest.mark.parametrize(
    ("stated", "amount"),
    [(CAPTURED, TEN), (RELEASED, TEN), (PENDING, TEN), (HELD, Money(1001, "USD")), (partly(FIRST), Money(601, "USD"))],
)
async def test_what_cannot_be_held_anew_is_not_asked_for(
    gateway: PayPalGateway, scripted: ScriptedServer, stated: dict[str, Any], amount: Money
) -> None:
    """What is not held, and more than is left of what the payer agreed to."""
    scripted.tell(seen(stated))
    answered = await gateway.reauthorize(replace(REAUTHORIZE, amount=amount))
    assert isinstance(answered, Declined)
    assert answered.decline.hard
    assert len(scripted.requests) == 1


async def test_a_hold_made_anew_is_captured_and_voided(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """The new hold is captured, and never the old one; voiding goes to the old one, which ends both."""
    taken = [authorization(), authorization("CAPTURED", id="A2")]
    after = order("COMPLETED", {"authorizations": taken, "captures": [capture(final_capture=True)]})
    scripted.tell(seen(ANEW), done(capture()), seen(after))
    assert isinstance(await gateway.capture(CAPTURE), Completed)
    assert asked(scripted)[1] == "POST /v2/payments/authorizations/A2/capture"
    over = order("COMPLETED", {"authorizations": [authorization("VOIDED"), authorization("VOIDED", id="A2")]})
    scripted.tell(seen(ANEW), done(authorization("VOIDED")), seen(over))
    assert isinstance(await gateway.void(VOID), Completed)
    assert asked(scripted)[1] == f"POST {HOLD}/void"


async def test_the_rest_of_a_hold_is_released(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """Voided after a part was taken, the payment is captured with that part."""
    scripted.tell(seen(partly(FIRST)), done(authorization("VOIDED")), seen(partly(FIRST, status="VOIDED")))
    answered = await gateway.void(VOID)
    assert isinstance(answered, Completed)
    assert isinstance(answered.evidence, PaymentSnapshot)
    assert (answered.evidence.status, answered.evidence.captured) == (PaymentStatus.CAPTURED, FOUR)
