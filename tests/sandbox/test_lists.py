"""Lists, search and the events of the last thirty days."""

import time
from typing import Any

import httpx
import pytest
import stripe

from tests.sandbox.conftest import CreateIntent
from tests.sandbox.support import Sandbox


async def test_pages_of_a_list(sdk: stripe.StripeClient, create: CreateIntent) -> None:
    """Cursors walk a list forwards and backwards without gaps or repeats."""
    made = [(await create()).id for _ in range(5)][::-1]
    first = await sdk.v1.payment_intents.list_async({"limit": 2})
    assert ([item.id for item in first.data], first.has_more) == (made[:2], True)
    second = await sdk.v1.payment_intents.list_async({"limit": 2, "starting_after": made[1]})
    assert [item.id for item in second.data] == made[2:4]
    back = await sdk.v1.payment_intents.list_async({"limit": 2, "ending_before": made[3]})
    assert ([item.id for item in back.data], back.has_more) == (made[1:3], True)
    walked = [item.id async for item in (await sdk.v1.payment_intents.list_async({"limit": 2})).auto_paging_iter()]
    assert walked[:5] == made
    assert len(walked) == len(set(walked))
    for wrong in ({"limit": 0}, {"limit": 101}, {"starting_after": "pi_none"}):
        with pytest.raises(stripe.InvalidRequestError):
            await sdk.v1.payment_intents.list_async(wrong)  # type: ignore[arg-type]


async def test_search_by_metadata(sdk: stripe.StripeClient, create: CreateIntent, checkout: str) -> None:
    """Metadata equality and AND find exactly the payments that carry it, quotes in values included."""
    odd = f"{checkout} o'clock \\ [x]"
    mine = await create(metadata={"checkout_id": checkout, "note": odd}, confirm=True, payment_method="pm_card_visa")
    other = await create()
    escaped = odd.replace("\\", "\\\\").replace("'", "\\'")
    queries = {
        f"metadata['checkout_id']:'{checkout}'": [other.id, mine.id],
        f'metadata["checkout_id"]:"{checkout}"': [other.id, mine.id],
        f"metadata['checkout_id']:'{checkout}' AND metadata['note']:'{escaped}'": [mine.id],
        f"metadata['checkout_id']:'{checkout}' AND status:'succeeded'": [mine.id],
        f"metadata['checkout_id']:'{checkout}' and status:'canceled'": [],
        "metadata['checkout_id']:'chk_nobody'": [],
    }
    for query, expected in queries.items():
        found = await sdk.v1.payment_intents.search_async({"query": query})
        assert [item.id for item in found.data] == expected, query


@pytest.mark.parametrize("query", ["", "metadata", "checkout_id:'x'", "metadata['a']:'b' OR status:'c'", "status:'x"])
async def test_search_that_makes_no_sense(sdk: stripe.StripeClient, query: str) -> None:
    """A query outside the language is refused."""
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await sdk.v1.payment_intents.search_async({"query": query})
    assert refused.value.param == "query"


async def test_search_lags(
    sdk: stripe.StripeClient, create: CreateIntent, browser: httpx.AsyncClient, checkout: str
) -> None:
    """With a lag, a new payment is not found by search though it can be read."""
    query: Any = {"query": f"metadata['checkout_id']:'{checkout}'"}
    assert (await browser.post("/sandbox/search_lag", json={"seconds": 60})).status_code == 200
    try:
        intent = await create()
        assert (await sdk.v1.payment_intents.search_async(query)).data == []
        assert (await sdk.v1.payment_intents.retrieve_async(intent.id)).id == intent.id
    finally:
        await browser.post("/sandbox/search_lag", json={"seconds": 0})
    assert [item.id for item in (await sdk.v1.payment_intents.search_async(query)).data] == [intent.id]
    assert (await browser.post("/sandbox/search_lag", json={"seconds": "1"})).status_code == 400


async def test_events_list(sdk: stripe.StripeClient, create: CreateIntent) -> None:
    """Events are filtered by type, wildcard and time, newest first."""
    before = int(time.time())
    intent = await create(confirm=True, payment_method="pm_card_visa")
    succeeded = await sdk.v1.events.list_async({"type": "payment_intent.succeeded", "created": {"gte": before}})
    assert succeeded.data[0].data.object["id"] == intent.id
    assert {event.type for event in succeeded.data} == {"payment_intent.succeeded"}
    group = await sdk.v1.events.list_async({"type": "payment_intent.*", "limit": 2})
    assert [event.type for event in group.data] == ["payment_intent.succeeded", "payment_intent.created"]
    newer = await sdk.v1.events.list_async({"ending_before": group.data[1].id, "limit": 10})
    assert [event.type for event in newer.data] == ["payment_intent.succeeded", "charge.succeeded"]
    older = await sdk.v1.events.list_async({"created": {"lt": before}, "type": "payment_intent.succeeded"})
    assert all(event.created < before for event in older.data)
    assert succeeded.data[0].id not in {event.id for event in older.data}


async def test_events_of_several_types(sdk: stripe.StripeClient, create: CreateIntent) -> None:
    """Up to twenty types can be named, and not beside a single one."""
    intent = await create(confirm=True, payment_method="pm_card_visa")
    types = ["payment_intent.created", "payment_intent.succeeded"]
    found = await sdk.v1.events.list_async({"types": types, "limit": 2})
    assert [event.type for event in found.data] == types[::-1]
    assert {event.data.object["id"] for event in found.data} == {intent.id}
    wrong: list[Any] = [{"types": types, "type": "charge.*"}, {"types": [f"charge.{number}" for number in range(21)]}]
    for params in wrong:
        with pytest.raises(stripe.InvalidRequestError):
            await sdk.v1.events.list_async(params)


async def test_events_are_kept_thirty_days(fresh: Sandbox) -> None:
    """After thirty days of virtual time an event is gone; the payment is not."""
    sdk = fresh.sdk()
    intent = await sdk.v1.payment_intents.create_async({"amount": 4200, "currency": "usd"})
    event = (await sdk.v1.events.list_async()).data[0]
    async with fresh.browser() as browser:
        await browser.post("/sandbox/clock", json={"advance_seconds": 29 * 86_400})
        assert (await sdk.v1.events.retrieve_async(event.id)).id == event.id
        await browser.post("/sandbox/clock", json={"advance_seconds": 2 * 86_400})
    assert (await sdk.v1.events.list_async()).data == []
    with pytest.raises(stripe.InvalidRequestError):
        await sdk.v1.events.retrieve_async(event.id)
    assert (await sdk.v1.payment_intents.retrieve_async(intent.id)).id == intent.id
