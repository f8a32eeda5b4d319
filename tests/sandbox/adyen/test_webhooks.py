"""Webhooks: signed as Adyen signs, in batches, retried, and wrong in every way that was asked for."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.sandbox.adyen.support import Hook, Shop, items_of, verified
from tests.sandbox.support import Receiver, Sandbox, eventually

KEY = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056"


async def test_signed_fields(shop: Shop, hook: Hook) -> None:
    """The signature covers eight fields: a change of any breaks it, a change of another goes unnoticed."""
    psp = await hook.authorised(shop, await shop.open())
    await shop.modify(psp, "captures", 4200)
    told = await hook.told("CAPTURE")
    for name in ("pspReference", "originalReference", "merchantAccountCode", "merchantReference", "eventCode"):
        assert not verified({**told, name: "other"}, hook.key)
    assert not verified({**told, "success": "false"}, hook.key)
    for amount in ({"currency": "USD", "value": 4200}, {"currency": "EUR", "value": 4201}):
        assert not verified({**told, "amount": amount}, hook.key)
    assert verified({**told, "reason": "other", "paymentMethod": "mc", "eventDate": "2020-01-01"}, hook.key)
    assert not verified(told, KEY)


async def test_headers_and_shape(shop: Shop, hook: Hook) -> None:
    """A notification is one JSON document that says it is not live, with one item unless batches are on."""
    await hook.authorised(shop, await shop.open())
    received = hook.receiver.received[0]
    assert received.headers["content-type"] == "application/json; charset=UTF-8"
    assert '"live":"false"' in received.body.decode()
    assert len(items_of(received.body)) == 1


async def test_retried_until_accepted(shop: Shop, hook: Hook) -> None:
    """What is not answered with 2xx comes again with growing delay, the same item with the same signature."""
    hook.receiver.statuses = [500, 302, 202]
    link = await shop.open()
    await shop.pay(link)
    await eventually(lambda: len(hook.items("AUTHORISATION")) == 3)
    assert len({one.body for one in hook.receiver.received}) == 1
    await eventually(lambda: not hook.receiver.statuses)
    rows = (await shop.browser.get("/sandbox/deliveries", params={"payment": link["id"]})).json()["data"]
    assert [attempt["status"] for attempt in rows[0]["attempts"]] == [500, 302, 202]
    assert (rows[0]["gateway"], rows[0]["event_type"], rows[0]["state"]) == ("adyen", "AUTHORISATION", "delivered")


async def test_given_up_after_thirty_days(fresh: Sandbox, receiver: Receiver) -> None:
    """A delivery is tried for thirty days of virtual time, and then no more."""
    async with fresh.browser() as browser:
        made = (await browser.post("/sandbox/adyen/endpoints", json={"url": receiver.url})).json()
        hook = Hook(receiver, made["id"], made["hmac_key"])
        shop = Shop.at(fresh, browser)
        receiver.statuses = [500] * 10
        await shop.pay(await shop.open())
        await eventually(lambda: receiver.received)
        await browser.post("/sandbox/clock", json={"advance_seconds": 29 * 86_400})
        await eventually(lambda: len(hook.items("AUTHORISATION")) == 2)
        await browser.post("/sandbox/clock", json={"advance_seconds": 2 * 86_400})
        await asyncio.sleep(0.2)
        rows = (await browser.get("/sandbox/deliveries")).json()["data"]
        assert [row["state"] for row in rows if row["event_type"] == "AUTHORISATION"] == ["given_up"]
        assert len(hook.items("AUTHORISATION")) == 2


async def test_rolled_keys(shop: Shop, hook: Hook) -> None:
    """After a roll the old key signs for as long as it was given, then the new one."""
    path = f"/sandbox/adyen/endpoints/{hook.id}/roll_key"
    new = (await shop.browser.post(path, json={"old_signs_for_seconds": 3600})).json()["hmac_key"]
    psp = await hook.authorised(shop, await shop.open())
    assert verified(hook.items("AUTHORISATION")[0], hook.key)
    newest = (await shop.browser.post(path, json={})).json()["hmac_key"]
    assert len({hook.key, new, newest}) == 3
    await shop.browser.post(path, json={})
    await shop.modify(psp, "cancels")
    item = (await eventually(lambda: hook.items("CANCELLATION")))[0]
    assert verified(item, hook.key), "the first roll's hour is not over"


async def test_rolled_at_once(shop: Shop, hook: Hook) -> None:
    """Without time for the old key only the new one signs."""
    answer = await shop.browser.post(f"/sandbox/adyen/endpoints/{hook.id}/roll_key")
    await shop.pay(await shop.open())
    item = (await eventually(lambda: hook.items("AUTHORISATION")))[0]
    assert verified(item, answer.json()["hmac_key"])
    assert not verified(item, hook.key)


async def test_batches(fresh: Sandbox, receiver: Receiver) -> None:
    """Notifications wait for each other and come several in one post, each signed; a refused batch comes again."""
    async with fresh.browser() as browser:
        added = (await browser.post("/sandbox/adyen/endpoints", json={"url": receiver.url})).json()
        assert (await browser.post("/sandbox/adyen/batch", json={"size": 3, "seconds": 0.5})).status_code == 200
        shop = Shop.at(fresh, browser)
        receiver.statuses = [500]
        for link in [await shop.open() for _ in range(5)]:
            await shop.pay(link)
        await eventually(lambda: len(receiver.received) >= 3)
        batches = [items_of(one.body) for one in receiver.received]
        assert sorted(len(items) for items in batches) == [2, 3, 3]
        assert all(verified(item, added["hmac_key"]) for items in batches for item in items)
        assert len({item["pspReference"] for items in batches for item in items}) == 5
        assert (await browser.post("/sandbox/adyen/batch", json={"size": 1})).json() == {"size": 1, "seconds": 0.0}


async def test_duplicate(shop: Shop, hook: Hook) -> None:
    """A duplicated notification arrives twice, the same to the byte."""
    await shop.fault(operation="webhook", kind="duplicate", gateway="adyen", event_type="AUTHORISATION")
    await shop.pay(await shop.open())
    await eventually(lambda: len(hook.receiver.received) == 2)
    assert len({one.body for one in hook.receiver.received}) == 1


async def test_reorder(shop: Shop, hook: Hook) -> None:
    """A held back approval comes after the capture that followed it."""
    link = await shop.open()
    await shop.fault(operation="webhook", kind="reorder", event_type="CAPTURE")
    psp = await hook.authorised(shop, link)
    capture, refund = await shop.modify(psp, "captures", 4200), await shop.modify(psp, "refunds", 4200)
    await hook.told("CAPTURE", capture["pspReference"])
    codes = [items_of(one.body)[0]["eventCode"] for one in hook.receiver.received]
    assert codes == ["AUTHORISATION", "REFUND", "CAPTURE"]
    assert (await hook.told("REFUND", refund["pspReference"]))["success"] == "true"


async def test_delay_and_loss(shop: Shop, hook: Hook) -> None:
    """A delayed notification comes late; a lost one never, though the money has moved."""
    link = await shop.open()
    await shop.fault(operation="webhook", kind="delay", seconds=2, event_type="AUTHORISATION")
    await shop.fault(operation="webhook", kind="lose", event_type="CAPTURE")
    await shop.pay(link)
    await asyncio.sleep(0.3)
    assert hook.receiver.received == []
    psp = (await hook.told("AUTHORISATION"))["pspReference"]
    await shop.modify(psp, "captures", 4200)
    await asyncio.sleep(0.3)
    assert hook.items("CAPTURE") == []
    assert await shop.booked(link) == [("authorization", 4200), ("capture", 4200)]


async def test_forgery(shop: Shop, hook: Hook) -> None:
    """A forged notification comes besides the real one, about another reference, and does not verify."""
    await shop.fault(operation="webhook", kind="forge", gateway="adyen")
    await shop.pay(await shop.open())
    await eventually(lambda: len(hook.receiver.received) == 2)
    items = hook.items("AUTHORISATION")
    assert sorted(verified(item, hook.key) for item in items) == [False, True]
    assert len({item["pspReference"] for item in items}) == 2


@pytest.mark.parametrize(
    ("kind", "live", "amount"),
    [
        ("amount_off_by_one", "false", {"currency": "EUR", "value": 4201}),
        ("other_currency", "false", {"currency": "USD", "value": 4200}),
        ("livemode_true", "true", {"currency": "EUR", "value": 4200}),
    ],
)
async def test_notifications_that_lie(shop: Shop, hook: Hook, kind: str, live: str, amount: dict[str, Any]) -> None:
    """A notification can lie about its amount or its mode with a good signature; the books do not."""
    await shop.fault(operation="webhook", kind=kind, gateway="adyen", event_type="AUTHORISATION")
    link = await shop.open()
    await shop.pay(link)
    assert (await hook.told("AUTHORISATION"))["amount"] == amount
    assert json.loads(hook.receiver.received[0].body)["live"] == live
    assert await shop.booked(link) == [("authorization", 4200)]
    answer = await shop.browser.post(f"/sandbox/payments/{link['id']}/resend")
    assert answer.status_code == 200
    await eventually(lambda: len(hook.receiver.received) == 2)
    assert hook.items("AUTHORISATION")[-1]["amount"] == {"currency": "EUR", "value": 4200}


@pytest.mark.parametrize("gateway", [{}, {"gateway": "stripe"}])
async def test_only_adyens_notifications_lie(browser: httpx.AsyncClient, gateway: dict[str, str]) -> None:
    """A lie is refused where it would have no effect: for a gateway whose events are only hints."""
    answer = await browser.post("/sandbox/faults", json={"operation": "webhook", "kind": "livemode_true", **gateway})
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, "kind")


async def test_resend(shop: Shop, hook: Hook) -> None:
    """A payment's last notification can be sent again as it was."""
    link = await shop.open()
    await hook.authorised(shop, link)
    answer = await shop.browser.post(f"/sandbox/payments/{link['id']}/resend")
    assert answer.json()["type"] == "AUTHORISATION"
    await eventually(lambda: len(hook.receiver.received) == 2)
    assert len({one.body for one in hook.receiver.received}) == 1


