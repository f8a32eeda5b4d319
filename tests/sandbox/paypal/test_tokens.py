"""Access tokens: who gets one, how long it is good, and what PayPal says without one."""

from typing import Any

import httpx
import pytest

from tests.sandbox.paypal.support import SECRET, Shop

FORM = {"grant_type": "client_credentials"}


async def test_token_for_a_good_secret(shop: Shop) -> None:
    """A secret that begins with `sandbox_` gets a bearer token for nine hours."""
    answer = await shop.client.post("/v1/oauth2/token", data=FORM, auth=("any", SECRET))
    assert answer.status_code == 200
    assert (answer.json()["token_type"], answer.json()["expires_in"]) == ("Bearer", 32_400)


@pytest.mark.parametrize("auth", [("any", "wrong"), ("", SECRET)])
async def test_wrong_client_is_refused(shop: Shop, auth: tuple[str, str]) -> None:
    """Any other client is told so in OAuth's words."""
    answer = await shop.client.post("/v1/oauth2/token", data=FORM, auth=auth)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


async def test_other_grants_are_refused(shop: Shop) -> None:
    """Only client credentials are granted."""
    form: Any = {"grant_type": "password"}
    answer = await shop.client.post("/v1/oauth2/token", data=form, auth=("any", SECRET))
    assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_grant_type")


async def test_a_token_expires(own: Shop) -> None:
    """A token is good for nine hours of virtual time; then every call is a 401 until a new one is asked for."""
    path = "/v2/checkout/orders/5O190127TN364715T"
    await own.control("clock", advance_seconds=32_400 - 60)
    assert (await own.client.get(path)).status_code == 404
    await own.control("clock", advance_seconds=120)
    expired = await own.client.get(path)
    assert (expired.status_code, expired.json()["error"]) == (401, "invalid_token")
    await own.log_in()
    assert (await own.client.get(path)).status_code == 404


async def test_tokens_can_be_made_useless(own: Shop) -> None:
    """The control interface ends every token at once, as PayPal does when it revokes them."""
    assert (await own.control("paypal/expire_tokens"))["expired"] == 1
    assert (await own.client.get("/v2/checkout/orders/X")).json()["error"] == "invalid_token"


@pytest.mark.parametrize("header", [None, "Basic eDp5", "Bearer"])
async def test_no_token(shop: Shop, header: str | None) -> None:
    """Without a bearer token the API answers 401 in its own words."""
    headers = {} if header is None else {"Authorization": header}
    async with httpx.AsyncClient(base_url=f"{shop.sandbox.url}/paypal") as client:
        answer = await client.get("/v2/checkout/orders/X", headers=headers)
    assert (answer.status_code, answer.json()["name"]) == (401, "AUTHENTICATION_FAILURE")


async def test_token_outage(shop: Shop) -> None:
    """A fault on the token call is an outage, which is told apart from a wrong secret."""
    await shop.control("faults", operation="paypal.oauth.token", kind="unavailable_503")
    answer = await shop.client.post("/v1/oauth2/token", data=FORM, auth=("any", SECRET))
    assert (answer.status_code, answer.json()["name"]) == (503, "SERVICE_UNAVAILABLE")
    assert (await shop.client.post("/v1/oauth2/token", data=FORM, auth=("any", SECRET))).status_code == 200
