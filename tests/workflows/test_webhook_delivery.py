"""Events on their way to shops: signed, tried again, sent again by hand, and not sent where nobody wants them."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from temporalio.client import WorkflowExecutionStatus

from domain.webhook import DeliveryState as D
from tests.activities.receivers import saying
from tests.conftest import new_database
from tests.workflows.receiving import BROKEN, OK, Got, Sending, receiver, sending
from tests.workflows.support import eventually
from tests.workflows.test_visibility import attributes


def verified(secret: str, got: Got) -> dict[str, object]:
    """The event as a receiver's library takes it."""
    event = Webhook(secret).verify(got.body, dict(got.headers))
    assert isinstance(event, dict)
    return event


async def test_an_event_arrives_signed(sender: Sending) -> None:
    """At once, in one piece, and as the public library verifies it; with the place among its subject's events."""
    async with receiver() as there:
        endpoint = await sender.endpoint(there)
        event = await sender.tell(sequence=3)
        record = await sender.until(endpoint, event, D.DELIVERED)
        (got,) = there.got
    told = verified(endpoint.secrets[0].secret, got)
    assert (told["id"], told["subject"], told["sequence"]) == (event.id, event.subject, "0000000003")
    assert told["data"] == {"note": "Grüße"}
    assert got.headers["webhook-id"] == event.id
    assert got.headers["content-type"] == "application/cloudevents+json"
    assert abs(int(got.headers["webhook-timestamp"]) - datetime.now(UTC).timestamp()) < 60
    assert (record.attempts, record.next_attempt_at) == (1, None)
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "A" * 43 + "=").verify(got.body, dict(got.headers))
    with pytest.raises(WebhookVerificationError):
        verified(endpoint.secrets[0].secret, replace(got, body=got.body.replace(b"3", b"4")))


async def test_both_secrets_sign_during_a_rotation(sender: Sending) -> None:
    """Who has the old one and who has the new one both verify; when the old one has ended, only the new one."""
    async with receiver() as there:
        endpoint = await sender.endpoint(there)
        old = endpoint.secrets[0].secret
        new = (await sender.endpoints.rotate(endpoint.id, timedelta(hours=1))).secrets[0].secret
        await sender.until(endpoint, await sender.tell(), D.DELIVERED)
        for secret in (old, new):
            verified(secret, there.got[0])
        await sender.endpoints.rotate(endpoint.id, timedelta())
        await sender.until(endpoint, await sender.tell(), D.DELIVERED)
        for secret in (old, new):
            with pytest.raises(WebhookVerificationError):
                verified(secret, there.got[1])


async def test_only_what_was_asked_for_arrives(sender: Sending) -> None:
    """By the types of each endpoint; every endpoint gets the same id and body."""
    async with receiver() as one, receiver() as other:
        all_of_it = await sender.endpoint(one)
        refunds = await sender.endpoint(other, "refund.created")
        payment, refund = await sender.tell(), await sender.tell("refund.created")
        await sender.until(all_of_it, payment, D.DELIVERED)
        await sender.until(all_of_it, refund, D.DELIVERED)
        await sender.until(refunds, refund, D.DELIVERED)
        assert {got.headers["webhook-id"] for got in one.got} == {payment.id, refund.id}
        (got,) = other.got
        assert got.body in [each.body for each in one.got]


async def test_a_failure_is_tried_again_after_five_seconds(sender: Sending) -> None:
    """The same id and body, a signature of its own moment; both tries are on record."""
    async with receiver(BROKEN, OK) as there:
        endpoint = await sender.endpoint(there)
        event = await sender.tell()
        await sender.until(endpoint, event, D.DELIVERED, tries=2)
        first, second = there.got
    for got in (first, second):
        verified(endpoint.secrets[0].secret, got)
    assert (first.headers["webhook-id"], first.body) == (second.headers["webhook-id"], second.body)
    assert first.headers["webhook-timestamp"] < second.headers["webhook-timestamp"]
    tries = await sender.tries(endpoint, event)
    assert [(t.status, t.error, t.answer) for t in tries] == [(500, None, "busy"), (204, None, "")]
    assert timedelta(seconds=5) <= tries[1].at - tries[0].at < timedelta(seconds=9)


