"""Customers on the page of a link: approvals, refusals, 3D Secure, and captures that need no request."""

import asyncio
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.sandbox.adyen.support import ACCOUNT, Hook, Shop
from tests.sandbox.support import Sandbox, eventually


async def test_approved(shop: Shop, hook: Hook) -> None:
    """An approval completes the link, reserves the money and is told with the link's id, reference and metadata."""
    link = await shop.open(metadata={"tier": "gold"})
    assert "Pay 42.00 EUR" in (await shop.browser.get(f"/adyen/pay/{link['id']}")).text
    assert (await shop.pay(link)).status_code == 200
    told = await hook.told("AUTHORISATION")
    assert (told["success"], told["merchantReference"]) == ("true", f"{shop.checkout}:create:1")
    assert told["amount"] == {"currency": "EUR", "value": 4200}
    assert (told["merchantAccountCode"], told["paymentMethod"]) == (ACCOUNT, "visa")
    assert told["additionalData"]["paymentLinkId"] == link["id"]
    assert told["additionalData"]["metadata.tier"] == "gold"
    assert "originalReference" not in told
    code, summary, expiry = told["reason"].split(":")
    assert (code, summary, expiry) == (told["additionalData"]["authCode"], "1111", "03/2030")
    assert (await shop.api.get(f"paymentLinks/{link['id']}")).json()["status"] == "completed"
    assert await shop.booked(link) == [("authorization", 4200)]


async def test_paid_once(shop: Shop, hook: Hook) -> None:
    """A link that was paid cannot be paid again."""
    link = await shop.open()
    await hook.authorised(shop, link)
    assert (await shop.pay(link)).status_code == 409
    assert (await shop.browser.get(f"/adyen/pay/{link['id']}")).status_code == 200
    assert await shop.booked(link) == [("authorization", 4200)]


