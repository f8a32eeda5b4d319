"""What Stripe refuses, and how."""

from typing import Any

import httpx
import pytest
import stripe

from tests.sandbox.conftest import CreateIntent
from tests.sandbox.support import Sandbox


@pytest.mark.parametrize(
    ("changed", "param", "code"),
    [
        ({"amount": 49}, "amount", "amount_too_small"),
        ({"amount": 0}, "amount", "parameter_invalid_integer"),
        ({"amount": -100}, "amount", "parameter_invalid_integer"),
        ({"amount": "12.50"}, "amount", "parameter_invalid_integer"),
        ({"amount": "٤٢٠٠"}, "amount", "parameter_invalid_integer"),
        ({"amount": 100_000_000}, "amount", "amount_too_large"),
        ({"amount": None}, "amount", "parameter_missing"),
        ({"currency": "xyz"}, "currency", None),
        ({"capture_method": "never"}, "capture_method", None),
        ({"colour": "red"}, "colour", "parameter_unknown"),
        ({"payment_method": "pm_nothing"}, "payment_method", "resource_missing"),
        ({"expand": ["amount"]}, "expand", None),
        ({"metadata": {"k" * 41: "v"}}, f"metadata[{'k' * 40}]", None),
    ],
)
async def test_bad_parameters(create: CreateIntent, changed: dict[str, Any], param: str, code: str | None) -> None:
    """A bad parameter is refused with 400, its name and Stripe's code."""
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await create(**changed)
    assert (refused.value.http_status, refused.value.param, refused.value.code) == (400, param, code)


@pytest.mark.parametrize(
    ("currency", "amount", "fits"),
    [
        ("jpy", 50, True),
        ("jpy", 49, False),
        ("isk", 4200, True),
        ("isk", 4250, False),
        ("ugx", 10_000, True),
        ("ugx", 10_001, False),
        ("kwd", 4200, True),
        ("kwd", 4205, False),
        ("eur", 51, True),
        ("huf", 17_505, True),
        ("EUR", 4200, True),
    ],
)
async def test_amounts_fit_their_currency(create: CreateIntent, currency: str, amount: int, fits: bool) -> None:
    """An amount that a currency's networks do not carry is refused, never rounded."""
    if fits:
        intent = await create(currency=currency, amount=amount)
        assert (intent.amount, intent.currency) == (amount, currency.lower())
        return
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await create(currency=currency, amount=amount)
    assert refused.value.param == "amount"


@pytest.mark.parametrize("key", ["sk_live_abcdefghijklmnop", "sk_test_", "nonsense", "pk_live_x"])
async def test_keys_that_do_not_fit(sandbox: Sandbox, key: str) -> None:
    """A live or malformed key is 401."""
    with pytest.raises(stripe.AuthenticationError) as refused:
        await sandbox.sdk(key).v1.balance.retrieve_async()
    assert refused.value.http_status == 401
    assert "abcdefgh" not in str(refused.value)


async def test_key_by_basic_authentication(sandbox: Sandbox) -> None:
    """Basic credentials carry the key as the user name; none at all is 401."""
    async with sandbox.browser() as browser:
        assert (await browser.get("/v1/balance", auth=("sk_test_basic", ""))).status_code == 200
        assert (await browser.get("/v1/balance", auth=("sk_live_basic", ""))).status_code == 401
        assert (await browser.get("/v1/balance")).status_code == 401


async def test_unknown_objects(sdk: stripe.StripeClient) -> None:
    """What does not exist is 404 resource_missing, naming the id."""
    for call, object_id in (
        (sdk.v1.payment_intents.retrieve_async, "pi_none"),
        (sdk.v1.charges.retrieve_async, "ch_none"),
        (sdk.v1.refunds.retrieve_async, "re_none"),
        (sdk.v1.events.retrieve_async, "evt_none"),
    ):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            await call(object_id)
        assert (refused.value.http_status, refused.value.code) == (404, "resource_missing")
        assert object_id in str(refused.value)


async def test_unknown_path_and_oversized_body(sandbox: Sandbox) -> None:
    """A path that is not Stripe's is 404, a body that is far too large 413, undecodable text 400."""
    async with sandbox.browser() as browser:
        browser.auth = httpx.BasicAuth("sk_test_x", "")
        assert (await browser.get("/v1/nothing")).status_code == 404
        assert (await browser.post("/v1/payment_intents", content=b"a=" + b"b" * 300_000)).status_code == 413
        assert (await browser.post("/v1/payment_intents", content=b"amount=\xff")).status_code == 400
        assert (await browser.post("/v1/payment_intents", content=b"amount=%ff")).status_code == 400
        assert (await browser.post("/v1/payment_intents", content=b"metadata[a=1")).status_code == 400
        assert (await browser.post("/v1/payment_intents", content=b"amount[x]=1&currency=usd")).status_code == 400
