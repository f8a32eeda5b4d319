"""What each way of Stripe to fail means for the checkout."""

import asyncio

import pytest

from domain.errors import (
    AmountDoesNotFitError,
    GatewayBusyError,
    GatewayMisconfiguredError,
    GatewayRefusedError,
    GatewayUnreachableError,
    KeySpentError,
    OutcomeUnknownError,
)
from domain.money import Money
from domain.outcomes import Completed, Declined, Pending
from domain.payment import DeclineCode
from gateways.contract import CapturePayment, CreatePayment, RefundPayment
from gateways.stripe.adapter import StripeGateway
from gateways.stripe.options import StripeOptions
from tests.gateways.scripted import CUT, SILENCE, ScriptedServer, answer, error
from tests.gateways.stripe.conftest import API_KEY
from tests.gateways.stripe.examples import CAPTURE, CREATE, INTENT, REFUND, VOID, refund, refunds

NO_ANSWER = {"silence": SILENCE, "connection cut": CUT}
BROKEN = {
    "500": error(500, type="api_error"),
    "503": error(503, type="api_error"),
    "502 in HTML": answer(502, "<html>Bad Gateway</html>"),
    "404 in HTML": answer(404, "<html>Not Found</html>"),
    "500 without an error": answer(500, {}),
    "200 that is no JSON": answer(200, "<html>hello</html>"),
    "200 that is a list": answer(200, []),
    "200 without anything": answer(200, {}),
    "200 of another kind": answer(200, {"id": "cus_1", "object": "customer"}),
    "500 with a text for an error": answer(500, {"error": "oops"}),
    "500 with null for an error": answer(500, {"error": None}),
    "500 with a list": answer(500, []),
    "409 in HTML": answer(409, "<html>Conflict</html>"),
    "200 that is null": answer(200, "null"),
    "200 that is a number": answer(200, "5"),
    "200 that is text": answer(200, '"pi_1"'),
    "200 too deep": answer(200, '{"a":' * 20_000 + "1" + "}" * 20_000),
    "200 no UTF-8": answer(200, {}).replace(b"{}", b"\xff\xfe"),
    "301": answer(301, "", {"Location": "/elsewhere"}),
    "204": answer(204, ""),
    "200 cut short": answer(200, {"id": "pi_1"})[:-5],
}


@pytest.mark.parametrize("said", [*NO_ANSWER.values(), *BROKEN.values()], ids=[*NO_ANSWER, *BROKEN])
async def test_no_trustworthy_answer_is_unknown(gateway: StripeGateway, scripted: ScriptedServer, said: bytes) -> None:
    """Whatever leaves open if the money moved is OutcomeUnknownError, after exactly one attempt."""
    scripted.tell(said)
    with pytest.raises(OutcomeUnknownError):
        await gateway.create(CREATE)
    assert len(scripted.requests) == 1
    with pytest.raises(OutcomeUnknownError):
        await gateway.refund(REFUND)
    assert len(scripted.requests) == 2


async def test_nobody_listening_means_nothing_was_sent() -> None:
    """A refused connection proves that nothing happened, which a cut one does not."""
    gateway = StripeGateway(StripeOptions(API_KEY, (), "http://127.0.0.1:1", live=False))
    for call in (lambda: gateway.create(CREATE), lambda: gateway.refund(REFUND), lambda: gateway.lookup("pi_1")):
        with pytest.raises(GatewayUnreachableError):
            await call()
    await gateway.close()


async def test_a_500_that_stripe_stored_spends_its_key(gateway: StripeGateway, scripted: ScriptedServer) -> None:
    """When Stripe says not to retry, it would only replay its answer: the key is spent and the outcome unknown."""
    scripted.tell(error(500, {"Stripe-Should-Retry": "false"}, type="api_error"))
    with pytest.raises(KeySpentError):
        await gateway.capture(CAPTURE)
    scripted.tell(error(500, {"Stripe-Should-Retry": "true"}, type="api_error"))
    with pytest.raises(OutcomeUnknownError) as unknown:
        await gateway.capture(CAPTURE)
    assert not isinstance(unknown.value, KeySpentError)


