"""Every fault strikes as its name says, and the books stay right."""

import asyncio
import time
from typing import Any

import httpx
import pytest
import stripe

from tests.sandbox.conftest import CreateIntent
from tests.sandbox.support import Sandbox


async def _set(browser: httpx.AsyncClient, **fault: Any) -> str:
    answer = await browser.post("/sandbox/faults", json=fault)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def _booked(browser: httpx.AsyncClient, intent: str) -> list[str]:
    rows = (await browser.get("/sandbox/books", params={"payment": intent})).json()["data"]
    return [row["operation"] for row in rows]


@pytest.mark.parametrize("kind", ["timeout_after", "reset_after", "error_500_after", "stored_500"])
async def test_charged_but_not_told(
    sandbox: Sandbox, sdk: stripe.StripeClient, create: CreateIntent, browser: httpx.AsyncClient, kind: str
) -> None:
    """The charge happens once while the caller learns nothing; reading the payment shows it."""
    intent = await create()
    await _set(browser, operation="payment_intents.confirm", kind=kind, count=1)
    hasty = sandbox.sdk(timeout=1.5)
    params: Any = {"payment_method": "pm_card_visa"}
    options: Any = {"idempotency_key": f"{intent.id}:{kind}"}
    expected = stripe.APIError if "500" in kind else stripe.APIConnectionError
    with pytest.raises(expected):
        await hasty.v1.payment_intents.confirm_async(intent.id, params, options)
    assert (await sdk.v1.payment_intents.retrieve_async(intent.id)).status == "succeeded"
    if kind == "stored_500":
        with pytest.raises(stripe.APIError) as replayed:
            await sdk.v1.payment_intents.confirm_async(intent.id, params, options)
        headers: Any = replayed.value.headers
        assert (headers["idempotent-replayed"], headers["stripe-should-retry"]) == ("true", "false")
    else:
        again = await sdk.v1.payment_intents.confirm_async(intent.id, params, options)
        assert again.status == "succeeded"
        assert again.last_response is not None
        assert again.last_response.headers["idempotent-replayed"] == "true"
    assert await _booked(browser, intent.id) == ["charge"]


@pytest.mark.parametrize(
    ("kind", "error", "status"),
    [
        ("timeout_before", stripe.APIConnectionError, None),
        ("reset_before", stripe.APIConnectionError, None),
        ("error_500_before", stripe.APIError, 500),
        ("unavailable_503", stripe.APIError, 503),
        ("html_502", stripe.APIError, 502),
        ("rate_limit_429", stripe.RateLimitError, 429),
    ],
)
async def test_not_carried_out(
    sandbox: Sandbox,
    sdk: stripe.StripeClient,
    create: CreateIntent,
    browser: httpx.AsyncClient,
    kind: str,
    error: type[stripe.StripeError],
    status: int | None,
) -> None:
    """The call has no effect, and the same key then works as if it were new."""
    intent = await create()
    await _set(browser, operation="payment_intents.confirm", kind=kind, count=1)
    hasty = sandbox.sdk(timeout=1.5)
    params: Any = {"payment_method": "pm_card_visa"}
    options: Any = {"idempotency_key": f"{intent.id}:{kind}"}
    with pytest.raises(error) as struck:
        await hasty.v1.payment_intents.confirm_async(intent.id, params, options)
    assert struck.value.http_status == status
    assert await _booked(browser, intent.id) == []
    paid = await sdk.v1.payment_intents.confirm_async(intent.id, params, options)
    assert paid.last_response is not None
    assert "idempotent-replayed" not in paid.last_response.headers
    assert await _booked(browser, intent.id) == ["charge"]


async def test_stored_500_without_effect(
    sdk: stripe.StripeClient, create: CreateIntent, browser: httpx.AsyncClient
) -> None:
    """A stored 500 may also hide that nothing happened."""
    intent = await create()
    await _set(browser, operation="payment_intents.confirm", kind="stored_500", executed=False)
    with pytest.raises(stripe.APIError):
        await sdk.v1.payment_intents.confirm_async(intent.id, {"payment_method": "pm_card_visa"})
    assert await _booked(browser, intent.id) == []


async def test_rate_limit_says_when(create: CreateIntent, browser: httpx.AsyncClient) -> None:
    """A 429 carries Retry-After where the fault has seconds."""
    await _set(browser, operation="payment_intents.create", kind="rate_limit_429", seconds=3)
    with pytest.raises(stripe.RateLimitError) as limited:
        await create()
    headers: Any = limited.value.headers
    assert headers["retry-after"] == "3"
    assert limited.value.code is None


async def test_slow_drip(sdk: stripe.StripeClient, create: CreateIntent, browser: httpx.AsyncClient) -> None:
    """The right answer comes, slowly."""
    intent = await create()
    await _set(browser, operation="payment_intents.retrieve", kind="slow_drip", seconds=0.6)
    began = time.monotonic()
    read = await sdk.v1.payment_intents.retrieve_async(intent.id)
    assert read.amount == 4200
    assert time.monotonic() - began >= 0.5


