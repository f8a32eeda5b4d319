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
RETRY = replace(REFUND, key="chk_1:rfd_1:2", amount=Money(800, "USD"))


def given(value: str, of: str, id_: str = "R1", custom_id: str = PIECE, status: str = "COMPLETED") -> Any:
    """A refund of one capture, a piece of ours unless it is said to be another."""
    up = [link("up", f"{API}/v2/payments/captures/{of}")]
    return refund(status, id=id_, amount=money(value), custom_id=custom_id, links=up)


def taken(*refunds: dict[str, Any]) -> dict[str, Any]:
    """The order, captured in two parts, after these refunds."""
    parts = {"authorizations": [authorization("CAPTURED")], "captures": [FIRST, SECOND], "refunds": list(refunds)}
    return order("COMPLETED", parts)


def taken_thrice(*refunds: dict[str, Any]) -> dict[str, Any]:
    """An order of 15.00, captured in three parts, after these refunds."""
    captures = [FIRST, SECOND, capture(id="C3", amount=money("5.00"))]
    parts = {"authorizations": [authorization("CAPTURED")], "captures": captures, "refunds": list(refunds)}
    whole = order("COMPLETED", parts)
    return {**whole, "purchase_units": [{**whole["purchase_units"][0], "amount": money("15.00")}]}


async def shown(gateway: PayPalGateway, scripted: ScriptedServer, *refunds: Any) -> list[tuple[str, int, str | None]]:
    """Of each refund that a look-up shows: its id, amount and reference."""
    scripted.tell(seen(taken(*refunds)))
    payment = await gateway.lookup(REFUND.payment_id)
    assert payment is not None
    return [(one.refund_id, one.amount.minor, one.reference) for one in payment.refunds]


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
    """Where none bears it alone each gives what it has, under a request id of its own and one custom id.

    The last piece is the answer: with it the refund is done.
    """
    scripted.tell(seen(taken()), done(given("6.00", "C2", "R2")), done(given("4.00", "C1", "R3")))
    refund = told(await gateway.refund(REFUND))
    assert (refund.amount.minor, refund.reference, refund.refund_id) == (400, REFUND.key, "R3")
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
    assert told(answered).refund_id == "R3"


