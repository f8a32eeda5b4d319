"""Webhooks to shops on the books: planned once, started once, every try judged, endpoints disabled with an event."""

import asyncio
import json
import secrets
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.errors import BooksError
from domain.webhook import DeliveryState as D
from domain.webhook import DisabledBecause, EndpointState, delivery_id_of
from ledger.endpoints import Endpoints
from ledger.engine import create_engine
from ledger.listener import Listener
from ledger.webhook_attempts import WebhookAttempts
from ledger.webhook_contract import Endpoint, EndpointChange, OutgoingMessage, SecretsActiveError, Tried
from ledger.webhook_deliveries import CHANNEL, WebhookDeliveries

PATIENCE = timedelta(days=5)
DAY = timedelta(days=1)


@pytest.fixture
def endpoints(fresh_engine: AsyncEngine) -> Endpoints:
    """Endpoints on a database of the test's own."""
    return Endpoints(fresh_engine)


@pytest.fixture
def deliveries(fresh_engine: AsyncEngine) -> WebhookDeliveries:
    """The deliveries beside them."""
    return WebhookDeliveries(fresh_engine)


@pytest.fixture
def attempts(fresh_engine: AsyncEngine) -> WebhookAttempts:
    """The tries beside them."""
    return WebhookAttempts(fresh_engine, PATIENCE)


async def new(endpoints: Endpoints, *events: str) -> Endpoint:
    """An endpoint that hears of these."""
    return await endpoints.create("https://shop.example/hook", events or ("*",), "key_x")


def told(type_: str = "payment.succeeded", at: datetime | None = None) -> OutgoingMessage:
    """An event about a checkout of its own."""
    subject = f"chk_{secrets.token_hex(12)}"
    return OutgoingMessage(f"{subject}:2", type_, subject, 1, at or datetime.now(UTC) + timedelta(seconds=1), b"{}")


def a_try(
    endpoint: Endpoint, message: OutgoingMessage, status: int | None, at: datetime, by_hand: bool = False
) -> Tried:
    """A try of this message's delivery; without a status nobody answered."""
    id_ = delivery_id_of(endpoint.id, message.event_id)
    return Tried(id_, at, by_hand, status, None if status else "timeout", 5)


async def state_of(endpoints: Endpoints, endpoint: Endpoint) -> EndpointState:
    """How the endpoint stands."""
    found = await endpoints.get(endpoint.id)
    assert found is not None
    return found.state


async def test_a_delivery_is_planned_for_each_endpoint_that_hears_of_it(
    endpoints: Endpoints, deliveries: WebhookDeliveries
) -> None:
    """By type or by `*`; not for one that is disabled or removed, nor for what happened before it was made."""
    listening = {(await new(endpoints, "payment.succeeded", "refund.created")).id, (await new(endpoints)).id}
    await new(endpoints, "refund.created")
    disabled, removed = await new(endpoints), await new(endpoints)
    await endpoints.change(disabled.id, EndpointChange(enabled=False))
    await endpoints.remove(removed.id)
    message = told()
    assert await deliveries.plan(message) == 2
    assert {found.endpoint_id for found in await deliveries.claim(10, DAY)} == listening
    assert await deliveries.plan(told(at=datetime.now(UTC) - DAY)) == 0


async def test_two_that_plan_at_once_plan_one(
    endpoints: Endpoints, fresh_database_url: str, fresh_engine: AsyncEngine
) -> None:
    """The same event in several processes at the same moment: one delivery for each endpoint, one body."""
    for _ in range(3):
        await new(endpoints)
    engines = [create_engine(fresh_database_url) for _ in range(4)]
    message = told()
    made = await asyncio.gather(*(WebhookDeliveries(engine).plan(message) for engine in engines))
    assert sum(made) == 3
    async with fresh_engine.connect() as connection:
        for table, count in (("webhook_messages", 1), ("webhook_deliveries", 3)):
            assert await connection.scalar(text(f"SELECT count(*) FROM {table}")) == count  # noqa: S608
    for engine in engines:
        await engine.dispose()


async def test_what_is_planned_is_claimed_once(endpoints: Endpoints, deliveries: WebhookDeliveries) -> None:
    """Several that look at once share it; a claim whose holder died is free again, what was started never is."""
    await new(endpoints)
    for _ in range(20):
        await deliveries.plan(told())
    claims = await asyncio.gather(*(deliveries.claim(5, timedelta(seconds=1)) for _ in range(6)))
    ids = [found.id for claim in claims for found in claim]
    assert len(ids) == len(set(ids)) == 20
    await deliveries.started(ids[:19])
    assert await deliveries.claim(10, DAY) == ()
    await asyncio.sleep(1.1)
    assert [found.id for found in await deliveries.claim(10, DAY)] == ids[19:]


