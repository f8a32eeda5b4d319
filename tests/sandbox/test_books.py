"""The books: append-only, kept over restarts and kills, and in agreement with the objects."""

import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any, cast

import pytest
import stripe

from tests.sandbox.support import Sandbox


async def _history(sdk: stripe.StripeClient) -> None:
    """One payment of every kind."""
    base: Any = {"amount": 4200, "currency": "usd", "metadata": {"checkout_id": "chk_books"}}
    now: Any = {**base, "confirm": True, "payment_method": "pm_card_visa"}
    hold: Any = {**now, "capture_method": "manual"}
    intents, refunds = sdk.v1.payment_intents, sdk.v1.refunds

    async def create(**params: Any) -> stripe.PaymentIntent:
        return await intents.create_async(cast("Any", params))

    await create(**base)
    await refunds.create_async({"payment_intent": (await create(**now)).id, "amount": 200})
    await intents.capture_async((await create(**hold)).id, {"amount_to_capture": 4000})
    await intents.cancel_async((await create(**hold)).id)
    failing = await create(**{**now, "payment_method": "pm_card_refundFail", "currency": "eur"})
    await refunds.create_async({"payment_intent": failing.id})
    with pytest.raises(stripe.CardError):
        await create(**{**now, "payment_method": "pm_card_chargeDeclined"})


async def test_books_agree_with_objects(fresh: Sandbox) -> None:
    """What the objects say was taken and given back is what the books say, charge by charge."""
    sdk = fresh.sdk()
    await _history(sdk)
    async with fresh.browser() as browser:
        await browser.post("/sandbox/settle")
        rows = (await browser.get("/sandbox/books", params={"gateway": "stripe", "checkout_id": "chk_books"})).json()
        everything = (await browser.get("/sandbox/books")).json()
        assert rows == everything
        assert (await browser.get("/sandbox/books", params={"gatway": "stripe"})).status_code == 400
    rows = rows["data"]
    assert [row["sequence"] for row in rows] == list(range(1, len(rows) + 1))
    taken: Counter[str] = Counter()
    returned: Counter[str] = Counter()
    for row in rows:
        if row["operation"] in ("charge", "capture"):
            taken[row["movement_id"]] += row["amount"]
        elif row["operation"].startswith("refund"):
            returned[row["movement_id"]] += row["amount"] if row["operation"] == "refund" else -row["amount"]
    charges = [charge async for charge in (await sdk.v1.charges.list_async()).auto_paging_iter()]
    assert {charge.id: charge.amount_captured for charge in charges if charge.amount_captured} == dict(taken)
    captured = [charge for charge in charges if charge.captured]
    assert {charge.id: charge.amount_refunded for charge in captured} == {
        each.id: returned[each.id] for each in captured
    }
    balance = await sdk.v1.balance.retrieve_async()
    assert {held.currency: held.amount for held in balance.available} == {"usd": 8000, "eur": 4200}


