"""Stored events over HTTP: listed, and dispatched again one by one or many at once."""

import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from ledger.contract import Delivery, EventSource

from .conftest import Api, bearer, serving

LEASE = timedelta(seconds=60)


class Operator:
    """Somebody who runs the service, looking at the events of gateways that nobody else has."""

    def __init__(self, api: Api, secret: str) -> None:
        self.api, self.headers = api, bearer(secret)
        self.gateway = f"gate_{secrets.token_hex(4)}"

    async def store(self, **changes: Any) -> str:
        """Store an event; its id at the gateway."""
        event_id = str(changes.pop("event_id", f"evt_{secrets.token_hex(8)}"))
        members: dict[str, Any] = {
            "gateway": self.gateway,
            "event_id": event_id,
            "type": "payment_intent.succeeded",
            "payment_id": f"pi_{event_id}",
            "reference": None,
            "live": False,
            "relevant": True,
            "body": b'{"secret":"of the customer"}',
            "headers": {},
            "received_at": datetime.now(UTC),
        }
        await self.api.services.inbox.store(Delivery(**(members | changes)))
        return event_id

    async def dispatched(self) -> int:
        """Have everything that is due dealt with, as the dispatcher would; how much of it was of this gateway."""
        items = await self.api.services.inbox.claim(1000, LEASE)
        for item in items:
            await self.api.services.inbox.finish(item, "delivered")
        return sum(item.gateway == self.gateway for item in items)

    async def listed(self, **query: str) -> list[dict[str, Any]]:
        """All pages of the listing."""
        found, cursor = [], None
        while True:
            params = {"gateway": self.gateway, "limit": "2"} | query | ({"cursor": cursor} if cursor else {})
            response = await self.api.stranger.get("/v1/webhooks", params=params, headers=self.headers)
            assert response.status_code == 200, response.text
            found += response.json()["data"]
            if (cursor := response.json()["next_cursor"]) is None:
                return found

    async def replay(self, path: str = "", **body: object) -> httpx.Response:
        """POST a replay, of one event where a path is given."""
        url = f"/v1/webhooks/{path}/replay" if path else "/v1/webhooks/replay"
        return await self.api.stranger.post(url, json=body, headers=self.headers)


@pytest.fixture
async def operator(fresh_database_url: str) -> AsyncIterator[Operator]:
    """An operator on books where no dispatcher works but the test itself."""
    async with serving(fresh_database_url) as api:
        yield Operator(api, await api.key("operate"))


async def test_events_are_listed_newest_first(operator: Operator) -> None:
    """With what they are about, how they came and what became of them; never with what was in them."""
    now = datetime.now(UTC)
    ids = [await operator.store(received_at=now + timedelta(seconds=second)) for second in range(3)]
    await operator.store(
        event_id="told_by_poll",
        source=EventSource.POLL,
        dispute_id="du_1",
        reference="chk_1",
        received_at=now + timedelta(seconds=9),
    )
    events = await operator.listed()
    assert [event["event_id"] for event in events] == ["told_by_poll", *ids[::-1]]
    assert (events[0]["source"], events[0]["dispute_id"], events[0]["reference"]) == ("poll", "du_1", "chk_1")
    assert set(events[0]) == {
        "id",
        "gateway",
        "event_id",
        "type",
        "payment_id",
        "reference",
        "dispute_id",
        "source",
        "relevant",
        "received_at",
        "attempts",
        "processed_at",
        "outcome",
        "replays",
    }
    assert (events[1]["attempts"], events[1]["processed_at"], events[1]["outcome"], events[1]["replays"]) == (
        0,
        None,
        None,
        0,
    )


async def test_the_listing_keeps_to_its_filters(operator: Operator) -> None:
    """By outcome, payment, reference and time; both ends as they say."""
    now = datetime.now(UTC)
    old = await operator.store(received_at=now - timedelta(days=3), reference="chk_old")
    await operator.dispatched()
    new = await operator.store(payment_id="pi_new")

    async def seen(**query: str) -> list[str]:
        return [event["event_id"] for event in await operator.listed(**query)]

    assert await seen(outcome="delivered") == [old]
    assert await seen(payment_id="pi_new") == [new]
    assert await seen(reference="chk_old") == [old]
    day = timedelta(days=1)
    assert await seen(since=(now - day).isoformat()) == [new]
    assert await seen(until=(now - day).isoformat()) == [old]
    assert await seen(since=(now - 2 * day).isoformat(), until=(now - day).isoformat()) == []


