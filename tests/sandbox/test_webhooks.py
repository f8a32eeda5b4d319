"""Webhooks: signed, retried, and wrong in every way that was asked for."""

import asyncio
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
import stripe

from tests.sandbox.conftest import CreateIntent
from tests.sandbox.support import Receiver, Sandbox, eventually

PAID = ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded"]


async def _fault(browser: httpx.AsyncClient, checkout: str, **fault: Any) -> None:
    body = {"operation": "webhook", "match": {"checkout_id": checkout}, **fault}
    answer = await browser.post("/sandbox/faults", json=body)
    assert answer.status_code == 201, answer.text


async def test_signed_as_stripe_signs(create: CreateIntent, receiver: Receiver, secret: str) -> None:
    """Every event of a payment arrives once with a signature that the SDK verifies."""
    intent = await create(confirm=True, payment_method="pm_card_visa")
    await eventually(lambda: len(receiver.of(intent.id)) == 3)
    assert sorted(receiver.types(intent.id)) == sorted(PAID)
    for one in receiver.of(intent.id):
        event = one.verified(secret)
        assert (event.api_version, event.livemode, event.pending_webhooks) == ("2026-10-28.endive", False, 1)
        assert one.headers["user-agent"].startswith("Stripe/1.0")
        assert one.headers["content-type"] == "application/json; charset=utf-8"
        with pytest.raises(stripe.SignatureVerificationError):
            one.verified("whsec_other")


async def test_event_names_its_request(
    sdk: stripe.StripeClient, create: CreateIntent, receiver: Receiver, secret: str
) -> None:
    """An event carries the request id and idempotency key of the call that caused it, and is in the events list."""
    intent = await create()
    options: Any = {"idempotency_key": f"{intent.id}:1"}
    paid = await sdk.v1.payment_intents.confirm_async(intent.id, {"payment_method": "pm_card_visa"}, options)
    await eventually(lambda: len(receiver.of(intent.id)) == 3)
    event = next(one.event for one in receiver.of(intent.id) if one.event["type"] == "payment_intent.succeeded")
    assert paid.last_response is not None
    assert event["request"] == {"id": paid.last_response.request_id, "idempotency_key": f"{intent.id}:1"}
    assert event["data"]["object"]["status"] == "succeeded"
    assert (await sdk.v1.events.retrieve_async(event["id"])).type == "payment_intent.succeeded"


async def test_only_enabled_events_are_sent(sdk: stripe.StripeClient, create: CreateIntent, receiver: Receiver) -> None:
    """An endpoint hears of the types it asked for; deleted, of none."""
    params: Any = {"url": receiver.url, "enabled_events": ["payment_intent.succeeded"]}
    endpoint = await sdk.v1.webhook_endpoints.create_async(params)
    intent = await create(confirm=True, payment_method="pm_card_visa")
    await eventually(lambda: receiver.of(intent.id))
    assert receiver.types(intent.id) == ["payment_intent.succeeded"]
    assert not hasattr(await sdk.v1.webhook_endpoints.retrieve_async(endpoint.id), "secret")
    await sdk.v1.webhook_endpoints.delete_async(endpoint.id)
    other = await create(confirm=True, payment_method="pm_card_visa")
    await asyncio.sleep(0.2)
    assert receiver.of(other.id) == []


async def test_retried_until_accepted(
    create: CreateIntent, receiver: Receiver, secret: str, browser: httpx.AsyncClient
) -> None:
    """A refused delivery comes again with the same event id, a later signature, and growing delay."""
    receiver.statuses = [500, 404]
    intent = await create()
    await eventually(lambda: len(receiver.of(intent.id)) == 3)
    assert len({one.verified(secret).id for one in receiver.of(intent.id)}) == 1
    rows = (await browser.get("/sandbox/deliveries", params={"payment": intent.id})).json()["data"]
    attempts = rows[0]["attempts"]
    assert [attempt["status"] for attempt in attempts] == [500, 404, 200]
    pauses = [later["at"] - earlier["at"] for earlier, later in pairwise(attempts)]
    assert pauses[0] >= 0.5
    assert pauses[1] >= 1.0


async def test_rotated_secrets(
    sdk: stripe.StripeClient, create: CreateIntent, receiver: Receiver, browser: httpx.AsyncClient
) -> None:
    """After a roll both secrets sign while the old one lives, then only the new."""
    params: Any = {"url": receiver.url, "enabled_events": ["payment_intent.created"]}
    endpoint = await sdk.v1.webhook_endpoints.create_async(params)
    path = f"/sandbox/webhook_endpoints/{endpoint.id}/roll_secret"
    new = (await browser.post(path, json={"expires_in_seconds": 3600})).json()["secret"]
    assert endpoint.secret is not None
    intent = await create()
    await eventually(lambda: receiver.of(intent.id))
    both = receiver.of(intent.id)[0]
    assert both.headers["stripe-signature"].count("v1=") == 2
    assert both.verified(new).id == both.verified(endpoint.secret).id
    newest = (await browser.post(path, json={"expires_in_seconds": 0})).json()["secret"]
    other = await create()
    await eventually(lambda: receiver.of(other.id))
    receiver.of(other.id)[0].verified(newest)
    with pytest.raises(stripe.SignatureVerificationError):
        receiver.of(other.id)[0].verified(new)
    await sdk.v1.webhook_endpoints.delete_async(endpoint.id)