async def test_drip_outlasts_a_read_timeout(sandbox: Sandbox, create: CreateIntent, browser: httpx.AsyncClient) -> None:
    """A drip resets a per-read timeout with every byte, so only a total deadline ends it."""
    intent = await create()
    await _set(browser, operation="payment_intents.retrieve", kind="slow_drip", seconds=2.5)
    read = await sandbox.sdk(timeout=1.5).v1.payment_intents.retrieve_async(intent.id)
    assert read.id == intent.id


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [("amount_off_by_one", "amount", 4201), ("other_currency", "currency", "eur"), ("livemode_true", "livemode", True)],
)
async def test_tampered_answers(
    sdk: stripe.StripeClient, create: CreateIntent, browser: httpx.AsyncClient, kind: str, field: str, value: Any
) -> None:
    """An answer lies once; the object and the books do not."""
    await _set(browser, operation="payment_intents.create", kind=kind, count=1)
    lie = await create(confirm=True, payment_method="pm_card_visa")
    assert lie[field] == value
    truth = await sdk.v1.payment_intents.retrieve_async(lie.id)
    assert (truth.amount, truth.currency, truth.livemode) == (4200, "usd", False)
    rows = (await browser.get("/sandbox/books", params={"payment": lie.id})).json()["data"]
    assert [(row["amount"], row["currency"]) for row in rows] == [(4200, "usd")]


async def test_lists_are_tampered_too(
    sdk: stripe.StripeClient, create: CreateIntent, browser: httpx.AsyncClient, checkout: str
) -> None:
    """A search's answer can lie about its objects."""
    await create()
    match = {"checkout_id": checkout}
    await _set(browser, operation="payment_intents.search", kind="amount_off_by_one", match=match)
    query: Any = {"query": f"metadata['checkout_id']:'{checkout}'"}
    assert [found.amount for found in (await sdk.v1.payment_intents.search_async(query)).data] == [4201]
    assert [found.amount for found in (await sdk.v1.payment_intents.search_async(query)).data] == [4200]


async def test_match_narrows_to_one_checkout(
    sdk: stripe.StripeClient, create: CreateIntent, browser: httpx.AsyncClient, checkout: str
) -> None:
    """A fault for one checkout leaves the others alone, for creates as for calls about a payment and its refunds."""
    for operation in ("payment_intents.create", "payment_intents.retrieve", "refunds.create", "charges.retrieve"):
        match = {"checkout_id": checkout}
        await _set(browser, operation=operation, kind="error_500_before", match=match)
    other = await create(metadata={"checkout_id": "another"}, confirm=True, payment_method="pm_card_visa")
    await sdk.v1.payment_intents.retrieve_async(other.id)
    await sdk.v1.charges.retrieve_async(str(other.latest_charge))
    await sdk.v1.refunds.create_async({"payment_intent": other.id})
    with pytest.raises(stripe.APIError):
        await create()
    mine = await create(confirm=True, payment_method="pm_card_visa")
    with pytest.raises(stripe.APIError):
        await sdk.v1.payment_intents.retrieve_async(mine.id)
    with pytest.raises(stripe.APIError):
        await sdk.v1.charges.retrieve_async(str(mine.latest_charge))
    with pytest.raises(stripe.APIError):
        await sdk.v1.refunds.create_async({"payment_intent": mine.id})
    fired = [fault["fired"] for fault in (await browser.get("/sandbox/faults")).json()["data"]]
    assert fired == [1, 1, 1, 1]


async def test_rate_count_and_time(sdk: stripe.StripeClient, browser: httpx.AsyncClient) -> None:
    """A rate of one always strikes until it is taken back; a count runs out; a limited time ends."""
    fault_id = await _set(browser, operation="*", kind="unavailable_503", rate=1)
    for _ in range(3):
        with pytest.raises(stripe.APIError):
            await sdk.v1.balance.retrieve_async()
    assert (await browser.delete(f"/sandbox/faults/{fault_id}")).status_code == 204
    assert (await browser.delete(f"/sandbox/faults/{fault_id}")).status_code == 404
    await sdk.v1.balance.retrieve_async()
    await _set(browser, operation="balance.retrieve", kind="unavailable_503", rate=1, for_seconds=0.2)
    await asyncio.sleep(0.3)
    await sdk.v1.balance.retrieve_async()
    await _set(browser, operation="balance.retrieve", kind="unavailable_503", rate=0.5)
    failed = 0
    for _ in range(60):
        try:
            await sdk.v1.balance.retrieve_async()
        except stripe.APIError:
            failed += 1
    assert 5 < failed < 55


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"operation": "payment_intents.creat", "kind": "slow_drip"}, "operation"),
        ({"operation": "*", "kind": "duplicate"}, "kind"),
        ({"operation": "webhook", "kind": "slow_drip"}, "kind"),
        ({"operation": "*", "kind": "slow_drip", "count": 0}, "count"),
        ({"operation": "*", "kind": "slow_drip", "count": True}, "count"),
        ({"operation": "*", "kind": "slow_drip", "rate": 2}, "rate"),
        ({"operation": "*", "kind": "slow_drip", "seconds": -1}, "seconds"),
        ({"operation": "*", "kind": "slow_drip", "match": {"checkout_id": 1}}, "match"),
        ({"operation": "*", "kind": "slow_drip", "secnods": 1}, "secnods"),
        ([], "body"),
        ("{", "body"),
    ],
)
async def test_wrong_control_bodies(browser: httpx.AsyncClient, body: Any, field: str) -> None:
    """A control request that is wrong gets 400 and the field's name."""
    content = {"content": body} if isinstance(body, str) else {"json": body}
    answer = await browser.post("/sandbox/faults", **content)
    assert answer.status_code == 400
    assert answer.json()["error"]["field"] == field


async def test_stopping_lets_go_of_hanging_calls(fresh: Sandbox) -> None:
    """SIGTERM ends the sandbox at once although a client still waits for an answer it will not get."""
    async with fresh.browser() as browser:
        await _set(browser, operation="*", kind="timeout_after")
        hanging = asyncio.create_task(fresh.sdk(timeout=30).v1.balance.retrieve_async())
        await asyncio.sleep(0.3)
        assert not hanging.done()
        assert await fresh.stop() < 2.5
        with pytest.raises(stripe.APIConnectionError):
            await hanging
