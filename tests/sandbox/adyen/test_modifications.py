"""Captures, cancels, refunds and reversals: always received, and told by a webhook alone."""

from typing import Any

import pytest

from tests.sandbox.adyen.support import ACCOUNT, Hook, Shop

TOO_MUCH = "Insufficient balance on payment"


async def _outcome(shop: Shop, hook: Hook, psp: str, verb: str, code: str, *amount: int) -> tuple[str, str]:
    received = await shop.modify(psp, verb, *amount)
    told = await hook.told(code, received["pspReference"])
    assert told["originalReference"] == psp
    return told["success"], told["reason"]


async def test_received_and_told(shop: Shop, hook: Hook) -> None:
    """A capture is answered with a reference of its own, and told under it with the reference the shop gave it."""
    link = await shop.open()
    psp = await hook.authorised(shop, link)
    reference = f"{shop.checkout}:capture:1"
    received = await shop.modify(psp, "captures", 4200, reference=reference)
    assert received == {
        "merchantAccount": ACCOUNT,
        "amount": {"currency": "EUR", "value": 4200},
        "reference": reference,
        "paymentPspReference": psp,
        "pspReference": received["pspReference"],
        "status": "received",
    }
    assert received["pspReference"] != psp
    told = await hook.told("CAPTURE", received["pspReference"])
    assert (told["success"], told["originalReference"], told["merchantReference"]) == ("true", psp, reference)
    assert told["amount"] == {"currency": "EUR", "value": 4200}
    assert await shop.booked(link) == [("authorization", 4200), ("capture", 4200)]


async def test_without_a_reference(shop: Shop, hook: Hook) -> None:
    """A modification without a reference of its own is told with the payment's."""
    link = await shop.open()
    received = await shop.modify(await hook.authorised(shop, link), "cancels")
    assert "reference" not in received
    assert (await hook.told("CANCELLATION"))["merchantReference"] == link["reference"]


async def test_several_captures_and_refunds(shop: Shop, hook: Hook) -> None:
    """A hold can be taken in parts, and what was taken given back in parts, but never beyond what is there."""
    link = await shop.open()
    psp = await hook.authorised(shop, link)
    assert await _outcome(shop, hook, psp, "captures", "CAPTURE", 4201) == ("false", TOO_MUCH)
    assert await _outcome(shop, hook, psp, "captures", "CAPTURE", 3000) == ("true", "")
    assert await _outcome(shop, hook, psp, "captures", "CAPTURE", 1201) == ("false", TOO_MUCH)
    assert await _outcome(shop, hook, psp, "captures", "CAPTURE", 1200) == ("true", "")
    assert await _outcome(shop, hook, psp, "refunds", "REFUND", 4201) == ("false", TOO_MUCH)
    assert await _outcome(shop, hook, psp, "refunds", "REFUND", 4000) == ("true", "")
    assert await _outcome(shop, hook, psp, "refunds", "REFUND", 201) == ("false", TOO_MUCH)
    assert await _outcome(shop, hook, psp, "refunds", "REFUND", 200) == ("true", "")
    assert await shop.booked(link) == [
        ("authorization", 4200),
        ("capture", 3000),
        ("capture", 1200),
        ("refund", 4000),
        ("refund", 200),
    ]


async def test_cancel(shop: Shop, hook: Hook) -> None:
    """A cancelled hold can be neither taken, nor refunded, nor cancelled again."""
    link = await shop.open()
    psp = await hook.authorised(shop, link)
    assert await _outcome(shop, hook, psp, "cancels", "CANCELLATION") == ("true", "")
    for verb, code, amount in (("captures", "CAPTURE", 1), ("refunds", "REFUND", 1)):
        assert (await _outcome(shop, hook, psp, verb, code, amount))[0] == "false"
    assert (await _outcome(shop, hook, psp, "cancels", "CANCELLATION"))[0] == "false"
    assert await shop.booked(link) == [("authorization", 4200), ("release", 4200)]


async def test_cancel_after_capture(shop: Shop, hook: Hook) -> None:
    """What was taken cannot be cancelled; the rest of a partly taken hold can."""
    link, other = await shop.open(), await shop.open()
    whole, part = await hook.authorised(shop, link), await hook.authorised(shop, other)
    await shop.modify(whole, "captures", 4200)
    await shop.modify(part, "captures", 4000)
    assert (await _outcome(shop, hook, whole, "cancels", "CANCELLATION"))[0] == "false"
    assert await _outcome(shop, hook, part, "cancels", "CANCELLATION") == ("true", "")
    assert await shop.booked(link) == [("authorization", 4200), ("capture", 4200)]
    assert await shop.booked(other) == [("authorization", 4200), ("capture", 4000), ("release", 200)]


async def test_refund_before_capture(shop: Shop, hook: Hook) -> None:
    """What was not captured cannot be refunded."""
    psp = await hook.authorised(shop, await shop.open())
    reason = "Transaction hasn't been captured, refund not possible"
    assert await _outcome(shop, hook, psp, "refunds", "REFUND", 4200) == ("false", reason)


async def test_reversal(shop: Shop, hook: Hook) -> None:
    """A reversal cancels what was not captured and refunds what was, and says which it did."""
    held, taken = await shop.open(), await shop.open()
    first, second = await hook.authorised(shop, held), await hook.authorised(shop, taken)
    await shop.modify(second, "captures", 4200)
    for psp, action in ((first, "cancel"), (second, "refund")):
        received = await shop.modify(psp, "reversals", reference=f"{shop.checkout}:reversal:{action}")
        told = await hook.told("CANCEL_OR_REFUND", received["pspReference"])
        assert (told["success"], told["additionalData"]["modification.action"]) == ("true", action)
        assert told["amount"]["value"] == 4200
        again = await shop.modify(psp, "reversals")
        assert (await hook.told("CANCEL_OR_REFUND", again["pspReference"]))["success"] == "false"
    assert await shop.booked(held) == [("authorization", 4200), ("release", 4200)]
    assert await shop.booked(taken) == [("authorization", 4200), ("capture", 4200), ("refund", 4200)]


async def test_other_currency(shop: Shop, hook: Hook) -> None:
    """An amount in another currency than the payment's is received, and comes to nothing."""
    link = await shop.open()
    psp = await hook.authorised(shop, link)
    received = await shop.modify(psp, "captures", amount={"value": 4200, "currency": "USD"})
    told = await hook.told("CAPTURE", received["pspReference"])
    assert (told["success"], told["amount"]) == ("false", {"value": 4200, "currency": "USD"})
    assert await shop.booked(link) == [("authorization", 4200)]


@pytest.mark.parametrize(
    ("verb", "body", "status", "code"),
    [
        ("captures", {}, 422, "100"),
        ("refunds", {"amount": {"value": 0, "currency": "EUR"}}, 422, "137"),
        ("cancels", {"amount": {"value": 1, "currency": "EUR"}}, 400, "702"),
        ("reversals", {"reference": "x" * 81}, 422, "130"),
        ("captures", {"merchantAccount": "PaysagaOther", "amount": {"value": 1, "currency": "EUR"}}, 422, "167"),
    ],
)
async def test_refused_at_once(shop: Shop, hook: Hook, verb: str, body: dict[str, Any], status: int, code: str) -> None:
    """A request that cannot be meant is refused by the answer, and no webhook follows."""
    psp = await hook.authorised(shop, await shop.open())
    answer = await shop.post(f"payments/{psp}/{verb}", {"merchantAccount": ACCOUNT, **body})
    assert (answer.status_code, answer.json()["errorCode"]) == (status, code)
    assert len([one for one in hook.receiver.received if psp.encode() in one.body]) == 1
