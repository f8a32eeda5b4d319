"""Payment links: opened, read, closed, run out, and refused in Adyen's words."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.sandbox.adyen.support import ACCOUNT, Shop, client
from tests.sandbox.support import Sandbox


async def test_open_and_read(shop: Shop) -> None:
    """A link is answered with its id, its page and what was given, and reads the same."""
    link = await shop.open(metadata={"tier": "gold"}, returnUrl="https://shop.example/done", countryCode="NL")
    assert link["id"].startswith("PL")
    assert link["url"].endswith(f"/adyen/pay/{link['id']}")
    assert (link["status"], link["reusable"], link["merchantAccount"]) == ("active", False, ACCOUNT)
    assert link["amount"] == {"currency": "EUR", "value": 4200}
    assert link["metadata"] == {"tier": "gold"}
    assert (await shop.api.get(f"paymentLinks/{link['id']}")).json() == link


async def test_close(shop: Shop) -> None:
    """A link that was closed stays closed and cannot be paid; closing it again changes nothing."""
    link = await shop.open()
    for _ in range(2):
        answer = await shop.api.patch(f"paymentLinks/{link['id']}", json={"status": "expired"})
        assert (answer.status_code, answer.json()["status"]) == (200, "expired")
    assert (await shop.pay(link)).status_code == 409
    assert await shop.booked(link) == []


async def test_close_too_late(shop: Shop) -> None:
    """A link that was paid can no longer be closed."""
    link = await shop.open()
    await shop.pay(link)
    answer = await shop.api.patch(f"paymentLinks/{link['id']}", json={"status": "expired"})
    assert answer.status_code == 422
    assert (await shop.api.get(f"paymentLinks/{link['id']}")).json()["status"] == "completed"


async def test_runs_out(fresh: Sandbox) -> None:
    """A link expires when its time has come, by the virtual clock."""
    async with fresh.browser() as browser:
        shop = Shop.at(fresh, browser)
        soon = datetime.now(UTC) + timedelta(hours=2)
        link = await shop.open(expiresAt=soon.isoformat(timespec="seconds"))
        assert link["expiresAt"] == soon.strftime("%Y-%m-%dT%H:%M:%SZ")
        await browser.post("/sandbox/clock", json={"advance_seconds": 3600})
        assert (await shop.api.get(f"paymentLinks/{link['id']}")).json()["status"] == "active"
        await browser.post("/sandbox/clock", json={"advance_seconds": 3601})
        assert (await shop.api.get(f"paymentLinks/{link['id']}")).json()["status"] == "expired"
        assert (await browser.get(f"/adyen/pay/{link['id']}")).status_code == 410


@pytest.mark.parametrize("key", ["", "AQE", "sk_test_1"])
async def test_wrong_key(sandbox: Sandbox, key: str) -> None:
    """Without an API key, or with one that is not Adyen's, nothing is answered but 401."""
    async with client(sandbox, key) as stranger:
        answer = await stranger.get("paymentLinks/PL0")
    assert answer.status_code == 401
    assert answer.json() == {
        "status": 401,
        "errorCode": "000",
        "message": "HTTP Status Response - Unauthorized",
        "errorType": "security",
    }


@pytest.mark.parametrize("account", ["SomebodyElse", "", None, 7])
async def test_wrong_merchant_account(shop: Shop, account: Any) -> None:
    """An account these credentials may not use is 403 with code 901."""
    answer = await shop.post("paymentLinks", shop.order(merchantAccount=account))
    assert answer.status_code == 403
    error = answer.json()
    assert (error["errorCode"], error["message"]) == ("901", "Invalid Merchant Account")
    assert len(error["pspReference"]) == 16


@pytest.mark.parametrize(
    ("changed", "status", "code"),
    [
        ({"amount": {"value": 0, "currency": "EUR"}}, 422, "137"),
        ({"amount": {"value": -1, "currency": "EUR"}}, 422, "137"),
        ({"amount": {"value": 10, "currency": "XXX"}}, 422, "138"),
        ({"amount": {"value": 10, "currency": "eur"}}, 422, "138"),
        ({"amount": {"value": 10.5, "currency": "EUR"}}, 400, "702"),
        ({"amount": {"value": True, "currency": "EUR"}}, 400, "702"),
        ({"amount": {"value": 10**13, "currency": "EUR"}}, 422, "137"),
        ({"amount": {"value": "10", "currency": "EUR"}}, 400, "702"),
        ({"amount": {"value": 10}}, 422, "130"),
        ({"amount": None}, 422, "100"),
        ({"amount": 10}, 400, "702"),
        ({"reference": ""}, 422, "130"),
        ({"reference": 5}, 400, "702"),
        ({"reference": "x" * 81}, 422, "130"),
        ({"reference": "\ud800"}, 400, "702"),
        ({"nonsense": 1}, 400, "702"),
        ({"expiresAt": "2020-01-01T00:00:00Z"}, 422, "130"),
        ({"expiresAt": "2120-01-01T00:00:00Z"}, 422, "130"),
        ({"expiresAt": "2120-01-01T00:00:00"}, 400, "702"),
        ({"expiresAt": "soon"}, 400, "702"),
        ({"manualCapture": "yes"}, 400, "702"),
        ({"captureDelayHours": -1}, 422, "130"),
        ({"reusable": True}, 422, "130"),
        ({"metadata": {str(number): "x" for number in range(21)}}, 422, "177"),
        ({"metadata": {"n" * 21: "x"}}, 422, "178"),
        ({"metadata": {"name": "x" * 81}}, 422, "179"),
        ({"metadata": {"name": 1}}, 400, "702"),
        ({"metadata": {"name": "\udfff"}}, 400, "702"),
    ],
)
async def test_refused(shop: Shop, changed: dict[str, Any], status: int, code: str) -> None:
    """What cannot be read is 400, what cannot be meant is 422, each with Adyen's code."""
    answer = await shop.post("paymentLinks", shop.order(**changed))
    error = answer.json()
    assert (answer.status_code, error["status"], error["errorCode"]) == (status, status, code)
    assert error["errorType"] == "validation"


@pytest.mark.parametrize("body", ["{", "[]", "null", "", "[" * 100_000])
async def test_unreadable_body(shop: Shop, body: str) -> None:
    """A body that is not a JSON object is 400 with code 702."""
    answer = await shop.api.post("paymentLinks", content=body)
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "702")


async def test_unknown(shop: Shop) -> None:
    """Links, payments and paths that do not exist are told apart."""
    assert (await shop.api.get("paymentLinks/PL0")).status_code == 422
    assert (await shop.api.patch("paymentLinks/PL0", json={"status": "expired"})).status_code == 422
    assert (await shop.api.get("payments/ABCDEFGHIJKLMNOP")).status_code == 404
    assert (await shop.api.post("payments", json={"merchantAccount": ACCOUNT})).status_code == 404
    answer = await shop.post("payments/ABCDEFGHIJKLMNOP/cancels", {"merchantAccount": ACCOUNT})
    assert (answer.status_code, answer.json()["errorCode"]) == (422, "167")


@pytest.mark.parametrize(
    ("currency", "shown"),
    [("CLP", "1.05 CLP"), ("ISK", "1.05 ISK"), ("CVE", "105 CVE"), ("JPY", "105 JPY"), ("KWD", "0.105 KWD")],
)
async def test_minor_units_are_adyens(shop: Shop, currency: str, shown: str) -> None:
    """The page shows an amount in Adyen's decimals, which are not always those of ISO 4217."""
    link = await shop.open(amount={"value": 105, "currency": currency})
    assert shown in (await shop.browser.get(f"/adyen/pay/{link['id']}")).text
