"""One refund of ours over several captures of PayPal's."""

import json
from dataclasses import replace
from typing import Any

import pytest

from domain.errors import GatewayRefusedError, OutcomeUnknownError
from domain.money import Money
from domain.outcomes import Completed, Declined, Pending
from domain.payment import RefundSnapshot
from gateways.paypal.adapter import PayPalGateway
from tests.gateways.paypal.examples import (
    API,
    REFUND,
    asked,
    authorization,
    capture,
    done,
    link,
    money,
    order,
    refund,
    refused,
    seen,
)
from tests.gateways.scripted import ScriptedServer, answer

FIRST = capture(id="C1", amount=money("4.00"), final_capture=False)
SECOND = capture(id="C2", amount=money("6.00"), final_capture=True)


PIECE = "chk_1.refund.1,1000"


def given(value: str, of: str, id_: str = "R1", custom_id: str = PIECE, status: str = "COMPLETED") -> Any:
    """A refund of one capture, a piece of ours unless it is said to be another."""
    up = [link("up", f"{API}/v2/payments/captures/{of}")]
    return refund(status, id=id_, amount=money(value), custom_id=custom_id, links=up)


def taken(*refunds: dict[str, Any]) -> dict[str, Any]:
    """The order, captured in two parts, after these refunds."""
    parts = {"authorizations": [authorization("CAPTURED")], "captures": [FIRST, SECOND], "refunds": list(refunds)}
    return order("COMPLETED", parts)


def posted(scripted: ScriptedServer) -> list[tuple[str, str, str, str]]:
    """Of each refund that was asked for: the capture, the request id, the amount and the custom id."""
    found = []
    for line, (head, body) in zip(asked(scripted), scripted.received(), strict=True):
        if line.startswith("POST"):
            said = json.loads(body)
            found.append((line.split("/")[4], head["paypal-request-id"], said["amount"]["value"], said["custom_id"]))
    return found


def told(answered: object) -> RefundSnapshot:
    """The refund in an accepted answer."""
    assert isinstance(answered, Completed | Pending), answered
    assert isinstance(answered.evidence, RefundSnapshot)
    return answered.evidence


