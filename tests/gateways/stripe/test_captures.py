"""Holds taken in parts: what is asked of Stripe, what is read first, and what each answer means."""

from typing import Any

import pytest

from domain.money import Money
from domain.outcomes import Completed, Declined, Pending
from domain.payment import PaymentStatus
from gateways.contract import CapturePayment, CreatePayment, ReauthorizePayment, VoidPayment
from gateways.stripe.adapter import StripeGateway
from gateways.stripe.translate import payment_of, several_captures
from tests.gateways.scripted import ScriptedServer, answer, error
from tests.gateways.stripe.examples import CREATE, INTENT

THREE, SIX, TEN = Money(300, "USD"), Money(600, "USD"), Money(1000, "USD")
HELD = {**INTENT, "status": "requires_capture", "amount_received": 0}


def part(final: bool = False, total: Money | None = THREE) -> CapturePayment:
    """Three dollars of ten, which bring the captured to `total`."""
    return CapturePayment("key-2", "pi_1", THREE, final, total)


def hold(received: int, multicapture: str = "available", status: str = "requires_capture") -> dict[str, Any]:
    """The hold with so much of it taken."""
    details = {"card": {"capture_before": 1_800_000_000, "multicapture": {"status": multicapture}}}
    refunds = {"object": "list", "data": [], "has_more": False}
    charge = {"id": "ch_1", "object": "charge", "payment_method_details": details, "refunds": refunds}
    return {**HELD, "amount_received": received, "status": status, "latest_charge": charge}


async def test_only_a_hold_asks_for_several_captures(gateway: StripeGateway, scripted: ScriptedServer) -> None:
    """The request of a payment without a hold is what it always was, so that keys in flight stay good."""
    waiting = {**INTENT, "status": "requires_payment_method", "amount_received": 0}
    scripted.tell(answer(200, waiting), answer(200, waiting))
    await gateway.create(CREATE)
    await gateway.create(CreatePayment("key-1", "chk_1", "order-1", TEN, hold=True))
    asked = "payment_method_options[card][request_multicapture]=if_available"
    assert asked not in scripted.requests[0]
    assert "payment_method_options" not in scripted.requests[0]
    assert asked in scripted.requests[1]


async def test_a_part_keeps_the_rest_held(gateway: StripeGateway, scripted: ScriptedServer) -> None:
    """A part that is not final says so to Stripe; it is Completed with a payment that is still authorized."""
    scripted.tell(answer(200, hold(0)), answer(200, hold(300)))
    said = await gateway.capture(part())
    assert isinstance(said, Completed)
    payment = said.evidence
    assert getattr(payment, "status") is PaymentStatus.AUTHORIZED  # noqa: B009
    assert getattr(payment, "captured") == THREE  # noqa: B009
    assert "final_capture=false" in scripted.requests[1]
    assert "amount_to_capture=300" in scripted.requests[1]


async def test_a_single_final_capture_is_as_it_was(gateway: StripeGateway, scripted: ScriptedServer) -> None:
    """One capture that takes all reads nothing first and names no `final_capture`."""
    scripted.tell(answer(200, INTENT))
    assert isinstance(await gateway.capture(CapturePayment("key-2", "pi_1", TEN)), Completed)
    (request,) = scripted.requests
    assert "final_capture" not in request


async def test_what_is_captured_already_is_not_captured_again(gateway: StripeGateway, scripted: ScriptedServer) -> None:
    """A part whose total is reached under another key asks Stripe for nothing."""
    scripted.tell(answer(200, hold(600)))
    said = await gateway.capture(CapturePayment("key-9", "pi_1", THREE, False, SIX))
    assert isinstance(said, Completed)
    assert len(scripted.requests) == 1


async def test_the_first_part_is_not_captured_again(gateway: StripeGateway, scripted: ScriptedServer) -> None:
    """The first part states no total; it is read first all the same, as there is more that could be taken."""
    scripted.tell(answer(200, hold(300)))
    assert isinstance(await gateway.capture(part(total=None)), Completed)
    (request,) = scripted.requests
    assert request.startswith("GET ")


async def test_a_part_that_is_not_there_yet(gateway: StripeGateway, scripted: ScriptedServer) -> None:
    """An answer that does not show the money yet is no success."""
    scripted.tell(answer(200, hold(300)), answer(200, hold(300)))
    assert isinstance(await gateway.capture(part(total=SIX)), Pending)


