"""What happens later: pending money, refunds that fail, holds and orders that lapse, and the report of it all."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.sandbox.paypal.support import Shop, issue, money, part

ORDERS, HOLDS, CAPTURES = "/v2/checkout/orders", "/v2/payments/authorizations", "/v2/payments/captures"
HOUR, DAY = 3600, 86_400


@pytest.mark.parametrize(
    ("funding", "status", "rows"),
    [("capture_pending", "COMPLETED", [("charge", 4200)]), ("capture_pending_declined", "DECLINED", [])],
)
async def test_capture_is_pending_until_settled(
    own: Shop, funding: str, status: str, rows: list[tuple[str, int]]
) -> None:
    """A pending capture is no money and cannot be refunded; settled, it is money or declined."""
    order, taken = await own.captured(funding)
    assert (taken["status"], await own.moved(order)) == ("PENDING", [])
    assert issue(await own.post(f"{CAPTURES}/{taken['id']}/refund")) == (422, "PENDING_CAPTURE")
    assert (await own.control("settle"))["moved"] == [taken["id"]]
    assert (await own.read(f"{CAPTURES}/{taken['id']}"))["status"] == status
    assert await own.moved(order) == rows
    assert (await own.control("settle"))["moved"] == []


@pytest.mark.parametrize(
    ("funding", "status", "captured", "last"),
    [("refund_pending", "COMPLETED", "REFUNDED", "refund"), ("refund_fails", "FAILED", "COMPLETED", "refund_failure")],
)
async def test_refund_is_pending_until_settled(own: Shop, funding: str, status: str, captured: str, last: str) -> None:
    """A pending refund arrives or fails; a failed one is the merchant's money again and can be tried anew."""
    order, taken = await own.captured(funding)
    refund = (await own.post(f"{CAPTURES}/{taken['id']}/refund")).json()
    assert refund["status"] == "PENDING"
    await own.wait(HOUR)
    assert (await own.read(f"/v2/payments/refunds/{refund['id']}"))["status"] == status
    assert (await own.read(f"{CAPTURES}/{taken['id']}"))["status"] == captured
    assert (await own.moved(order))[-1] == (last, 4200)
    again = await own.post(f"{CAPTURES}/{taken['id']}/refund")
    assert again.status_code == (201 if last == "refund_failure" else 422)


async def test_hold_lapses_after_29_days(own: Shop) -> None:
    """A hold is good for 29 days; then it is voided by itself and its money released."""
    order, hold = await own.held()
    await own.wait(28 * DAY)
    assert (await own.read(f"{HOLDS}/{hold['id']}"))["status"] == "CREATED"
    await own.wait(DAY)
    assert (await own.read(f"{HOLDS}/{hold['id']}"))["status"] == "VOIDED"
    assert await own.moved(order) == [("authorization", 4200), ("release", 4200)]


async def test_reauthorizing_makes_a_new_hold(own: Shop) -> None:
    """After the honour period a hold can be renewed once: a new id, the old one of no more use but for voiding."""
    order, hold = await own.held("honor_lapses")
    path = f"{HOLDS}/{hold['id']}"
    assert issue(await own.post(f"{path}/reauthorize")) == (422, "REAUTHORIZATION_TOO_SOON")
    await own.wait(3 * DAY + 1)
    assert issue(await own.post(f"{path}/capture")) == (422, "PAYER_CANNOT_PAY")
    renewed = (await own.post(f"{path}/reauthorize")).json()
    assert renewed["id"] != hold["id"]
    assert issue(await own.post(f"{path}/capture")) == (422, "AUTHORIZATION_EXPIRED")
    assert issue(await own.post(f"{HOLDS}/{renewed['id']}/void")) == (422, "CANNOT_BE_VOIDED")
    assert issue(await own.post(f"{path}/reauthorize")) == (422, "REAUTHORIZATION_NOT_SUPPORTED")
    assert (await own.post(f"{HOLDS}/{renewed['id']}/capture", {"final_capture": True})).status_code == 201
    assert [name for name, _ in await own.moved(order)] == ["authorization", "release", "authorization", "capture"]


