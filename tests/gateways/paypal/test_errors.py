"""What each way of PayPal to fail means for the checkout."""

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
from domain.outcomes import Declined
from domain.payment import DeclineCode
from gateways.contract import CapturePayment, CreatePayment, RefundPayment
from gateways.paypal.adapter import PayPalGateway
from tests.gateways.paypal.conftest import NoEvidence, options_for
from tests.gateways.paypal.examples import (
    APPROVED,
    AUTHORIZE,
    CAPTURE,
    CAPTURED,
    CREATE,
    HELD,
    ORDER_ID,
    REFUND,
    TOKEN,
    VOID,
    authorization,
    capture,
    order,
    refused,
)
from tests.gateways.paypal.wires import served
from tests.gateways.scripted import CUT, SILENCE, ScriptedServer, answer

BROKEN = {
    "silence": SILENCE,
    "connection cut": CUT,
    "500": refused(500),
    "503": refused(503),
    "502 in HTML": answer(502, "<html>Bad Gateway</html>"),
    "403 in HTML": answer(403, "<html>Access Denied</html>"),
    "404 in HTML": answer(404, "<html>Not Found</html>"),
    "409 in HTML": answer(409, "<html>Conflict</html>"),
    "500 without an error": answer(500, {}),
    "422 without an error": answer(422, {}),
    "422 with a list": answer(422, []),
    "200 that is no JSON": answer(200, "<html>hello</html>"),
    "200 that is a list": answer(200, []),
    "200 without anything": answer(200, {}),
    "200 of another kind": answer(200, {"id": "CUSTOMER-1"}),
    "200 that is null": answer(200, "null"),
    "200 that is text": answer(200, '"5O190127TN364715T"'),
    "200 too deep": answer(200, '{"a":' * 20_000 + "1" + "}" * 20_000),
    "200 no UTF-8": answer(200, {}).replace(b"{}", b"\xff\xfe"),
    "200 with a name twice": answer(200, '{"id":"A","id":"B"}'),
    "201 from the start paid": answer(201, CAPTURED),
    "204": answer(204, ""),
    "301": answer(301, "", {"Location": "/elsewhere"}),
    "200 cut short": answer(200, {"id": "A"})[:-5],
}


@pytest.mark.parametrize("said", BROKEN.values(), ids=BROKEN.keys())
async def test_no_trustworthy_answer_is_unknown(gateway: PayPalGateway, scripted: ScriptedServer, said: bytes) -> None:
    """Whatever leaves open if an order was made is OutcomeUnknownError; no key is ever spent by it."""
    scripted.tell(said)
    with pytest.raises(OutcomeUnknownError) as unknown:
        await gateway.create(CREATE)
    assert not isinstance(unknown.value, KeySpentError)
    posts = [request for request in scripted.requests if request.startswith("POST")]
    assert len(posts) == 1


@pytest.mark.parametrize("said", [SILENCE, CUT, refused(500), answer(502, "<html>")], ids=str)
async def test_money_that_may_have_moved_is_unknown(
    gateway: PayPalGateway, scripted: ScriptedServer, said: bytes
) -> None:
    """The same holds for taking and giving back, whose one attempt comes after a look that succeeded."""
    for call, stated in ((gateway.capture, APPROVED), (gateway.authorize, APPROVED), (gateway.refund, CAPTURED)):
        scripted.tell(answer(200, stated), said)
        request = {gateway.capture: CAPTURE, gateway.authorize: AUTHORIZE, gateway.refund: REFUND}[call]
        with pytest.raises(OutcomeUnknownError):
            await call(request)  # type: ignore[operator]
        assert [r.split(" ")[0] for r in scripted.requests] == ["GET", "POST"]


UNSEEN = {
    "500": refused(500),
    "429": answer(429, {}),
    "404": refused(404, "INVALID_RESOURCE_ID"),
    "403": refused(403, "PERMISSION_DENIED"),
    "409": refused(409, "PREVIOUS_REQUEST_IN_PROGRESS"),
    "401 twice": answer(401, {"error": "invalid_token"}),
    "silence": SILENCE,
}


