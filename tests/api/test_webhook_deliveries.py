"""Deliveries over HTTP: listed, shown with every try, and sent again."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from events.contract import Event, event_id
from events.subscribers.webhooks.subscriber import Webhooks
from ledger.engine import create_engine
from ledger.webhook_attempts import WebhookAttempts
from ledger.webhook_contract import Tried

from .conftest import Api
from .resending import StandInRuns

PATH = "/v1/webhook-endpoints"


def runs(api: Api) -> StandInRuns:
    """The stand-in behind this API."""
    found = api.services.shop_webhooks.runs
    assert isinstance(found, StandInRuns)
    return found


@pytest.fixture
async def endpoint(api: Api) -> Any:
    """The path of an endpoint that hears of everything."""
    runs(api).asked.clear()
    runs(api).down = False
    made = await api.client.post(PATH, json={"url": "https://shop.example/hook", "events": ["*"]})
    path = f"{PATH}/{made.json()['id']}"
    yield path
    await api.client.delete(path)


async def happened(api: Api, type_: str = "payment.succeeded", sequence: int = 1, subject: str = "") -> Event:
    """An event that the subscriber has heard of."""
    subject = subject or f"chk_{secrets.token_hex(12)}"
    event = Event(event_id(subject, sequence + 1), type_, subject, sequence, datetime.now(UTC), {"amount": 4200})
    await Webhooks(api.services.shop_webhooks.deliveries).handle(event)
    return event


async def tried(database_url: str, path: str, delivery_id: str, status: int | None, error: str | None = None) -> None:
    """A try that came to this, with no other to come."""
    engine = create_engine(database_url)
    attempts = WebhookAttempts(engine, timedelta(days=5))
    now = datetime.now(UTC)
    ended = Tried(delivery_id, now, False, status, error, 12, "no\nway" if status else "")
    await attempts.record(path.rpartition("/")[2], ended, None)
    await engine.dispose()


async def test_a_delivery_is_shown_with_its_event_and_tries(api: Api, endpoint: str, database_url: str) -> None:
    """What is sent, its place among its subject's events, and what came of each try."""
    event = await happened(api, sequence=3)
    (listed,) = (await api.client.get(f"{endpoint}/deliveries")).json()["data"]
    assert (listed["event_id"], listed["type"], listed["subject"]) == (event.id, event.type, event.subject)
    assert (listed["sequence"], listed["state"], listed["attempts"]) == (3, "pending", 0)
    await tried(database_url, endpoint, listed["id"], None, "timeout")
    await tried(database_url, endpoint, listed["id"], 500)
    shown = (await api.client.get(f"{endpoint}/deliveries/{listed['id']}")).json()
    assert (shown["state"], shown["attempts"]) == ("failed", 2)
    assert shown["event"]["data"] == {"amount": 4200}
    assert (shown["event"]["id"], shown["event"]["sequence"]) == (event.id, "0000000003")
    assert [(t["number"], t["status"], t["error"], t["answer"]) for t in shown["tries"]] == [
        (1, None, "timeout", ""),
        (2, 500, None, "no\nway"),
    ]


async def test_deliveries_are_listed_newest_first_by_state_and_type(api: Api, endpoint: str, database_url: str) -> None:
    """In pages; filters narrow, and what no filter knows is refused."""
    first, second, third = [await happened(api, t) for t in ("payment.succeeded", "refund.created", "refund.created")]
    page = (await api.client.get(f"{endpoint}/deliveries", params={"limit": 2})).json()
    rest = (await api.client.get(f"{endpoint}/deliveries", params={"cursor": page["next_cursor"]})).json()
    assert [d["event_id"] for d in (*page["data"], *rest["data"])] == [third.id, second.id, first.id]
    await tried(database_url, endpoint, page["data"][0]["id"], 200)
    for params, found in (
        ({"state": "delivered"}, [third.id]),
        ({"state": "pending"}, [second.id, first.id]),
        ({"type": "payment.succeeded"}, [first.id]),
        ({"state": "failed"}, []),
    ):
        listed = (await api.client.get(f"{endpoint}/deliveries", params=params)).json()
        assert [d["event_id"] for d in listed["data"]] == found
    for wrong in ("state", "type", "cursor"):
        answer = await api.client.get(f"{endpoint}/deliveries", params={wrong: "x"})
        assert (answer.status_code, answer.json()["field"]) == (422, wrong)


async def test_a_delivery_belongs_to_its_endpoint(api: Api, endpoint: str) -> None:
    """Asked for at another endpoint, or where there is none, it is 404."""
    await happened(api)
    (listed,) = (await api.client.get(f"{endpoint}/deliveries")).json()["data"]
    other = (await api.client.post(PATH, json={"url": "https://shop.example/2", "events": ["*"]})).json()["id"]
    for path in (f"{PATH}/{other}/deliveries/{listed['id']}", f"{endpoint}/deliveries/whd_{'0' * 24}"):
        for answer in (await api.client.get(path), await api.client.post(f"{path}/resend")):
            assert (answer.status_code, answer.json()["code"]) == (404, "delivery_not_found")
    await api.client.delete(f"{PATH}/{other}")
    assert runs(api).asked == []


async def test_a_delivery_is_sent_again(api: Api, endpoint: str) -> None:
    """202, and its workflow is asked once; the same idempotency key asks for no second one."""
    await happened(api)
    (listed,) = (await api.client.get(f"{endpoint}/deliveries")).json()["data"]
    path, key = f"{endpoint}/deliveries/{listed['id']}/resend", {"Idempotency-Key": secrets.token_hex(8)}
    first, second = [await api.client.post(path, headers=key) for _ in range(2)]
    assert (first.status_code, first.json()["id"], second.content) == (202, listed["id"], first.content)
    assert runs(api).asked == [listed["id"]]


async def test_nothing_is_sent_again_where_it_cannot_be(api: Api, endpoint: str) -> None:
    """To a disabled endpoint 409, without Temporal 503; enabled and with Temporal it goes."""
    await happened(api)
    (listed,) = (await api.client.get(f"{endpoint}/deliveries")).json()["data"]
    path = f"{endpoint}/deliveries/{listed['id']}/resend"
    await api.client.post(endpoint, json={"state": "disabled"})
    disabled = await api.client.post(path)
    assert (disabled.status_code, disabled.json()["code"]) == (409, "endpoint_disabled")
    (listed,) = (await api.client.get(f"{endpoint}/deliveries")).json()["data"]
    assert listed["state"] == "endpoint_disabled"
    await api.client.post(endpoint, json={"state": "enabled"})
    runs(api).down = True
    down = await api.client.post(path)
    assert (down.status_code, down.json()["code"]) == (503, "temporal_down")
    runs(api).down = False
    assert (await api.client.post(path)).status_code == 202


async def test_a_reader_may_not_send_again(api: Api, endpoint: str) -> None:
    """Sending again is writing."""
    await happened(api)
    (listed,) = (await api.client.get(f"{endpoint}/deliveries")).json()["data"]
    headers = {"Authorization": f"Bearer {await api.key('read')}"}
    answer = await api.stranger.post(f"{endpoint}/deliveries/{listed['id']}/resend", headers=headers)
    assert (answer.status_code, runs(api).asked) == (403, [])
