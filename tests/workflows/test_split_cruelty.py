"""All or nothing under random stories, faults and gateways: the invariants that any run must leave true of splits."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.service import RPCError

from domain.checkout import CaptureMode, Checkout, CheckoutStatus
from domain.saga import SagaPolicy
from domain.states import ENDED
from gateways.contract import Modifications
from ledger.verify import verify
from tests.workflows.splits import Split, record_split
from tests.workflows.support import Shop, eventually, running_shop
from tests.workflows.test_cruelty import insist

POLICY = SagaPolicy(poll_after_seconds=2, poll_at_most_seconds=4, stuck_after_seconds=8)
SPLITS = 16
KINDS = ("reset_after", "error_500_after", "error_500_before", "stored_500", "rate_limit_429", "html_502")
DELIVERIES = ("duplicate", "reorder", "lose")
VERBS = ("create", "authorize", "capture", "void", "refund", "lookup")
GATEWAYS = ("stripe", "paypal", "adyen")
WAYS: tuple[dict[str, Any], ...] = (
    {},
    {"confirm_within_seconds": 40},
    {"confirm_within_seconds": 3},
    {"confirm_within_seconds": 40, "capture": CaptureMode.ON_CONFIRM},
)


@pytest.fixture
async def cruel_shop(
    tmp_path_factory: pytest.TempPathFactory, fresh_database_url: str, temporal_address: str
) -> AsyncIterator[Shop]:
    """A stack of its own, whose gateways shuffle their webhooks, and lose them where a look-up can tell the same."""
    async with running_shop(tmp_path_factory.mktemp("cruel"), fresh_database_url, temporal_address) as shop:
        for gateway, adapter in shop.parts.gateways.items():
            told = adapter.capabilities.modifications is Modifications.BY_WEBHOOK
            for kind in (kind for kind in DELIVERIES if not (told and kind == "lose")):
                body = {"gateway": gateway, "operation": "webhook", "kind": kind, "rate": 0.15}
                answer = await shop.sandbox.post("/sandbox/faults", json=body)
                assert answer.is_success, answer.text
        yield shop


async def strike(shop: Shop, split: Split, chance: random.Random) -> None:
    """About two calls of every tender go wrong."""
    for leg in split.legs:
        world = shop.world(leg.gateway)
        for verb in VERBS:
            kind = chance.choice(KINDS)
            fits = verb in world.operations and kind not in world.cannot and (verb, kind) != ("lookup", "stored_500")
            if fits and chance.random() < 0.4:
                await shop.strike(verb, kind, leg)


async def pay(shop: Shop, leg: Checkout) -> None:
    """The customer pays a tender, as long as there is something to be done."""
    assert (await shop.status(leg)).next_action is not None
    await shop.pay_with(leg, "good")


async def live(shop: Shop, chance: random.Random) -> Split:
    """One story: who pays, what the shop says, whether an operator comes in between."""
    gateways = [chance.choice(GATEWAYS) for _ in range(chance.choice((2, 2, 3)))]
    soon = {"expires_at": datetime.now(UTC) + timedelta(seconds=chance.choice((4, 8, 30)))}
    tenders = [(gateway, 1000 + 100 * number) for number, gateway in enumerate(gateways)]
    split = await record_split(shop, tenders=tenders, **chance.choice(WAYS), **soon)
    await strike(shop, split, chance)
    await insist(lambda: shop.sagas(POLICY).open(split.whole, 30, split.legs))
    for leg in chance.sample(split.legs, len(split.legs)):
        if chance.random() < 0.85:
            await insist(lambda leg=leg: pay(shop, leg))  # type: ignore[misc]
    await asyncio.sleep(2 * chance.random())
    sagas, whole = shop.sagas(), split.whole
    match chance.choice(("confirm", "confirm", "reject", "cancel", "operator", "tender", "nothing")):
        case "confirm":
            await insist(lambda: sagas.confirm(whole))
        case "reject":
            await insist(lambda: sagas.reject(whole, "out of stock"))
        case "cancel":
            await insist(lambda: sagas.cancel(whole))
        case "operator":
            await insist(lambda: shop.handle(whole).cancel())
        case "tender":
            await insist(lambda: shop.handle(split.legs[0]).cancel())
    return split


async def ended(shop: Shop, split: Split) -> CheckoutStatus:
    """The final status of the whole; whoever is asked for says go on."""

    async def look() -> CheckoutStatus:
        for checkout in (split.whole, *split.legs):
            if (await shop.status(checkout)).stuck:
                with suppress(RPCError):
                    await shop.handle(checkout).signal("retry_now")
        return await shop.status(split.whole)

    return await eventually(look, lambda status: status.state in ENDED and not status.stuck, 90)


def check(moved: dict[str, list[int]], status: CheckoutStatus) -> None:
    """One tender's movements at its gateway: charged at most once, refunded as our books say, nothing left held.

    A customer who pays in the moment of the void leaves a hold and its release there, of which no look-up tells.
    """
    taken = [*moved.get("charge", []), *moved.get("capture", [])]
    returned, held = sum(moved.get("refund", [])), sum(moved.get("authorization", []))
    assert len(taken) <= 1, (moved, status)
    assert (sum(taken), returned) == (status.captured_minor, status.refunded_minor), (moved, status)
    assert held == sum(moved.get("release", [])) + sum(moved.get("capture", [])), (moved, status)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [1])
async def test_whatever_happens_it_is_all_or_nothing(cruel_shop: Shop, seed: int) -> None:
    """Each tender is charged at most once; together they kept the order's amount or nothing; books and gateways agree.

    An operator's cancel of one tender in the very moment of the sale opens a case; everything else needs nobody.
    """
    chance, shop = random.Random(seed), cruel_shop  # noqa: S311 - a seed, so that a failing run can be repeated
    stories = (live(shop, random.Random(chance.random())) for _ in range(SPLITS))  # noqa: S311
    splits = await asyncio.gather(*stories)
    await asyncio.sleep(5)
    await shop.sandbox.delete("/sandbox/faults")
    for split in splits:
        status = await ended(shop, split)
        legs = [await eventually(lambda leg=leg: shop.status(leg), lambda s: s.state in ENDED) for leg in split.legs]  # type: ignore[misc]
        for leg, stands in zip(split.legs, legs, strict=True):
            check(await shop.moved(leg), stands)
        kept = sum(leg.captured_minor - leg.refunded_minor for leg in legs)
        against = any(
            row.details.get("reason") == "tender_against_decision" for row in await shop.timeline(split.whole)
        )
        context = (seed, split.whole.id, status, legs)
        assert against or kept == (split.whole.amount.minor if status.state == "completed" else 0), context
        assert against or {leg.state == "completed" for leg in legs} == {status.state == "completed"}, context
    assert (await verify(shop.parts.engine)).breach is None
