"""Idempotency keys: the first answer again, one use at a time, seven days."""

import asyncio
import json

from tests.sandbox.adyen.support import ACCOUNT, Hook, Shop
from tests.sandbox.support import Sandbox


async def test_first_answer_again(shop: Shop, hook: Hook) -> None:
    """The same request under the same key is answered byte for byte as before, and done once."""
    link = await shop.open()
    psp = await hook.authorised(shop, link)
    body = {"merchantAccount": ACCOUNT, "amount": {"value": 1000, "currency": "EUR"}}
    answers = [await shop.post(f"payments/{psp}/captures", body, f"{shop.checkout}:1") for _ in range(3)]
    assert {(answer.status_code, answer.content) for answer in answers} == {(201, answers[0].content)}
    assert all(answer.headers["idempotency-key"] == f"{shop.checkout}:1" for answer in answers)
    await shop.post(f"payments/{psp}/captures", body, f"{shop.checkout}:2")
    assert await shop.booked(link) == [("authorization", 4200), ("capture", 1000), ("capture", 1000)]
    rows = (await shop.browser.get("/sandbox/books", params={"payment": link["id"]})).json()["data"]
    assert [row["idempotency_key"] for row in rows] == [None, f"{shop.checkout}:1", f"{shop.checkout}:2"]


async def test_refusals_are_kept_too(shop: Shop) -> None:
    """A validation error is the key's answer as well; an unreadable request or a wrong account is not."""
    key = f"{shop.checkout}:create"
    wrong = shop.order(amount={"value": 0, "currency": "EUR"})
    first, again = await shop.post("paymentLinks", wrong, key), await shop.post("paymentLinks", wrong, key)
    assert (first.status_code, first.json()["pspReference"]) == (422, again.json()["pspReference"])
    other = f"{shop.checkout}:other"
    assert (await shop.post("paymentLinks", shop.order(merchantAccount="Nobody"), other)).status_code == 403
    assert (await shop.post("paymentLinks", shop.order(nonsense=1), other)).status_code == 400
    assert (await shop.post("paymentLinks", shop.order(), other)).status_code == 201


async def test_key_for_something_else(shop: Shop, hook: Hook) -> None:
    """A key that was used for another body, or at another address, is refused for good."""
    psp = await hook.authorised(shop, await shop.open())
    key = f"{shop.checkout}:1"
    body = {"merchantAccount": ACCOUNT, "amount": {"value": 1000, "currency": "EUR"}}
    await shop.post(f"payments/{psp}/captures", body, key)
    other = {**body, "amount": {"value": 1001, "currency": "EUR"}}
    for path, given in ((f"payments/{psp}/captures", other), (f"payments/{psp}/refunds", body)):
        answer = await shop.post(path, given, key)
        assert (answer.status_code, answer.json()["errorCode"]) == (422, "704")
        assert "transient-error" not in answer.headers
    assert (await shop.post(f"payments/{psp}/captures", body, key)).status_code == 201


async def test_key_in_flight(shop: Shop) -> None:
    """While the first request is worked on the same key is a transient 704; afterwards it gets the first answer."""
    await shop.fault(operation="adyen.payment_links.create", kind="slow", seconds=2)
    key = f"{shop.checkout}:create"
    first = asyncio.create_task(shop.post("paymentLinks", shop.order(), key))
    await asyncio.sleep(0.5)
    second = await shop.post("paymentLinks", shop.order(), key)
    assert (second.status_code, second.json()["errorCode"]) == (409, "704")
    assert second.headers["transient-error"] == "true"
    assert (await first).status_code == 201
    assert (await shop.post("paymentLinks", shop.order(), key)).json() == (await first).json()


async def test_key_lifetime(fresh: Sandbox) -> None:
    """A key is kept for seven days of virtual time and then counts as new; one too long is refused."""
    async with fresh.browser() as browser:
        shop = Shop.at(fresh, browser)
        first = (await shop.post("paymentLinks", shop.order(), "key")).json()
        await browser.post("/sandbox/clock", json={"advance_seconds": 7 * 86_400 - 60})
        assert (await shop.post("paymentLinks", shop.order(), "key")).json() == first
        await browser.post("/sandbox/clock", json={"advance_seconds": 120})
        assert (await shop.post("paymentLinks", shop.order(), "key")).json()["id"] != first["id"]
        assert (await shop.post("paymentLinks", shop.order(), "k" * 65)).status_code == 400


async def test_keys_survive_a_restart(fresh: Sandbox) -> None:
    """A key's answer, and the link behind it, are still there after a restart."""
    async with fresh.browser() as browser:
        shop = Shop.at(fresh, browser)
        order = shop.order()
        first = await shop.post("paymentLinks", order, "key")
    await fresh.stop()
    await fresh.start()
    async with fresh.browser() as browser:
        shop = Shop.at(fresh, browser)
        assert json.loads((await shop.post("paymentLinks", order, "key")).content) == first.json()
        assert (await shop.api.get(f"paymentLinks/{first.json()['id']}")).status_code == 200