async def test_the_rest_of_a_hold_is_renewed(own: Shop) -> None:
    """After a capture of a part the rest can be held anew, and taken from the new hold."""
    order, hold = await own.held()
    await own.post(f"{HOLDS}/{hold['id']}/capture", {"amount": money("10.00"), "final_capture": False})
    await own.wait(4 * DAY)
    renewed = (await own.post(f"{HOLDS}/{hold['id']}/reauthorize", {"amount": money("32.00")})).json()
    assert (await own.post(f"{HOLDS}/{renewed['id']}/capture", {"final_capture": True})).status_code == 201
    assert await own.moved(order) == [
        ("authorization", 4200),
        ("capture", 1000),
        ("release", 3200),
        ("authorization", 3200),
        ("capture", 3200),
    ]


async def test_what_was_let_go_is_not_taken(own: Shop) -> None:
    """When a last capture of a part is declined later, only that part of the hold can be taken again."""
    order, hold = await own.held("capture_pending_declined")
    path = f"{HOLDS}/{hold['id']}/capture"
    await own.post(path, {"amount": money("15.00"), "final_capture": True})
    await own.control("settle")
    assert issue(await own.post(path, {"amount": money("42.00")})) == (422, "MAX_CAPTURE_AMOUNT_EXCEEDED")
    assert (await own.post(path)).status_code == 201
    seen = (await own.read(f"{ORDERS}/{order}"))["purchase_units"][0]["payments"]["captures"]
    assert [each["amount"]["value"] for each in seen] == ["15.00", "15.00"]
    assert await own.moved(order) == [("authorization", 4200), ("release", 2700)]


async def test_a_renewed_hold_ends_with_its_time(own: Shop) -> None:
    """Making a hold anew restarts the honour period, not the 29 days; then both are void and nothing is held."""
    order, hold = await own.held()
    await own.wait(27 * DAY)
    renewed = (await own.post(f"{HOLDS}/{hold['id']}/reauthorize", Prefer="return=representation")).json()
    assert renewed["expiration_time"] == hold["expiration_time"]
    await own.wait(2 * DAY + 1)
    ended = [(await own.read(f"{HOLDS}/{each}"))["status"] for each in (hold["id"], renewed["id"])]
    assert ended == ["VOIDED", "VOIDED"]
    names = [name for name, _ in await own.moved(order)]
    assert names == ["authorization", "release", "authorization", "release"]


async def test_voiding_ends_a_renewed_hold(own: Shop) -> None:
    """Voiding the first hold releases the one that replaced it, once."""
    order, hold = await own.held()
    await own.wait(4 * DAY)
    renewed = (await own.post(f"{HOLDS}/{hold['id']}/reauthorize")).json()
    assert (await own.post(f"{HOLDS}/{hold['id']}/void")).status_code == 204
    assert (await own.read(f"{HOLDS}/{renewed['id']}"))["status"] == "VOIDED"
    assert issue(await own.post(f"{HOLDS}/{hold['id']}/void")) == (422, "PREVIOUSLY_VOIDED")
    await own.wait(40 * DAY)
    held = sum(amount if name == "authorization" else -amount for name, amount in await own.moved(order))
    assert held == 0


async def test_orders_lapse(own: Shop) -> None:
    """An order nobody approves is gone after three hours, an approved one three hours after its approval."""
    unseen, approved = await own.open(), await own.open()
    await own.wait(2 * HOUR)
    await own.pay_page(approved)
    await own.wait(2 * HOUR)
    assert issue(await own.client.get(f"{ORDERS}/{unseen}")) == (404, "INVALID_RESOURCE_ID")
    assert (await own.pay_page(unseen)).status_code == 409
    assert (await own.read(f"{ORDERS}/{approved}"))["status"] == "APPROVED"
    await own.wait(2 * HOUR)
    assert issue(await own.post(f"{ORDERS}/{approved}/capture")) == (404, "INVALID_RESOURCE_ID")
    assert await own.moved(approved) == []