@pytest.mark.parametrize("read", ["lookup", "find"])
async def test_a_look_up_spends_no_key(gateway: StripeGateway, scripted: ScriptedServer, read: str) -> None:
    """A failed look-up has shown nothing: an operation must not go on under a new key because of it."""
    scripted.tell(error(500, {"Stripe-Should-Retry": "false"}, type="api_error"))
    with pytest.raises(OutcomeUnknownError) as unknown:
        await getattr(gateway, read)("pi_1")
    assert not isinstance(unknown.value, KeySpentError)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "1e9"}, 3600.0),
        ({"Retry-After": "-1"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "soon"}, None),
    ],
)
async def test_429_is_busy(
    gateway: StripeGateway, scripted: ScriptedServer, headers: dict[str, str], seconds: float | None
) -> None:
    """A rate limit means that nothing happened, with the wait that Stripe asks for where it makes sense."""
    scripted.tell(error(429, headers, code="rate_limit"))
    with pytest.raises(GatewayBusyError) as busy:
        await gateway.create(CREATE)
    assert busy.value.retry_after_seconds == seconds
    assert len(scripted.requests) == 1


async def test_409_is_busy(gateway: StripeGateway, scripted: ScriptedServer) -> None:
    """A key that is in flight has not been done twice: come back with the same key."""
    scripted.tell(error(409, type="idempotency_error", code="idempotency_key_in_use"))
    with pytest.raises(GatewayBusyError):
        await gateway.create(CREATE)


@pytest.mark.parametrize("said", [error(401), error(403), error(400, code="testmode_charges_only")])
async def test_wrong_credentials_need_a_person(gateway: StripeGateway, scripted: ScriptedServer, said: bytes) -> None:
    """Keys, rights and account settings are for a person to mend."""
    scripted.tell(said)
    for call in (gateway.create(CREATE), gateway.lookup("pi_1")):
        with pytest.raises(GatewayMisconfiguredError):
            await call


async def test_a_key_with_another_request_is_refused(gateway: StripeGateway, scripted: ScriptedServer) -> None:
    """A reused key is a bug of ours, never a decline and never to be repeated."""
    scripted.tell(error(400, type="idempotency_error"))
    with pytest.raises(GatewayRefusedError, match="idempotency_error"):
        await gateway.create(CREATE)


@pytest.mark.parametrize(("words", "code"), [({"code": "amount_too_small"}, "amount_too_small"), ({}, "amount")])
async def test_a_create_that_names_what_is_wrong_is_declined(
    gateway: StripeGateway, scripted: ScriptedServer, words: dict[str, str], code: str
) -> None:
    """When Stripe names a parameter the checkout ends declined, with Stripe's reason."""
    scripted.tell(error(400, param="amount", message="Amount must be at least 50 cents", **words))
    said = await gateway.create(CREATE)
    assert isinstance(said, Declined)
    assert (said.decline.code, said.decline.hard, said.decline.gateway_code) == (
        DeclineCode.INVALID_REQUEST,
        True,
        code,
    )
    assert said.decline.message == "Amount must be at least 50 cents"


async def test_a_refusal_without_a_reason_is_refused(gateway: StripeGateway, scripted: ScriptedServer) -> None:
    """A 400 that names nothing, and a payment that does not exist, are errors and no declines."""
    scripted.tell(error(400))
    for call in (gateway.create(CREATE), gateway.lookup("pi_1")):
        with pytest.raises(GatewayRefusedError):
            await call
    scripted.tell(error(404, code="resource_missing", param="intent"))
    for call in (gateway.capture(CAPTURE), gateway.void(VOID), gateway.refund(REFUND)):
        with pytest.raises(GatewayRefusedError, match="resource_missing"):
            await call


async def test_a_card_error_is_a_decline(gateway: StripeGateway, scripted: ScriptedServer) -> None:
    """A 402 is an answer: the decline code counts before the error code, the network's advice hardens it."""
    words = {"code": "card_declined", "decline_code": "insufficient_funds", "advice_code": "do_not_try_again"}
    scripted.tell(error(402, type="card_error", **words))
    said = await gateway.capture(CAPTURE)
    assert isinstance(said, Declined)
    assert (said.decline.code, said.decline.hard) == (DeclineCode.INSUFFICIENT_FUNDS, True)