async def test_books_refuse_change(fresh: Sandbox) -> None:
    """No row of the books can be changed or deleted, not even with the file in hand."""
    await _history(fresh.sdk())
    books = sqlite3.connect(fresh.data / "books.sqlite")
    for statement in ("UPDATE books SET amount = 1", "DELETE FROM books WHERE sequence = 1"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            books.execute(statement)
    books.close()


@pytest.mark.parametrize("kill", [False, True])
async def test_everything_survives_a_restart(tmp_path: Path, kill: bool) -> None:
    """After a stop or a kill, objects, keys, clock, endpoints and books are what they were."""
    first = await Sandbox(tmp_path).start()
    sdk = first.sdk()
    params: Any = {"amount": 4200, "currency": "usd", "confirm": True, "payment_method": "pm_card_pendingRefund"}
    intent = await sdk.v1.payment_intents.create_async(params, {"idempotency_key": "k"})
    refund = await sdk.v1.refunds.create_async({"payment_intent": intent.id})
    async with first.browser() as browser:
        await browser.post("/sandbox/clock", json={"advance_seconds": 100})
        books = (await browser.get("/sandbox/books")).json()
    if kill:
        assert first.process is not None
        first.process.kill()
        first.process.wait()
    else:
        await first.stop()
    second = await Sandbox(tmp_path).start()
    try:
        sdk = second.sdk()
        again = await sdk.v1.payment_intents.create_async(params, {"idempotency_key": "k"})
        assert again.id == intent.id
        async with second.browser() as browser:
            assert (await browser.get("/sandbox/clock")).json()["offset_seconds"] == 100
            assert (await browser.get("/sandbox/books")).json() == books
            moved = (await browser.post("/sandbox/clock", json={"advance_seconds": 3600})).json()["moved"]
        assert moved == [refund.id]
        assert (await sdk.v1.refunds.retrieve_async(refund.id)).status == "succeeded"
    finally:
        await second.stop()


async def test_holds_lapse_after_seven_days(fresh: Sandbox) -> None:
    """A hold that nobody captures is released by itself after seven days of virtual time."""
    sdk = fresh.sdk()
    paid = {"amount": 4200, "currency": "usd", "confirm": True, "payment_method": "pm_card_visa"}
    hold: Any = {**paid, "capture_method": "manual"}
    held = await sdk.v1.payment_intents.create_async(hold)
    kept = await sdk.v1.payment_intents.create_async(hold)
    await sdk.v1.payment_intents.capture_async(kept.id)
    async with fresh.browser() as browser:
        early = (await browser.post("/sandbox/clock", json={"advance_seconds": 7 * 86_400 - 60})).json()
        assert early["moved"] == []
        late = (await browser.post("/sandbox/clock", json={"advance_seconds": 120})).json()
        assert late["moved"] == [held.id]
        rows = (await browser.get("/sandbox/books", params={"payment": held.id})).json()["data"]
        assert (await browser.post("/sandbox/clock", json={"advance_seconds": -1})).status_code == 400
    lapsed = await sdk.v1.payment_intents.retrieve_async(held.id)
    assert (lapsed.status, lapsed.cancellation_reason) == ("canceled", "expired")
    assert [row["operation"] for row in rows] == ["authorization", "release"]
    assert (await sdk.v1.payment_intents.retrieve_async(kept.id)).status == "succeeded"


async def test_books_of_one_gateway_stay_readable(tmp_path: Path) -> None:
    """Books that were written when Stripe was the only gateway are read and continued under the names of today."""
    old = sqlite3.connect(tmp_path / "books.sqlite")
    old.executescript(
        "CREATE TABLE books (sequence INTEGER PRIMARY KEY AUTOINCREMENT, gateway TEXT NOT NULL, operation TEXT NOT"
        " NULL, payment_intent TEXT NOT NULL, charge TEXT NOT NULL, refund TEXT, amount INTEGER NOT NULL, currency TEXT"
        " NOT NULL, checkout_id TEXT, idempotency_key TEXT, at INTEGER NOT NULL);"
        "CREATE INDEX books_payment ON books (payment_intent);"
        "INSERT INTO books VALUES (1, 'stripe', 'charge', 'pi_1', 'ch_1', NULL, 4200, 'usd', 'chk_1', NULL, 1);"
    )
    old.close()
    sandbox = await Sandbox(tmp_path).start()
    async with sandbox.browser() as browser:
        (row,) = (await browser.get("/sandbox/books", params={"payment": "pi_1"})).json()["data"]
    await _history(sandbox.sdk())
    async with sandbox.browser() as browser:
        rows = (await browser.get("/sandbox/books")).json()["data"]
    await sandbox.stop()
    assert (row["payment"], row["movement_id"], row["amount"]) == ("pi_1", "ch_1", 4200)
    assert rows[0] == row
    assert len(rows) > 1