@pytest.mark.parametrize("said", UNSEEN.values(), ids=UNSEEN.keys())
@pytest.mark.parametrize(
    ("verb", "request_", "before"),
    [
        ("capture", CAPTURE, APPROVED),
        ("capture", CAPTURE, HELD),
        ("authorize", AUTHORIZE, APPROVED),
        ("void", VOID, HELD),
        ("create", CREATE, None),
        ("refund", REFUND, CAPTURED),
    ],
    ids=["capture", "capture of a hold", "authorize", "void", "create", "refund"],
)
async def test_done_but_not_to_be_seen_is_unknown(
    gateway: PayPalGateway, scripted: ScriptedServer, verb: str, request_: object, before: object, said: bytes
) -> None:
    """Once a call was accepted, no trouble with reading what it made says that nothing was done, or never can be."""
    looked = [answer(200, before)] if before else []
    scripted.tell(*looked, answer(201, {"id": ORDER_ID, "status": "COMPLETED"}), said)
    with pytest.raises(OutcomeUnknownError):
        await getattr(gateway, verb)(request_)


async def test_refused_and_then_not_to_be_seen_is_not_done(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """What PayPal refused it did not do, also when the order cannot be read afterwards."""
    scripted.tell(answer(200, APPROVED), refused(422, "INSTRUMENT_DECLINED"), answer(429, {}))
    with pytest.raises(GatewayBusyError):
        await gateway.capture(CAPTURE)


async def test_nobody_listening_is_unreachable() -> None:
    """A refused connection took nothing with it."""
    gateway = PayPalGateway(options_for("http://127.0.0.1:1"), NoEvidence())
    with pytest.raises(GatewayUnreachableError):
        await gateway.create(CREATE)
    await gateway.close()


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({}, None), ({"Retry-After": "7"}, 7.0), ({"Retry-After": "1e9"}, 3600.0), ({"Retry-After": "soon"}, None)],
)
async def test_429_is_busy(
    gateway: PayPalGateway, scripted: ScriptedServer, headers: dict[str, str], seconds: float | None
) -> None:
    """A rate limit means that nothing happened, with the wait that PayPal asks for where it makes sense."""
    for body in ({"name": "RATE_LIMIT_REACHED", "message": "Too many requests."}, "<html>Too many requests</html>"):
        scripted.tell(answer(429, body, headers))
        with pytest.raises(GatewayBusyError) as busy:
            await gateway.create(CREATE)
        assert busy.value.retry_after_seconds == seconds


@pytest.mark.parametrize(
    "said",
    [
        refused(409, "PREVIOUS_REQUEST_IN_PROGRESS"),
        refused(409),
        refused(422, "PREVIOUS_REQUEST_IN_PROGRESS"),
        refused(422, "ORDER_COMPLETION_IN_PROGRESS"),
    ],
)
async def test_a_request_in_progress_is_busy(gateway: PayPalGateway, scripted: ScriptedServer, said: bytes) -> None:
    """While PayPal works on the first call with a request id, the second has done nothing."""
    scripted.tell(said)
    with pytest.raises(GatewayBusyError):
        await gateway.create(CREATE)


@pytest.mark.parametrize(
    "said",
    [
        refused(403, "PERMISSION_DENIED"),
        refused(403),
        refused(422, "PAYEE_ACCOUNT_RESTRICTED"),
        refused(422, "PAYEE_ACCOUNT_LOCKED_OR_CLOSED"),
        refused(403, "PAYEE_ACCOUNT_NOT_VERIFIED"),
    ],
)
async def test_an_account_out_of_order_needs_a_person(
    gateway: PayPalGateway, scripted: ScriptedServer, said: bytes
) -> None:
    """Rights and account settings are for a person to mend; then repeating helps."""
    scripted.tell(said)
    for call in (gateway.create(CREATE), gateway.lookup(ORDER_ID)):
        with pytest.raises(GatewayMisconfiguredError):
            await call


