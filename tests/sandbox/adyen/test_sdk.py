"""The vendor's own SDK, unchanged but for the address, drives the whole life of a payment."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from Adyen import AdyenClient
from Adyen.exceptions import AdyenAPIAuthenticationError, AdyenAPIInvalidPermission, AdyenAPIUnprocessableEntity
from Adyen.services.checkout import AdyenCheckoutApi

from tests.sandbox.adyen.support import ACCOUNT, API_KEY, Hook, Shop
from tests.sandbox.support import Sandbox


def _checkout(sandbox: Sandbox, key: str = API_KEY) -> AdyenCheckoutApi:
    api = AdyenCheckoutApi(AdyenClient(xapikey=key, platform="test", http_timeout=5))
    for service in (api.payment_links_api, api.modifications_api):
        service.baseUrl = f"{sandbox.url}/adyen/v72"
    return api


@pytest.fixture
def checkout(sandbox: Sandbox) -> AdyenCheckoutApi:
    """The SDK's Checkout services at the shared sandbox."""
    return _checkout(sandbox)


async def _call(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """The SDK is synchronous, so it runs beside the receiver of its webhooks."""
    return await asyncio.to_thread(function, *arguments, **named)


async def test_capture_and_refund(checkout: AdyenCheckoutApi, shop: Shop, hook: Hook) -> None:
    """A link is opened, paid, captured and refunded; every webhook passes the SDK's own check."""
    opened = await _call(checkout.payment_links_api.payment_links, shop.order(), idempotency_key=f"{shop.checkout}:1")
    assert (opened.status_code, opened.message["status"]) == (201, "active")
    link = opened.message
    psp = await hook.authorised(shop, link)
    read = await _call(checkout.payment_links_api.get_payment_link, link["id"])
    assert read.message["status"] == "completed"
    body = {"merchantAccount": ACCOUNT, "amount": {"value": 4200, "currency": "EUR"}, "reference": "capture-1"}
    captured = await _call(checkout.modifications_api.capture_authorised_payment, body, psp, idempotency_key="c1" + psp)
    assert (captured.status_code, captured.psp) == (201, captured.message["pspReference"])
    assert (await hook.told("CAPTURE", captured.psp))["success"] == "true"
    body = {**body, "reference": "refund-1"}
    refunded = await _call(checkout.modifications_api.refund_captured_payment, body, psp)
    assert (await hook.told("REFUND", refunded.psp))["merchantReference"] == "refund-1"
    assert await shop.booked(link) == [("authorization", 4200), ("capture", 4200), ("refund", 4200)]


async def test_cancel_reverse_and_close(checkout: AdyenCheckoutApi, shop: Shop, hook: Hook) -> None:
    """Holds are cancelled and reversed, and a link that nobody paid is closed."""
    body = {"merchantAccount": ACCOUNT}
    api = checkout.modifications_api
    for verb, code in ((api.cancel_authorised_payment_by_psp_reference, "CANCELLATION"),
                       (api.refund_or_cancel_payment, "CANCEL_OR_REFUND")):  # fmt: skip
        link = await shop.open()
        psp = await hook.authorised(shop, link)
        done = await _call(verb, body, psp)
        assert (await hook.told(code, done.psp))["success"] == "true"
        assert await shop.booked(link) == [("authorization", 4200), ("release", 4200)]
    open_link = await shop.open()
    closed = await _call(checkout.payment_links_api.update_payment_link, {"status": "expired"}, open_link["id"])
    assert closed.message["status"] == "expired"


async def test_errors(sandbox: Sandbox, checkout: AdyenCheckoutApi, shop: Shop) -> None:
    """Refusals become the SDK's own exceptions, with Adyen's codes."""
    links = checkout.payment_links_api
    with pytest.raises(AdyenAPIUnprocessableEntity) as invalid:
        await _call(links.payment_links, shop.order(amount={"value": 0, "currency": "EUR"}))
    assert invalid.value.error_code == "137"
    with pytest.raises(AdyenAPIInvalidPermission) as forbidden:
        await _call(links.payment_links, shop.order(merchantAccount="SomebodyElse"))
    assert forbidden.value.error_code == "901"
    with pytest.raises(AdyenAPIAuthenticationError):
        await _call(_checkout(sandbox, "wrong").payment_links_api.get_payment_link, "PL0")
