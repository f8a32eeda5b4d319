"""What happens later: captures and refunds that are told late or taken back, holds that expire, late money."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.sandbox.adyen.support import Hook, Shop
from tests.sandbox.support import Receiver, Sandbox

DAY = 86_400


@pytest.fixture
async def own(fresh: Sandbox, receiver: Receiver) -> AsyncIterator[tuple[Shop, Hook]]:
    """A shop and an endpoint at a sandbox of the test's own, whose clock may move."""
    async with fresh.browser() as browser:
        added = (await browser.post("/sandbox/adyen/endpoints", json={"url": receiver.url})).json()
        shop = Shop.at(fresh, browser)
        yield shop, Hook(receiver, added["id"], added["hmac_key"])
        await shop.api.aclose()


async def _settle(browser: httpx.AsyncClient) -> list[str]:
    moved: list[str] = (await browser.post("/sandbox/settle")).json()["moved"]
    return moved


async def _advance(browser: httpx.AsyncClient, seconds: int) -> list[str]:
    moved: list[str] = (await browser.post("/sandbox/clock", json={"advance_seconds": seconds})).json()["moved"]
    return moved


async def test_slow_capture(own: tuple[Shop, Hook]) -> None:
    """A slow capture is neither booked nor told until it settles, and its amount cannot be taken or released twice."""
    shop, hook = own
    link = await shop.open()
    psp = await hook.authorised(shop, link, "capture_slow")
    received = await shop.modify(psp, "captures", 4000)
    beyond, rest = await shop.modify(psp, "captures", 4200), await shop.modify(psp, "cancels")
    assert (await hook.told("CAPTURE", beyond["pspReference"]))["success"] == "false"
    assert (await hook.told("CANCELLATION", rest["pspReference"]))["success"] == "true"
    assert hook.items("CAPTURE", received["pspReference"]) == []
    assert await shop.booked(link) == [("authorization", 4200), ("release", 200)]
    assert await _settle(shop.browser) == [received["pspReference"]]
    assert (await hook.told("CAPTURE", received["pspReference"]))["success"] == "true"
    assert await shop.booked(link) == [("authorization", 4200), ("release", 200), ("capture", 4000)]
    assert await _settle(shop.browser) == []


async def test_capture_that_fails(own: tuple[Shop, Hook]) -> None:
    """A capture that looked done is taken back days later under its own reference, and can be tried again."""
    shop, hook = own
    link = await shop.open()
    psp = await hook.authorised(shop, link, "capture_fails")
    received = await shop.modify(psp, "captures", 4200, reference=f"{shop.checkout}:capture:1")
    assert (await hook.told("CAPTURE", received["pspReference"]))["success"] == "true"
    assert await _advance(shop.browser, 2 * DAY) == []
    assert await _advance(shop.browser, DAY) == [received["pspReference"]]
    told = await hook.told("CAPTURE_FAILED", received["pspReference"])
    assert (told["success"], told["originalReference"]) == ("true", psp)
    assert (told["merchantReference"], told["amount"]["value"]) == (f"{shop.checkout}:capture:1", 4200)
    assert told["reason"].startswith("Capture rejected by card scheme")
    assert await shop.booked(link) == [("authorization", 4200), ("capture", 4200), ("capture_failure", 4200)]
    refund = await shop.modify(psp, "refunds", 4200)
    assert (await hook.told("REFUND", refund["pspReference"]))["success"] == "false"
    again = await shop.modify(psp, "captures", 4200)
    assert (await hook.told("CAPTURE", again["pspReference"]))["success"] == "true"


async def test_capture_that_was_refunded_does_not_fail(own: tuple[Shop, Hook]) -> None:
    """Money that has been given back is not taken back a second time."""
    shop, hook = own
    link = await shop.open(manualCapture=False)
    psp = await hook.authorised(shop, link, "capture_fails")
    await shop.modify(psp, "refunds", 4200)
    await hook.told("REFUND")
    assert await _settle(shop.browser) == []
    assert await shop.booked(link) == [("authorization", 4200), ("capture", 4200), ("refund", 4200)]


