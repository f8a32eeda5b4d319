"""Orders from their opening to the money, and what the books say of it."""

import pytest

from tests.sandbox.paypal.support import Shop, issue, money, part

ORDERS, HOLDS, CAPTURES = "/v2/checkout/orders", "/v2/payments/authorizations", "/v2/payments/captures"


async def test_nothing_moves_before_the_capture(shop: Shop) -> None:
    """An approved order is no money; only the capture charges, once, in the checkout's name."""
    order = await shop.open()
    assert issue(await shop.post(f"{ORDERS}/{order}/capture")) == (422, "ORDER_NOT_APPROVED")
    await shop.pay_page(order)
    assert (await shop.read(f"{ORDERS}/{order}"))["status"] == "APPROVED"
    assert await shop.moved(order) == []
    answer = await shop.post(f"{ORDERS}/{order}/capture", key=f"{order}:capture")
    taken = part(answer.json(), "captures")
    assert (answer.json()["status"], taken["status"], taken["amount"]) == ("COMPLETED", "COMPLETED", money("42.00"))
    (row,) = await shop.rows(order)
    assert (row["gateway"], row["operation"], row["movement_id"]) == ("paypal", "charge", taken["id"])
    assert (row["amount"], row["currency"], row["checkout_id"]) == (4200, "usd", shop.checkout)
    assert row["idempotency_key"] == f"{order}:capture"
    assert issue(await shop.post(f"{ORDERS}/{order}/capture")) == (422, "ORDER_ALREADY_CAPTURED")


async def test_hold_is_captured_in_parts(shop: Shop) -> None:
    """Several captures draw on one hold; the final one releases what is left."""
    order, hold = await shop.held()
    path = f"{HOLDS}/{hold['id']}"
    first = await shop.post(f"{path}/capture", {"amount": money("10.00")})
    assert first.json()["status"] == "COMPLETED"
    assert (await shop.read(path))["status"] == "PARTIALLY_CAPTURED"
    last = await shop.post(f"{path}/capture", {"amount": money("20.00"), "final_capture": True})
    assert last.status_code == 201
    assert (await shop.read(path))["status"] == "CAPTURED"
    taken = await shop.read(f"{CAPTURES}/{last.json()['id']}")
    assert taken["supplementary_data"]["related_ids"] == {"order_id": order, "authorization_id": hold["id"]}
    expected = [("authorization", 4200), ("capture", 1000), ("release", 1200), ("capture", 2000)]
    assert await shop.moved(order) == expected
    assert issue(await shop.post(f"{path}/capture")) == (422, "AUTHORIZATION_ALREADY_CAPTURED")
    assert issue(await shop.post(f"{path}/void")) == (422, "PREVIOUSLY_CAPTURED")
    assert issue(await shop.post(f"{ORDERS}/{order}/authorize")) == (422, "ORDER_ALREADY_AUTHORIZED")


async def test_void_releases_the_hold(shop: Shop) -> None:
    """A voided hold can be neither captured nor voided again."""
    order, hold = await shop.held()
    answer = await shop.post(f"{HOLDS}/{hold['id']}/void")
    assert (answer.status_code, answer.content) == (204, b"")
    assert (await shop.read(f"{HOLDS}/{hold['id']}"))["status"] == "VOIDED"
    assert await shop.moved(order) == [("authorization", 4200), ("release", 4200)]
    assert issue(await shop.post(f"{HOLDS}/{hold['id']}/capture")) == (422, "AUTHORIZATION_VOIDED")
    assert issue(await shop.post(f"{HOLDS}/{hold['id']}/void")) == (422, "PREVIOUSLY_VOIDED")


@pytest.mark.parametrize(
    ("held", "currency", "good", "beyond"),
    [("100.00", "USD", "115.00", "115.01"), ("1000.00", "USD", "1075.00", "1075.01"), ("1000", "JPY", "1150", "1151")],
)
async def test_a_little_more_than_held(shop: Shop, held: str, currency: str, good: str, beyond: str) -> None:
    """Up to 115 % may be captured, in dollars up to 75 more; nothing beyond."""
    order, hold = await shop.held(value=held, currency=currency)
    path = f"{HOLDS}/{hold['id']}/capture"
    refused = await shop.post(path, {"amount": money(beyond, currency)})
    assert issue(refused) == (422, "MAX_CAPTURE_AMOUNT_EXCEEDED")
    assert (await shop.post(path, {"amount": money(good, currency)})).status_code == 201
    assert [name for name, _ in await shop.moved(order)] == ["authorization", "capture"]