async def test_pressed_many_times(shop: Shop, hook: Hook) -> None:
    """Of many approvals at once one pays; the others see that it is done."""
    link = await shop.open()
    answers = await asyncio.gather(*(shop.pay(link) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200, *[409] * 7]
    await hook.told("AUTHORISATION")
    assert await shop.booked(link) == [("authorization", 4200)]


@pytest.mark.parametrize(
    ("card", "outcome", "reason"),
    [
        ("declined_soft", "approve", "Not enough balance"),
        ("declined_hard", "approve", "FRAUD"),
        ("declined_soft", "decline", "Not enough balance"),
        ("good", "decline", "Refused"),
        ("challenged", "decline", "Refused"),
    ],
)
async def test_refused_and_tried_again(shop: Shop, hook: Hook, card: str, outcome: str, reason: str) -> None:
    """A refusal is told with its reason and a reference of its own; the link stays open for the next try."""
    link = await shop.open()
    await shop.pay(link, card, outcome)
    refusal = await hook.told("AUTHORISATION")
    assert (refusal["success"], refusal["reason"]) == ("false", reason)
    assert refusal["amount"] == {"currency": "EUR", "value": 4200}
    assert (await shop.api.get(f"paymentLinks/{link['id']}")).json()["status"] == "active"
    assert await shop.booked(link) == []
    await shop.pay(link)
    await eventually(lambda: len(hook.items("AUTHORISATION")) == 2)
    approval = next(item for item in hook.items("AUTHORISATION") if item["success"] == "true")
    assert approval["pspReference"] != refusal["pspReference"]
    assert await shop.booked(link) == [("authorization", 4200)]
    received = await shop.modify(refusal["pspReference"], "captures", 4200)
    assert (await hook.told("CAPTURE", received["pspReference"]))["success"] == "false"


async def test_walking_away(shop: Shop, hook: Hook) -> None:
    """A customer who leaves changes nothing."""
    link = await shop.open()
    assert (await shop.pay(link, outcome="cancel")).status_code == 200
    assert (await shop.api.get(f"paymentLinks/{link['id']}")).json() == link
    assert hook.items("AUTHORISATION") == []


async def test_nonsense_on_the_page(shop: Shop) -> None:
    """An outcome or a card that does not exist is refused, and so is a link that does not."""
    link = await shop.open()
    assert (await shop.pay(link, outcome="steal")).status_code == 400
    assert (await shop.pay(link, card="gold")).status_code == 400
    assert (await shop.pay({"id": "PL0"})).status_code == 404
    assert (await shop.browser.get("/adyen/pay/PL0")).status_code == 404


async def test_authentication(shop: Shop, hook: Hook) -> None:
    """A challenged card leads to the bank's page; leaving it changes nothing, failing it is told, passing it pays."""
    link = await shop.open()
    first = (await shop.pay(link, "challenged")).headers["location"]
    assert (await shop.browser.post(first, data={"outcome": "cancel"})).status_code == 200
    assert "42.00 EUR" in (await shop.browser.get(first)).text
    assert (await shop.browser.post(first, data={"outcome": "perhaps"})).status_code == 400
    await shop.browser.post(first, data={"outcome": "decline"})
    refusal = await hook.told("AUTHORISATION")
    assert (refusal["success"], refusal["reason"]) == ("false", "3D Not Authenticated")
    assert (await shop.browser.get(first)).status_code == 404
    second = (await shop.pay(link, "challenged")).headers["location"]
    third = (await shop.pay(link, "challenged")).headers["location"]
    assert (await shop.browser.post(second, data={"outcome": "approve"})).status_code == 404
    assert (await shop.browser.post(third, data={"outcome": "approve"})).status_code == 200
    await eventually(lambda: len(hook.items("AUTHORISATION")) == 2)
    approval = hook.items("AUTHORISATION")[-1]
    assert (approval["success"], approval["paymentMethod"]) == ("true", "mc")
    assert approval["additionalData"]["threeDAuthenticated"] == "true"
    assert await shop.booked(link) == [("authorization", 4200)]


async def test_back_to_the_shop(shop: Shop) -> None:
    """After an approval the customer is led back with a result; after a refusal the page stays, with a way back."""
    link = await shop.open(returnUrl="https://shop.example/done?order=7")
    refused = await shop.pay(link, "declined_soft")
    assert (refused.status_code, 'href="https://shop.example/done?order=7"' in refused.text) == (200, True)
    answer = await shop.pay(link)
    assert answer.status_code == 303
    query = parse_qs(urlsplit(answer.headers["location"]).query)
    assert query["order"] == ["7"]
    assert len(query["redirectResult"][0]) == 32


async def test_captured_by_itself_at_once(shop: Shop, hook: Hook) -> None:
    """Without manual capture an approval takes the money in one step, and a capture request takes no more."""
    link = await shop.open(manualCapture=False)
    psp = await hook.authorised(shop, link)
    assert await shop.booked(link) == [("charge", 4200)]
    received = await shop.modify(psp, "captures", 4200)
    refusal = await hook.told("CAPTURE", received["pspReference"])
    assert (refusal["success"], refusal["reason"]) == ("false", "Insufficient balance on payment")
    assert await shop.booked(link) == [("charge", 4200)]


async def test_captured_by_itself_later(fresh: Sandbox, hook: Hook) -> None:
    """With a capture delay the hold is taken when the delay is over, unless it was released before."""
    async with fresh.browser() as browser:
        answer = await browser.post("/sandbox/adyen/endpoints", json={"url": hook.receiver.url})
        own = Hook(hook.receiver, answer.json()["id"], answer.json()["hmac_key"])
        shop = Shop.at(fresh, browser)
        link, released = [await shop.open(manualCapture=False, captureDelayHours=5) for _ in range(2)]
        psp = await own.authorised(shop, link)
        await shop.modify(await own.authorised(shop, released), "cancels")
        assert await shop.booked(link) == [("authorization", 4200)]
        moved = (await browser.post("/sandbox/clock", json={"advance_seconds": 5 * 3600})).json()["moved"]
        assert moved == [psp]
        told = await own.told("CAPTURE")
        assert (told["success"], told["originalReference"]) == ("true", psp)
        assert told["merchantReference"] == link["reference"]
        assert await shop.booked(link) == [("authorization", 4200), ("capture", 4200)]
        assert await shop.booked(released) == [("authorization", 4200), ("release", 4200)]