async def test_the_final_part_of_what_is_captured_releases_the_rest(
    gateway: StripeGateway, scripted: ScriptedServer
) -> None:
    """When the total is reached and only the end is missing, nothing more is taken and the hold is let go."""
    scripted.tell(answer(200, hold(600)), answer(200, hold(600, status="succeeded")))
    said = await gateway.capture(part(final=True, total=SIX))
    assert isinstance(said, Completed)
    assert "amount_to_capture=0&" in scripted.requests[1]
    assert "final_capture" not in scripted.requests[1]


async def test_a_sum_that_nobody_knows_of_is_declined(gateway: StripeGateway, scripted: ScriptedServer) -> None:
    """More is captured than the parts before this one: taking it would go beyond the total."""
    scripted.tell(answer(200, hold(500)))
    said = await gateway.capture(CapturePayment("key-2", "pi_1", THREE, False, SIX))
    assert isinstance(said, Declined)
    assert said.evidence is not None
    assert said.evidence.captured == Money(500, "USD")


async def test_without_multicapture_a_part_is_declined(gateway: StripeGateway, scripted: ScriptedServer) -> None:
    """The card's network decides; it is known before anything is asked, and a refusal means the same."""
    scripted.tell(answer(200, hold(0, "unavailable")))
    said = await gateway.capture(part())
    assert isinstance(said, Declined)
    assert (said.decline.gateway_code, said.decline.hard) == ("multicapture_unavailable", True)
    scripted.tell(answer(200, hold(0)), error(400, param="final_capture"))
    said = await gateway.capture(part())
    assert isinstance(said, Declined)
    assert (said.decline.gateway_code, said.decline.hard) == ("final_capture", True)
    final = part(final=True, total=THREE)
    scripted.tell(answer(200, hold(0, "unavailable")), answer(200, hold(300, status="succeeded")))
    assert isinstance(await gateway.capture(final), Completed)


@pytest.mark.parametrize(
    ("status", "received", "kind"),
    [
        ("succeeded", 300, Declined),
        ("succeeded", 600, Completed),
        ("canceled", 0, Declined),
        ("processing", 0, Pending),
    ],
)
async def test_a_hold_that_is_over(
    gateway: StripeGateway, scripted: ScriptedServer, status: str, received: int, kind: type
) -> None:
    """What can no longer be taken is Declined, also when earlier parts were: the hold lapsed in between."""
    scripted.tell(answer(200, hold(received, status=status)))
    assert type(await gateway.capture(CapturePayment("key-2", "pi_1", THREE, True, SIX))) is kind
    assert len(scripted.requests) == 1


async def test_a_void_of_a_partly_captured_hold(gateway: StripeGateway, scripted: ScriptedServer) -> None:
    """What was taken stays: the rest is released, and the answer shows a payment that was paid after all."""
    wrong = error(400, code="payment_intent_unexpected_state", payment_intent=hold(300))
    scripted.tell(wrong, answer(200, hold(300)), answer(200, hold(300, status="succeeded")))
    said = await gateway.void(VoidPayment("key-3", "pi_1"))
    assert isinstance(said, Completed)
    assert getattr(said.evidence, "status") is PaymentStatus.CAPTURED  # noqa: B009
    assert "amount_to_capture=0&" in scripted.requests[2]
    assert "key-3:release" in scripted.requests[2]


async def test_nothing_is_reauthorized(gateway: StripeGateway, scripted: ScriptedServer) -> None:
    """Stripe has no such call, so none is made."""
    said = await gateway.reauthorize(ReauthorizePayment("key-5", "pi_1", TEN))
    assert isinstance(said, Declined)
    assert said.decline.hard
    assert scripted.requests == []


def test_a_canceled_rest_is_no_canceled_payment() -> None:
    """Money that was taken of a hold stays taken whatever Stripe calls the end of the rest."""
    payment = payment_of(hold(300, status="canceled"), ())
    assert (payment.status, payment.captured) == (PaymentStatus.CAPTURED, THREE)
    assert payment_of(hold(0, status="canceled"), ()).status is PaymentStatus.CANCELED


@pytest.mark.parametrize("charge", [None, "ch_1", {"payment_method_details": {"type": "klarna"}}, {}])
def test_multicapture_is_never_guessed(charge: object) -> None:
    """Where the charge does not say that it can be captured several times, it cannot."""
    assert not several_captures({**HELD, "latest_charge": charge})
    assert several_captures(hold(0))
