"""Adyen's failures in the domain's words: unknown stays unknown, and what certainly did nothing says so."""

import asyncio

import pytest

from devstack.ports import any_free
from domain.errors import (
    GatewayBusyError,
    GatewayError,
    GatewayMisconfiguredError,
    GatewayRefusedError,
    GatewayUnreachableError,
    KeySpentError,
    OutcomeUnknownError,
)
from domain.outcomes import Declined
from domain.payment import DeclineCode
from gateways.adyen.adapter import AdyenGateway
from gateways.adyen.options import AdyenOptions
from tests.gateways.adyen.conftest import API_KEY
from tests.gateways.adyen.examples import CAPTURE, CREATE, REFUND, VOID, KeptBodies, link, refusal
from tests.gateways.adyen.notices import ACCOUNT, LINK_ID, body, done, item
from tests.gateways.scripted import CUT, SILENCE, ScriptedServer, answer

UNKNOWN = {
    "silence": SILENCE,
    "cut": CUT,
    "500": refusal(500, "701", kind="internal"),
    "503 that may pass": refusal(503, "703", kind="internal", headers={"transient-error": "true"}),
    "500 of nobody's": answer(500, ""),
    "502 of a proxy": answer(502, "<html><h1>502 Bad Gateway</h1></html>"),
    "404 of a proxy": answer(404, "<html>not here</html>"),
    "409 of a proxy": answer(409, "<html>conflict</html>"),
    "422 of nobody's": answer(422, {"message": "Not Found"}),
    "redirect": answer(302, "", {"Location": "http://127.0.0.1:1/"}),
    "empty": answer(200, ""),
    "HTML": answer(200, "<html>Welcome</html>"),
    "a list": answer(200, []),
    "an empty object": answer(200, {}),
    "NaN": answer(200, '{"id": NaN}'),
    "twice the same name": answer(200, '{"id": "PL1", "id": "PL2"}'),
    "deep JSON": answer(200, '{"a":' * 5000 + "1" + "}" * 5000),
}


@pytest.mark.parametrize("said", UNKNOWN.values(), ids=UNKNOWN.keys())
async def test_what_proves_nothing_is_unknown(gateway: AdyenGateway, scripted: ScriptedServer, said: bytes) -> None:
    """No answer, a broken one and a failure leave the outcome open, never spend the key, and are tried once."""
    for call in (lambda: gateway.create(CREATE), lambda: gateway.lookup(LINK_ID)):
        scripted.tell(said)
        with pytest.raises(OutcomeUnknownError) as unknown:
            await call()
        assert not isinstance(unknown.value, KeySpentError)
        assert len(scripted.requests) == 1


@pytest.mark.parametrize("said", UNKNOWN.values(), ids=UNKNOWN.keys())
async def test_modifications_with_an_unknown_outcome(
    gateway: AdyenGateway, scripted: ScriptedServer, kept: KeptBodies, said: bytes
) -> None:
    """The same holds for a capture, a cancel and a refund, after the look-up that goes before them."""
    paid = answer(200, link(status="completed"))
    for call, items in (
        (lambda: gateway.capture(CAPTURE), [item()]),
        (lambda: gateway.void(VOID), [item()]),
        (lambda: gateway.refund(REFUND), [item(), done("CAPTURE", "capture:1")]),
    ):
        kept.bodies[:] = [body(*items)]
        scripted.tell(paid, said)
        with pytest.raises(OutcomeUnknownError):
            await call()
        assert len(scripted.requests) == 2


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
    gateway: AdyenGateway, scripted: ScriptedServer, headers: dict[str, str], seconds: float | None
) -> None:
    """A rate limit means that nothing happened, with the wait that Adyen asks for where it makes sense."""
    for said in (refusal(429, "00_500", headers=headers), answer(429, "slow down", headers)):
        scripted.tell(said)
        with pytest.raises(GatewayBusyError) as busy:
            await gateway.create(CREATE)
        assert busy.value.retry_after_seconds == seconds


@pytest.mark.parametrize(
    "said",
    [refusal(409, "704"), refusal(422, "704", headers={"transient-error": "true"}),
     refusal(422, "704", headers={"Transient-Error": " TRUE "})],
)  # fmt: skip
async def test_a_key_in_flight_is_busy(gateway: AdyenGateway, scripted: ScriptedServer, said: bytes) -> None:
    """A key that Adyen is still working on has not been done twice: come back with the same key."""
    scripted.tell(said)
    with pytest.raises(GatewayBusyError):
        await gateway.create(CREATE)


async def test_a_key_with_another_request_is_refused(gateway: AdyenGateway, scripted: ScriptedServer) -> None:
    """A reused key that will not pass is a bug of ours, never a decline and never to be repeated."""
    for headers in ({}, {"transient-error": "false"}):
        scripted.tell(refusal(422, "704", "request already processed or in progress", headers=headers))
        with pytest.raises(GatewayRefusedError, match="idempotency_key_reused"):
            await gateway.create(CREATE)