async def test_a_capture_that_bears_it_alone_is_chosen(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """One capture with enough left is refunded under our key; what was given back of it counts, failures do not."""
    other = given("3.00", "C2", custom_id="chk_1.refund.0")
    failed = given("4.00", "C1", "R0", "chk_1.refund.9", "FAILED")
    scripted.tell(seen(taken(other, failed)), done(given("4.00", "C1", "R2", "chk_1.refund.1")))
    refund = told(await gateway.refund(replace(REFUND, amount=Money(400, "USD"))))
    assert (refund.amount.minor, refund.reference) == (400, REFUND.key)
    assert posted(scripted) == [("C1", REFUND.key, "4.00", "chk_1.refund.1")]


async def test_a_refund_over_captures_is_one(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """Where none bears it alone each gives what it has, under a request id of its own and one custom id."""
    scripted.tell(seen(taken()), done(given("6.00", "C2", "R2")), done(given("4.00", "C1", "R3")))
    refund = told(await gateway.refund(REFUND))
    assert (refund.amount, refund.reference, refund.refund_id) == (REFUND.amount, REFUND.key, "R2+1")
    assert posted(scripted) == [
        ("C2", f"{REFUND.key}:C2", "6.00", PIECE),
        ("C1", f"{REFUND.key}:C1", "4.00", PIECE),
    ]
    scripted.tell(seen(taken(given("6.00", "C2", "R2"), given("4.00", "C1", "R3"))))
    assert told(await gateway.refund(REFUND)) == refund
    assert len(scripted.requests) == 1


async def test_a_refund_is_pending_while_a_part_is(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """The parts end together."""
    scripted.tell(seen(taken()), done(given("6.00", "C2", "R2")), done(given("4.00", "C1", "R3", status="PENDING")))
    answered = await gateway.refund(REFUND)
    assert isinstance(answered, Pending)
    assert told(answered).amount == REFUND.amount


async def test_a_part_that_is_missing_is_asked_for(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """Whatever was lost on the way: a repetition gives what is left, under the request id it had."""
    scripted.tell(seen(taken(given("6.00", "C2", "R2"))), done(given("4.00", "C1", "R3")))
    assert told(await gateway.refund(REFUND)).amount == REFUND.amount
    assert posted(scripted) == [("C1", f"{REFUND.key}:C1", "4.00", PIECE)]


@pytest.mark.parametrize("second", [refused(422, "REFUND_FAILED_INSUFFICIENT_FUNDS"), refused(429), refused(500)])
async def test_a_refund_in_part_is_unknown(gateway: PayPalGateway, scripted: ScriptedServer, second: bytes) -> None:
    """When money went out and the rest did not follow, it is neither done nor declined, and not to be seen yet."""
    scripted.tell(seen(taken()), done(given("6.00", "C2", "R2")), second)
    with pytest.raises(OutcomeUnknownError):
        await gateway.refund(REFUND)
    scripted.tell(seen(taken(given("6.00", "C2", "R2"))))
    payment = await gateway.lookup(REFUND.payment_id)
    assert payment is not None
    assert payment.refunds == ()


async def test_a_piece_that_failed_declines_the_whole(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """A piece that was taken on and failed ends it: no more pieces, and asked again it is as declined."""
    failed = given("6.00", "C2", "R2", status="FAILED")
    scripted.tell(seen(taken()), done(failed))
    assert isinstance(await gateway.refund(REFUND), Declined)
    assert len(posted(scripted)) == 1
    for parts in ((failed,), (given("6.00", "C2", "R2"), given("4.00", "C1", "R3", status="FAILED"))):
        scripted.tell(seen(taken(*parts)))
        assert isinstance(await gateway.refund(REFUND), Declined)
        assert len(scripted.requests) == 1


async def test_a_first_part_that_is_refused_is_declined(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """As long as nothing went out PayPal's no is the answer."""
    scripted.tell(seen(taken()), refused(422, "REFUND_FAILED_INSUFFICIENT_FUNDS"), seen(taken()))
    answered = await gateway.refund(REFUND)
    assert isinstance(answered, Declined)
    assert answered.decline.gateway_code == "REFUND_FAILED_INSUFFICIENT_FUNDS"
    assert len(posted(scripted)) == 1


async def test_more_than_all_captures_have_is_not_begun(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """Nothing goes out when the captures could not bear the whole."""
    scripted.tell(seen(taken(given("1.00", "C1", custom_id="chk_1.refund.0"))))
    for amount in (REFUND.amount, Money(100, "EUR")):
        answered = await gateway.refund(replace(REFUND, amount=amount))
        assert isinstance(answered, Declined)
        assert (answered.decline.gateway_code, answered.decline.hard) == ("REFUND_AMOUNT_EXCEEDED", True)
    assert posted(scripted) == []


async def test_a_key_of_another_refund_is_refused(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """Pieces of another amount or currency, and a refund that was no piece, are no beginning of it."""
    for custom, amount in ((PIECE, Money(999, "USD")), (PIECE, Money(1000, "EUR")), ("chk_1.refund.1", REFUND.amount)):
        scripted.tell(seen(taken(given("6.00", "C2", "R2", custom))))
        with pytest.raises(GatewayRefusedError, match="DUPLICATE_REQUEST_ID"):
            await gateway.refund(replace(REFUND, amount=amount))


async def test_a_refund_of_an_unknown_capture_stops(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """What is left of each capture cannot be known while a refund does not tell of which it is."""
    scripted.tell(answer(200, taken(refund(amount=money("1.00"), custom_id="chk_1.refund.0"))))
    with pytest.raises(OutcomeUnknownError):
        await gateway.refund(REFUND)
