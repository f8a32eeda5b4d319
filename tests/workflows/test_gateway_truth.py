"""What is not ours, not what was asked for, or said twice: at every gateway the saga believes its own books first."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType as HistoryEvent
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest

import worker
from api.sagas import Sagas
from api.wiring import accounts_of
from devstack.gateways import without_gateways
from domain.checkout import CaptureMode, Checkout
from domain.saga import SagaPolicy
from tests.workflows import sandboxes
from tests.workflows.agreement import agree
from tests.workflows.support import Shop, eventually

GATEWAYS = ("stripe", "paypal", "adyen")
ON_CONFIRM: dict[str, Any] = {"capture": CaptureMode.ON_CONFIRM, "confirm_within_seconds": 600}
CONFIRMED: dict[str, Any] = {"confirm_within_seconds": 600}
EAGER = SagaPolicy(poll_after_seconds=1, poll_at_most_seconds=2, stuck_after_seconds=60)
CAPTURED = {"authorization": [4200], "capture": [4200]}
LIES = {
    "stripe": ("amount_off_by_one", "other_currency", "livemode_true"),
    "paypal": ("amount_off_by_one", "other_currency", "livemode_true", "other_account"),
    "adyen": ("other_account",),
}
"""What a look-up can say wrongly. Adyen's amounts are those of its notifications, see below."""


@pytest.mark.parametrize(("gateway", "lie"), [(gateway, lie) for gateway, lies in LIES.items() for lie in lies])
async def test_what_is_not_what_was_asked_for_needs_review(shop: Shop, gateway: str, lie: str) -> None:
    """Amount, currency, mode and account are compared; a person looks, and the saga goes on from the truth."""
    checkout = await shop.open(gateway=gateway)
    await shop.strike("lookup", lie, checkout)
    await shop.pay_with(checkout, "good")
    status = await shop.until(checkout, "needs_review")
    assert status.failure is not None
    assert (status.failure.code, status.captured_minor) == ("contradiction", 0)
    await shop.sandbox.delete("/sandbox/faults")
    await shop.handle(checkout).signal("retry_now")
    await shop.until(checkout, "completed")
    await agree(shop, checkout)


@pytest.mark.parametrize("lie", ["amount_off_by_one", "other_currency"])
async def test_a_signed_notification_that_contradicts_needs_review(shop: Shop, lie: str) -> None:
    """The signature is good and the amount is not: nothing is captured, a person looks."""
    checkout = await shop.open(gateway="adyen")
    await shop.fault("webhook", lie, checkout, gateway="adyen", count=5)
    await shop.pay_with(checkout, "good")
    status = await shop.until(checkout, "needs_review")
    assert status.failure is not None
    assert (status.failure.code, status.captured_minor) == ("contradiction", 0)
    assert await shop.moved(checkout) == {"authorization": [4200]}


async def stripe_payment(shop: Shop, checkout: Checkout) -> None:
    """Somebody's PaymentIntent."""
    form = {"amount": "4200", "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true"}
    headers = {"Authorization": "Bearer sk_test_x"}
    data = form | {"metadata[checkout_id]": checkout.id}
    (await shop.sandbox.post("/v1/payment_intents", data=data, headers=headers)).raise_for_status()


async def paypal_payment(shop: Shop, checkout: Checkout) -> None:
    """Somebody's order, captured by them."""
    client = (sandboxes.PAYPAL_MERCHANT, sandboxes.PAYPAL_SECRET)
    granted = await shop.sandbox.post("/paypal/v1/oauth2/token", data={"grant_type": "client_credentials"}, auth=client)
    headers = {"Authorization": f"Bearer {granted.raise_for_status().json()['access_token']}"}
    unit = {"custom_id": checkout.id, "amount": {"currency_code": "USD", "value": "42.00"}}
    order = await shop.sandbox.post(
        "/paypal/v2/checkout/orders", json={"intent": "CAPTURE", "purchase_units": [unit]}, headers=headers
    )
    order_id = order.raise_for_status().json()["id"]
    await shop.sandbox.post(f"/paypal/approve/{order_id}", data={"outcome": "approve"})
    taken = await shop.sandbox.post(f"/paypal/v2/checkout/orders/{order_id}/capture", json={}, headers=headers)
    taken.raise_for_status()


async def adyen_payment(shop: Shop, checkout: Checkout) -> None:
    """Somebody's payment link, paid."""
    amount = {"value": 4200, "currency": "USD"}
    body = {"reference": checkout.id, "amount": amount, "merchantAccount": sandboxes.ADYEN_ACCOUNT}
    headers = {"X-API-Key": "AQE" + "somebody"}
    link = await shop.sandbox.post("/adyen/v72/paymentLinks", json=body, headers=headers)
    url = link.raise_for_status().json()["url"]
    assert (await shop.sandbox.post(url, data={"outcome": "approve"})).status_code in (200, 303)


FOREIGN = {"stripe": stripe_payment, "paypal": paypal_payment, "adyen": adyen_payment}


