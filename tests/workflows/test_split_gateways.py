"""Split checkouts over different gateways: what each can do differs, the decision is one."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.checkout import CaptureMode
from tests.workflows.agreement import agree
from tests.workflows.splits import Split, ended_in_order, moved, open_split, record_split, states
from tests.workflows.support import Shop

PAIRS = [("stripe", "paypal"), ("paypal", "adyen"), ("adyen", "stripe"), ("paypal", "stripe", "adyen")]
HELD: dict[str, Any] = {"capture": CaptureMode.ON_CONFIRM, "confirm_within_seconds": 600}
ASKED: dict[str, Any] = {"confirm_within_seconds": 600}
KINDS = ("reset_after", "error_500_after")
"""What a time-out leads to is the same as a reset, only later; test_gateway_faults has both, of every call."""
pytestmark = pytest.mark.parametrize("gateways", PAIRS, ids="+".join)


def tenders(gateways: tuple[str, ...]) -> list[tuple[str, int]]:
    """An amount of its own for each."""
    return [(gateway, 1000 + 100 * number) for number, gateway in enumerate(gateways)]


async def paid(shop: Shop, gateways: tuple[str, ...], **changes: Any) -> Split:
    """A split checkout of which the customer has paid every tender."""
    split = await open_split(shop, tenders=tenders(gateways), **changes)
    for leg in split.legs:
        await shop.pay_with(leg, "good")
    return split


async def all_agree(shop: Shop, split: Split, *ends: str) -> None:
    """Every tender is where its gateway's own books say, and everything has ended so."""
    assert await states(shop, split) == list(ends)
    for leg in split.legs:
        await agree(shop, leg)


async def test_every_tender_is_taken_once(shop: Shop, gateways: tuple[str, ...]) -> None:
    """Held everywhere, then captured everywhere, then kept."""
    split = await paid(shop, gateways)
    await shop.until(split.whole, "completed")
    await all_agree(shop, split, *["completed"] * (len(gateways) + 1))
    for (_, amount), there in zip(tenders(gateways), await moved(shop, split), strict=True):
        assert there == {"authorization": [amount], "capture": [amount]}


async def test_an_expired_tender_releases_the_others(shop: Shop, gateways: tuple[str, ...]) -> None:
    """Nobody pays the last one: nothing was taken anywhere, and nothing is held any more."""
    soon = {"expires_at": datetime.now(UTC) + timedelta(seconds=9)}
    split = await open_split(shop, tenders=tenders(gateways), **soon)
    for leg in split.legs[:-1]:
        await shop.pay_with(leg, "good")
        await shop.until(leg, "authorized")
    await shop.until(split.whole, "expired", "canceled", "refunded")
    await all_agree(shop, split, "expired", *["canceled"] * (len(gateways) - 1), "expired")


async def test_a_rejected_order_goes_back_everywhere(shop: Shop, gateways: tuple[str, ...]) -> None:
    """Captured everywhere, the shop says no: refunded everywhere, the last first."""
    split = await paid(shop, gateways, **ASKED)
    await shop.until(split.whole, "paid")
    await shop.sagas().reject(split.whole, "out of stock", 30)
    await shop.until(split.whole, "refunded")
    await all_agree(shop, split, *["refunded"] * (len(gateways) + 1))
    assert await ended_in_order(shop, split) == list(range(len(gateways), 0, -1))


@pytest.mark.parametrize("kind", KINDS)
async def test_calls_without_an_answer_are_carried_out_once(shop: Shop, gateways: tuple[str, ...], kind: str) -> None:
    """Opening, holding and capturing of every tender are cut off after they worked: each amount is taken once."""
    split = await record_split(shop, tenders=tenders(gateways), **HELD)
    for leg in split.legs:
        operations = shop.world(leg.gateway).operations
        for verb in ("create", "authorize", "capture"):
            if verb in operations:
                await shop.strike(verb, kind, leg)
    assert await shop.sagas().open(split.whole, 60, split.legs)
    await asyncio.gather(*(shop.pay_with(leg, "good") for leg in split.legs))
    await shop.until(split.whole, "authorized", patience=60)
    await shop.sagas().confirm(split.whole, 30)
    await shop.until(split.whole, "completed", patience=60)
    await all_agree(shop, split, *["completed"] * (len(gateways) + 1))
