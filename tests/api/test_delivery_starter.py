"""The loop that starts deliveries: what one failure does to the others, and what is found again."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from api.calls import TemporalDownError
from api.webhook_runs import PAUSE, DeliveryStarter, WebhookRuns
from ledger.endpoints import Endpoints
from ledger.engine import create_engine
from ledger.listener import Listener
from ledger.webhook_contract import OutgoingMessage, Unstarted
from ledger.webhook_deliveries import CHANNEL, WebhookDeliveries


class Reluctant(WebhookRuns):
    """Starts nothing of the types that it refuses; says when it has started enough."""

    def __init__(self, *refused: str) -> None:
        self.refused, self.started = {*refused}, list[str]()
        self.enough, self.woken = 1, asyncio.Event()

    async def start(self, delivery: Unstarted) -> None:
        """Remember it, or fail as without Temporal."""
        if delivery.type in self.refused:
            raise TemporalDownError("down")
        self.started.append(delivery.type)
        if len(self.started) >= self.enough:
            self.woken.set()


@pytest.fixture
async def deliveries(fresh_database_url: str) -> AsyncIterator[WebhookDeliveries]:
    """Deliveries to one endpoint that hears of everything, on a database of the test's own."""
    engine = create_engine(fresh_database_url)
    await Endpoints(engine).create("https://shop.example/hook", ["*"], "key_x")
    yield WebhookDeliveries(engine)
    await engine.dispose()


@pytest.fixture
async def listener(fresh_database_url: str) -> AsyncIterator[Listener]:
    """What wakes the loop."""
    engine = create_engine(fresh_database_url)
    listener = Listener(engine, CHANNEL)
    yield listener
    await listener.close()
    await engine.dispose()


async def plan(deliveries: WebhookDeliveries, *types: str) -> None:
    """An event of each of these types."""
    for type_ in types:
        subject = f"chk_{secrets.token_hex(12)}"
        await deliveries.plan(OutgoingMessage(f"{subject}:1", type_, subject, 1, datetime.now(UTC), b"{}"))


async def test_one_that_cannot_be_started_keeps_no_other_waiting(
    deliveries: WebhookDeliveries, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are started and stay so; it is found again when its claim has ended."""
    monkeypatch.setattr("api.webhook_runs.LEASE", timedelta(milliseconds=300))
    await plan(deliveries, "refund.created", "payment.succeeded", "refund.failed")
    runs = Reluctant("payment.succeeded")
    starter = DeliveryStarter(deliveries, listener, runs)
    with pytest.raises(TemporalDownError):
        await starter.start_some()
    assert sorted(runs.started) == ["refund.created", "refund.failed"]
    runs.refused.clear()
    await asyncio.sleep(0.4)
    assert await starter.start_some() == 1
    assert runs.started[2:] == ["payment.succeeded"]
    assert await starter.start_some() == 0


async def test_the_loop_outlives_a_temporal_that_is_down(
    deliveries: WebhookDeliveries, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deliveries wait, none is lost, and what is planned meanwhile is started with them."""
    monkeypatch.setattr("api.webhook_runs.LEASE", timedelta(milliseconds=200))
    monkeypatch.setattr("api.webhook_runs.PAUSE", timedelta(milliseconds=200))
    runs = Reluctant("payment.succeeded")
    runs.enough = 2
    loop = asyncio.create_task(DeliveryStarter(deliveries, listener, runs).run())
    await plan(deliveries, "payment.succeeded")
    await asyncio.sleep(1)
    assert (runs.started, loop.done()) == ([], False)
    runs.refused.clear()
    await plan(deliveries, "refund.created")
    await asyncio.wait_for(runs.woken.wait(), 10)
    loop.cancel()
    assert sorted(runs.started) == ["payment.succeeded", "refund.created"]


async def test_the_loop_is_woken_by_the_commit(deliveries: WebhookDeliveries, listener: Listener) -> None:
    """What is planned is started long before the loop would have looked again by itself."""
    runs = Reluctant()
    loop = asyncio.create_task(DeliveryStarter(deliveries, listener, runs).run())
    await asyncio.sleep(1)
    assert timedelta(seconds=2) < PAUSE
    await plan(deliveries, "payment.succeeded")
    await asyncio.wait_for(runs.woken.wait(), 2)
    loop.cancel()