async def test_an_event_is_dispatched_again(operator: Operator) -> None:
    """By its id here or by the gateway's; the listing counts how often."""
    event_id = await operator.store()
    assert await operator.dispatched() == 1
    (event,) = await operator.listed()
    for times, name in enumerate((event["id"], event_id), start=1):
        answer = await operator.replay(name)
        assert (answer.status_code, answer.json()) == (200, {"replayed": 1})
        (waiting,) = await operator.listed()
        assert (waiting["processed_at"], waiting["replays"]) == (None, times)
        assert await operator.dispatched() == 1


async def test_a_repeated_replay_is_one(operator: Operator) -> None:
    """With an idempotency key the second is answered and does nothing."""
    event_id = await operator.store()
    await operator.dispatched()
    operator.headers |= {"Idempotency-Key": secrets.token_hex(8)}
    answers = [await operator.replay(event_id) for _ in range(2)]
    assert answers[0].content == answers[1].content
    (event,) = await operator.listed()
    assert event["replays"] == 1


async def test_an_event_id_of_two_gateways_is_ambiguous(operator: Operator) -> None:
    """409 with the ids here, of which each is unique."""
    event_id = await operator.store()
    await operator.store(event_id=event_id, gateway=f"{operator.gateway}_2")
    answer = await operator.replay(event_id)
    assert (answer.status_code, answer.json()["code"]) == (409, "event_ambiguous")
    assert len(answer.json()["events"]) == 2
    assert (await operator.replay(answer.json()["events"][0])).status_code == 200


async def test_what_changes_nothing_is_not_dispatched_again(operator: Operator) -> None:
    """An irrelevant event stays evidence: alone it is a conflict, among others it does not count."""
    event_id = await operator.store(relevant=False)
    await operator.store()
    answer = await operator.replay(event_id)
    assert (answer.status_code, answer.json()["code"]) == (409, "event_not_relevant")
    assert (await operator.replay(gateway=operator.gateway)).json() == {"replayed": 1}


async def test_many_are_dispatched_again_at_once(operator: Operator) -> None:
    """Those that fit every filter that is given, and the answer says how many."""
    now = datetime.now(UTC)
    for days in (3, 2, 1):
        await operator.store(received_at=now - timedelta(days=days), reference=f"chk_{days}")
    await operator.dispatched()
    mine = {"gateway": operator.gateway}
    since, until = (now - timedelta(days=2, hours=12)).isoformat(), (now - timedelta(days=1, hours=12)).isoformat()
    for body, count in (
        (mine | {"since": since, "until": until}, 1),
        (mine | {"reference": "chk_1"}, 1),
        (mine | {"outcome": "delivered"}, 1),
        (mine | {"outcome": "unknown_payment"}, 0),
        (mine, 3),
    ):
        answer = await operator.replay(**body)
        assert (answer.status_code, answer.json()) == (200, {"replayed": count}), body
    assert await operator.dispatched() == 3


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "body"),
        ({"gateway": None}, "body"),
        ({"since": "yesterday"}, "since"),
        ({"since": "2026-11-22T00:00:00"}, "since"),
        ({"since": 5}, "since"),
        ({"until": "0001-01-01T00:00:00+14:00"}, "until"),
        ({"gateway": "Not One"}, "gateway"),
        ({"outcome": ""}, "outcome"),
        ({"all": True}, "all"),
    ],
)
async def test_a_replay_that_does_not_fit_is_named(operator: Operator, body: dict[str, object], field: str) -> None:
    """422 by the field; without any filter nothing is replayed, since everything at once is never meant."""
    answer = await operator.replay(**body)
    assert (answer.status_code, answer.json()["field"]) == (422, field)


@pytest.mark.parametrize("event", ["inb_0", "inb_999999999999999999", "inb_x", "evt_nobody", "%00", "é" * 300])
async def test_unknown_events_are_not_found(operator: Operator, event: str) -> None:
    """404, whatever the id looks like."""
    answer = await operator.replay(event)
    assert (answer.status_code, answer.json()["code"]) == (404, "event_not_found")


async def test_events_are_for_those_who_run_the_service(api: Api) -> None:
    """A shop's key sees none and replays none."""
    for answer in (
        await api.client.get("/v1/webhooks"),
        await api.client.post("/v1/webhooks/replay", json={"gateway": "stripe"}),
        await api.client.post("/v1/webhooks/inb_1/replay"),
    ):
        assert (answer.status_code, answer.json()["scope"]) == (403, "operate")


@pytest.mark.parametrize(
    ("query", "field"),
    [("since=now", "since"), ("limit=0", "limit"), ("cursor=x", "cursor"), ("outcome=", "outcome"), ("z=1", "z")],
)
async def test_a_filter_that_does_not_fit_is_named(operator: Operator, query: str, field: str) -> None:
    """422 with the filter's name."""
    response = await operator.api.stranger.get(f"/v1/webhooks?{query}", headers=operator.headers)
    assert (response.status_code, response.json()["field"]) == (422, field)
