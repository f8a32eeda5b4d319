"""What stays behind at a gateway that was left: harmless as long as it takes no money, and a case when it does."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

import worker
from api.deliveries import UNKNOWN_TRIES
from domain.checkout import Checkout
from ledger.contract import InboxItem
from tests.workflows.several import left_for, sold
from tests.workflows.support import Shop, eventually


async def outcomes(shop: Shop, gateway: str, reference: str) -> list[str | None]:
    """What became of this gateway's events about the checkout."""
    query = text("SELECT outcome FROM webhook_inbox WHERE gateway = :gateway AND reference = :reference AND relevant")
    async with shop.parts.engine.connect() as connection:
        rows = await connection.execute(query, {"gateway": gateway, "reference": reference})
        return [row.outcome for row in rows]


async def test_what_stays_behind_takes_no_money(shops: Shop) -> None:
    """An order that was opened unheard is approved by somebody: nobody captures it, its events say `left_behind`."""
    checkout = await left_for(shops, "paypal", "stripe")
    overview = (await shops.sandbox.get("/")).text
    row = next(line for line in overview.split("<tr>") if checkout.id in line and "/paypal/approve/" in line)
    page = row.partition('href="')[2].partition('"')[0]
    assert (await shops.sandbox.post(page, data={"outcome": "approve"})).status_code in (200, 303)
    seen = await eventually(
        lambda: outcomes(shops, "paypal", checkout.id), lambda seen: {*seen} - {None, "not_yet"} != set()
    )
    assert set(seen) == {"left_behind"}
    await sold(shops, checkout, "stripe")


async def charge_at_stripe(shops: Shop, checkout: Checkout) -> None:
    """Money turns up at the gateway that was left, under our reference."""
    form = {
        "amount": "4200",
        "currency": "usd",
        "payment_method": "pm_card_visa",
        "confirm": "true",
        "metadata[checkout_id]": checkout.id,
    }
    headers = {"Authorization": "Bearer sk_test_x"}
    answer = await shops.sandbox.post("/v1/payment_intents", data=form, headers=headers)
    assert answer.is_success, answer.text


async def test_money_at_a_gateway_that_was_left_is_a_case(shops: Shop) -> None:
    """It is neither taken for the sale nor given back: a person looks, and the sale goes on where it is."""
    checkout = await left_for(shops, "stripe", "paypal")
    await charge_at_stripe(shops, checkout)
    status = await shops.until(checkout, "needs_review")
    assert status.failure is not None
    assert (status.failure.code, status.stuck) == ("stray_payment", True)
    await shops.handle(checkout).signal("retry_now")
    await shops.until(checkout, "awaiting_payment")
    await shops.pay_with(checkout, "good")
    await shops.until(checkout, "completed")
    rows = await shops.gateway_rows(checkout)
    assert sorted((row["gateway"], row["operation"]) for row in rows) == [("paypal", "charge"), ("stripe", "charge")]
    assert {row.account.partition(":")[0] for row in await shops.books.postings(checkout.id)} == {"paypal"}


@pytest.mark.parametrize("state", ["completed", "expired"])
async def test_money_at_a_gateway_that_was_left_is_a_case_after_the_end_too(shops: Shop, state: str) -> None:
    """The checkout has ended, well or not: the stray payment is shown to a person, and the end stays what it was."""
    within = timedelta(minutes=30) if state == "completed" else timedelta(seconds=12)
    checkout = await left_for(shops, "stripe", "paypal", expires_at=datetime.now(UTC) + within)
    if state == "completed":
        await shops.pay_with(checkout, "good")
    await shops.until(checkout, state)
    await shops.handle(checkout).result()
    await charge_at_stripe(shops, checkout)
    status = await eventually(lambda: shops.status(checkout), lambda seen: seen.stuck)
    assert status.waiting_for == "a person (stray_payment)"
    late = shops.parts.client.get_workflow_handle(f"late/{checkout.id}")
    await late.signal("retry_now")
    await late.result()
    status = await shops.status(checkout)
    assert (status.state, status.stuck) == (state, False)
    assert "refund" not in await shops.moved(checkout)


async def test_an_event_that_names_no_payment_is_looked_into_all_the_same(shops: Shop) -> None:
    """The gateway that was left names our reference only: what it has under that is found, and is a case."""
    checkout = await left_for(shops, "stripe", "paypal")
    dispatcher = worker.build_dispatcher(shops.parts)
    event = InboxItem(0, "stripe", "evt_none", "charge.succeeded", None, checkout.id, datetime.now(UTC), 1)
    assert await dispatcher.dispatch(event) is None
    assert await dispatcher.dispatch(replace(event, attempts=UNKNOWN_TRIES)) == "left_behind"
    await shops.fault("webhook", "lose", checkout, gateway="stripe", count=50)
    await charge_at_stripe(shops, checkout)
    assert await dispatcher.dispatch(event) == "delivered"
    status = await shops.until(checkout, "needs_review")
    assert status.waiting_for == "a person (stray_payment)"
