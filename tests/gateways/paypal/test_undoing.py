"""What is answered to a void and to a refund: what there is at PayPal afterwards, whatever the call itself said."""

from dataclasses import replace
from typing import Any

import pytest

from domain.errors import GatewayRefusedError
from domain.money import Money
from domain.outcomes import Completed, Declined, Pending
from domain.payment import DeclineCode, PaymentSnapshot, PaymentStatus, RefundStatus
from gateways.paypal.adapter import PayPalGateway
from tests.gateways.paypal.examples import (
    APPROVED,
    CAPTURED,
    CREATED,
    HELD,
    PENDING,
    REFUND,
    REFUNDED,
    RELEASED,
    VOID,
    asked,
    authorization,
    capture,
    done,
    order,
    refund,
    refused,
    seen,
)
from tests.gateways.scripted import ScriptedServer, answer


async def test_void(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """A hold is released where it is held, whether PayPal answers with it or with nothing."""
    for said in (answer(200, authorization("VOIDED")), answer(204, "")):
        scripted.tell(seen(HELD), said, seen(RELEASED))
        answered = await gateway.void(VOID)
        assert isinstance(answered, Completed)
        assert isinstance(answered.evidence, PaymentSnapshot)
        assert answered.evidence.status is PaymentStatus.CANCELED
        assert asked(scripted)[1] == "POST /v2/payments/authorizations/0VF52814937998046/void"


@pytest.mark.parametrize(
    ("stated", "kind"),
    [(RELEASED, Completed), (CAPTURED, Completed), (PENDING, Pending), (CREATED, Declined), (APPROVED, Declined)],
)
async def test_what_is_not_held_is_not_voided(
    gateway: PayPalGateway, scripted: ScriptedServer, stated: dict[str, Any], kind: type
) -> None:
    """What is over or paid is told as it is; an order that nobody has paid cannot be ended at PayPal."""
    scripted.tell(seen(stated))
    answered = await gateway.void(VOID)
    assert type(answered) is kind
    assert len(scripted.requests) == 1
    if isinstance(answered, Declined):
        assert (answered.decline.code, answered.decline.hard) == (DeclineCode.INVALID_REQUEST, True)
        assert answered.evidence is not None


@pytest.mark.parametrize(
    ("issue", "after", "kind"),
    [
        ("PREVIOUSLY_VOIDED", RELEASED, Completed),
        ("PREVIOUSLY_CAPTURED", CAPTURED, Completed),
        ("CANNOT_BE_VOIDED", HELD, Declined),
    ],
)
async def test_a_refused_void(
    gateway: PayPalGateway, scripted: ScriptedServer, issue: str, after: dict[str, Any], kind: type
) -> None:
    """A refusal is read after: often somebody was faster; a hold that stays held is Declined."""
    scripted.tell(seen(HELD), refused(422, issue), seen(after))
    assert type(await gateway.void(VOID)) is kind


@pytest.mark.parametrize(
    ("status", "kind"),
    [("COMPLETED", Completed), ("PENDING", Pending), ("FAILED", Declined), ("CANCELLED", Declined)],
)
async def test_refund(gateway: PayPalGateway, scripted: ScriptedServer, status: str, kind: type) -> None:
    """The capture is refunded, under a custom id that is our key; the answer is the refund."""
    scripted.tell(seen(CAPTURED), done(refund(status)))
    answered = await gateway.refund(REFUND)
    assert type(answered) is kind
    assert asked(scripted)[1] == "POST /v2/payments/captures/3C679366HH908993F/refund"
    if isinstance(answered, Completed | Pending):
        assert getattr(answered.evidence, "reference") == REFUND.key  # noqa: B009


async def test_a_refund_told_in_short_is_read(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """Where PayPal answers no more than an id the refund is read; it is ours, for it answers our key."""
    short = {"id": "1JU08902781691411", "status": "COMPLETED", "links": []}
    scripted.tell(seen(CAPTURED), done(short), seen(refund(custom_id=None)))
    answered = await gateway.refund(REFUND)
    assert isinstance(answered, Completed)
    assert getattr(answered.evidence, "reference") == REFUND.key  # noqa: B009
    assert asked(scripted)[2] == "GET /v2/payments/refunds/1JU08902781691411"


async def test_a_refund_made_already_is_the_answer(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """A refund under this key is found before PayPal is asked again, however old its request id is."""
    scripted.tell(seen(REFUNDED))
    answered = await gateway.refund(REFUND)
    assert isinstance(answered, Completed)
    assert getattr(answered.evidence, "status") is RefundStatus.SUCCEEDED  # noqa: B009
    assert len(scripted.requests) == 1
    with pytest.raises(GatewayRefusedError, match="DUPLICATE_REQUEST_ID"):
        await gateway.refund(replace(REFUND, amount=Money(999, "USD")))


async def test_a_refused_refund(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """When PayPal refuses, our own refund among the others is looked for; else its no stands, with the payment."""
    scripted.tell(seen(CAPTURED), refused(422, "CAPTURE_FULLY_REFUNDED"), seen(REFUNDED))
    assert isinstance(await gateway.refund(REFUND), Completed)
    others = order("COMPLETED", {"captures": [capture("REFUNDED")], "refunds": [refund(custom_id="chk_1.refund.9")]})
    scripted.tell(seen(CAPTURED), refused(422, "CAPTURE_FULLY_REFUNDED"), seen(others))
    answered = await gateway.refund(REFUND)
    assert isinstance(answered, Declined)
    assert (answered.decline.code, answered.decline.gateway_code) == (
        DeclineCode.INVALID_REQUEST,
        "CAPTURE_FULLY_REFUNDED",
    )
    assert answered.evidence is not None


@pytest.mark.parametrize("stated", [CREATED, APPROVED, HELD, RELEASED, PENDING])
async def test_what_was_not_taken_is_not_refunded(
    gateway: PayPalGateway, scripted: ScriptedServer, stated: dict[str, Any]
) -> None:
    """There is nothing to give back of an order that took nothing, or not yet."""
    scripted.tell(seen(stated))
    answered = await gateway.refund(REFUND)
    assert isinstance(answered, Declined)
    assert (answered.decline.hard, answered.decline.gateway_code) == (True, "ORDER_NOT_CAPTURED")
    assert len(scripted.requests) == 1