@pytest.mark.parametrize(
    "said",
    [
        refusal(401, "000", kind="security"),
        refusal(403, "901", "Invalid Merchant Account", "security"),
        refusal(422, "905_1", "Could not find an acquirer account", "configuration"),
        refusal(500, "905", "Payment details are not supported", "configuration"),
        answer(401, "<html>who are you?</html>"),
        answer(403, ""),
    ],
)
async def test_wrong_credentials_need_a_person(gateway: AdyenGateway, scripted: ScriptedServer, said: bytes) -> None:
    """Keys, rights and the account's set-up are for a person to mend."""
    scripted.tell(said)
    for call in (gateway.create(CREATE), gateway.lookup(LINK_ID)):
        with pytest.raises(GatewayMisconfiguredError):
            await call


@pytest.mark.parametrize("code", ["100", "137", "138"])
async def test_a_rule_of_amounts_is_a_decline(gateway: AdyenGateway, scripted: ScriptedServer, code: str) -> None:
    """When Adyen says what is wrong with the amount or the currency, the checkout ends declined with that reason."""
    scripted.tell(refusal(422, code, "Unsupported currency specified"))
    said = await gateway.create(CREATE)
    assert isinstance(said, Declined)
    assert (said.decline.code, said.decline.hard, said.decline.gateway_code, said.decline.message) == (
        DeclineCode.INVALID_REQUEST,
        True,
        code,
        "Unsupported currency specified",
    )


@pytest.mark.parametrize("said", [refusal(400), refusal(422, "14_030", "Return URL is missing."), refusal(404, "000")])
async def test_other_refusals_are_errors(gateway: AdyenGateway, scripted: ScriptedServer, said: bytes) -> None:
    """A request that Adyen cannot take is a bug of ours, and no decline."""
    scripted.tell(said)
    with pytest.raises(GatewayRefusedError):
        await gateway.create(CREATE)


async def test_a_refused_modification_is_an_error(
    gateway: AdyenGateway, scripted: ScriptedServer, kept: KeptBodies
) -> None:
    """A capture or cancel that Adyen does not even receive is refused; one over a wrong amount is declined."""
    kept.bodies[:] = [body(item())]
    paid = answer(200, link(status="completed"))
    for call in (lambda: gateway.capture(CAPTURE), lambda: gateway.void(VOID)):
        scripted.tell(paid, refusal(422, "167", "Original pspReference required for this operation"))
        with pytest.raises(GatewayRefusedError, match="167"):
            await call()
    scripted.tell(paid, refusal(422, "137", "Invalid amount specified"))
    assert isinstance(await gateway.capture(CAPTURE), Declined)


@pytest.mark.parametrize(
    ("said", "missing"),
    [
        (refusal(404, "000", "No such link"), True),
        (refusal(422, "000", "Not Found"), True),
        (refusal(422, "130", "Field 'linkId' is not valid"), False),
        (refusal(400, "702", "Unexpected input"), False),
    ],
)
async def test_only_what_is_not_there_is_none(
    gateway: AdyenGateway, scripted: ScriptedServer, said: bytes, missing: bool
) -> None:
    """A look-up answers None when Adyen itself says that there is no such link, and for no other refusal."""
    scripted.tell(said)
    if missing:
        assert await gateway.lookup(LINK_ID) is None
    else:
        with pytest.raises(GatewayRefusedError):
            await gateway.lookup(LINK_ID)


async def test_nobody_there_means_nothing_was_sent() -> None:
    """A refused connection is told apart from a lost answer."""
    gone = AdyenOptions(API_KEY, ACCOUNT, (), f"http://127.0.0.1:{any_free()}/v72", live=False, timeout_seconds=2)
    gateway = AdyenGateway(gone, KeptBodies())
    for call in (gateway.create(CREATE), gateway.capture(CAPTURE), gateway.lookup(LINK_ID)):
        with pytest.raises(GatewayUnreachableError):
            await call
    await gateway.close()
    await gateway.close()


async def test_a_dripping_server_is_cut_off() -> None:
    """A server that sends byte after byte never outlasts the time of the whole call."""

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b" ")
            await asyncio.sleep(0.05)
        writer.close()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    gateway = AdyenGateway(AdyenOptions(API_KEY, ACCOUNT, (), address, live=False, timeout_seconds=0.4), KeptBodies())
    with pytest.raises(OutcomeUnknownError, match="no answer in"):
        await asyncio.wait_for(gateway.lookup(LINK_ID), 10)
    await gateway.close()
    server.close()


async def test_errors_say_what_adyen_said(gateway: AdyenGateway, scripted: ScriptedServer) -> None:
    """An error tells the status, Adyen's code and its reference of the request, for a talk with its support."""
    scripted.tell(refusal(500, "701", "server could not process request", "internal"))
    with pytest.raises(GatewayError) as caught:
        await gateway.create(CREATE)
    assert str(caught.value) == "Adyen: HTTP 500, error 701, request PSPREQUEST1: server could not process request"