async def silent(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    """Take the request and say nothing."""
    await asyncio.sleep(5)


@pytest.mark.parametrize(
    ("behaviour", "status", "error"),
    [
        (silent, None, "timeout"),
        (saying(b"220 mail.example ESMTP\r\n"), None, "protocol"),
        (saying(b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"), 302, None),
        (saying(b"HTTP/1.1 200 OK\r\nx: " + b"x" * 100_000), None, "too_large"),
    ],
    ids=["silent", "no_http", "redirect", "huge_head"],
)
async def test_an_answer_that_is_none_is_a_failure(
    sender: Sending, behaviour: object, status: int | None, error: str | None
) -> None:
    """Within the time-out; a redirect is not followed. It is written down, and the next try is planned."""
    async with receiver(behaviour=behaviour) as there:  # type: ignore[arg-type]
        endpoint = await sender.endpoint(there)
        event = await sender.tell()
        record = await sender.until(endpoint, event, D.PENDING)
        (attempt, *_) = await sender.tries(endpoint, event)
        assert (attempt.status, attempt.error) == (status, error)
        assert attempt.milliseconds < 3000
        assert record.next_attempt_at is not None


async def test_of_a_huge_answer_a_beginning_is_kept(sender: Sending) -> None:
    """It is taken all the same: the status was heard."""
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 10000000\r\n\r\n" + b"x" * 200_000
    async with receiver(answer) as there:
        endpoint = await sender.endpoint(there)
        event = await sender.tell()
        await sender.until(endpoint, event, D.DELIVERED)
        (attempt,) = await sender.tries(endpoint, event)
        assert attempt.answer == "x" * len(attempt.answer)
        assert 0 < len(attempt.answer) <= 1024


async def test_a_slow_receiver_keeps_nobody_waiting(sender: Sending) -> None:
    """While one endpoint lets every request run into its time-out, another gets its events at once."""
    async with receiver(behaviour=silent) as slow, receiver() as quick:
        await sender.endpoint(slow)
        endpoint = await sender.endpoint(quick)
        events = [await sender.tell() for _ in range(20)]
        for event in events:
            await sender.until(endpoint, event, D.DELIVERED)
        delays = [(await sender.tries(endpoint, event))[0].at - event.time for event in events]
        assert max(delays) < timedelta(seconds=5)


async def test_an_endpoint_holds_only_so_many_places(
    fresh_database_url: str, temporal_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A burst for a slow one: never more tries at once than it may hold, and all of them arrive."""
    monkeypatch.setattr("activities.webhooks.AT_ONCE_PER_ENDPOINT", 3)
    now, most = 0, 0

    async def slow(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.3)
        now -= 1
        writer.write(OK)
        await writer.drain()

    patient = sending(fresh_database_url, temporal_address, webhooks_timeout_seconds=15)
    async with patient as sender, receiver(behaviour=slow) as there:
        endpoint = await sender.endpoint(there)
        events = [await sender.tell() for _ in range(12)]
        for event in events:
            await sender.until(endpoint, event, D.DELIVERED)
            assert len(await sender.tries(endpoint, event)) == 1
    assert most == 3


async def test_a_busy_receiver_is_left_alone(sender: Sending) -> None:
    """503 with Retry-After: the next try waits for as long as it asks."""
    async with receiver(b"HTTP/1.1 503 Busy\r\nretry-after: 3600\r\ncontent-length: 0\r\n\r\n") as there:
        endpoint = await sender.endpoint(there)
        event = await sender.tell()
        record = await sender.until(endpoint, event, D.PENDING)
    assert record.next_attempt_at is not None
    assert timedelta(minutes=59) < record.next_attempt_at - datetime.now(UTC) <= timedelta(hours=1)


async def test_operators_find_deliveries_by_endpoint_and_type(sender: Sending) -> None:
    """Search attributes, a summary, and the details say how it stands; a signal nobody knows is kept."""
    async with receiver(BROKEN) as there:
        endpoint = await sender.endpoint(there)
        event = await sender.tell()
        await sender.until(endpoint, event, D.PENDING)
        handle = sender.handle(endpoint, event)
        described = await handle.describe()
        assert described.status is WorkflowExecutionStatus.RUNNING
        assert attributes(described).items() >= {("WebhookEndpoint", endpoint.id), ("EventType", event.type)}
        assert described.task_queue == f"{sender.parts.task_queue}-webhooks"
        assert await described.static_summary() == f"{event.type} to {endpoint.id}"
        await handle.signal("resent")
        assert await eventually(lambda: handle.query("unknown_signals"), bool) == ["resent"]
        assert "pending, next try at 2" in str(await handle.query("__temporal_workflow_metadata"))


async def test_nothing_secret_reaches_temporal(sender: Sending) -> None:
    """Neither the address, nor a secret, nor what is sent stand in the history."""
    async with receiver() as there:
        endpoint = await sender.endpoint(there)
        event = await sender.tell()
        await sender.until(endpoint, event, D.DELIVERED)
        history = (await sender.handle(endpoint, event).fetch_history()).to_json()
    for kept in ("hook?shop", endpoint.secrets[0].secret, "Gr\\u00fc", event.subject):
        assert kept not in history
        assert json.dumps(kept)[1:-1] not in history


async def test_an_address_that_is_forbidden_now_is_not_called(
    server_url: str, template_database: str, temporal_address: str
) -> None:
    """An endpoint of a development machine, taken along into production: every try says why it is none."""
    async with (
        new_database(server_url, template_database) as url,
        sending(url, temporal_address, webhooks_development=False) as strict,
        receiver() as there,
    ):
        endpoint = await strict.endpoint(there)
        event = await strict.tell()
        await strict.until(endpoint, event, D.PENDING)
        (attempt, *_) = await strict.tries(endpoint, event)
        assert (attempt.status, attempt.error) == (None, "forbidden_url:scheme")
        assert there.seen.connections == 0


async def test_what_two_workers_find_is_delivered_once(
    server_url: str, template_database: str, temporal_address: str
) -> None:
    """Two worker processes' loops on one set of books."""
    async with (
        new_database(server_url, template_database) as url,
        sending(url, temporal_address) as one,
        sending(url, temporal_address),
        receiver() as there,
    ):
        endpoint = await one.endpoint(there)
        events = [await one.tell() for _ in range(30)]
        for event in events:
            await one.until(endpoint, event, D.DELIVERED)
        assert sorted(got.headers["webhook-id"] for got in there.got) == sorted(event.id for event in events)


async def test_the_names_that_others_use_are_pinned() -> None:
    """Renaming the signal or the workflow would lose what is sent by the old name."""
    from temporalio.workflow import _Definition

    from workflows.webhook_delivery import WebhookDeliveryWorkflow

    definition = _Definition.must_from_class(WebhookDeliveryWorkflow)
    assert (definition.name, set(definition.signals)) == ("WebhookDelivery", {"resend", None})
