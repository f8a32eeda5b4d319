"""Stripe's own list of events: the same events as by webhook, and nothing that could not be one."""

import json
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.errors import OutcomeUnknownError
from gateways.stripe.adapter import StripeGateway
from gateways.stripe.webhooks import WEBHOOK_EVENTS
from tests.gateways.scripted import ScriptedServer, answer
from tests.gateways.stripe.deliveries import event, parse_signed

SINCE = datetime(2026, 11, 22, 11, 0, tzinfo=UTC)
UNTIL = SINCE + timedelta(hours=2)


def page(*events: dict[str, Any], has_more: bool = False) -> bytes:
    """One page of the list."""
    return answer(200, {"object": "list", "data": list(events), "has_more": has_more, "url": "/v1/events"})


async def test_the_same_event_as_by_webhook(gateway: StripeGateway, scripted: ScriptedServer) -> None:
    """A listed event has the id, the time and the body of its webhook, so that the inbox knows it again."""
    scripted.tell(page(event()))
    (listed,) = await gateway.list_events(SINCE, UNTIL)
    assert listed.event == parse_signed(event())
    assert json.loads(listed.body) == event()


async def test_pages_oldest_first(gateway: StripeGateway, scripted: ScriptedServer) -> None:
    """All pages are read, narrowed to this time and to the types that we subscribe to."""
    scripted.tell(page(event(id="evt_3"), event(id="evt_2"), has_more=True), page(event(id="evt_1")))
    listed = await gateway.list_events(SINCE, UNTIL)
    assert [one.event.event_id for one in listed] == ["evt_1", "evt_2", "evt_3"]
    first, second = (request.replace("%5B", "[").replace("%5D", "]") for request in scripted.requests)
    assert f"created[gte]={int(SINCE.timestamp())}&created[lt]={int(UNTIL.timestamp())}" in first
    assert all(f"={kind}" in first for kind in WEBHOOK_EVENTS)
    assert len(WEBHOOK_EVENTS) <= 20
    assert "starting_after=evt_2" in second


async def test_only_what_is_relevant(
    gateway: StripeGateway, scripted: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Events of charges without a payment are left out; one that cannot be read is, too, and is logged."""
    foreign = event(type="charge.refunded", data={"object": {"id": "ch_1", "payment_intent": None}})
    odd = [event(id=None), event(data={}), event(created="now"), event(created=10**18), event(object="charge")]
    scripted.tell(page(foreign, *odd, event(id="evt_7")))
    with caplog.at_level(logging.ERROR):
        listed = await gateway.list_events(SINCE, UNTIL)
    assert [one.event.event_id for one in listed] == ["evt_7"]
    assert len([record for record in caplog.records if "cannot be read" in record.getMessage()]) == len(odd)


async def test_a_list_that_is_none(gateway: StripeGateway, scripted: ScriptedServer) -> None:
    """An answer without a list proves nothing, least of all that there was no event."""
    scripted.tell(answer(200, {"object": "list", "data": "none", "has_more": False}))
    with pytest.raises(OutcomeUnknownError):
        await gateway.list_events(SINCE, UNTIL)
