"""An Adyen account that has several captures for a payment: each is told of later, and may be undone later still."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from domain.case import Case
from domain.checkout import Checkout
from domain.outcomes import Answer, Pending
from domain.payment import PaymentSnapshot
from domain.saga import SagaPolicy
from gateways.adyen.adapter import AdyenGateway
from gateways.contract import Evidence, Gateway, VoidPayment
from gateways.registry import Builder
from ledger.cases import CaseBook
from tests.conftest import new_database
from tests.workflows.agreement import agree
from tests.workflows.captures import ON_CONFIRM, capture, held, refusal
from tests.workflows.puppet import NO
from tests.workflows.sandboxes import ADYEN_ACCOUNT, Announced, adyen_options
from tests.workflows.support import Shop, eventually, running_shop

EAGER = SagaPolicy(poll_after_seconds=1, poll_at_most_seconds=2, stuck_after_seconds=60)
MONTH = 40 * 86400


def several_captures(sandbox: Announced) -> dict[str, Builder]:
    """The sandbox's Adyen account as one that has them."""

    def build(evidence: Evidence) -> Gateway:
        return AdyenGateway(replace(adyen_options(sandbox), several_captures=True), evidence)

    return {"adyen": build}


@pytest.fixture(scope="module")
async def adyen(
    tmp_path_factory: pytest.TempPathFactory, server_url: str, template_database: str, temporal_address: str
) -> AsyncIterator[Shop]:
    """A stack whose Adyen account has several captures."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SANDBOX_ADYEN_SEVERAL_CAPTURES", ADYEN_ACCOUNT)
        async with (
            new_database(server_url, template_database) as url,
            running_shop(tmp_path_factory.mktemp("several"), url, temporal_address, several_captures) as running,
        ):
            running.policy = EAGER
            yield running


async def bouncing(shop: Shop) -> Checkout:
    """A checkout of which 10 of 42 dollars are captured that will bounce when they settle."""
    checkout = await shop.open(gateway="adyen", **ON_CONFIRM)
    await shop.pay(checkout, method="capture_fails")
    await shop.until(checkout, "authorized")
    await capture(shop, checkout, 1000, final=False)
    return checkout


async def the_case(shop: Shop, checkout: Checkout) -> Case:
    """The checkout's one open case."""
    cases = CaseBook(shop.parts.engine)
    found = await eventually(lambda: cases.open_of(checkout.id), lambda seen: len(seen) == 1)
    return found[0]


async def test_parts_and_a_final_one(adyen: Shop) -> None:
    """Three captures told one by one, and the rest of the hold is cancelled."""
    checkout = await held(adyen, "adyen")
    for part in (1000, 700):
        assert await capture(adyen, checkout, part, final=False) == "partially_captured"
    assert await capture(adyen, checkout, 500) == "completed"
    await agree(adyen, checkout, (1000, 700, 500))


async def test_parts_are_given_back(adyen: Shop) -> None:
    """An operator cancels after a part: the rest is released, the part refunded."""
    checkout = await held(adyen, "adyen")
    await capture(adyen, checkout, 1000, final=False)
    await adyen.handle(checkout).cancel()
    await adyen.until(checkout, "refunded")
    await agree(adyen, checkout, (1000,))


async def test_a_loss_of_a_part_is_the_part(adyen: Shop) -> None:
    """The part bounces and the hold lapses before it is taken anew: a person hears of 10 dollars, not of 42."""
    checkout = await bouncing(adyen)
    await adyen.world("adyen").settle()
    await eventually(lambda: adyen.causes(checkout), lambda seen: "part_lost" in seen)
    await adyen.sandbox.post("/sandbox/clock", json={"advance_seconds": MONTH})
    assert (await the_case(adyen, checkout)).amount_minor == 1000


async def test_a_loss_and_a_refusal_that_are_seen_at_once(adyen: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks while the first part bounces and the second fails: one look tells both, and the order ends."""
    checkout = await bouncing(adyen)
    payment_id = (await adyen.status(checkout)).payment_id
    assert payment_id is not None
    gateway, look_up = adyen.parts.gateways["adyen"], AdyenGateway.lookup
    before, closed = await gateway.lookup(payment_id), True

    async def looking(self: AdyenGateway, wanted: str) -> PaymentSnapshot | None:
        return before if closed and wanted == payment_id else await look_up(self, wanted)

    monkeypatch.setattr(AdyenGateway, "lookup", looking)
    order = asyncio.ensure_future(refusal(adyen, checkout, 2000, final=False))
    await eventually(lambda: adyen.moved(checkout), lambda seen: len(seen["capture"]) == 2)
    await adyen.world("adyen").settle()
    await adyen.all_dispatched(payment_id)
    closed = False
    assert (await order)[0] == "CaptureDeclined"
    status = await adyen.status(checkout)
    assert (status.state, status.captured_minor) == ("partially_captured", 0)


async def test_a_release_that_is_refused_again_and_again_is_shown(adyen: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway will not let go of the rest: after another no it is marked as stuck, and ends when it does."""
    checkout = await held(adyen, "adyen")
    await capture(adyen, checkout, 1000, final=False)
    payment_id = (await adyen.status(checkout)).payment_id
    look_up, void = AdyenGateway.lookup, AdyenGateway.void
    refused: list[str] = []

    async def looking(self: AdyenGateway, wanted: str) -> PaymentSnapshot | None:
        seen = await look_up(self, wanted)
        if seen is None or wanted != payment_id or not refused:
            return seen
        return replace(seen, attempt=refused[-1], decline=NO)

    async def refusing(self: AdyenGateway, request: VoidPayment) -> Answer:
        if request.payment_id != payment_id:
            return await void(self, request)
        refused.append(request.key)
        seen = await look_up(self, request.payment_id)
        assert seen is not None
        return Pending(seen)

    with monkeypatch.context() as patch:
        patch.setattr(AdyenGateway, "lookup", looking)
        patch.setattr(AdyenGateway, "void", refusing)
        order = asyncio.ensure_future(capture(adyen, checkout, 0))
        await eventually(lambda: asyncio.sleep(0, refused), lambda keys: len(keys) == 1)
        # The first no is read by the next poll, and the pause after it is cut short.
        await asyncio.sleep(4)
        assert not (await adyen.status(checkout)).stuck
        await adyen.handle(checkout).signal("retry_now")
        status = await eventually(lambda: adyen.status(checkout), lambda seen: seen.stuck)
        assert "void" in (status.waiting_for or "")
    await adyen.handle(checkout).signal("retry_now")
    assert await order == "completed"
    status = await agree(adyen, checkout, (1000,))
    assert (status.stuck, status.waiting_for) == (False, None)