async def test_refunds_have_a_time_limit(own: Shop) -> None:
    """A capture can be refunded for 180 days."""
    _, taken = await own.captured()
    await own.wait(181 * DAY)
    assert issue(await own.post(f"{CAPTURES}/{taken['id']}/refund")) == (422, "REFUND_TIME_LIMIT_EXCEEDED")


async def test_report_comes_three_hours_late(own: Shop) -> None:
    """The report holds each movement of money with its sign, three hours after it; a returned refund repeats its id."""
    order, taken = await own.captured("refund_fails")
    refund = (await own.post(f"{CAPTURES}/{taken['id']}/refund", {"amount": money("12.00")})).json()
    await own.control("settle")
    await own.held()
    now = datetime.now(UTC)
    window = {"start_date": (now - timedelta(days=1)).isoformat(), "end_date": (now + timedelta(days=1)).isoformat()}
    assert (await own.client.get("/v1/reporting/transactions", params=window)).json()["total_items"] == 0
    await own.wait(3 * HOUR + 1)
    said = (await own.client.get("/v1/reporting/transactions", params=window)).json()
    told = [each["transaction_info"] for each in said["transaction_details"]]
    assert [(each["transaction_id"], each["transaction_amount"]["value"]) for each in told] == [
        (taken["id"], "42.00"),
        (refund["id"], "-12.00"),
        (refund["id"], "12.00"),
    ]
    assert [each["transaction_event_code"] for each in told] == ["T0006", "T1107", "T1106"]
    assert (told[0]["paypal_reference_id"], told[0]["custom_field"]) == (order, own.checkout)
    paged = await own.client.get("/v1/reporting/transactions", params={**window, "page_size": 2, "page": 2})
    assert len(paged.json()["transaction_details"]) == 1
    assert (paged.json()["total_items"], paged.json()["total_pages"]) == (3, 2)
    wide = {**window, "start_date": (now - timedelta(days=31)).isoformat()}
    assert (await own.client.get("/v1/reporting/transactions", params=wide)).status_code == 400
    assert part(await own.read(f"{ORDERS}/{order}"), "refunds")["status"] == "FAILED"


async def test_report_has_disputes(own: Shop) -> None:
    """A hold for a dispute and its end are reported under one id, with the capture that they are about."""
    order, taken = await own.captured()
    dispute = await own.dispute(order, amount=1500)
    await own.control(f"disputes/{dispute}/decide", outcome="won")
    await own.wait(3 * HOUR + 1)
    now = datetime.now(UTC)
    window = {"start_date": (now - timedelta(days=1)).isoformat(), "end_date": (now + timedelta(days=1)).isoformat()}
    said = (await own.client.get("/v1/reporting/transactions", params=window)).json()["transaction_details"]
    told = [each["transaction_info"] for each in said][1:]
    assert [(each["transaction_event_code"], each["transaction_amount"]["value"]) for each in told] == [
        ("T1110", "-15.00"),
        ("T1111", "15.00"),
    ]
    assert {each["transaction_id"] for each in told} == {dispute.replace("-", "")}
    assert {(each["paypal_reference_id"], each["paypal_reference_id_type"]) for each in told} == {(taken["id"], "TXN")}
    assert {each["custom_field"] for each in told} == {own.checkout}


async def test_money_does_not_come_late(shop: Shop) -> None:
    """PayPal's money moves only by our capture, and the control interface says so."""
    order = await shop.open()
    async with shop.sandbox.browser() as browser:
        answer = await browser.post(f"/sandbox/payments/{order}/pay_late", json={})
    assert answer.status_code == 409
    assert "captures" in answer.json()["error"]["message"]
