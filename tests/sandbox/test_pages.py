"""What a customer sees and clicks."""

from typing import Any

import httpx
import pytest
import stripe

from tests.sandbox.conftest import CreateIntent


async def _choose(browser: httpx.AsyncClient, url: str, **form: str) -> httpx.Response:
    return await browser.post(url, data=form)


async def test_pay_page_shows_and_takes_the_money(
    sdk: stripe.StripeClient, create: CreateIntent, browser: httpx.AsyncClient
) -> None:
    """The page names the amount and the cards; approving pays; afterwards it says so and cannot be used again."""
    intent = await create(description="Two <b>mugs</b>")
    url = f"/pay/{intent.client_secret}"
    shown = await browser.get(url)
    assert "42.00 USD" in shown.text
    assert "pm_card_threeDSecure2Required" in shown.text
    assert "Two &lt;b&gt;mugs" in shown.text
    paid = await _choose(browser, f"{url}?return_url=https://shop.example/done", outcome="approve")
    assert paid.status_code == 200
    assert "succeeded" in paid.text
    assert 'href="https://shop.example/done"' in paid.text
    assert (await sdk.v1.payment_intents.retrieve_async(intent.id)).status == "succeeded"
    assert (await browser.get(url)).status_code == 200
    assert (await _choose(browser, url, outcome="approve")).status_code == 409


async def test_script_urls_are_not_linked(create: CreateIntent, browser: httpx.AsyncClient) -> None:
    """A return address that is no web page gets no link."""
    intent = await create()
    url = f"/pay/{intent.client_secret}?return_url=javascript:alert(1)"
    assert "javascript:" not in (await _choose(browser, url, outcome="cancel")).text


@pytest.mark.parametrize("form", [{"outcome": "decline"}, {"outcome": "decline", "payment_method": "pm_card_visa"}])
async def test_decline_and_try_again(
    sdk: stripe.StripeClient, create: CreateIntent, browser: httpx.AsyncClient, form: dict[str, str]
) -> None:
    """Declining leaves the payment payable with another card."""
    intent = await create()
    url = f"/pay/{intent.client_secret}"
    assert "requires_payment_method" in (await _choose(browser, url, **form)).text
    read = await sdk.v1.payment_intents.retrieve_async(intent.id)
    assert read.last_payment_error is not None
    assert read.last_payment_error.decline_code == "generic_decline"
    assert "succeeded" in (await _choose(browser, url, outcome="approve", payment_method="pm_card_mastercard")).text


async def test_walking_away_changes_nothing(
    sdk: stripe.StripeClient, create: CreateIntent, browser: httpx.AsyncClient
) -> None:
    """A customer who leaves leaves the payment as it was."""
    intent = await create()
    assert (await _choose(browser, f"/pay/{intent.client_secret}", outcome="cancel")).status_code == 200
    read = await sdk.v1.payment_intents.retrieve_async(intent.id)
    assert (read.status, read.last_payment_error) == ("requires_payment_method", None)


@pytest.mark.parametrize(
    ("outcome", "capture_method", "status"),
    [
        ("approve", "automatic", "succeeded"),
        ("approve", "manual", "requires_capture"),
        ("decline", "automatic", "requires_payment_method"),
        ("cancel", "automatic", "requires_action"),
    ],
)
async def test_authentication_page(
    sdk: stripe.StripeClient,
    create: CreateIntent,
    browser: httpx.AsyncClient,
    outcome: str,
    capture_method: str,
    status: str,
) -> None:
    """A 3D Secure card redirects to the bank's page, whose answer decides."""
    intent = await create(capture_method=capture_method)
    form = {"outcome": "approve", "payment_method": "pm_card_threeDSecure2Required"}
    redirect = await _choose(browser, f"/pay/{intent.client_secret}", **form)
    assert redirect.status_code == 303
    waiting: Any = await sdk.v1.payment_intents.retrieve_async(intent.id)
    assert waiting.status == "requires_action"
    assert waiting.next_action.redirect_to_url.url.endswith(redirect.headers["location"])
    assert (await browser.get(redirect.headers["location"])).status_code == 200
    answered = await _choose(browser, redirect.headers["location"], outcome=outcome)
    assert answered.status_code == 200
    read = await sdk.v1.payment_intents.retrieve_async(intent.id)
    assert read.status == status
    if outcome == "decline":
        assert read.last_payment_error is not None
        assert read.last_payment_error.code == "payment_intent_authentication_failure"
    if outcome != "cancel":
        assert (await _choose(browser, redirect.headers["location"], outcome="approve")).status_code == 409


async def test_authentication_by_api(
    sdk: stripe.StripeClient, create: CreateIntent, browser: httpx.AsyncClient
) -> None:
    """Confirming through the API gives an address of the sandbox that works, with the way back to the shop."""
    intent = await create()
    params: Any = {"payment_method": "pm_card_authenticationRequired", "return_url": "https://shop.example/back"}
    waiting: Any = await sdk.v1.payment_intents.confirm_async(intent.id, params)
    redirect = waiting.next_action.redirect_to_url
    assert redirect.return_url == "https://shop.example/back"
    answered = await browser.post(redirect.url, data={"outcome": "approve"})
    assert "succeeded" in answered.text
    assert 'href="https://shop.example/back"' in answered.text


async def test_pages_that_lead_nowhere(
    sdk: stripe.StripeClient, create: CreateIntent, browser: httpx.AsyncClient
) -> None:
    """Unknown payments are 404, canceled ones 410, choices that do not exist 400."""
    intent = await create()
    assert (await browser.get("/pay/pi_none_secret_x")).status_code == 404
    assert (await browser.get(f"/pay/{intent.id}_secret_wrong")).status_code == 404
    assert (await browser.get(f"/3ds/{intent.id}_x")).status_code == 410
    assert (await browser.get("/3ds/pi_none_x")).status_code == 404
    url = f"/pay/{intent.client_secret}"
    assert (await _choose(browser, url, outcome="maybe")).status_code == 400
    assert (await _choose(browser, url, outcome="approve", payment_method="pm_card_gold")).status_code == 400
    await sdk.v1.payment_intents.cancel_async(intent.id)
    assert (await browser.get(url)).status_code == 410


async def test_index(create: CreateIntent, browser: httpx.AsyncClient, checkout: str) -> None:
    """The index links the latest payments and shows the faults that are set."""
    intent = await create()
    await browser.post("/sandbox/faults", json={"operation": "events.list", "kind": "html_502"})
    index = (await browser.get("/")).text
    assert f'href="/pay/{intent.client_secret}"' in index
    assert checkout in index
    assert "html_502" in index
    assert (await browser.get("/healthz")).json() == {"status": "ok"}