async def test_survives_a_restart_on_other_ports(tmp_path: Path, receiver: Receiver) -> None:
    """The endpoint named at the start replaces the earlier one, and its open deliveries follow it."""
    nowhere = {"SANDBOX_ADYEN_WEBHOOK_URL": "http://127.0.0.1:9/gone", "SANDBOX_ADYEN_HMAC_KEY": KEY}
    account = {"SANDBOX_ADYEN_MERCHANT_ACCOUNT": "ShopECOM"}
    first = await Sandbox(tmp_path, {**nowhere, **account}).start()
    async with first.browser() as browser:
        shop = Shop.at(first, browser)
        await shop.pay(await shop.open(merchantAccount="ShopECOM"))
        await asyncio.sleep(0.2)
    await first.stop()
    second = await Sandbox(tmp_path, {**nowhere, "SANDBOX_ADYEN_WEBHOOK_URL": receiver.url}).start()
    try:
        hook = Hook(receiver, "", KEY)
        assert (await hook.told("AUTHORISATION"))["merchantAccountCode"] == "ShopECOM"
    finally:
        await second.stop()


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("batch", {"size": 0}, "size"),
        ("batch", {"size": 2, "seconds": -1}, "seconds"),
        ("batch", {"size": 2, "secnods": 1}, "secnods"),
        ("endpoints", {}, "url"),
        ("endpoints", {"url": "ftp://127.0.0.1/"}, "url"),
        ("endpoints", {"url": "http://[/"}, "url"),
    ],
)
async def test_wrong_control_bodies(browser: httpx.AsyncClient, path: str, body: dict[str, Any], field: str) -> None:
    """A control request that is wrong gets 400 and the field's name."""
    answer = await browser.post(f"/sandbox/adyen/{path}", json=body)
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, field)


async def test_unknown_endpoint(browser: httpx.AsyncClient) -> None:
    """An endpoint that does not exist cannot be removed, nor its key be rolled."""
    assert (await browser.post("/sandbox/adyen/endpoints/WBHKnone/roll_key")).status_code == 404
    assert (await browser.delete("/sandbox/adyen/endpoints/WBHKnone")).status_code == 404