async def test_slow_refund(own: tuple[Shop, Hook]) -> None:
    """A slow refund is told and booked when it settles, and its amount cannot be refunded twice meanwhile."""
    shop, hook = own
    link = await shop.open(manualCapture=False)
    psp = await hook.authorised(shop, link, "refund_pending")
    received, second = await shop.modify(psp, "refunds", 4000), await shop.modify(psp, "refunds", 201)
    assert (await hook.told("REFUND", second["pspReference"]))["success"] == "false"
    assert hook.items("REFUND", received["pspReference"]) == []
    assert await _advance(shop.browser, 600) == [received["pspReference"]]
    assert (await hook.told("REFUND", received["pspReference"]))["success"] == "true"
    assert await shop.booked(link) == [("charge", 4200), ("refund", 4000)]


async def test_refund_that_fails(own: tuple[Shop, Hook]) -> None:
    """A refund that looked done comes back days later, and can be made again."""
    shop, hook = own
    link = await shop.open(manualCapture=False)
    psp = await hook.authorised(shop, link, "refund_fails")
    received = await shop.modify(psp, "refunds", 4200)
    assert (await hook.told("REFUND", received["pspReference"]))["success"] == "true"
    assert await _settle(shop.browser) == [received["pspReference"]]
    told = await hook.told("REFUND_FAILED", received["pspReference"])
    assert (told["success"], told["originalReference"], told["reason"]) == ("true", psp, "Refund Failed")
    again = await shop.modify(psp, "reversals")
    assert (await hook.told("CANCEL_OR_REFUND", again["pspReference"]))["success"] == "true"
    assert [row for row, _ in await shop.booked(link)] == ["charge", "refund", "refund_failure", "refund"]
    rows = (await shop.browser.get("/sandbox/books", params={"payment": link["id"]})).json()["data"]
    assert [row["refund"] for row in rows] == [None, *[received["pspReference"]] * 2, again["pspReference"]]


async def test_hold_expires(own: tuple[Shop, Hook]) -> None:
    """After 28 days what was not captured of a hold expires, and nothing of it can be taken any more."""
    shop, hook = own
    link, taken = await shop.open(), await shop.open()
    psp = await hook.authorised(shop, link)
    await shop.modify(psp, "captures", 200)
    await shop.modify(await hook.authorised(shop, taken), "captures", 4200)
    assert await _advance(shop.browser, 27 * DAY) == []
    assert await _advance(shop.browser, DAY) == [psp]
    told = await hook.told("EXPIRE")
    assert (told["success"], told["originalReference"], told["amount"]["value"]) == ("true", psp, 4200)
    late = await shop.modify(psp, "captures", 4000)
    assert (await hook.told("CAPTURE", late["pspReference"]))["success"] == "false"
    assert await shop.booked(link) == [("authorization", 4200), ("capture", 200), ("release", 4000)]
    refund = await shop.modify(psp, "refunds", 200)
    assert (await hook.told("REFUND", refund["pspReference"]))["success"] == "true"


async def test_late_money(shop: Shop, hook: Hook) -> None:
    """An approval can arrive for a link that has expired, but for no other."""
    link = await shop.open()
    path = f"/sandbox/payments/{link['id']}/pay_late"
    assert (await shop.browser.post(path)).status_code == 409
    await shop.api.patch(f"paymentLinks/{link['id']}", json={"status": "expired"})
    assert (await shop.browser.post(path, json={"card": "declined_soft"})).status_code == 400
    assert (await shop.browser.post(path)).json()["status"] == "completed"
    assert (await hook.told("AUTHORISATION"))["success"] == "true"
    assert await shop.booked(link) == [("authorization", 4200)]