async def test_who_starts_deliveries_is_woken(
    endpoints: Endpoints, deliveries: WebhookDeliveries, fresh_engine: AsyncEngine
) -> None:
    """The commit that plans one tells so."""
    await new(endpoints)
    listener = Listener(fresh_engine, CHANNEL)
    await listener.wait(timedelta(seconds=5))  # It has told itself that it began to listen.
    waiting = asyncio.create_task(listener.wait(timedelta(seconds=10)))
    await deliveries.plan(told())
    assert await waiting
    await listener.close()


async def test_a_try_that_is_taken_ends_the_delivery(
    endpoints: Endpoints, deliveries: WebhookDeliveries, attempts: WebhookAttempts
) -> None:
    """Whatever was tried before; and a try by hand that fails later makes nothing of it undone."""
    endpoint, message, now = await new(endpoints), told(), datetime.now(UTC)
    await deliveries.plan(message)
    later = now + timedelta(minutes=5)
    assert await attempts.record(endpoint.id, a_try(endpoint, message, 500, now), later) is D.PENDING
    record = await deliveries.get(endpoint.id, delivery_id_of(endpoint.id, message.event_id))
    assert record is not None
    assert (record.state, record.attempts, record.next_attempt_at) == (D.PENDING, 1, later)
    assert await attempts.record(endpoint.id, a_try(endpoint, message, 204, later), later + DAY) is D.DELIVERED
    assert (
        await attempts.record(endpoint.id, a_try(endpoint, message, 500, now + DAY, by_hand=True), None) is D.DELIVERED
    )
    ended = await deliveries.get(endpoint.id, record.id)
    assert ended is not None
    assert (ended.state, ended.attempts, ended.finished_at, ended.next_attempt_at) == (D.DELIVERED, 3, later, None)
    tries = await deliveries.attempts(record.id)
    assert [(t.number, t.status, t.by_hand) for t in tries] == [(1, 500, False), (2, 204, False), (3, 500, True)]


async def test_an_endpoint_that_only_fails_for_days_is_disabled_with_an_event(
    endpoints: Endpoints, deliveries: WebhookDeliveries, attempts: WebhookAttempts, fresh_engine: AsyncEngine
) -> None:
    """In one transaction: the endpoint, everything under way to it, and the event, which has no path or secret."""
    endpoint, other = await new(endpoints), await new(endpoints)
    messages = [told() for _ in range(3)]
    for message in messages:
        await deliveries.plan(message)
    begin = datetime.now(UTC)
    at = begin
    while at - begin < PATIENCE:
        await attempts.record(endpoint.id, a_try(endpoint, messages[0], None, at), at + DAY)
        assert await state_of(endpoints, endpoint) is EndpointState.ENABLED
        at += DAY
    assert await attempts.record(endpoint.id, a_try(endpoint, messages[0], 500, at), at + DAY) is D.ENDPOINT_DISABLED
    found = await endpoints.get(endpoint.id)
    assert found is not None
    assert (found.state, found.disabled_reason, found.disabled_at) == ("disabled", DisabledBecause.FAILING, at)
    for message in messages:
        ours = await deliveries.get(endpoint.id, delivery_id_of(endpoint.id, message.event_id))
        theirs = await deliveries.get(other.id, delivery_id_of(other.id, message.event_id))
        assert ours is not None
        assert theirs is not None
        assert (ours.state, theirs.state) == (D.ENDPOINT_DISABLED, D.PENDING)
    assert await events_of(fresh_engine, endpoint.id) == [
        (
            1,
            "webhook_endpoint.disabled",
            {"endpoint_id": endpoint.id, "host": "shop.example", "disabled_at": at.isoformat(), "reason": "failing"},
        )
    ]


async def events_of(engine: AsyncEngine, subject: str) -> list[tuple[int, str, dict[str, str]]]:
    """What the outbox tells about a subject, in order."""
    query = text("SELECT sequence, type, payload::text FROM outbox WHERE subject = :subject ORDER BY sequence")
    async with engine.connect() as connection:
        return [
            (n, type_, json.loads(data)) for n, type_, data in await connection.execute(query, {"subject": subject})
        ]


async def test_a_success_between_failures_starts_the_count_anew(
    endpoints: Endpoints, deliveries: WebhookDeliveries, attempts: WebhookAttempts
) -> None:
    """Days of failures count only without any success among them."""
    endpoint, messages = await new(endpoints), [told(), told()]
    for message in messages:
        await deliveries.plan(message)
    now = datetime.now(UTC)
    await attempts.record(endpoint.id, a_try(endpoint, messages[0], 500, now), now + DAY)
    await attempts.record(endpoint.id, a_try(endpoint, messages[1], 200, now + 4 * DAY), None)
    await attempts.record(endpoint.id, a_try(endpoint, messages[0], 500, now + 6 * DAY), now + 9 * DAY)
    assert await state_of(endpoints, endpoint) is EndpointState.ENABLED