async def test_a_part_that_is_missing_is_asked_for(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """Whatever was lost on the way: a repetition gives what is left, under the request id it had."""
    scripted.tell(seen(taken(given("6.00", "C2", "R2"))), done(given("4.00", "C1", "R3")))
    refund = told(await gateway.refund(REFUND))
    assert (refund.refund_id, refund.reference) == ("R3", REFUND.key)
    assert posted(scripted) == [("C1", f"{REFUND.key}:C1", "4.00", PIECE)]


@pytest.mark.parametrize("second", [refused(429), refused(500)])
async def test_a_refund_in_part_is_unknown(gateway: PayPalGateway, scripted: ScriptedServer, second: bytes) -> None:
    """While the rest may follow it is neither done nor declined; what went out is seen, as nobody's smaller refund."""
    scripted.tell(seen(taken()), done(given("6.00", "C2", "R2")), second)
    with pytest.raises(OutcomeUnknownError):
        await gateway.refund(REFUND)
    assert await shown(gateway, scripted, given("6.00", "C2", "R2")) == [("R2", 600, None)]


async def test_a_rest_that_is_refused_declines_what_is_shown(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """It ends with PayPal's no, but not before PayPal shows what went out: until then that would seem to be nothing."""
    first, no = given("6.00", "C2", "R2"), refused(422, "REFUND_FAILED_INSUFFICIENT_FUNDS")
    scripted.tell(seen(taken()), done(first), no, seen(taken()))
    with pytest.raises(OutcomeUnknownError):
        await gateway.refund(REFUND)
    scripted.tell(seen(taken(first)), no, seen(taken(first)))
    answered = await gateway.refund(REFUND)
    assert isinstance(answered, Declined)
    assert answered.decline.gateway_code == "REFUND_FAILED_INSUFFICIENT_FUNDS"
    assert await shown(gateway, scripted, first) == [("R2", 600, None)]


async def test_what_went_out_is_seen_when_the_rest_is_gone(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """6.00 of ten went out, the rest timed out, and somebody gave 1.00 of the other capture back by hand.

    The refund ends as declined, which frees its reservation; every look-up shows the 6.00 for the books.
    """
    scripted.tell(seen(taken()), done(given("6.00", "C2", "R2")), refused(500))
    with pytest.raises(OutcomeUnknownError):
        await gateway.refund(REFUND)
    now = (given("6.00", "C2", "R2"), given("1.00", "C1", "R7", custom_id="chk_1"))
    scripted.tell(seen(taken(*now)))
    answered = await gateway.refund(REFUND)
    assert isinstance(answered, Declined)
    assert answered.decline.gateway_code == "REFUND_AMOUNT_EXCEEDED"
    assert "6.00 USD" in answered.decline.message
    assert posted(scripted) == []
    assert await shown(gateway, scripted, *now) == [("R2", 600, None), ("R7", 100, None)]


async def test_a_new_key_pays_no_piece_twice(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """The first key gave 5.00 of 8.00, was unknown until it grew too old, and a person orders the next key.

    That one gives the missing 3.00 and completes the refund.
    """
    first = given("5.00", "C3", "R1", custom_id="chk_1.rfd_1.1,800")
    last = given("3.00", "C2", "R2", custom_id="chk_1.rfd_1.2,800")
    scripted.tell(seen(taken_thrice(first)), done(last))
    refund = told(await gateway.refund(RETRY))
    assert (refund.refund_id, refund.reference) == ("R2", RETRY.key)
    assert posted(scripted) == [("C2", f"{RETRY.key}:C2", "3.00", "chk_1.rfd_1.2,800")]
    scripted.tell(seen(taken_thrice(first, last)))
    assert told(await gateway.refund(replace(RETRY, key="chk_1:rfd_1:3"))) == refund
    assert posted(scripted) == []


async def test_a_refund_that_failed_is_made_anew(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """A piece that failed under an earlier key is asked for again by the next one; what went out counts still."""
    before = [
        given("5.00", "C3", "R1", "chk_1.rfd_1.1,800"),
        given("3.00", "C2", "R2", "chk_1.rfd_1.1,800", status="FAILED"),
    ]
    scripted.tell(seen(taken_thrice(*before)), done(given("3.00", "C2", "R3", "chk_1.rfd_1.2,800")))
    refund = told(await gateway.refund(RETRY))
    assert (refund.refund_id, refund.reference) == ("R3", RETRY.key)
    assert [value for _, _, value, _ in posted(scripted)] == ["3.00"]


async def test_a_refund_that_another_overtakes_finds_the_other_capture(
    gateway: PayPalGateway, scripted: ScriptedServer
) -> None:
    """Two refunds of 4.00 at once (captures of 4.00 and 6.00): both read the same room, and one of them is refused.

    Eight of ten can be given back, so that is no decline: asked again it takes the other capture.
    """
    request = replace(REFUND, key="chk_1:refund:2", amount=Money(400, "USD"))
    other = given("4.00", "C2", "R2", custom_id="chk_1.refund.1")
    scripted.tell(seen(taken()), refused(422, "REFUND_AMOUNT_EXCEEDED"), seen(taken(other)))
    with pytest.raises(OutcomeUnknownError):
        await gateway.refund(request)
    scripted.tell(seen(taken(other)), done(given("4.00", "C1", "R3", custom_id="chk_1.refund.2")))
    assert told(await gateway.refund(request)).refund_id == "R3"
    assert [(capture, value) for capture, _, value, _ in posted(scripted)] == [("C1", "4.00")]


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