@pytest.mark.parametrize(
    ("status", "captured", "voided"),
    [
        ("succeeded", Completed, Completed),
        ("canceled", Declined, Completed),
        ("processing", Pending, Pending),
        ("requires_payment_method", Declined, Pending),
    ],
)
async def test_the_wrong_state_is_read(
    gateway: StripeGateway, scripted: ScriptedServer, status: str, captured: type, voided: type
) -> None:
    """When the payment is in another state than thought, it is read and what is true is answered."""
    intent = {**INTENT, "status": status, "amount_received": 1000 if status == "succeeded" else 0}
    for call, kind in ((gateway.capture(CAPTURE), captured), (gateway.void(VOID), voided)):
        scripted.tell(error(400, code="payment_intent_unexpected_state", payment_intent=intent), answer(200, intent))
        said = await call
        assert type(said) is kind
        assert getattr(said, "evidence").payment_id == "pi_1"  # noqa: B009
        if isinstance(said, Declined):
            assert said.decline.gateway_code == "payment_intent_unexpected_state"


async def test_a_refund_that_exists_already_is_the_answer(gateway: StripeGateway, scripted: ScriptedServer) -> None:
    """When Stripe refuses because everything is given back, our own refund among the others is looked for."""
    no = error(400, code="charge_already_refunded", message="Charge has already been refunded.")
    other = refund(id="re_0", metadata={})
    scripted.tell(no, refunds(other, has_more=True), refunds(refund(status="pending")))
    said = await gateway.refund(REFUND)
    assert isinstance(said, Pending)
    assert said.evidence == (await gateway_refund(gateway, scripted, refund(status="pending")))
    scripted.tell(no, refunds(other))
    declined = await gateway.refund(REFUND)
    assert isinstance(declined, Declined)
    assert (declined.decline.code, declined.decline.gateway_code) == (
        DeclineCode.INVALID_REQUEST,
        "charge_already_refunded",
    )


async def gateway_refund(gateway: StripeGateway, scripted: ScriptedServer, stated: dict[str, object]) -> object:
    """What the adapter shows for this refund when Stripe makes it."""
    scripted.tell(answer(200, stated))
    said = await gateway.refund(REFUND)
    assert isinstance(said, Completed | Pending)
    return said.evidence


async def test_a_refund_that_fails_at_once_is_declined(gateway: StripeGateway, scripted: ScriptedServer) -> None:
    """A refund that Stripe makes and fails gives nothing back, with the reason in our words."""
    scripted.tell(answer(200, refund(status="failed", failure_reason="expired_or_canceled_card")))
    said = await gateway.refund(REFUND)
    assert isinstance(said, Declined)
    assert (said.decline.code, said.decline.hard) == (DeclineCode.EXPIRED_CARD, True)


async def test_an_amount_that_does_not_fit_is_never_sent(gateway: StripeGateway, scripted: ScriptedServer) -> None:
    """Amounts that Stripe cannot charge exactly are refused here, before any call."""
    scripted.tell(answer(200, INTENT))
    wrong = Money(5124, "KWD")
    calls = [
        gateway.create(CreatePayment("k", "chk_1", "o", Money(49, "USD"), hold=False)),
        gateway.create(CreatePayment("k", "chk_1", "o", wrong, hold=False)),
        gateway.capture(CapturePayment("k", "pi_1", wrong)),
        gateway.refund(RefundPayment("k", "pi_1", wrong)),
    ]
    for call in calls:
        with pytest.raises(AmountDoesNotFitError):
            await call
    assert scripted.requests == []


async def test_an_open_payment_that_is_paid_is_not_believed(gateway: StripeGateway, scripted: ScriptedServer) -> None:
    """A payment that nobody can have paid yet does not open as paid."""
    scripted.tell(answer(200, INTENT))
    with pytest.raises(OutcomeUnknownError):
        await gateway.create(CREATE)


async def test_a_dripping_server_is_cut_off(gateway: StripeGateway) -> None:
    """A server that sends byte after byte never outlasts the time of the whole call."""

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b" ")
            await asyncio.sleep(0.05)
        writer.close()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    dripped = StripeGateway(StripeOptions(API_KEY, (), url, live=False, timeout_seconds=0.4))
    with pytest.raises(OutcomeUnknownError, match="no answer in"):
        await asyncio.wait_for(dripped.lookup("pi_1"), 10)
    await dripped.close()
    server.close()
