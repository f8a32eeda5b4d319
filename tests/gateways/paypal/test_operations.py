"""What is answered to each operation: PayPal's order as it is afterwards, whatever the call itself said."""

from dataclasses import replace
from typing import Any

import pytest

from domain.errors import OutcomeUnknownError
from domain.money import Money
from domain.outcomes import Completed, Declined, Pending, RequiresAction
from domain.payment import DeclineCode, NextAction, PaymentStatus
from gateways.paypal.adapter import PayPalGateway
from tests.gateways.paypal.examples import (
    APPROVED,
    AUTHORIZE,
    CAPTURE,
    CAPTURED,
    CREATE,
    CREATED,
    HELD,
    ORDER_ID,
    PAGE,
    PENDING,
    RELEASED,
    asked,
    authorization,
    capture,
    done,
    link,
    order,
    refused,
    seen,
)
from tests.gateways.scripted import ScriptedServer

DECLINED = order("COMPLETED", {"captures": [capture("DECLINED", processor_response={"response_code": "5120"})]})
BACK_TO_PAYPAL = link("redirect", PAGE)


async def test_an_order_opens(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """A new order leads the payer to PayPal's page; one call is enough."""
    scripted.tell(done(CREATED))
    answered = await gateway.create(CREATE)
    assert isinstance(answered, RequiresAction)
    assert (answered.action, answered.evidence.status) == (
        NextAction("redirect", url=PAGE),
        PaymentStatus.AWAITING_CUSTOMER,
    )
    assert asked(scripted) == ["POST /v2/checkout/orders"]


async def test_an_order_told_in_short_is_read(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """Where PayPal answers no more than an id the order is read: an amount that is not seen is not compared."""
    scripted.tell(done({"id": ORDER_ID, "status": "CREATED", "links": CREATED["links"]}), seen(CREATED))
    answered = await gateway.create(CREATE)
    assert isinstance(answered, RequiresAction)
    assert answered.evidence.amount == Money(1000, "USD")


@pytest.mark.parametrize(
    ("stated", "kind"), [(APPROVED, Pending), (PENDING, Pending), (CAPTURED, Completed), (RELEASED, Declined)]
)
async def test_a_repeated_create_tells_how_it_is_by_now(
    gateway: PayPalGateway, scripted: ScriptedServer, stated: dict[str, Any], kind: type
) -> None:
    """PayPal answers a repeated request id with the latest status (200, not 201), which may be anything."""
    scripted.tell(seen(stated))
    assert type(await gateway.create(CREATE)) is kind


@pytest.mark.parametrize(
    ("stated", "kind"), [(HELD, Completed), (CAPTURED, Completed), (PENDING, Pending), (RELEASED, Declined)]
)
async def test_what_is_done_or_over_is_not_authorized(
    gateway: PayPalGateway, scripted: ScriptedServer, stated: dict[str, Any], kind: type
) -> None:
    """The order is read first: what holds or took money already, or has ended, is answered as it is."""
    scripted.tell(seen(stated))
    assert type(await gateway.authorize(AUTHORIZE)) is kind
    assert asked(scripted) == [f"GET /v2/checkout/orders/{ORDER_ID}"]


@pytest.mark.parametrize(
    ("after", "kind"),
    [
        (HELD, Completed),
        (order("COMPLETED", {"authorizations": [authorization("PENDING")]}), Pending),
        (order("COMPLETED", {"authorizations": [authorization("DENIED")]}), Declined),
    ],
)
async def test_authorize(gateway: PayPalGateway, scripted: ScriptedServer, after: dict[str, Any], kind: type) -> None:
    """The answer is the order read anew after the call."""
    scripted.tell(seen(APPROVED), done({"id": ORDER_ID, "status": "COMPLETED"}), seen(after))
    assert type(await gateway.authorize(AUTHORIZE)) is kind
    assert asked(scripted)[1] == f"POST /v2/checkout/orders/{ORDER_ID}/authorize"


@pytest.mark.parametrize(("after", "kind"), [(CAPTURED, Completed), (PENDING, Pending), (DECLINED, Declined)])
async def test_capture_of_what_is_approved(
    gateway: PayPalGateway, scripted: ScriptedServer, after: dict[str, Any], kind: type
) -> None:
    """An approved order is captured whole; a capture may wait for days, or be declined in a success."""
    scripted.tell(seen(APPROVED), done({"id": ORDER_ID, "status": "COMPLETED"}), seen(after))
    answered = await gateway.capture(CAPTURE)
    assert type(answered) is kind
    assert asked(scripted)[1] == f"POST /v2/checkout/orders/{ORDER_ID}/capture"
    if isinstance(answered, Declined):
        assert (answered.decline.code, answered.evidence is not None) == (DeclineCode.INSUFFICIENT_FUNDS, True)


async def test_what_was_taken_in_and_does_not_show_is_unknown(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """PayPal's reading may lag behind what it accepted: told as pending or declined, it would be asked for anew."""
    for operation in (lambda: gateway.authorize(AUTHORIZE), lambda: gateway.capture(CAPTURE)):
        scripted.tell(seen(APPROVED), done({"id": ORDER_ID, "status": "COMPLETED"}), seen(APPROVED))
        with pytest.raises(OutcomeUnknownError, match="still shows the order as approved"):
            await operation()


async def test_capture_of_what_is_held(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """What is held is captured where it is held, for the amount wanted, as the last capture of it."""
    after = order("COMPLETED", {"authorizations": [authorization("CAPTURED")], "captures": [capture()]})
    scripted.tell(seen(HELD), done(capture()), seen(after))
    assert isinstance(await gateway.capture(CAPTURE), Completed)
    assert asked(scripted)[1] == "POST /v2/payments/authorizations/0VF52814937998046/capture"
    assert b'"final_capture":true' in scripted.received()[1][1]


@pytest.mark.parametrize(("stated", "kind"), [(CAPTURED, Completed), (PENDING, Pending), (RELEASED, Declined)])
async def test_what_is_taken_or_over_is_not_captured(
    gateway: PayPalGateway, scripted: ScriptedServer, stated: dict[str, Any], kind: type
) -> None:
    """A second capture is never even asked for."""
    scripted.tell(seen(stated))
    answered = await gateway.capture(CAPTURE)
    assert type(answered) is kind
    assert len(scripted.requests) == 1
    if isinstance(answered, Declined):
        assert (answered.decline.hard, answered.decline.gateway_code) == (True, "ORDER_ENDED")


@pytest.mark.parametrize(
    ("stated", "amount", "code"),
    [
        (HELD, Money(1001, "USD"), "MAX_CAPTURE_AMOUNT_EXCEEDED"),
        (HELD, Money(1000, "EUR"), "MAX_CAPTURE_AMOUNT_EXCEEDED"),
        (APPROVED, Money(1001, "USD"), "MAX_CAPTURE_AMOUNT_EXCEEDED"),
        (APPROVED, Money(999, "USD"), "AMOUNT_MISMATCH"),
    ],
)
async def test_nothing_but_what_was_agreed_to_is_taken(
    gateway: PayPalGateway, scripted: ScriptedServer, stated: dict[str, Any], amount: Money, code: str
) -> None:
    """PayPal takes up to 15 % more than is held and the whole of what is approved; neither is asked for."""
    scripted.tell(seen(stated))
    answered = await gateway.capture(replace(CAPTURE, amount=amount))
    assert isinstance(answered, Declined)
    assert (answered.decline.code, answered.decline.hard) == (DeclineCode.INVALID_REQUEST, True)
    assert answered.decline.gateway_code == code
    assert len(scripted.requests) == 1


@pytest.mark.parametrize("issue", ["ORDER_ALREADY_CAPTURED", "AUTHORIZATION_ALREADY_CAPTURED", "INSTRUMENT_DECLINED"])
async def test_a_refused_capture_that_was_done_is_done(
    gateway: PayPalGateway, scripted: ScriptedServer, issue: str
) -> None:
    """Whatever PayPal refuses with, the order read anew has the last word."""
    for after, kind in ((CAPTURED, Completed), (PENDING, Pending)):
        scripted.tell(seen(APPROVED), refused(422, issue), seen(after))
        assert type(await gateway.capture(CAPTURE)) is kind
    scripted.tell(seen(APPROVED), refused(422, "ORDER_ALREADY_AUTHORIZED"), seen(HELD))
    assert isinstance(await gateway.authorize(AUTHORIZE), Completed)


async def test_a_declined_instrument_leads_back(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """The payer may choose another means: the decline is soft, has a name of its own, and shows the way back."""
    for operation, request in ((gateway.capture, CAPTURE), (gateway.authorize, AUTHORIZE)):
        scripted.tell(seen(APPROVED), refused(422, "INSTRUMENT_DECLINED", BACK_TO_PAYPAL), seen(APPROVED))
        answered = await operation(request)  # type: ignore[operator]
        assert isinstance(answered, Declined)
        assert (answered.decline.code, answered.decline.hard) == (DeclineCode.DO_NOT_HONOR, False)
        evidence = answered.evidence
        assert evidence is not None
        assert (evidence.status, evidence.attempt) == (PaymentStatus.APPROVED, request.key)
        assert (evidence.decline, evidence.next_action) == (answered.decline, NextAction("redirect", url=PAGE))


async def test_a_refused_payer_is_led_nowhere(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """Where no other means would help there is no way back, even if PayPal shows one."""
    scripted.tell(seen(APPROVED), refused(422, "TRANSACTION_REFUSED", BACK_TO_PAYPAL), seen(APPROVED))
    answered = await gateway.capture(CAPTURE)
    assert isinstance(answered, Declined)
    assert answered.evidence is not None
    assert (answered.decline.hard, answered.evidence.next_action) == (True, None)


async def test_a_payer_who_is_called_back(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """PAYER_ACTION_REQUIRED is no decline: the payer has one more thing to do on PayPal's page."""
    scripted.tell(seen(APPROVED), refused(422, "PAYER_ACTION_REQUIRED", link("payer-action", PAGE)), seen(APPROVED))
    answered = await gateway.capture(CAPTURE)
    assert isinstance(answered, RequiresAction)
    assert answered.action == answered.evidence.next_action == NextAction("redirect", url=PAGE)
    scripted.tell(seen(APPROVED), refused(422, "PAYER_ACTION_REQUIRED"), seen(APPROVED))
    assert isinstance(await gateway.capture(CAPTURE), Declined)


async def test_what_nobody_approved_is_declined(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """An order that waits for its payer can be neither captured nor authorized, and still shows the way."""
    for operation, request in ((gateway.capture, CAPTURE), (gateway.authorize, AUTHORIZE)):
        scripted.tell(seen(CREATED), refused(422, "ORDER_NOT_APPROVED"), seen(CREATED))
        answered = await operation(request)  # type: ignore[operator]
        assert isinstance(answered, Declined)
        assert (answered.decline.code, answered.decline.hard) == (DeclineCode.INVALID_REQUEST, True)
        assert answered.evidence is not None
        assert answered.evidence.next_action is not None