async def test_duplicate(
    create: CreateIntent, receiver: Receiver, secret: str, browser: httpx.AsyncClient, checkout: str
) -> None:
    """A duplicated event arrives twice under one id."""
    await _fault(browser, checkout, kind="duplicate", event_type="payment_intent.succeeded")
    intent = await create(confirm=True, payment_method="pm_card_visa")
    await eventually(lambda: len(receiver.of(intent.id)) == 4)
    ids = [one.verified(secret).id for one in receiver.of(intent.id) if one.event["type"] == "payment_intent.succeeded"]
    assert len(ids) == 2
    assert len(set(ids)) == 1


async def test_reorder(
    sdk: stripe.StripeClient,
    create: CreateIntent,
    receiver: Receiver,
    secret: str,
    browser: httpx.AsyncClient,
    checkout: str,
) -> None:
    """A reordered event arrives after a later one of the same payment."""
    await _fault(browser, checkout, kind="reorder", event_type="payment_intent.succeeded")
    intent = await create(confirm=True, payment_method="pm_card_visa")
    await eventually(lambda: len(receiver.of(intent.id)) == 2)
    await asyncio.sleep(0.2)
    assert "payment_intent.succeeded" not in receiver.types(intent.id)
    await sdk.v1.refunds.create_async({"payment_intent": intent.id})
    await eventually(lambda: len(receiver.of(intent.id)) == 5)
    types = receiver.types(intent.id)
    assert min(types.index("refund.created"), types.index("charge.refunded")) < types.index("payment_intent.succeeded")
    receiver.of(intent.id)[types.index("payment_intent.succeeded")].verified(secret)


async def test_delay_and_loss(
    create: CreateIntent, receiver: Receiver, secret: str, browser: httpx.AsyncClient, checkout: str
) -> None:
    """A delayed event comes late; a lost one never, though the events list has it."""
    assert secret
    await _fault(browser, checkout, kind="delay", seconds=2, event_type="charge.succeeded")
    await _fault(browser, checkout, kind="lose", event_type="payment_intent.succeeded")
    intent = await create(confirm=True, payment_method="pm_card_visa")
    await asyncio.sleep(0.3)
    assert receiver.types(intent.id) == ["payment_intent.created"]
    await eventually(lambda: "charge.succeeded" in receiver.types(intent.id))
    rows = (await browser.get("/sandbox/deliveries", params={"payment": intent.id})).json()["data"]
    states = {row["event_type"]: row["state"] for row in rows}
    assert states["payment_intent.succeeded"] == "lost"
    assert "payment_intent.succeeded" not in receiver.types(intent.id)


async def test_forgery(
    create: CreateIntent, receiver: Receiver, secret: str, browser: httpx.AsyncClient, checkout: str
) -> None:
    """A forged delivery comes besides the real one, under another id, and does not verify."""
    await _fault(browser, checkout, kind="forge", event_type="payment_intent.created")
    intent = await create()
    await eventually(lambda: len(receiver.of(intent.id)) == 2)
    good, bad = 0, 0
    for one in receiver.of(intent.id):
        try:
            one.verified(secret)
            good += 1
        except stripe.SignatureVerificationError:
            bad += 1
    assert (good, bad) == (1, 1)
    assert len({one.event["id"] for one in receiver.of(intent.id)}) == 2


async def test_resend(create: CreateIntent, receiver: Receiver, secret: str, browser: httpx.AsyncClient) -> None:
    """A payment's last event can be sent again under its own id."""
    intent = await create(confirm=True, payment_method="pm_card_visa")
    await eventually(lambda: len(receiver.of(intent.id)) == 3)
    answer = (await browser.post(f"/sandbox/payments/{intent.id}/resend")).json()
    assert answer["type"] == "payment_intent.succeeded"
    await eventually(lambda: len(receiver.of(intent.id)) == 4)
    assert receiver.of(intent.id)[-1].verified(secret).id == answer["event"]
    assert (await browser.post("/sandbox/payments/pi_none/resend")).status_code == 404


async def test_deliveries_survive_a_restart_on_other_ports(tmp_path: Path, receiver: Receiver) -> None:
    """An endpoint named at the start replaces the earlier one, and its open deliveries follow it."""
    secrets = {"SANDBOX_STRIPE_WEBHOOK_SECRET": "whsec_start"}
    nowhere = {"SANDBOX_STRIPE_WEBHOOK_URL": "http://127.0.0.1:9/gone", **secrets}
    first = await Sandbox(tmp_path, nowhere).start()
    params: Any = {"amount": 4200, "currency": "usd", "metadata": {"checkout_id": "chk"}}
    intent = await first.sdk().v1.payment_intents.create_async(params)
    await asyncio.sleep(0.2)
    await first.stop()
    here = {"SANDBOX_STRIPE_WEBHOOK_URL": f"{receiver.url}/hook", **secrets}
    second = await Sandbox(tmp_path, here).start()
    try:
        await eventually(lambda: receiver.of(intent.id))
        assert receiver.of(intent.id)[0].verified("whsec_start").type == "payment_intent.created"
        endpoints = await second.sdk().v1.webhook_endpoints.list_async()
        assert [endpoint.url for endpoint in endpoints.data] == [f"{receiver.url}/hook"]
    finally:
        await second.stop()
