"""Events that no webhook told are found in the gateway's own list; schedules are made, changed, and taken away."""

import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.events import GRACE, OVERLAP, WINDOW, EventActivities, Listed
from activities.guard import GatewayGuard
from domain.errors import GatewayUnreachableError
from domain.saga import SagaPolicy
from gateways.contract import Capabilities, ListedEvent, WebhookEvent
from ledger.breakers import Breakers
from ledger.contract import EventSource
from ledger.idempotency import IdempotencyKeys
from ledger.inbox import Inbox
from ledger.marks import PollMarks
from tests.workflows.after_sale import balanced, gateway_of
from tests.workflows.support import NEVER_TRIPPED, Shop, eventually, running_shop
from workflows.reconcile import HousekeepingWorkflow, Reconciled, ReconcileWorkflow
from workflows.schedules import HOUSEKEEPING, PREFIX, ensure_schedules


@dataclass
class Listing:
    """A gateway that has nothing but a list, of which it remembers what was asked."""

    capabilities: Capabilities
    name: str = field(default_factory=lambda: f"list{secrets.token_hex(4)}")
    events: list[ListedEvent] = field(default_factory=list)
    asked: list[tuple[datetime, datetime]] = field(default_factory=list)
    down: bool = False

    async def list_events(self, since: datetime, until: datetime) -> list[ListedEvent]:
        """Those of this time."""
        if self.down:
            raise GatewayUnreachableError("nobody there")
        self.asked.append((since, until))
        return [listed for listed in self.events if since <= listed.event.occurred_at < until]

    def add(self, at: datetime, **changes: Any) -> str:
        """An event of that time; its id."""
        id_ = f"evt_{secrets.token_hex(8)}"
        event = WebhookEvent(id_, "payment.changed", "pay_1", None, at, live=False, relevant=True)
        self.events.append(ListedEvent(replace(event, **changes), b"{}"))
        return id_


@pytest.fixture
def listing(shop: Shop) -> Listing:
    """A gateway with a list."""
    return Listing(replace(shop.parts.gateways["stripe"].capabilities, lists_events=True))


async def read(shop: Shop, gateway: Listing) -> Listed:
    """One part of its list, read as the activity does."""
    inbox = Inbox(shop.parts.engine)
    await inbox.start()
    gateways: Mapping[str, Any] = MappingProxyType({gateway.name: gateway})
    guard = GatewayGuard(Breakers(shop.parts.engine), NEVER_TRIPPED)
    keys = IdempotencyKeys(shop.parts.engine)
    activities = EventActivities(gateways, inbox, PollMarks(shop.parts.engine), guard, keys)
    try:
        return await ActivityEnvironment().run(activities.list_events, gateway.name)
    finally:
        await inbox.close()


@pytest.fixture
async def lone_shop(tmp_path: Path, fresh_database_url: str, temporal_address: str) -> AsyncIterator[Shop]:
    """A stack of its own: marks, books and the sandbox's clock are no other test's."""
    async with running_shop(tmp_path, fresh_database_url, temporal_address) as running:
        yield running