async def test_an_endpoint_that_is_gone_is_disabled_at_once(
    endpoints: Endpoints, deliveries: WebhookDeliveries, attempts: WebhookAttempts, fresh_engine: AsyncEngine
) -> None:
    """410 says so; enabled again and gone again, its second event has the next number."""
    endpoint, messages = await new(endpoints), [told(), told()]
    now = datetime.now(UTC)
    for message in messages:
        await deliveries.plan(message)
        ended = await attempts.record(endpoint.id, a_try(endpoint, message, 410, now), now + DAY)
        assert ended is D.ENDPOINT_DISABLED
        enabled = await endpoints.change(endpoint.id, EndpointChange(enabled=True))
        assert (enabled.state, enabled.failing_since) == (EndpointState.ENABLED, None)
    told_of = await events_of(fresh_engine, endpoint.id)
    assert [(n, data["reason"]) for n, _, data in told_of] == [(1, "gone"), (2, "gone")]


async def test_a_try_under_way_does_not_revive_what_was_ended(
    endpoints: Endpoints, deliveries: WebhookDeliveries, attempts: WebhookAttempts
) -> None:
    """An endpoint disabled in that moment: a failure leaves the delivery ended, a success counts."""
    endpoint, messages, now = await new(endpoints), [told(), told()], datetime.now(UTC)
    for message in messages:
        await deliveries.plan(message)
    await endpoints.change(endpoint.id, EndpointChange(enabled=False))
    failed = await attempts.record(endpoint.id, a_try(endpoint, messages[0], 500, now), now + DAY)
    taken = await attempts.record(endpoint.id, a_try(endpoint, messages[1], 200, now), now + DAY)
    assert (failed, taken) == (D.ENDPOINT_DISABLED, D.DELIVERED)
    assert await state_of(endpoints, endpoint) is EndpointState.DISABLED


async def test_many_tries_and_a_disabling_at_once_end_well(
    endpoints: Endpoints, deliveries: WebhookDeliveries, attempts: WebhookAttempts, fresh_engine: AsyncEngine
) -> None:
    """Failures, successes and the end of the endpoint in the same moment: no deadlock, one event, nothing pending."""
    endpoint, messages, now = await new(endpoints), [told() for _ in range(30)], datetime.now(UTC)
    for message in messages:
        await deliveries.plan(message)
    statuses = [(200, 500, 410)[n % 3] for n in range(30)]
    await asyncio.gather(
        *(
            attempts.record(endpoint.id, a_try(endpoint, message, status, now), now + DAY)
            for message, status in zip(messages, statuses, strict=True)
        )
    )
    assert await state_of(endpoints, endpoint) is EndpointState.DISABLED
    assert len(await events_of(fresh_engine, endpoint.id)) == 1
    for message, status in zip(messages, statuses, strict=True):
        record = await deliveries.get(endpoint.id, delivery_id_of(endpoint.id, message.event_id))
        assert record is not None
        assert record.state is (D.DELIVERED if status == 200 else D.ENDPOINT_DISABLED)


async def test_two_secrets_sign_until_the_older_ends(endpoints: Endpoints, deliveries: WebhookDeliveries) -> None:
    """What is sent is signed with every active secret, newest first; one that ended signs nothing any more."""
    endpoint, message = await new(endpoints), told()
    await deliveries.plan(message)
    rotated = await endpoints.rotate(endpoint.id, timedelta(seconds=1))
    first, second = endpoint.secrets[0].secret, rotated.secrets[0].secret
    id_ = delivery_id_of(endpoint.id, message.event_id)
    outgoing = await deliveries.outgoing(id_)
    assert outgoing is not None
    assert outgoing.secrets == (second, first)
    with pytest.raises(SecretsActiveError):
        await endpoints.rotate(endpoint.id, DAY)
    await asyncio.sleep(1.1)
    outgoing = await deliveries.outgoing(id_)
    assert outgoing is not None
    assert outgoing.secrets == (second,)
    await endpoints.rotate(endpoint.id, DAY)


async def test_a_repeated_request_finds_what_it_made(endpoints: Endpoints) -> None:
    """Its answer was lost and its key forgotten: the endpoint and the secret are the ones it made."""
    made = await endpoints.create("https://shop.example/hook", ["*"], "key_x", "0" * 64)
    assert await endpoints.create("https://shop.example/hook", ["*"], "key_x", "0" * 64) == made
    rotated = await endpoints.rotate(made.id, DAY, "1" * 64)
    assert await endpoints.rotate(made.id, DAY, "1" * 64) == rotated
    assert len(rotated.secrets) == 2


async def test_what_is_not_there_is_told(endpoints: Endpoints, attempts: WebhookAttempts) -> None:
    """A try of an unknown delivery and a change of an unknown endpoint are errors, not nothing."""
    endpoint = await new(endpoints)
    with pytest.raises(BooksError, match="no delivery"):
        await attempts.record(endpoint.id, Tried("whd_x", datetime.now(UTC), False, 200, None, 1), None)
    with pytest.raises(BooksError, match="no endpoint"):
        await endpoints.change("we_x", EndpointChange())
