"""Every fault strikes PayPal's calls as its name says, and the books stay right."""

import httpx
import pytest

from tests.sandbox.paypal.support import Shop, money, part

ORDERS, HOLDS, CAPTURES = "/v2/checkout/orders", "/v2/payments/authorizations", "/v2/payments/captures"


@pytest.mark.parametrize("kind", ["timeout_after", "reset_after", "error_500_after", "stored_500"])
async def test_captured_but_not_told(shop: Shop, kind: str) -> None:
    """The capture happens once while the caller learns nothing; the same id then tells of it, or repeats a kept 500."""
    order = await shop.approved()
    path, key = f"{ORDERS}/{order}/capture", f"{order}:{kind}"
    await shop.fault("paypal.orders.capture", kind)
    shop.client.timeout = httpx.Timeout(1.5)
    if kind.endswith("500") or kind == "error_500_after":
        first = await shop.post(path, key=key)
        assert (first.status_code, first.json()["name"]) == (500, "INTERNAL_SERVER_ERROR")
    else:
        with pytest.raises((httpx.TimeoutException, httpx.TransportError)):
            await shop.post(path, key=key)
    shop.client.timeout = httpx.Timeout(5)
    again = await shop.post(path, key=key)
    assert again.status_code == (500 if kind == "stored_500" else 200)
    assert (await shop.read(f"{ORDERS}/{order}"))["status"] == "COMPLETED"
    assert await shop.moved(order) == [("charge", 4200)]


@pytest.mark.parametrize(
    ("kind", "status", "name"),
    [
        ("error_500_before", 500, "INTERNAL_SERVER_ERROR"),
        ("unavailable_503", 503, "SERVICE_UNAVAILABLE"),
        ("rate_limit_429", 429, "RATE_LIMIT_REACHED"),
    ],
)
async def test_not_carried_out(shop: Shop, kind: str, status: int, name: str) -> None:
    """A call that is refused before it begins moves nothing, in PayPal's error shape."""
    _, hold = await shop.held()
    await shop.fault("paypal.authorizations.capture", kind, seconds=7)
    answer = await shop.post(f"{HOLDS}/{hold['id']}/capture")
    assert (answer.status_code, answer.json()["name"]) == (status, name)
    assert answer.headers.get("retry-after") == ("7" if status == 429 else None)
    assert (await shop.read(f"{HOLDS}/{hold['id']}"))["status"] == "CREATED"


@pytest.mark.parametrize(
    ("operation", "verb"), [("paypal.authorizations.void", "void"), ("paypal.authorizations.capture", "capture")]
)
async def test_match_narrows_to_the_checkout(shop: Shop, operation: str, verb: str) -> None:
    """A fault for another checkout does not strike, one for this checkout does, by the order's custom_id."""
    _, hold = await shop.held()
    await shop.control("faults", operation=operation, kind="unavailable_503", match={"checkout_id": "chk_other"})
    assert (await shop.post(f"{HOLDS}/{hold['id']}/{verb}")).is_success
    await shop.fault(operation, "unavailable_503")
    assert (await shop.post(f"{HOLDS}/{hold['id']}/{verb}")).status_code == 503


async def test_create_is_matched_by_what_it_brings(shop: Shop) -> None:
    """The checkout of an order that does not exist yet is the one in the body."""
    await shop.fault("paypal.orders.create", "html_502")
    body = {"intent": "CAPTURE", "purchase_units": [{"custom_id": "chk_other", "amount": money("1.00")}]}
    assert (await shop.post(ORDERS, body)).status_code == 201
    body["purchase_units"] = [{"custom_id": shop.checkout, "amount": money("1.00")}]
    assert (await shop.post(ORDERS, body)).status_code == 502


async def test_lies(shop: Shop) -> None:
    """An answer lies about amount, currency, account or mode; the object and the books do not."""
    order, _ = await shop.captured()
    lies = {}
    for kind in ("amount_off_by_one", "other_currency", "other_account", "livemode_true"):
        await shop.fault("paypal.orders.get", kind)
        lies[kind] = await shop.read(f"{ORDERS}/{order}")
    true = await shop.read(f"{ORDERS}/{order}")
    assert part(lies["amount_off_by_one"], "captures")["amount"] == money("42.01")
    assert part(lies["other_currency"], "captures")["amount"] == money("42.00", "EUR")
    assert lies["other_account"]["purchase_units"][0]["payee"]["merchant_id"] != "SANDBXMERCHNT"
    assert lies["livemode_true"]["links"][0]["href"] == f"https://api-m.paypal.com/v2/checkout/orders/{order}"
    assert part(true, "captures")["amount"] == money("42.00")
    assert true["purchase_units"][0]["payee"]["merchant_id"] == "SANDBXMERCHNT"
    assert await shop.moved(order) == [("charge", 4200)]


async def test_slow_drip_is_whole(shop: Shop) -> None:
    """An answer that comes byte by byte is complete in the end."""
    order, taken = await shop.captured()
    await shop.fault("paypal.captures.refund", "slow_drip", seconds=0.3)
    answer = await shop.post(f"{CAPTURES}/{taken['id']}/refund")
    assert answer.elapsed.total_seconds() >= 0.2
    assert answer.json()["status"] == "COMPLETED"
    assert await shop.moved(order) == [("charge", 4200), ("refund", 4200)]


async def test_names_of_operations_and_gateways(shop: Shop) -> None:
    """A misspelt operation or gateway is refused; a fault for all calls can be kept to one gateway."""
    async with shop.sandbox.browser() as browser:
        for body in (
            {"operation": "paypal.orders.captured", "kind": "slow"},
            {"operation": "*", "kind": "slow", "gateway": "paypall"},
            {"operation": "paypal.orders.get", "kind": "slow", "gateway": "stripe"},
        ):
            assert (await browser.post("/sandbox/faults", json=body)).status_code == 400
        fault = {"operation": "*", "kind": "unavailable_503", "gateway": "paypal"}
        assert (await browser.post("/sandbox/faults", json=fault)).status_code == 201
        at_stripe = await browser.get("/v1/balance", headers={"Authorization": "Bearer sk_test_x"})
        assert at_stripe.status_code == 200
    assert (await shop.client.get(f"{ORDERS}/X")).status_code == 503
