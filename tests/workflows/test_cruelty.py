"""The invariants that any run, however cruel, must leave true: random orders of events under random faults."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from temporalio.service import RPCError

from domain.checkout import CaptureMode, Checkout, CheckoutStatus
from domain.errors import PaysagaError
from domain.saga import SagaPolicy
from domain.states import ENDED
from ledger.verify import verify
from tests.workflows.agreement import agree
from tests.workflows.support import Shop, eventually, running_shop

POLICY = SagaPolicy(poll_after_seconds=2, poll_at_most_seconds=4, stuck_after_seconds=8, failover_after_seconds=4)
CHECKOUTS = 36
SEEDS = (1,)
GATEWAYS = ("stripe", "paypal", "adyen")
KINDS = ("reset_after", "error_500_after", "error_500_before", "stored_500", "rate_limit_429", "html_502")
READS = ("lookup", "find")
DELIVERIES = {
    "stripe": ("duplicate", "reorder", "lose"),
    "paypal": ("duplicate", "reorder", "lose"),
    "adyen": ("duplicate", "reorder"),
}
"""What cannot be asked must be told in the end: a gateway that is read by its webhooks loses none for good."""
HELD = {"capture": CaptureMode.ON_CONFIRM, "confirm_within_seconds": 40}
ASKED = {"confirm_within_seconds": 40}


@pytest.fixture
async def cruel_shop(
    tmp_path_factory: pytest.TempPathFactory, fresh_database_url: str, temporal_address: str
) -> AsyncIterator[Shop]:
    """A stack of its own, whose gateways fail about every third call and lose every seventh webhook."""
    async with running_shop(tmp_path_factory.mktemp("cruel"), fresh_database_url, temporal_address) as shop:
        for gateway in GATEWAYS:
            await make_cruel(shop, gateway)
        yield shop


async def make_cruel(shop: Shop, gateway: str) -> None:
    """Each call of this gateway may go wrong in every way that it can; a read keeps no failure under any key."""
    world = shop.world(gateway)
    for verb, operation in world.operations.items():
        for kind in (kind for kind in KINDS if kind not in world.cannot):
            if verb not in READS or kind != "stored_500":
                await set_rate(shop, gateway, operation, kind, 0.06)
    for kind in DELIVERIES[gateway]:
        await set_rate(shop, gateway, "webhook", kind, 0.15)


async def set_rate(shop: Shop, gateway: str, operation: str, kind: str, rate: float) -> None:
    """Let the sandbox fail this often."""
    fault = {"gateway": gateway, "operation": operation, "kind": kind, "rate": rate}
    answer = await shop.sandbox.post("/sandbox/faults", json=fault)
    assert answer.is_success, answer.text


async def insist(act: Callable[[], Awaitable[Any]]) -> None:
    """Do as a person does whom an error does not stop: try again for a while, then give up."""
    for _ in range(20):
        with suppress(PaysagaError, RPCError, httpx.HTTPError, AssertionError):
            await act()
            return
        await asyncio.sleep(1)


async def abandon(shop: Shop, chance: random.Random) -> Checkout:
    """Nobody pays."""
    return await begin(shop, chance, expires_at=datetime.now(UTC) + timedelta(seconds=1 + chance.random()))


async def buy(shop: Shop, chance: random.Random) -> Checkout:
    """Paid, perhaps at the second try."""
    checkout = await begin(shop, chance)
    if chance.random() < 0.4:
        await insist(lambda: shop.pay_with(checkout, "declined_soft"))
    await insist(lambda: shop.pay_with(checkout, "good"))
    return checkout


async def think_again(shop: Shop, chance: random.Random) -> Checkout:
    """The shop cancels, perhaps while the customer pays."""
    checkout = await begin(shop, chance)
    if chance.random() < 0.5:
        await insist(lambda: shop.pay_with(checkout, "good"))
    await insist(lambda: shop.sagas().cancel(checkout))
    return checkout


async def decide(shop: Shop, chance: random.Random) -> Checkout:
    """Paid or held; the shop says yes, no or nothing."""
    checkout = await begin(shop, chance, **chance.choice((HELD, ASKED, {**HELD, "confirm_within_seconds": 2})))
    await insist(lambda: shop.pay_with(checkout, "good"))
    sagas = shop.sagas()
    if chance.random() < 0.5:
        await insist(lambda: sagas.confirm(checkout))
    else:
        await insist(lambda: sagas.reject(checkout, "out of stock"))
    return checkout


async def interrupt(shop: Shop, chance: random.Random) -> Checkout:
    """An operator cancels the workflow at any moment."""
    checkout = await begin(shop, chance, **ASKED)
    await insist(lambda: shop.pay_with(checkout, "good"))
    await asyncio.sleep(2 * chance.random())
    await insist(lambda: shop.handle(checkout).cancel())
    return checkout


async def begin(shop: Shop, chance: random.Random, **changes: Any) -> Checkout:
    """Record and open a checkout at any gateway, perhaps with others to go on to."""
    first, *others = chance.sample(GATEWAYS, len(GATEWAYS))
    alternatives = tuple(others[: chance.randrange(len(GATEWAYS))])
    checkout = await shop.record(gateway=first, alternatives=alternatives, **changes)

    async def open_it() -> None:
        if not await shop.sagas(POLICY).open(checkout, 15):
            await shop.handle(checkout).signal("retry_now")
            raise AssertionError("nobody has opened it yet")

    await insist(open_it)
    return checkout


async def ended(shop: Shop, checkout: Checkout) -> CheckoutStatus:
    """The final status; whoever is asked for says go on."""

    async def look() -> CheckoutStatus:
        status = await shop.status(checkout)
        if status.stuck:
            with suppress(RPCError):
                await shop.handle(checkout).signal("retry_now")
        return status

    return await eventually(look, lambda status: status.state in ENDED and not status.stuck, 80)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", SEEDS)
async def test_whatever_happens_the_money_is_where_the_books_say(cruel_shop: Shop, seed: int) -> None:
    """Charged at most once, refunded exactly what was charged unless it was sold, every saga ended, the books whole."""
    chance, shop = random.Random(seed), cruel_shop  # noqa: S311 - a seed, so that a failing run can be repeated
    stories = [chance.choice((abandon, buy, buy, think_again, decide, decide, interrupt)) for _ in range(CHECKOUTS)]
    checkouts = await asyncio.gather(*(story(shop, random.Random(chance.random())) for story in stories))  # noqa: S311
    await asyncio.sleep(5)
    await shop.sandbox.delete("/sandbox/faults")
    for checkout in checkouts:
        status = await ended(shop, checkout)
        assert (await agree(shop, checkout)) == status, (seed, checkout.id)
        assert len({row["gateway"] for row in await shop.gateway_rows(checkout)}) <= 1, (seed, checkout.id)
    assert (await verify(shop.parts.engine)).breach is None
