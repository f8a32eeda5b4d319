"""What is sent to a shop again by hand, what is started more than once, and endpoints that want nothing any more."""

from domain.webhook import DeliveryState as D
from ledger.webhook_contract import EndpointChange, Unstarted
from tests.workflows.receiving import BROKEN, GONE, OK, Sending, receiver


async def test_an_endpoint_that_is_gone_gets_nothing_more(sender: Sending) -> None:
    """410: disabled at once, its other deliveries end with it; enabled again, they can be sent again."""
    async with receiver(BROKEN, GONE, OK) as there:
        endpoint = await sender.endpoint(there)
        first = await sender.tell()
        await sender.until(endpoint, first, D.PENDING)
        second = await sender.tell()
        for event in (first, second):
            await sender.until(endpoint, event, D.ENDPOINT_DISABLED)
        assert await sender.handle(endpoint, second).result() == "endpoint_disabled"
        assert await sender.handle(endpoint, first).result() == "endpoint_disabled"
        await sender.tell()
        assert len(there.got) == 2
        await sender.endpoints.change(endpoint.id, EndpointChange(enabled=True))
        for event in (first, second):
            await sender.runs.resend(await sender.record(endpoint, event))
            await sender.until(endpoint, event, D.DELIVERED, tries=2)
        assert len(there.got) == 4


async def test_what_was_delivered_is_sent_again_by_hand(sender: Sending) -> None:
    """As often as it is asked for, each in a run with one try, the same id and body; one that fails undoes nothing."""
    async with receiver(OK, BROKEN, OK) as there:
        endpoint = await sender.endpoint(there)
        event = await sender.tell()
        record = await sender.until(endpoint, event, D.DELIVERED)
        await sender.handle(endpoint, event).result()
        for tries in (2, 3):
            await sender.runs.resend(record)
            again = await sender.until(endpoint, event, D.DELIVERED, tries=tries)
            assert await sender.handle(endpoint, event).result() == "delivered"
        assert len({(got.headers["webhook-id"], got.body) for got in there.got}) == 1
    assert (again.attempts, again.finished_at) == (3, record.finished_at)
    tried = [(t.status, t.by_hand) for t in await sender.tries(endpoint, event)]
    assert tried == [(204, False), (500, True), (204, True)]


async def test_a_try_by_hand_does_not_wait_for_the_schedule(sender: Sending) -> None:
    """Asked for between two tries: at once. It leaves the schedule as it was, or ends it by its success."""
    async with receiver(BROKEN, BROKEN, BROKEN, OK) as there:
        endpoint = await sender.endpoint(there)
        event = await sender.tell()
        planned = await sender.until(endpoint, event, D.PENDING, tries=2)
        await sender.runs.resend(planned)
        failed = await sender.until(endpoint, event, D.PENDING, tries=3)
        assert failed.next_attempt_at == planned.next_attempt_at
        await sender.runs.resend(failed)
        await sender.until(endpoint, event, D.DELIVERED, tries=4)
        assert await sender.handle(endpoint, event).result() == "delivered"
        assert [t.by_hand for t in await sender.tries(endpoint, event)] == [False, False, True, True]


async def test_a_disabled_endpoint_gets_nothing(sender: Sending) -> None:
    """Neither what waits for its next try, nor what is asked for by hand."""
    async with receiver(BROKEN) as there:
        endpoint = await sender.endpoint(there)
        event = await sender.tell()
        await sender.until(endpoint, event, D.PENDING)
        await sender.endpoints.change(endpoint.id, EndpointChange(enabled=False))
        assert (await sender.record(endpoint, event)).state is D.ENDPOINT_DISABLED
        await sender.runs.resend(await sender.record(endpoint, event))
        assert await sender.handle(endpoint, event).result() == "endpoint_disabled"
        assert len(there.got) == 1


async def test_started_twice_it_is_delivered_once(sender: Sending) -> None:
    """By several that found it at the same moment, and by one that comes after its end."""
    async with receiver() as there:
        endpoint = await sender.endpoint(there)
        event = await sender.tell()
        record = await sender.until(endpoint, event, D.DELIVERED)
        await sender.handle(endpoint, event).result()
        for _ in range(3):
            await sender.runs.start(Unstarted(record.id, endpoint.id, event.type))
        assert len(there.got) == 1
        assert len(await sender.tries(endpoint, event)) == 1


async def test_a_delivery_whose_workflow_was_terminated_starts_anew(sender: Sending) -> None:
    """Sent again it gets its schedule, since it still waits."""
    async with receiver(BROKEN, BROKEN, OK) as there:
        endpoint = await sender.endpoint(there)
        event = await sender.tell()
        record = await sender.until(endpoint, event, D.PENDING)
        await sender.handle(endpoint, event).terminate()
        await sender.runs.resend(record)
        await sender.until(endpoint, event, D.DELIVERED, tries=3)
        assert [t.by_hand for t in await sender.tries(endpoint, event)] == [False, False, False]
