"""Captures that are ordered while others are under way: each is measured against what is really left."""

import asyncio
from collections.abc import Sequence

import pytest

from domain.checkout import CheckoutRecord
from domain.outcomes import Answer, Declined
from domain.timeline import Entry
from gateways.contract import CapturePayment
from gateways.stripe.adapter import StripeGateway
from ledger.books import Books
from tests.workflows.agreement import agree
from tests.workflows.captures import capture, held, refusal
from tests.workflows.puppet import NO
from tests.workflows.support import Shop

SLOW = 9.0
"""Longer than a workflow task may take: only then does anything else reach the workflow meanwhile."""


async def test_a_part_that_is_being_written_is_not_counted_twice(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The books are slow, and the shop orders another part meanwhile: it is not taken for the last word."""
    checkout, append, writing = await held(shop), Books.append, asyncio.Event()

    async def slowly(self: Books, checkout_id: str, entries: Sequence[Entry]) -> CheckoutRecord:
        if checkout_id == checkout.id and not writing.is_set():
            writing.set()
            await asyncio.sleep(SLOW)
        return await append(self, checkout_id, entries)

    monkeypatch.setattr(Books, "append", slowly)
    first = asyncio.ensure_future(capture(shop, checkout, 1000, final=False))
    await asyncio.wait_for(writing.wait(), 60)
    second = asyncio.ensure_future(capture(shop, checkout, 2200, final=False))
    assert [await first, await second] == ["partially_captured"] * 2
    assert (await shop.status(checkout)).state == "partially_captured"
    assert await capture(shop, checkout) == "completed"
    await agree(shop, checkout, (1000, 1000, 2200))


async def test_a_part_behind_a_refused_one_is_not_the_last(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both together would have left nothing; the first is refused, so the second leaves the hold open for it."""
    checkout, take, asked = await held(shop), StripeGateway.capture, asyncio.Event()
    ordered = asyncio.Event()

    async def refusing(self: StripeGateway, request: CapturePayment) -> Answer:
        if request.key != f"{checkout.id}:capture:1":
            return await take(self, request)
        asked.set()
        await ordered.wait()
        return Declined(NO)

    monkeypatch.setattr(StripeGateway, "capture", refusing)
    first = asyncio.ensure_future(refusal(shop, checkout, 1000, final=False))
    await asyncio.wait_for(asked.wait(), 60)
    second = asyncio.ensure_future(capture(shop, checkout, 3200, final=False))
    await asyncio.sleep(1)
    ordered.set()
    assert (await first)[0] == "CaptureDeclined"
    assert await second == "partially_captured"
    assert await capture(shop, checkout, 1000, final=False) == "completed"
    await agree(shop, checkout, (3200, 1000))