async def test_refunds_until_nothing_is_left(shop: Shop) -> None:
    """Refunds go against the capture, in parts, up to what was captured."""
    order, taken = await shop.captured()
    path = f"{CAPTURES}/{taken['id']}"
    first = await shop.post(f"{path}/refund", {"amount": money("12.00")}, Prefer="return=representation")
    assert (first.status_code, first.json()["status"], first.json()["amount"]) == (201, "COMPLETED", money("12.00"))
    assert (await shop.read(path))["status"] == "PARTIALLY_REFUNDED"
    assert issue(await shop.post(f"{path}/refund", {"amount": money("30.01")})) == (422, "REFUND_AMOUNT_EXCEEDED")
    wrong = await shop.post(f"{path}/refund", {"amount": money("1.00", "EUR")})
    assert issue(wrong) == (422, "REFUND_CAPTURE_CURRENCY_MISMATCH")
    rest = await shop.post(f"{path}/refund")
    assert (await shop.read(f"/v2/payments/refunds/{rest.json()['id']}"))["amount"] == money("30.00")
    assert (await shop.read(path))["status"] == "REFUNDED"
    assert issue(await shop.post(f"{path}/refund")) == (422, "CAPTURE_FULLY_REFUNDED")
    assert await shop.moved(order) == [("charge", 4200), ("refund", 1200), ("refund", 3000)]
    assert [row["refund"] for row in (await shop.rows(order))[1:]] == [first.json()["id"], rest.json()["id"]]


async def test_soft_decline_leads_back_to_the_page(shop: Shop) -> None:
    """A declined instrument moves nothing; the payer approves with other means and the capture goes through."""
    order = await shop.approved(funding="declined")
    refused = await shop.post(f"{ORDERS}/{order}/capture")
    assert issue(refused) == (422, "INSTRUMENT_DECLINED")
    (back,) = [link["href"] for link in refused.json()["links"] if link["rel"] == "redirect"]
    assert back.endswith(f"/paypal/approve/{order}")
    assert await shop.moved(order) == []
    await shop.pay_page(order)
    assert (await shop.post(f"{ORDERS}/{order}/capture")).status_code == 201
    assert await shop.moved(order) == [("charge", 4200)]


@pytest.mark.parametrize(
    ("funding", "expected"),
    [
        ("declined", "INSTRUMENT_DECLINED"),
        ("action_required", "PAYER_ACTION_REQUIRED"),
        ("refused_hard", "TRANSACTION_REFUSED"),
        ("payer_cannot_pay", "PAYER_CANNOT_PAY"),
    ],
)
@pytest.mark.parametrize("intent", ["CAPTURE", "AUTHORIZE"])
async def test_means_that_are_refused(shop: Shop, intent: str, funding: str, expected: str) -> None:
    """Each of these means answers with its issue, for a capture and for a hold, and moves no money."""
    order = await shop.approved(intent, funding)
    assert issue(await shop.post(f"{ORDERS}/{order}/{intent.lower()}")) == (422, expected)
    assert await shop.moved(order) == []


async def test_verb_must_fit_the_intent(shop: Shop) -> None:
    """An order opened for a hold cannot be captured at once, and the other way round."""
    order = await shop.approved("AUTHORIZE")
    assert issue(await shop.post(f"{ORDERS}/{order}/capture")) == (422, "ACTION_DOES_NOT_MATCH_INTENT")


async def _of_invoice(shop: Shop, intent: str) -> str:
    unit = {"custom_id": shop.checkout, "invoice_id": f"inv-{shop.checkout}", "amount": money("42.00")}
    made = await shop.post(ORDERS, {"intent": intent, "purchase_units": [unit]})
    order = str(made.json()["id"])
    assert (await shop.pay_page(order)).status_code == 200
    return order


async def test_an_invoice_is_paid_once(shop: Shop) -> None:
    """Several orders of one invoice can be approved; only one is captured, and a hold let go of stands in no way."""
    held, *orders = [await _of_invoice(shop, intent) for intent in ("AUTHORIZE", "CAPTURE", "CAPTURE")]
    hold = part((await shop.post(f"{ORDERS}/{held}/authorize")).json(), "authorizations")
    assert issue(await shop.post(f"{ORDERS}/{orders[0]}/capture")) == (422, "DUPLICATE_INVOICE_ID")
    await shop.post(f"{HOLDS}/{hold['id']}/void")
    assert (await shop.post(f"{ORDERS}/{orders[0]}/capture")).status_code == 201
    assert issue(await shop.post(f"{ORDERS}/{orders[1]}/capture")) == (422, "DUPLICATE_INVOICE_ID")