async def test_lost_webhooks_cost_no_sale(lone_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every webhook of a payment is lost and nobody polls: the list heals it, and the inbox says by what it came."""
    shop = lone_shop
    monkeypatch.setattr("activities.events.GRACE", timedelta(seconds=1))
    checkout = await shop.open(SagaPolicy(poll_after_seconds=3600, poll_at_most_seconds=3600))
    await shop.fault("webhook", "lose", checkout, count=50)
    marks, now = PollMarks(shop.parts.engine), datetime.now(UTC)
    await marks.move("stripe", now - timedelta(minutes=2))
    await shop.pay_with(checkout, "good")
    events = gateway_of(shop, checkout)
    result = await eventually(lambda: reconciled(shop), lambda seen: seen.healed > 0)
    assert result.listed >= result.healed
    await shop.until(checkout, "completed")
    status = await shop.status(checkout)
    listed = await events.list_events(now - timedelta(minutes=1), datetime.now(UTC))
    ours = [one.event.event_id for one in listed if one.event.payment_id == status.payment_id]
    rows = [await Inbox(shop.parts.engine).get("stripe", id_) for id_ in ours]
    assert EventSource.POLL in {row["source"] for row in rows if row}
    await balanced(shop, checkout)


async def reconciled(shop: Shop) -> Reconciled:
    """One run of the workflow at Stripe."""
    return await shop.parts.client.execute_workflow(
        ReconcileWorkflow.run, "stripe", id=f"reconcile-{secrets.token_hex(4)}", task_queue=shop.parts.task_queue
    )


async def test_only_what_no_webhook_told_is_stored(shop: Shop, listing: Listing) -> None:
    """Read twice, an event is stored once and counted as healed once; the overlap finds what came behind the mark."""
    now = datetime.now(UTC)
    await PollMarks(shop.parts.engine).move(listing.name, now - timedelta(minutes=10))
    first = listing.add(now - timedelta(minutes=5))
    listing.add(now - timedelta(minutes=5), live=True)
    listing.add(now - timedelta(minutes=5), payment_id="nul\x00")
    assert (await read(shop, listing)).healed == 1
    behind = listing.add(now - timedelta(minutes=9))
    second = await read(shop, listing)
    assert (second.healed, second.behind) == (1, False)
    inbox = Inbox(shop.parts.engine)
    for id_ in (first, behind):
        row = await inbox.get(listing.name, id_)
        assert row is not None
        assert row["source"] == EventSource.POLL
    sources = await inbox.sources(now - timedelta(minutes=1))
    assert sources[listing.name] == {EventSource.POLL: 2}


async def test_what_is_young_is_left_to_the_webhook(shop: Shop, listing: Listing) -> None:
    """An event of this moment is on its way: the list is read up to a minute ago."""
    now = datetime.now(UTC)
    listing.add(now - timedelta(seconds=5))
    assert (await read(shop, listing)).listed == 0
    assert listing.asked[0][1] <= datetime.now(UTC) - GRACE


async def test_a_long_outage_is_read_in_parts(shop: Shop, listing: Listing) -> None:
    """Two days behind: each part moves the mark, so that none is read twice but for the overlap."""
    now, marks = datetime.now(UTC), PollMarks(shop.parts.engine)
    begin = now - timedelta(days=2)
    await marks.move(listing.name, begin)
    listing.add(now - timedelta(days=1))
    parts = [await read(shop, listing)]
    while parts[-1].behind:
        parts.append(await read(shop, listing))
    assert len(parts) == 8
    assert [since for since, _ in listing.asked][:2] == [begin - OVERLAP, begin + WINDOW - OVERLAP]
    assert sum(part.healed for part in parts) == 1
    assert await marks.read(listing.name) == parts[-1].until


async def test_an_outage_moves_no_mark(shop: Shop, listing: Listing) -> None:
    """A list that cannot be read is read from the same place the next time."""
    marks, begin = PollMarks(shop.parts.engine), datetime.now(UTC) - timedelta(hours=1)
    await marks.move(listing.name, begin)
    listing.down = True
    with pytest.raises(Exception, match="nobody there"):
        await read(shop, listing)
    assert await marks.read(listing.name) == begin


async def test_schedules_follow_the_gateways(shop: Shop) -> None:
    """Made once, brought up to date without ending an operator's pause, and gone with the gateway's list."""
    client, queue = shop.parts.client, f"nobody-{secrets.token_hex(4)}"
    await ensure_schedules(client, queue, ["stripe", "paypal"], timedelta(seconds=300))
    handle = client.get_schedule_handle(f"{PREFIX}stripe")
    await handle.pause(note="gateway maintenance")
    await ensure_schedules(client, queue, ["stripe"], timedelta(seconds=60))
    described = (await handle.describe()).schedule
    assert described.state.paused
    assert described.spec.intervals[0].every == timedelta(seconds=60)

    async def there() -> set[str]:
        return {found.id async for found in await client.list_schedules()}

    await eventually(there, lambda seen: seen == {f"{PREFIX}stripe", HOUSEKEEPING})
    for id_ in (f"{PREFIX}stripe", HOUSEKEEPING):
        await client.get_schedule_handle(id_).delete()


async def test_the_schedule_runs_the_workflow(shop: Shop) -> None:
    """Triggered, it reads the list by itself."""
    client = shop.parts.client
    await ensure_schedules(client, shop.parts.task_queue, ["stripe"], timedelta(hours=1))
    handle = client.get_schedule_handle(f"{PREFIX}stripe")
    try:
        await handle.trigger()
        actions = await eventually(lambda: recent(handle), bool)
        run = client.get_workflow_handle(actions[0].action.workflow_id, result_type=Reconciled)
        assert (await run.result()).listed >= 0
    finally:
        for id_ in (f"{PREFIX}stripe", HOUSEKEEPING):
            await client.get_schedule_handle(id_).delete()


async def recent(handle: Any) -> list[Any]:
    """What the schedule has started."""
    return list((await handle.describe()).info.recent_actions)


async def test_old_idempotency_keys_are_forgotten(shop: Shop) -> None:
    """Daily; those of this month stay."""
    run = await shop.parts.client.execute_workflow(
        HousekeepingWorkflow.run, id=f"housekeeping-{secrets.token_hex(4)}", task_queue=shop.parts.task_queue
    )
    assert run == 0
