"""PayPal's own SDK drives the sandbox, unchanged but for the address."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from apimatic_core.exceptions.auth_validation_exception import AuthValidationException
from paypalserversdk.configuration import Configuration, Environment, Server
from paypalserversdk.exceptions.error_exception import ErrorException
from paypalserversdk.http.auth.o_auth_2 import ClientCredentialsAuthCredentials
from paypalserversdk.models.amount_with_breakdown import AmountWithBreakdown
from paypalserversdk.models.capture_request import CaptureRequest
from paypalserversdk.models.checkout_payment_intent import CheckoutPaymentIntent
from paypalserversdk.models.money import Money
from paypalserversdk.models.order_request import OrderRequest
from paypalserversdk.models.purchase_unit_request import PurchaseUnitRequest
from paypalserversdk.models.refund_request import RefundRequest
from paypalserversdk.paypal_serversdk_client import PaypalServersdkClient

from tests.sandbox.paypal.support import SECRET, Shop
from tests.sandbox.support import Sandbox


def _client(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, secret: str) -> PaypalServersdkClient:
    addresses = {Environment.SANDBOX: {Server.DEFAULT: f"{sandbox.url}/paypal"}}
    monkeypatch.setattr(Configuration, "environments", addresses)
    credentials = ClientCredentialsAuthCredentials(o_auth_client_id="shop", o_auth_client_secret=secret)
    return PaypalServersdkClient(client_credentials_auth_credentials=credentials, environment=Environment.SANDBOX)


@pytest.fixture
def sdk_client(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[PaypalServersdkClient]:
    """The SDK on the shared sandbox."""
    return _client(sandbox, monkeypatch, SECRET)


async def _call(method: Any, **options: Any) -> Any:
    return (await asyncio.to_thread(method, options)).body


def _order(checkout: str, intent: str) -> OrderRequest:
    amount = AmountWithBreakdown(currency_code="EUR", value="42.00")
    return OrderRequest(intent=intent, purchase_units=[PurchaseUnitRequest(amount=amount, custom_id=checkout)])


async def test_capture_and_refund(sdk_client: PaypalServersdkClient, shop: Shop) -> None:
    """An order is opened, approved on its page, captured, read and refunded, each answer in the SDK's models."""
    body = _order(shop.checkout, CheckoutPaymentIntent.CAPTURE)
    made = await _call(sdk_client.orders.create_order, body=body, paypal_request_id=f"{shop.checkout}:o")
    assert made.status == "CREATED"
    (approval,) = [link.href for link in made.links if link.rel == "approve"]
    assert approval.endswith(f"/paypal/approve/{made.id}")
    assert (await shop.pay_page(made.id)).status_code == 200
    taken = await _call(sdk_client.orders.capture_order, id=made.id, paypal_request_id=f"{shop.checkout}:c")
    capture = taken.purchase_units[0].payments.captures[0]
    assert (taken.status, capture.status, capture.amount.value) == ("COMPLETED", "COMPLETED", "42.00")
    refund = RefundRequest(amount=Money(currency_code="EUR", value="12.00"))
    returned = await _call(sdk_client.payments.refund_captured_payment, capture_id=capture.id, body=refund)
    assert (await _call(sdk_client.payments.get_refund, refund_id=returned.id)).amount.value == "12.00"
    read = await _call(sdk_client.orders.get_order, id=made.id)
    assert read.purchase_units[0].payments.captures[0].status == "PARTIALLY_REFUNDED"
    assert await shop.moved(made.id) == [("charge", 4200), ("refund", 1200)]


async def test_authorize_then_capture_or_void(sdk_client: PaypalServersdkClient, shop: Shop) -> None:
    """A hold is captured in part and finally; another is voided."""
    orders = []
    for _ in range(2):
        made = await _call(sdk_client.orders.create_order, body=_order(shop.checkout, CheckoutPaymentIntent.AUTHORIZE))
        await shop.pay_page(made.id)
        held = await _call(sdk_client.orders.authorize_order, id=made.id)
        orders.append((made.id, held.purchase_units[0].payments.authorizations[0].id))
    (first, captured), (second, voided) = orders
    request = CaptureRequest(amount=Money(currency_code="EUR", value="40.00"), final_capture=True)
    pay = sdk_client.payments
    taken = await _call(pay.capture_authorized_payment, authorization_id=captured, body=request)
    assert (await _call(pay.get_captured_payment, capture_id=taken.id)).final_capture is True
    await _call(pay.void_payment, authorization_id=voided, prefer="return=representation")
    assert (await _call(pay.get_authorized_payment, authorization_id=voided)).status == "VOIDED"
    assert await shop.moved(first) == [("authorization", 4200), ("release", 200), ("capture", 4000)]
    assert await shop.moved(second) == [("authorization", 4200), ("release", 4200)]


async def test_refusals_reach_the_sdk(
    sdk_client: PaypalServersdkClient, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, shop: Shop
) -> None:
    """A refusal arrives with its issue, and a wrong secret as the SDK's authentication error."""
    made = await _call(sdk_client.orders.create_order, body=_order(shop.checkout, CheckoutPaymentIntent.CAPTURE))
    with pytest.raises(ErrorException) as refused:
        await _call(sdk_client.orders.capture_order, id=made.id)
    assert refused.value.response_code == 422
    assert refused.value.details[0].issue == "ORDER_NOT_APPROVED"
    stranger = _client(sandbox, monkeypatch, "wrong")
    with pytest.raises(AuthValidationException):
        await _call(stranger.orders.get_order, id=made.id)
