"""The shared token: asked for once, renewed in time, and a failure to get one is told for what it is."""

import asyncio
import time

import pytest

from domain.errors import GatewayBusyError, GatewayMisconfiguredError, GatewayUnreachableError
from domain.outcomes import RequiresAction
from gateways.paypal import tokens
from gateways.paypal.adapter import PayPalGateway
from tests.gateways.paypal.examples import CREATE, CREATED, ORDER_ID, TOKEN, refused
from tests.gateways.paypal.wires import served
from tests.gateways.scripted import CUT, SILENCE, ScriptedServer, answer

NEW_TOKEN = answer(200, {"access_token": "A21AA_Another", "expires_in": 32400})
EXPIRED = answer(401, {"error": "invalid_token", "error_description": "The token passed in was not found"})


def paths(scripted: ScriptedServer) -> list[str]:
    """What was asked for, in order."""
    return [request.split(" ")[1] for request in scripted.requests]


def tokens_used(scripted: ScriptedServer) -> list[str]:
    """What each call was authorized with."""
    return [headers["authorization"] for headers, _ in scripted.received()]


async def test_the_token_is_asked_for_with_the_credentials(cold: PayPalGateway, scripted: ScriptedServer) -> None:
    """The pair goes to PayPal once, by basic authentication; the calls carry the token."""
    scripted.tell(TOKEN, answer(201, CREATED))
    assert isinstance(await cold.create(CREATE), RequiresAction)
    assert paths(scripted) == ["/v1/oauth2/token", "/v2/checkout/orders"]
    (asked, body), (called, _) = scripted.received()
    assert asked["authorization"] == "Basic VGhlQ2xpZW50SWQ6VGhlU2VjcmV0VGhhdE11c3ROb3RTaG93"
    assert body == b"grant_type=client_credentials"
    assert called["authorization"] == "Bearer A21AA_TheTokenThatMustNotShow"


async def test_many_callers_wait_for_one_token(cold: PayPalGateway, scripted: ScriptedServer) -> None:
    """However many calls start without a token, PayPal is asked for one once."""
    scripted.tell(TOKEN, answer(200, CREATED))
    seen = await asyncio.gather(*(cold.lookup(ORDER_ID) for _ in range(20)))
    assert {payment.payment_id for payment in seen if payment} == {ORDER_ID}
    assert (paths(scripted).count("/v1/oauth2/token"), len(paths(scripted))) == (1, 21)


async def test_a_failure_is_shared_too(cold: PayPalGateway, scripted: ScriptedServer) -> None:
    """When PayPal gives no token to the first, those who waited with it do not ask one after the other."""
    scripted.tell(answer(503, "<html>"))
    said = await asyncio.gather(*(cold.lookup(ORDER_ID) for _ in range(20)), return_exceptions=True)
    assert {type(each) for each in said} == {GatewayBusyError}
    assert paths(scripted) == ["/v1/oauth2/token"]


async def test_a_caller_who_gives_up_leaves_the_token_to_the_others() -> None:
    """The call that happened to ask for the token may be cancelled; whoever waited with it gets it all the same."""
    release = asyncio.Event()

    async def handle(head: str) -> bytes:
        if "/v1/oauth2/token" not in head:
            return answer(200, CREATED)
        await release.wait()
        return TOKEN

    async with served(handle) as gateway:
        first, second = (asyncio.create_task(gateway.lookup(ORDER_ID)) for _ in range(2))
        await asyncio.sleep(0.05)
        first.cancel()
        await asyncio.sleep(0.05)
        release.set()
        assert await second is not None
        with pytest.raises(asyncio.CancelledError):
            await first