@pytest.mark.parametrize("gateway", GATEWAYS)
async def test_a_payment_of_somebody_else_with_our_reference_is_left_alone(shop: Shop, gateway: str) -> None:
    """It is neither taken for ours nor given back, whoever asks: webhook or poll. Ours is the sale."""
    checkout = await shop.open(EAGER, gateway=gateway)
    await FOREIGN[gateway](shop, checkout)
    await asyncio.sleep(4)
    status = await shop.status(checkout)
    assert (status.state, status.captured_minor) == ("awaiting_payment", 0)
    await shop.pay_with(checkout, "good")
    status = await shop.until(checkout, "completed")
    assert status.captured_minor == 4200
    moved = await shop.moved(checkout)
    assert sum(moved.get("charge", [])) + sum(moved.get("capture", [])) == 8400
    assert "refund" not in moved
    query = text(
        "SELECT DISTINCT outcome FROM webhook_inbox WHERE reference = :id AND relevant AND outcome <> 'delivered'"
    )
    async with shop.parts.engine.connect() as connection:
        outcomes = {row.outcome for row in await connection.execute(query, {"id": checkout.id})}
    assert "another_payment" in outcomes


@pytest.mark.parametrize("gateway", GATEWAYS)
async def test_a_reset_workflow_charges_nobody_again(shop: Shop, gateway: str) -> None:
    """A reset runs the activities again in a new run; their keys are the checkout's, so nothing is done twice."""
    checkout = await shop.open(gateway=gateway)
    await shop.pay_with(checkout, "good")
    await shop.until(checkout, "completed")
    await shop.handle(checkout).result()
    moved = await shop.moved(checkout)
    await reset(shop, checkout)
    status = await shop.handle(checkout).result()
    assert status["state"] == "completed"
    assert await shop.moved(checkout) == moved
    await agree(shop, checkout)


async def reset(shop: Shop, checkout: Checkout) -> None:
    """An operator resets the workflow to its beginning."""
    history = await shop.handle(checkout).fetch_history()
    completed = HistoryEvent.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
    first = next(event.event_id for event in history.events if event.event_type == completed)
    client, described = shop.parts.client, await shop.handle(checkout).describe()
    await client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=checkout.workflow_id, run_id=described.run_id),
            reason="test",
            workflow_task_finish_event_id=first,
            request_id=checkout.id,
        )
    )


@asynccontextmanager
async def worker_process(shop: Shop, queue: str, temporal_address: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A worker as its own process, which can be killed."""
    url = shop.announced.url
    variables = {
        "DATABASE_URL": shop.parts.engine.url.set(drivername="postgresql").render_as_string(hide_password=False),
        "TEMPORAL_ADDRESS": temporal_address,
        "TASK_QUEUE": queue,
        "STRIPE_API_KEY": "sk_test_killed",
        "STRIPE_WEBHOOK_SECRET": sandboxes.STRIPE_SECRET,
        "STRIPE_API_BASE": url,
        "STRIPE_PAYMENT_PAGE": f"{url}/pay/",
        "PAYPAL_CLIENT_ID": sandboxes.PAYPAL_MERCHANT,
        "PAYPAL_CLIENT_SECRET": sandboxes.PAYPAL_SECRET,
        "PAYPAL_WEBHOOK_ID": sandboxes.PAYPAL_WEBHOOK,
        "PAYPAL_API_BASE": f"{url}/paypal",
        "PAYPAL_WEBHOOK_CA": shop.announced.paypal_ca,
        "ADYEN_API_KEY": "AQE" + "killed",
        "ADYEN_MERCHANT_ACCOUNT": sandboxes.ADYEN_ACCOUNT,
        "ADYEN_HMAC_KEY": sandboxes.ADYEN_KEY,
        "ADYEN_API_BASE": f"{url}/adyen/v72",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "worker.py"),
        env=without_gateways(os.environ) | variables,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert await asyncio.wait_for(process.stdout.readline(), 40) == b"worker ready\n"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.timeout(180)
async def test_a_worker_that_is_killed_while_it_captures(shop: Shop, temporal_address: str) -> None:
    """Every gateway had captured and the answer reached nobody: another worker reads first and charges nobody again."""
    parts = replace(shop.parts, task_queue=f"{shop.parts.task_queue}-killed")
    sagas = Sagas(parts.client, parts.task_queue, shop.policy, accounts_of(parts.gateways))
    checkouts = [await shop.record(gateway=gateway, **ON_CONFIRM) for gateway in GATEWAYS]
    async with worker_process(shop, parts.task_queue, temporal_address) as process:
        for checkout in checkouts:
            assert await sagas.open(checkout, 30)
            await shop.pay_with(checkout, "good")
            await shop.until(checkout, "authorized")
            await shop.strike("capture", "timeout_after", checkout)
        asked = [asyncio.create_task(sagas.confirm(checkout, 100)) for checkout in checkouts]
        for checkout in checkouts:
            await eventually(lambda checkout=checkout: shop.moved(checkout), lambda moved: "capture" in moved)
        process.send_signal(signal.SIGKILL)
        await process.wait()
    async with worker.build_worker(parts):
        for checkout in checkouts:
            await shop.until(checkout, "completed", patience=90)
    await asyncio.gather(*asked)
    for checkout in checkouts:
        await agree(shop, checkout)
        assert await shop.moved(checkout) == CAPTURED