async def test_a_key_with_another_request_is_refused(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """A reused key is a bug of ours, never a decline and never to be repeated."""
    scripted.tell(refused(422, "DUPLICATE_REQUEST_ID"))
    with pytest.raises(GatewayRefusedError, match="DUPLICATE_REQUEST_ID"):
        await gateway.create(CREATE)


@pytest.mark.parametrize(
    ("said", "code", "word"),
    [
        (refused(400, "INVALID_PARAMETER_VALUE"), DeclineCode.INVALID_REQUEST, "INVALID_PARAMETER_VALUE"),
        (refused(422, "CANNOT_BE_ZERO_OR_NEGATIVE"), DeclineCode.INVALID_REQUEST, "CANNOT_BE_ZERO_OR_NEGATIVE"),
        (refused(422, "INVALID_CURRENCY_CODE"), DeclineCode.NOT_SUPPORTED, "INVALID_CURRENCY_CODE"),
    ],
)
async def test_a_create_that_names_what_is_wrong_is_declined(
    gateway: PayPalGateway, scripted: ScriptedServer, said: bytes, code: DeclineCode, word: str
) -> None:
    """When PayPal names an issue the checkout ends declined, with PayPal's reason."""
    scripted.tell(said)
    answered = await gateway.create(CREATE)
    assert isinstance(answered, Declined)
    assert (answered.decline.code, answered.decline.hard, answered.decline.gateway_code) == (code, True, word)
    assert answered.decline.message == "Not possible."


@pytest.mark.parametrize("said", [refused(400), refused(404), refused(405), refused(415)])
async def test_a_refusal_without_a_reason_is_refused(
    gateway: PayPalGateway, scripted: ScriptedServer, said: bytes
) -> None:
    """A 4xx of PayPal's that names no issue is an error and no decline."""
    scripted.tell(said)
    with pytest.raises(GatewayRefusedError):
        await gateway.create(CREATE)


async def test_an_order_that_is_not_there_is_refused(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """An operation on an order that PayPal does not have, or an id that cannot be one, can never work."""
    scripted.tell(refused(404, "INVALID_RESOURCE_ID"))
    odd = CapturePayment("k", "../../v1/reporting", Money(1000, "USD"))
    calls = (gateway.capture(CAPTURE), gateway.authorize(AUTHORIZE), gateway.void(VOID), gateway.refund(REFUND))
    for call in (*calls, gateway.capture(odd)):
        with pytest.raises(GatewayRefusedError, match="RESOURCE_NOT_FOUND"):
            await call
    assert len(scripted.requests) == len(calls)


async def test_ids_that_lead_elsewhere_are_not_called(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """An order whose parts have ids that would change the address is not understood, and nothing is asked of it."""
    bent = "../../../v1/payments/payouts?x="
    held = order("COMPLETED", {"authorizations": [authorization(id=bent)]})
    taken = order("COMPLETED", {"captures": [capture(id=bent)]})
    for call, stated in ((gateway.capture(CAPTURE), held), (gateway.void(VOID), held), (gateway.refund(REFUND), taken)):
        scripted.tell(answer(200, stated))
        with pytest.raises(OutcomeUnknownError):
            await call
        assert len(scripted.requests) == 1


async def test_an_amount_that_does_not_fit_is_never_sent(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """Amounts that PayPal cannot move exactly are refused here, before any call."""
    scripted.tell(answer(200, APPROVED))
    wrong = Money(17_550, "HUF")
    calls = [
        gateway.create(CreatePayment("k", "chk_1", "o", Money(5120, "KWD"), hold=False)),
        gateway.create(CreatePayment("k", "chk_1", "o", wrong, hold=False)),
        gateway.capture(CapturePayment("k", ORDER_ID, wrong)),
        gateway.refund(RefundPayment("k", ORDER_ID, wrong)),
    ]
    for call in calls:
        with pytest.raises(AmountDoesNotFitError):
            await call
    assert scripted.requests == []


async def test_one_operation_takes_no_longer_than_one_call_may() -> None:
    """Reading, doing and reading again share one time limit, so that no second attempt can begin beside a first."""

    async def dawdle(head: str) -> bytes:
        if "/v1/oauth2/token" in head:
            return TOKEN
        await asyncio.sleep(2 if head.startswith("GET") else 30)
        return answer(200, APPROVED)

    async with served(dawdle, timeout_seconds=3) as gateway:
        begun = asyncio.get_running_loop().time()
        with pytest.raises(OutcomeUnknownError):
            await gateway.capture(CAPTURE)
        # A limit for each call alone would be at an end after five seconds.
        assert asyncio.get_running_loop().time() - begun < 4.5


async def test_a_dripping_server_is_cut_off(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """A server that promises more than it sends never outlasts the time of the whole call."""
    begun = asyncio.get_running_loop().time()
    scripted.tell(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n    ")
    with pytest.raises(OutcomeUnknownError):
        await gateway.create(CREATE)
    assert asyncio.get_running_loop().time() - begun < 10