async def test_a_refused_token_is_renewed_once(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """A 401 did nothing: the same call goes out again, with the same key, under a new token."""
    scripted.tell(EXPIRED, NEW_TOKEN, answer(201, CREATED))
    assert isinstance(await gateway.create(CREATE), RequiresAction)
    assert paths(scripted) == ["/v2/checkout/orders", "/v1/oauth2/token", "/v2/checkout/orders"]
    assert tokens_used(scripted)[2] == "Bearer A21AA_Another"
    first, _, again = scripted.received()
    assert (first[1], first[0]["paypal-request-id"]) == (again[1], again[0]["paypal-request-id"])


async def test_many_refused_calls_renew_once() -> None:
    """When PayPal forgets a token in the middle of many calls, one new token serves them all."""
    given: list[str] = []
    refusals = 0

    async def handle(head: str) -> bytes:
        nonlocal refusals
        await asyncio.sleep(0.01)
        if "/v1/oauth2/token" in head:
            given.append(f"A21AA_{len(given)}")
            return answer(200, {"access_token": given[-1], "expires_in": 32400})
        if f"Bearer {given[-1]}" in head and len(given) == 2:
            return answer(200, CREATED)
        refusals += 1
        return EXPIRED

    async with served(handle) as gateway:
        assert all(await asyncio.gather(*(gateway.lookup(ORDER_ID) for _ in range(10))))
    assert (given, refusals) == (["A21AA_0", "A21AA_1"], 10)


async def test_a_new_token_that_is_refused_too_needs_a_person(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """When PayPal refuses what it has just given out, asking on and on would not help."""
    scripted.tell(EXPIRED, NEW_TOKEN, EXPIRED)
    with pytest.raises(GatewayMisconfiguredError, match="invalid_token"):
        await gateway.create(CREATE)
    assert len(scripted.requests) == 3


async def test_a_token_is_renewed_before_it_lapses(
    gateway: PayPalGateway, scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within its last minute a token is not used any more, before it is."""
    now = time.monotonic()
    for seconds, asked in ((32400 - 120, 0), (32400 - 30, 1)):
        monkeypatch.setattr(tokens, "monotonic", lambda at=now + seconds: at)
        scripted.tell(*[NEW_TOKEN] * asked, answer(200, CREATED))
        assert await gateway.lookup(ORDER_ID) is not None
        assert paths(scripted).count("/v1/oauth2/token") == asked


WRONG = {
    "401": answer(401, {"error": "invalid_client", "error_description": "Client Authentication failed"}),
    "401 in HTML": answer(401, "<html>"),
    "400 invalid_client": answer(400, {"error": "invalid_client"}),
    "403 unauthorized_client": answer(403, {"error": "unauthorized_client"}),
}
NONE_NOW = {
    "500": refused(500),
    "503": answer(503, "<html>Service Unavailable</html>"),
    "502 in HTML": answer(502, "<html>"),
    "400 in HTML": answer(400, "<html>"),
    "403 in HTML": answer(403, "<html>Access Denied</html>"),
    "200 in HTML": answer(200, "<html>"),
    "200 without a token": answer(200, {"expires_in": 32400}),
    "200 with a token of lines": answer(200, {"access_token": "a\r\nX-Evil: 1", "expires_in": 32400}),
}


@pytest.mark.parametrize("said", WRONG.values(), ids=WRONG.keys())
async def test_wrong_credentials_need_a_person(cold: PayPalGateway, scripted: ScriptedServer, said: bytes) -> None:
    """PayPal does not know the client or its secret: nothing was asked of any payment, and waiting does not help."""
    scripted.tell(said)
    for call in (cold.create(CREATE), cold.lookup(ORDER_ID)):
        with pytest.raises(GatewayMisconfiguredError):
            await call


@pytest.mark.parametrize("said", NONE_NOW.values(), ids=NONE_NOW.keys())
async def test_no_token_for_now_is_busy(cold: PayPalGateway, scripted: ScriptedServer, said: bytes) -> None:
    """An outage where tokens are given is not our misconfiguration, and certainly did nothing."""
    scripted.tell(said)
    with pytest.raises(GatewayBusyError):
        await cold.create(CREATE)
    assert set(paths(scripted)) == {"/v1/oauth2/token"}


@pytest.mark.parametrize("said", [SILENCE, CUT], ids=["silence", "cut"])
async def test_no_answer_about_a_token_is_unreachable(
    cold: PayPalGateway, scripted: ScriptedServer, said: bytes
) -> None:
    """Without an answer there is no token, so nothing was asked of any payment."""
    scripted.tell(said)
    with pytest.raises(GatewayUnreachableError):
        await cold.create(CREATE)
    assert set(paths(scripted)) == {"/v1/oauth2/token"}


async def test_a_rate_limit_on_tokens_tells_when_to_come_back(cold: PayPalGateway, scripted: ScriptedServer) -> None:
    """PayPal's wait is passed on."""
    scripted.tell(answer(429, {}, {"Retry-After": "5"}))
    with pytest.raises(GatewayBusyError) as busy:
        await cold.create(CREATE)
    assert busy.value.retry_after_seconds == 5


@pytest.mark.parametrize("life", [{}, {"expires_in": True}, {"expires_in": "32400"}], ids=str)
async def test_a_token_of_unknown_life_is_not_trusted_for_long(
    cold: PayPalGateway, scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch, life: dict[str, object]
) -> None:
    """PayPal always says how long; when it does not, minutes are assumed."""
    now = time.monotonic()
    scripted.tell(answer(200, {"access_token": "A21AA_Short", **life}), answer(200, CREATED))
    assert await cold.lookup(ORDER_ID) is not None
    monkeypatch.setattr(tokens, "monotonic", lambda: now + 600)
    scripted.tell(NEW_TOKEN, answer(200, CREATED))
    assert await cold.lookup(ORDER_ID) is not None
    assert paths(scripted)[0] == "/v1/oauth2/token"
