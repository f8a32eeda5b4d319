"""PayPal-Request-Id: a repeat answers how the object is by now, for as long as PayPal keeps the id."""

import asyncio

from tests.sandbox.paypal.support import Shop, issue, money, order_body, part

ORDERS, HOLDS, CAPTURES = "/v2/checkout/orders", "/v2/payments/authorizations", "/v2/payments/captures"
HOUR, DAY = 3600, 86_400


async def test_repeat_answers_the_latest_status(shop: Shop) -> None:
    """The same id makes nothing twice and answers 200 with the object as it is now, whatever the body says."""
    body = order_body(shop.checkout)
    made = await shop.post(ORDERS, body, key=f"{shop.checkout}:create")
    order = made.json()["id"]
    await shop.pay_page(order)
    again = await shop.post(ORDERS, order_body("chk_other", value="1.00"), key=f"{shop.checkout}:create")
    assert (made.status_code, again.status_code) == (201, 200)
    assert (again.json()["id"], made.json()["status"], again.json()["status"]) == (
        order,
        "PAYER_ACTION_REQUIRED",
        "APPROVED",
    )
    whole = await shop.post(ORDERS, body, key=f"{shop.checkout}:create", Prefer="return=representation")
    assert whole.json()["purchase_units"][0]["amount"] == money("42.00")


async def test_without_an_id_paypal_duplicates(shop: Shop) -> None:
    """Calls without the header are each a call of their own."""
    _, hold = await shop.held()
    body = {"amount": money("10.00")}
    ids = {(await shop.client.post(f"{HOLDS}/{hold['id']}/capture", json=body)).json()["id"] for _ in range(2)}
    assert len(ids) == 2


async def test_every_verb_repeats_safely(shop: Shop) -> None:
    """Authorize, capture, refund and void under their ids happen once; the repeats answer 200, a void's 204."""
    order = await shop.approved("AUTHORIZE")
    first, again = [await shop.post(f"{ORDERS}/{order}/authorize", key=f"{order}:a") for _ in range(2)]
    hold = part(first.json(), "authorizations")["id"]
    assert (first.status_code, again.status_code) == (201, 200)
    body = {"amount": money("10.00")}
    taken = [await shop.post(f"{HOLDS}/{hold}/capture", body, key=f"{order}:c") for _ in range(2)]
    capture = taken[0].json()["id"]
    refunds = [await shop.post(f"{CAPTURES}/{capture}/refund", key=f"{order}:r") for _ in range(2)]
    voids = [await shop.post(f"{HOLDS}/{hold}/void", key=f"{order}:v") for _ in range(2)]
    assert [answer.status_code for answer in taken + refunds + voids] == [201, 200, 201, 200, 204, 204]
    assert taken[1].json()["id"] == capture
    assert refunds[0].json()["id"] == refunds[1].json()["id"]
    assert (taken[0].json()["status"], refunds[1].json()["status"]) == ("COMPLETED", "COMPLETED")
    expected = [("authorization", 4200), ("capture", 1000), ("refund", 1000), ("release", 3200)]
    assert await shop.moved(order) == expected


async def test_a_refused_call_is_not_kept(shop: Shop) -> None:
    """An id under which a call was refused does its work once the reason is gone."""
    order = await shop.approved(funding="declined")
    path, key = f"{ORDERS}/{order}/capture", f"{order}:capture"
    assert issue(await shop.post(path, key=key)) == (422, "INSTRUMENT_DECLINED")
    await shop.pay_page(order)
    assert (await shop.post(path, key=key)).status_code == 201


async def test_orders_keep_ids_for_six_hours(own: Shop) -> None:
    """Within six hours an id stands for its order, even for one that has lapsed; later it opens a new one."""
    made = await own.post(ORDERS, order_body(own.checkout), key="k")
    await own.wait(6 * HOUR - 60)
    gone = await own.post(ORDERS, order_body(own.checkout), key="k")
    assert issue(gone) == (404, "INVALID_RESOURCE_ID")
    await own.wait(120)
    later = await own.post(ORDERS, order_body(own.checkout), key="k")
    assert later.status_code == 201
    assert later.json()["id"] != made.json()["id"]


async def test_payments_keep_ids_for_45_days(own: Shop) -> None:
    """Within 45 days an id stands for its refund; later the same call refunds again."""
    order, taken = await own.captured()
    path, body = f"{CAPTURES}/{taken['id']}/refund", {"amount": money("1.00")}
    made = await own.post(path, body, key="k")
    await own.wait(45 * DAY - 60)
    again = await own.post(path, body, key="k")
    assert (again.status_code, again.json()["id"]) == (200, made.json()["id"])
    await own.wait(120)
    assert (await own.post(path, body, key="k")).status_code == 201
    assert await own.moved(order) == [("charge", 4200), ("refund", 100), ("refund", 100)]


async def test_an_id_in_use_is_a_conflict(shop: Shop) -> None:
    """Of two calls at once with one id, the second fails, and the first does its work."""
    order = await shop.approved()
    await shop.fault("paypal.orders.capture", "slow", seconds=2)
    path, key = f"{ORDERS}/{order}/capture", f"{order}:capture"
    first = asyncio.create_task(shop.post(path, key=key))
    await asyncio.sleep(0.5)
    assert issue(await shop.post(path, key=key)) == (409, "PREVIOUS_REQUEST_IN_PROGRESS")
    assert (await first).status_code == 201
    assert (await shop.post(path, key=key)).status_code == 200
    assert await shop.moved(order) == [("charge", 4200)]


async def test_ids_survive_a_restart(own: Shop) -> None:
    """A restarted sandbox knows its orders, its ids and its tokens."""
    order = await own.approved()
    await own.post(f"{ORDERS}/{order}/capture", key="k")
    await own.sandbox.stop()
    await own.sandbox.start()
    own.client.base_url = f"{own.sandbox.url}/paypal"
    answer = await own.post(f"{ORDERS}/{order}/capture", key="k")
    assert (answer.status_code, answer.json()["id"]) == (200, order)
    assert await own.moved(order) == [("charge", 4200)]
