"""Days of trying to reach a shop, on a server that skips time; books and receiver stay real."""

import json
from datetime import timedelta
from itertools import pairwise

from sqlalchemy import text
from temporalio.testing import WorkflowEnvironment

from domain.webhook import JITTER, RETRY_PAUSES
from domain.webhook import DeliveryState as D
from events.contract import Event
from ledger.webhook_contract import Endpoint
from tests.workflows.receiving import BROKEN, OK, Sending, receiver, sending


async def end_of(environment: WorkflowEnvironment, sender: Sending, endpoint: Endpoint, event: Event) -> str:
    """How the delivery ends, time being skipped until then."""
    await sender.until(endpoint, event, *D)
    async with environment.time_skipping_unlocked():
        return str(await sender.handle(endpoint, event).result())


def address(environment: WorkflowEnvironment) -> str:
    """Where the server is."""
    return environment.client.service_client.config.target_host


async def test_a_receiver_that_comes_back_after_three_days_gets_its_event(
    skipping: WorkflowEnvironment, fresh_database_url: str
) -> None:
    """Nine failures, then a success: the pauses are those of the schedule, each a little longer than it says."""
    async with (
        sending(fresh_database_url, address(skipping)) as sender,
        receiver(*[BROKEN] * len(RETRY_PAUSES), OK) as there,
    ):
        endpoint = await sender.endpoint(there)
        event = await sender.tell()
        assert await end_of(skipping, sender, endpoint, event) == "delivered"
        tries = await sender.tries(endpoint, event)
        assert len({(got.headers["webhook-id"], got.body) for got in there.got}) == 1
        history = await sender.handle(endpoint, event).fetch_history()
    assert [t.status for t in tries] == [500] * 9 + [204]
    late = []
    for (before, after), pause in zip(pairwise(tries), RETRY_PAUSES, strict=True):
        assert pause <= after.at - before.at <= pause * (1 + JITTER) + timedelta(seconds=5)
        late.append((after.at - before.at) / pause)
    assert max(late[4:]) - min(late[4:]) > 0.001, "the pauses of hours are not those of everybody else"
    assert tries[-1].at - tries[0].at > timedelta(days=3)
    assert len(history.events) < 150


async def test_after_the_last_try_a_delivery_has_failed(skipping: WorkflowEnvironment, fresh_database_url: str) -> None:
    """Ten tries and no more; by hand it is sent all the same, and one success is enough."""
    async with (
        sending(fresh_database_url, address(skipping)) as sender,
        receiver(*[BROKEN] * (len(RETRY_PAUSES) + 1), OK) as there,
    ):
        endpoint = await sender.endpoint(there)
        event = await sender.tell()
        assert await end_of(skipping, sender, endpoint, event) == "failed"
        assert len(there.got) == 10
        await sender.runs.resend(await sender.record(endpoint, event))
        assert await end_of(skipping, sender, endpoint, event) == "delivered"
        assert [t.by_hand for t in await sender.tries(endpoint, event)] == [False] * 10 + [True]


async def test_days_of_failure_disable_the_endpoint(skipping: WorkflowEnvironment, fresh_database_url: str) -> None:
    """In the midst of the schedule: what was under way ends with it, and the outbox tells so, once."""
    async with (
        sending(fresh_database_url, address(skipping), webhooks_disable_after_days=2) as sender,
        receiver(BROKEN) as there,
    ):
        endpoint = await sender.endpoint(there)
        events = [await sender.tell() for _ in range(2)]
        for event in events:
            assert await end_of(skipping, sender, endpoint, event) == "endpoint_disabled"
        found = await sender.endpoints.get(endpoint.id)
        assert found is not None
        assert (found.state, found.disabled_reason) == ("disabled", "failing")
        assert found.disabled_at is not None
        first = (await sender.tries(endpoint, events[0]))[0]
        assert timedelta(days=2) <= found.disabled_at - first.at < timedelta(days=3)
        assert len(there.got) < 20
        assert await told_of(sender, endpoint) == [
            {
                "endpoint_id": endpoint.id,
                "host": "127.0.0.1",
                "disabled_at": found.disabled_at.isoformat(),
                "reason": "failing",
            }
        ]


async def told_of(sender: Sending, endpoint: Endpoint) -> list[dict[str, str]]:
    """What the outbox tells about the endpoint."""
    query = text("SELECT payload::text FROM outbox WHERE subject = :id AND type = 'webhook_endpoint.disabled'")
    async with sender.parts.engine.connect() as connection:
        return [json.loads(row) for row in await connection.scalars(query, {"id": endpoint.id})]


async def test_one_success_in_between_keeps_the_endpoint(
    skipping: WorkflowEnvironment, fresh_database_url: str
) -> None:
    """Days of failure count only without a success among them."""
    async with (
        sending(fresh_database_url, address(skipping), webhooks_disable_after_days=2) as sender,
        receiver(*[BROKEN] * 7, OK, BROKEN) as there,
    ):
        endpoint = await sender.endpoint(there)
        first = await sender.tell()
        assert await end_of(skipping, sender, endpoint, first) == "delivered"
        second = await sender.tell()
        await sender.until(endpoint, second, D.PENDING)
        found = await sender.endpoints.get(endpoint.id)
        assert found is not None
        assert found.state == "enabled"
        assert found.failing_since == (await sender.tries(endpoint, second))[0].at
