"""What PayPal refuses before anything happens."""

from typing import Any

import pytest

from tests.sandbox.paypal.support import Shop, issue, money, order_body

ORDERS = "/v2/checkout/orders"


@pytest.mark.parametrize(
    ("value", "currency", "expected"),
    [
        ("10.50", "JPY", (422, "DECIMALS_NOT_SUPPORTED")),
        ("10.00", "HUF", (422, "DECIMALS_NOT_SUPPORTED")),
        ("10.0", "TWD", (422, "DECIMALS_NOT_SUPPORTED")),
        ("10.501", "USD", (422, "DECIMAL_PRECISION")),
        ("0.00", "USD", (422, "CANNOT_BE_ZERO_OR_NEGATIVE")),
        ("-1.00", "USD", (422, "CANNOT_BE_ZERO_OR_NEGATIVE")),
        ("10.00", "XXX", (422, "INVALID_CURRENCY_CODE")),
        ("10,00", "USD", (400, "INVALID_PARAMETER_SYNTAX")),
        ("1e3", "USD", (400, "INVALID_PARAMETER_SYNTAX")),
        ("\u0661\u0660", "USD", (400, "INVALID_PARAMETER_SYNTAX")),
        ("10.00", "DOLLAR", (400, "INVALID_STRING_LENGTH")),
    ],
)
async def test_amounts(shop: Shop, value: str, currency: str, expected: tuple[int, str]) -> None:
    """An amount that does not fit its currency is refused, never rounded."""
    answer = await shop.post(ORDERS, order_body(shop.checkout, value=value, currency=currency))
    assert issue(answer) == expected


@pytest.mark.parametrize(("value", "currency", "minor"), [("10", "JPY", 10), ("10", "EUR", 1000), ("0.5", "EUR", 50)])
async def test_amounts_that_fit(shop: Shop, value: str, currency: str, minor: int) -> None:
    """Decimals may be left out where they are zero, and must be where the currency has none."""
    order, taken = await shop.captured(value=value, currency=currency)
    assert await shop.moved(order) == [("charge", minor)]
    assert taken["amount"]["currency_code"] == currency


BROKEN: list[tuple[dict[str, Any], str]] = [
    ({"purchase_units": []}, "MISSING_REQUIRED_PARAMETER"),
    ({"intent": "SALE", "purchase_units": []}, "INVALID_PARAMETER_VALUE"),
    ({"intent": "CAPTURE"}, "MISSING_REQUIRED_PARAMETER"),
    ({"intent": "CAPTURE", "purchase_units": [{}, {}]}, "INVALID_ARRAY_MAX_ITEMS"),
    ({"intent": "CAPTURE", "purchase_units": [{"custom_id": "x"}]}, "MISSING_REQUIRED_PARAMETER"),
    (
        {"intent": "CAPTURE", "purchase_units": [{"custom_id": "x" * 128, "amount": money("1.00")}]},
        "INVALID_STRING_MAX_LENGTH",
    ),
]


@pytest.mark.parametrize(("body", "expected"), BROKEN)
async def test_malformed_orders(shop: Shop, body: dict[str, Any], expected: str) -> None:
    """A missing or malformed field is named in the error."""
    answer = await shop.post(ORDERS, body)
    assert issue(answer) == (400, expected)
    assert answer.json()["details"][0]["field"].startswith("/")


async def test_bodies_that_are_no_json(shop: Shop) -> None:
    """A body must be JSON, and say so."""
    broken = await shop.client.post(ORDERS, content=b"{", headers={"Content-Type": "application/json"})
    assert issue(broken) == (400, "MALFORMED_REQUEST_JSON")
    form = await shop.client.post(ORDERS, data={"intent": "CAPTURE"})
    assert (form.status_code, form.json()["name"]) == (415, "UNSUPPORTED_MEDIA_TYPE")


async def test_unknown_objects(shop: Shop) -> None:
    """What does not exist is a 404 with PayPal's own words, on paths PayPal does not have as well."""
    for path in (f"{ORDERS}/5O190127TN364715T", "/v2/payments/captures/X", "/v2/payments/refunds/X", "/v9/nothing"):
        assert issue(await shop.client.get(path)) == (404, "INVALID_RESOURCE_ID")
    other = await shop.open()
    assert issue(await shop.client.get(f"/v2/payments/captures/{other}")) == (404, "INVALID_RESOURCE_ID")


async def test_short_and_whole_answers(shop: Shop) -> None:
    """An answer is short unless the whole object is asked for."""
    body = order_body(shop.checkout)
    short = (await shop.post(ORDERS, body)).json()
    assert set(short) == {"id", "status", "payment_source", "links"}
    whole = (await shop.post(ORDERS, body, Prefer="return=representation")).json()
    unit = whole["purchase_units"][0]
    assert (unit["amount"], unit["custom_id"], unit["reference_id"]) == (money("42.00"), shop.checkout, "r1")
    assert unit["payee"]["merchant_id"] == "SANDBXMERCHNT"
