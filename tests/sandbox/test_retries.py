"""Webhook deliveries on the virtual clock: delays and retries of days need no days, and end when they are over."""

import asyncio
from typing import Any

import httpx

from tests.sandbox.support import Receiver, Sandbox, eventually

DAY = 86_400


async def _told(fresh: Sandbox, receiver: Receiver) -> None:
    endpoint: Any = {"url": receiver.url, "enabled_events": ["payment_intent.created"]}
    await fresh.sdk().v1.webhook_endpoints.create_async(endpoint)
    params: Any = {"amount": 4200, "currency": "usd", "metadata": {"checkout_id": "chk"}}
    await fresh.sdk().v1.payment_intents.create_async(params)


async def _advance(browser: httpx.AsyncClient, seconds: float) -> None:
    (await browser.post("/sandbox/clock", json={"advance_seconds": seconds})).raise_for_status()


async def _row(browser: httpx.AsyncClient) -> dict[str, Any]:
    (row,) = (await browser.get("/sandbox/deliveries")).json()["data"]
    found: dict[str, Any] = row
    return found


async def _attempted(browser: httpx.AsyncClient, times: int) -> dict[str, Any]:
    for _ in range(500):
        row = await _row(browser)
        if len(row["attempts"]) >= times:
            break
        await asyncio.sleep(0.02)
    assert len(row["attempts"]) == times, row
    return row


async def test_a_retry_on_the_second_day_arrives(fresh: Sandbox, receiver: Receiver) -> None:
    """A receiver that is back within three days still gets the event, dated by the virtual clock."""
    receiver.statuses = [500] * 8
    async with fresh.browser() as browser:
        await _told(fresh, receiver)
        for attempt in range(1, 9):
            await _attempted(browser, attempt)
            await _advance(browser, 6 * 3600)
        row = await _attempted(browser, 9)
    assert row["state"] == "delivered"
    assert row["attempts"][-1]["at"] - row["created"] > 1.9 * DAY


async def test_nothing_is_tried_after_three_days(fresh: Sandbox, receiver: Receiver) -> None:
    """When the clock jumps past Stripe's three days there is no further attempt, though the receiver is back."""
    receiver.statuses = [500]
    async with fresh.browser() as browser:
        await _told(fresh, receiver)
        await _attempted(browser, 1)
        await _advance(browser, 3 * DAY + 60)
        row = await _attempted(browser, 2)
    assert row["state"] == "given_up"
    assert row["attempts"][-1]["status"] is None
    assert len(receiver.received) == 1


async def test_a_first_attempt_is_never_too_late(fresh: Sandbox, receiver: Receiver) -> None:
    """An event whose delivery is delayed by a week arrives when the week is over, and not before."""
    fault = {"operation": "webhook", "kind": "delay", "seconds": 7 * DAY}
    async with fresh.browser() as browser:
        (await browser.post("/sandbox/faults", json=fault)).raise_for_status()
        await _told(fresh, receiver)
        await _advance(browser, 6 * DAY)
        await asyncio.sleep(0.2)
        assert receiver.received == []
        await _advance(browser, DAY + 1)
        await eventually(lambda: receiver.received)
        assert (await _attempted(browser, 1))["state"] == "delivered"


async def test_an_event_on_its_way_is_kept(fresh: Sandbox, receiver: Receiver) -> None:
    """The list forgets an event after thirty days, but what is still to be delivered is delivered."""
    fault = {"operation": "webhook", "kind": "delay", "seconds": 40 * DAY}
    async with fresh.browser() as browser:
        (await browser.post("/sandbox/faults", json=fault)).raise_for_status()
        await _told(fresh, receiver)
        await _advance(browser, 41 * DAY)
        await eventually(lambda: receiver.received)
    assert (await fresh.sdk().v1.events.list_async()).data == []


async def test_pauses_grow_until_four_hours(fresh: Sandbox, receiver: Receiver) -> None:
    """Each pause doubles, and none is longer than four hours."""
    receiver.statuses = [500] * 40
    async with fresh.browser() as browser:
        await _told(fresh, receiver)
        for attempt in range(1, 18):
            await _attempted(browser, attempt)
            await _advance(browser, 4 * 3600 + 1)
        row = await _attempted(browser, 18)
        paused = row["due"] - row["attempts"][-1]["at"]
    assert abs(paused - 4 * 3600) < 5
