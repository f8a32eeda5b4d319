"""What webhooks told, as the list of events has it, and for how long they are tried."""

from datetime import UTC, datetime, timedelta

import httpx

from tests.sandbox.paypal.support import Json, Shop, heard, issue
from tests.sandbox.support import Receiver, eventually

EVENTS = "/v1/notifications/webhooks-events"
DAY = 86_400


def window(minutes: float = 5) -> dict[str, str]:
    """Some minutes around now."""
    now = datetime.now(UTC)
    times = {"start_time": now - timedelta(minutes=minutes), "end_time": now + timedelta(minutes=minutes)}
    return {name: time.strftime("%Y-%m-%dT%H:%M:%SZ") for name, time in times.items()}


async def test_events_are_listed(shop: Shop, receiver: Receiver, webhook: str) -> None:
    """The list has what webhooks told, the newest first, word for word, and each by its id."""
    order, _ = await shop.captured()
    await eventually(lambda: len(heard(receiver, order)) == 2)
    said = (await shop.client.get(EVENTS, params={**window(), "page_size": "300"})).json()
    listed = {event["id"]: event for event in said["events"]}
    assert {one.event["id"]: one.event for one in heard(receiver, order)}.items() <= listed.items()
    assert said["count"] == len(said["events"])
    newest = said["events"][0]
    assert newest["event_type"] == "PAYMENT.CAPTURE.COMPLETED"
    assert await shop.read(f"{EVENTS}/{newest['id']}") == newest


async def test_nobody_has_to_listen(own: Shop) -> None:
    """What was told to nobody is in the list all the same, page by page, and for thirty days."""
    for _ in range(3):
        await own.captured()
    first: httpx.Response = await own.client.get(EVENTS, params={**window(), "page_size": "4"})
    links = {link["rel"]: link["href"] for link in first.json()["links"]}
    rest: Json = (await own.client.get(links["next"])).json()
    assert (first.json()["count"], rest["count"]) == (4, 2)
    assert [link["rel"] for link in rest["links"]] == ["self"]
    ids = [event["id"] for event in (*first.json()["events"], *rest["events"])]
    assert len(set(ids)) == 6
    await own.wait(29 * DAY)
    assert (await own.client.get(EVENTS, params=window())).json()["count"] == 6
    await own.wait(2 * DAY)
    assert (await own.client.get(EVENTS, params=window())).json()["events"] == []
    assert issue(await own.client.get(f"{EVENTS}/{ids[0]}")) == (404, "INVALID_RESOURCE_ID")


async def test_a_time_is_asked_for(own: Shop) -> None:
    """Only events of the time that is asked for are listed, and of the type."""
    await own.captured()
    assert (await own.client.get(EVENTS)).json()["count"] == 2
    only = {"event_type": "CHECKOUT.ORDER.APPROVED"}
    (event,) = (await own.client.get(EVENTS, params=only)).json()["events"]
    both = {"start_time": event["create_time"], "end_time": event["create_time"], **only}
    assert (await own.client.get(EVENTS, params=both)).json()["count"] == 1
    later = {"start_time": "2999-01-01T00:00:00Z"}
    assert (await own.client.get(EVENTS, params=later)).json()["count"] == 0
    for wrong in ({"start_time": "soon"}, {"page_size": "0"}, {"page_size": "301"}, {"page_token": "x"}):
        assert (await own.client.get(EVENTS, params=wrong)).status_code == 400


async def test_a_webhook_is_tried_25_times(own: Shop, receiver: Receiver) -> None:
    """A delivery that nobody accepts is tried 25 times within three days, and then given up."""
    receiver.statuses = [500] * 60
    body = {"url": receiver.url, "event_types": [{"name": "CHECKOUT.ORDER.APPROVED"}]}
    await own.client.post("/v1/notifications/webhooks", json=body)
    await own.approved()
    began = (await own.control("clock", advance_seconds=1))["now"]
    for tries in range(1, 25):
        await eventually(lambda least=tries: len(receiver.received) >= least)
        now = (await own.control("clock", advance_seconds=min(14_401, 2**tries)))["now"]
    await eventually(lambda: len(receiver.received) == 25)
    assert now - began < 3 * DAY

    async with own.sandbox.browser() as browser:
        (row,) = (await browser.get("/sandbox/deliveries", params={"gateway": "paypal"})).json()["data"]
    assert (row["state"], len(row["attempts"])) == ("given_up", 25)


async def test_a_webhook_is_tried_for_three_days(own: Shop, receiver: Receiver) -> None:
    """However few the tries were: after three days there is no more."""
    receiver.statuses = [500] * 60
    body = {"url": receiver.url, "event_types": [{"name": "CHECKOUT.ORDER.APPROVED"}]}
    await own.client.post("/v1/notifications/webhooks", json=body)
    await own.approved()
    await eventually(lambda: len(receiver.received) == 1)
    await own.wait(3 * DAY + 1)
    async with own.sandbox.browser() as browser:
        for _ in range(2):
            await own.wait(DAY)
            (row,) = (await browser.get("/sandbox/deliveries", params={"gateway": "paypal"})).json()["data"]
    assert row["state"] == "given_up"
    assert len(receiver.received) < 25
