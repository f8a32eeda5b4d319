"""Every fault strikes Adyen's calls as its name says, and the books stay right."""

import asyncio
import time
from typing import Any

import httpx
import pytest

from tests.sandbox.adyen.support import ACCOUNT, Hook, Shop, client
from tests.sandbox.support import Sandbox

CAPTURE = "adyen.payments.capture"
BODY = {"merchantAccount": ACCOUNT, "amount": {"value": 4200, "currency": "EUR"}}


@pytest.fixture
async def held(shop: Shop, hook: Hook) -> tuple[dict[str, Any], str]:
    """A link whose money is held, with the payment's pspReference."""
    link = await shop.open()
    return link, await hook.authorised(shop, link)


@pytest.mark.parametrize("kind", ["timeout_after", "reset_after", "error_500_after", "stored_500"])
async def test_done_but_not_told(
    sandbox: Sandbox, shop: Shop, hook: Hook, held: tuple[dict[str, Any], str], kind: str
) -> None:
    """The capture happens once while its answer is lost; only a stored 500 is answered again."""
    link, psp = held
    await shop.fault(operation=CAPTURE, kind=kind)
    headers = {"Idempotency-Key": f"{shop.checkout}:{kind}"}
    async with client(sandbox, timeout=1.5) as hasty:
        if "500" in kind:
            answer = await hasty.post(f"payments/{psp}/captures", json=BODY, headers=headers)
            assert (answer.status_code, answer.json()["errorCode"]) == (500, "701")
        else:
            with pytest.raises(httpx.TransportError):
                await hasty.post(f"payments/{psp}/captures", json=BODY, headers=headers)
    again = await shop.post(f"payments/{psp}/captures", BODY, headers["Idempotency-Key"])
    assert again.status_code == (500 if kind == "stored_500" else 201)
    assert (await hook.told("CAPTURE"))["success"] == "true"
    assert await shop.booked(link) == [("authorization", 4200), ("capture", 4200)]


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("timeout_before", None, None),
        ("reset_before", None, None),
        ("error_500_before", 500, "701"),
        ("unavailable_503", 503, "703"),
        ("html_502", 502, None),
        ("rate_limit_429", 429, "00_500"),
    ],
)
async def test_not_done(
    sandbox: Sandbox, shop: Shop, held: tuple[dict[str, Any], str], kind: str, status: int | None, code: str | None
) -> None:
    """The call has no effect, and the same key then works as if it were new."""
    link, psp = held
    await shop.fault(operation=CAPTURE, kind=kind)
    headers = {"Idempotency-Key": f"{shop.checkout}:{kind}"}
    async with client(sandbox, timeout=1.5) as hasty:
        if status is None:
            with pytest.raises(httpx.TransportError):
                await hasty.post(f"payments/{psp}/captures", json=BODY, headers=headers)
        else:
            answer = await hasty.post(f"payments/{psp}/captures", json=BODY, headers=headers)
            assert answer.status_code == status
            assert code is None or answer.json()["errorCode"] == code
            assert ("transient-error" in answer.headers) == (status == 503)
    assert await shop.booked(link) == [("authorization", 4200)]
    assert (await shop.post(f"payments/{psp}/captures", BODY, headers["Idempotency-Key"])).status_code == 201
    assert await shop.booked(link) == [("authorization", 4200), ("capture", 4200)]


async def test_stored_500_without_effect(shop: Shop, held: tuple[dict[str, Any], str]) -> None:
    """A stored 500 may also hide that nothing happened."""
    link, psp = held
    await shop.fault(operation=CAPTURE, kind="stored_500", executed=False)
    for _ in range(2):
        assert (await shop.post(f"payments/{psp}/captures", BODY, f"{shop.checkout}:1")).status_code == 500
    assert await shop.booked(link) == [("authorization", 4200)]


async def test_rate_limit_says_when(shop: Shop) -> None:
    """A 429 carries Retry-After where the fault has seconds."""
    await shop.fault(operation="adyen.payment_links.create", kind="rate_limit_429", seconds=3)
    answer = await shop.post("paymentLinks", shop.order())
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "3")


async def test_slow_drip(shop: Shop) -> None:
    """The right answer comes, slowly."""
    link = await shop.open()
    await shop.fault(operation="adyen.payment_links.get", kind="slow_drip", seconds=0.6)
    began = time.monotonic()
    assert (await shop.api.get(f"paymentLinks/{link['id']}")).json() == link
    assert time.monotonic() - began >= 0.5


@pytest.mark.parametrize(
    ("kind", "amount"),
    [
        ("amount_off_by_one", {"currency": "EUR", "value": 4201}),
        ("other_currency", {"currency": "USD", "value": 4200}),
        ("livemode_true", {"currency": "EUR", "value": 4200}),
    ],
)
async def test_answers_that_lie(
    shop: Shop, hook: Hook, held: tuple[dict[str, Any], str], kind: str, amount: dict[str, Any]
) -> None:
    """An answer lies about its amount once; what is kept, booked and told does not."""
    link, psp = held
    await shop.fault(operation=CAPTURE, kind=kind)
    lie = await shop.post(f"payments/{psp}/captures", BODY)
    assert lie.json()["amount"] == amount
    assert (await hook.told("CAPTURE"))["amount"] == {"currency": "EUR", "value": 4200}
    await shop.fault(operation="adyen.payment_links.get", kind=kind)
    assert (await shop.api.get(f"paymentLinks/{link['id']}")).json()["amount"] == amount
    assert (await shop.api.get(f"paymentLinks/{link['id']}")).json()["amount"]["value"] == 4200


@pytest.mark.parametrize("operation", ["create", "get", "update", "capture", "cancel", "refund", "reversal"])
async def test_every_operation_has_a_name(shop: Shop, held: tuple[dict[str, Any], str], operation: str) -> None:
    """A fault can be set for each operation, and leaves other checkouts alone."""
    link, psp = held
    noun = "payment_links" if operation in ("create", "get", "update") else "payments"
    await shop.fault(operation=f"adyen.{noun}.{operation}", kind="error_500_before", gateway="adyen", rate=1)
    other = Shop(shop.api, shop.browser, "chk_other")
    assert (await other.post("paymentLinks", other.order())).status_code == 201
    answers = {
        "create": shop.post("paymentLinks", shop.order()),
        "get": shop.api.get(f"paymentLinks/{link['id']}"),
        "update": shop.api.patch(f"paymentLinks/{link['id']}", json={"status": "expired"}),
        "capture": shop.post(f"payments/{psp}/captures", BODY),
        "refund": shop.post(f"payments/{psp}/refunds", BODY),
        "cancel": shop.post(f"payments/{psp}/cancels", {"merchantAccount": ACCOUNT}),
        "reversal": shop.post(f"payments/{psp}/reversals", {"merchantAccount": ACCOUNT}),
    }
    found = dict(zip(answers, await asyncio.gather(*answers.values()), strict=True))
    assert [name for name, answer in found.items() if answer.status_code == 500] == [operation]
