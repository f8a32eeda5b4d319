"""PayPal's own list of what its webhooks told."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.errors import GatewayRefusedError, OutcomeUnknownError
from gateways.paypal.adapter import PayPalGateway
from gateways.paypal.webhooks import hinted_payment
from tests.gateways.paypal.authority import event
from tests.gateways.paypal.examples import ORDER_ID, link, refused
from tests.gateways.scripted import ScriptedServer, answer

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
NEXT = "https://api-m.sandbox.paypal.com/v1/notifications/webhooks-events?page_size=100&start_time=S&token=T%2F2"


def told(number: int, at: str = "2026-11-22T11:30:00.000Z", **changes: Any) -> dict[str, Any]:
    """An event of the list."""
    return event(**{"id": f"WH-{number}", "create_time": at, **changes})


def page(*events: Any, further: str | None = None) -> bytes:
    """One page of the list."""
    links = [] if further is None else [link("next", further)]
    return answer(200, {"events": list(events), "count": len(events), "links": links})


async def test_events_are_listed_as_webhooks_told_them(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """Relevant events, oldest first, each once, with the body that a delivery would have had."""
    late, early = told(1), told(2, "2026-11-22T11:10:00Z")
    other = told(3, event_type="BILLING.SUBSCRIPTION.CREATED")
    scripted.tell(page(late, other, early, late))
    listed = await gateway.list_events(NOON - HOUR, NOON)
    assert [one.event.event_id for one in listed] == ["WH-2", "WH-1"]
    first = listed[0]
    assert (first.event.payment_id, first.event.reference, first.event.relevant) == (ORDER_ID, "chk_1", True)
    assert first.event.occurred_at == datetime(2026, 11, 22, 11, 10, tzinfo=UTC)
    assert json.loads(first.body) == early
    assert hinted_payment(first.body) == ORDER_ID
    query = "start_time=2026-11-22T11%3A00%3A00Z&end_time=2026-11-22T12%3A00%3A00Z&page_size=100"
    assert scripted.requests[0].startswith(f"GET /v1/notifications/webhooks-events?{query} ")


async def test_pages_are_followed_at_our_address(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """The next page's query is followed, wherever its address points to."""
    scripted.tell(page(told(1), further=NEXT.replace("api-m.sandbox.paypal.com", "127.0.0.1:1")), page(told(2)))
    listed = await gateway.list_events(NOON - HOUR, NOON)
    assert [one.event.event_id for one in listed] == ["WH-1", "WH-2"]
    assert scripted.requests[1].split(" ")[1].endswith("webhooks-events?page_size=100&start_time=S&token=T%2F2")


async def test_a_second_belongs_to_the_time_as_a_whole(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """PayPal states seconds: what may have happened after the beginning is in, what is outside is not."""
    times = ["2026-11-22T10:59:59Z", "2026-11-22T11:00:00Z", "2026-11-22T11:59:59Z", "2026-11-22T12:00:00Z"]
    scripted.tell(page(*(told(number, at) for number, at in enumerate(times))))
    listed = await gateway.list_events(NOON - HOUR + timedelta(milliseconds=700), NOON)
    assert [one.event.event_id for one in listed] == ["WH-1", "WH-2"]


async def test_disputes_are_listed(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """An event about a dispute names it."""
    resource = {"dispute_id": "PP-R-ABC-10065656", "disputed_transactions": [{"custom": "chk_1"}]}
    scripted.tell(page(told(1, event_type="CUSTOMER.DISPUTE.CREATED", resource=resource)))
    (one,) = await gateway.list_events(NOON - HOUR, NOON)
    assert (one.event.dispute_id, one.event.reference, one.event.live) == ("PP-R-ABC-10065656", "chk_1", False)


async def test_events_that_lead_nowhere_are_left_out(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """What names nothing of ours is not relevant, as it would not be as a delivery."""
    scripted.tell(page(told(1, resource={"id": "3C679366HH908993F"})))
    assert await gateway.list_events(NOON - HOUR, NOON) == []


BROKEN: dict[str, Any] = {
    "no id": told(1, id=None),
    "no time": told(1, create_time=None),
    "time without zone": told(1, "2026-11-22T11:30:00"),
    "resource a list": told(1, resource=[]),
    "relations a list": told(1, resource={"supplementary_data": [1]}),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
async def test_an_event_that_cannot_be_read_is_unknown(
    gateway: PayPalGateway, scripted: ScriptedServer, broken: dict[str, Any]
) -> None:
    """One that we subscribe to is not passed over: what it told would be lost."""
    scripted.tell(page(broken))
    with pytest.raises(OutcomeUnknownError):
        await gateway.list_events(NOON - HOUR, NOON)


async def test_a_list_without_end_is_unknown(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """Pages that go on for ever are not read for ever."""
    scripted.tell(page(told(1), further=NEXT))
    with pytest.raises(OutcomeUnknownError, match="more events"):
        await gateway.list_events(NOON - HOUR, NOON)


async def test_a_list_that_paypal_refuses_is_an_error(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """PayPal's no to the question is no decline of anything."""
    scripted.tell(refused(400, "INVALID_PARAMETER_VALUE"))
    with pytest.raises(GatewayRefusedError, match="INVALID_PARAMETER_VALUE"):
        await gateway.list_events(NOON - HOUR, NOON)
