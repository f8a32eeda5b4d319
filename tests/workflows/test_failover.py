"""Going on to the next gateway: only with proof that nothing happened at the one before."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

import worker
from api.sagas import Sagas
from api.wiring import accounts_of
from ledger.breakers import Breakers
from tests.workflows.agreement import agree
from tests.workflows.several import GATEWAYS, HASTY, moves, sold, tried
from tests.workflows.support import Shop, eventually, for_each


@pytest.mark.parametrize("second", GATEWAYS)
async def test_a_gateway_that_cannot_be_reached_is_left(shops: Shop, second: str) -> None:
    """No connection, so nothing happened: the next gateway takes it, and the timeline says why."""
    checkout = await shops.open(gateway="closed", alternatives=(second,))
    await sold(shops, checkout, second)
    assert await moves(shops, checkout) == [("closed", second, "GatewayUnreachable")]
    assert await tried(shops, checkout) == [("create:1", "closed"), ("create:2", second)]


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        ("locked", "GatewayMisconfigured"),
        ("reluctant", "declined try_again_later"),
    ],
)
async def test_a_gateway_that_will_not_open_it_is_left(shops: Shop, first: str, reason: str) -> None:
    """Credentials that are refused and a soft decline prove that nothing was opened."""
    checkout = await shops.open(gateway=first, alternatives=("stripe",))
    await sold(shops, checkout, "stripe")
    assert await moves(shops, checkout) == [(first, "stripe", reason)]


async def test_a_hard_decline_is_the_end(shops: Shop) -> None:
    """The customer's means are bad: another gateway would only be a way around that."""
    checkout = await shops.open(gateway="opposed", alternatives=("stripe",))
    assert (await shops.until(checkout, "declined")).gateway is None
    assert await moves(shops, checkout) == []
    assert await shops.moved(checkout) == {}


@pytest.mark.parametrize(("first", "second"), [("stripe", "paypal"), ("paypal", "adyen"), ("adyen", "stripe")])
async def test_a_gateway_that_asks_to_come_back_later_is_left(shops: Shop, first: str, second: str) -> None:
    """Too many requests: the customer does not wait where another gateway is there."""
    checkout = await shops.record(gateway=first, alternatives=(second,))
    await shops.strike("create", "rate_limit_429", checkout)
    assert await shops.sagas().open(checkout, 60)
    await sold(shops, checkout, second)
    assert await moves(shops, checkout) == [(first, second, "GatewayBusy")]


@pytest.mark.parametrize(("first", "second"), [("stripe", "paypal"), ("paypal", "stripe")])
async def test_a_gateway_that_gives_no_answer_is_left_when_nothing_can_come_of_it(
    shops: Shop, first: str, second: str
) -> None:
    """Asked again and again in vain: it shows no payment, or none that could take money without us."""
    kinds = ("timeout_before", "unavailable_503", "reset_before")
    await for_each(kinds, lambda kind: _left(shops, first, second, kind))


async def _left(shops: Shop, first: str, second: str, kind: str) -> None:
    checkout = await shops.record(gateway=first, alternatives=(second,))
    await shops.strike("create", kind, checkout, count=1000)
    assert await shops.sagas().open(checkout, 60)
    await sold(shops, checkout, second)
    ((*ways, reason),) = await moves(shops, checkout)
    assert ways == [first, second]
    # On a busy machine the time for all tries may end while one of them is still under way.
    assert reason in ("OutcomeUnknown", "TimeoutError")


async def test_a_gateway_that_cannot_be_asked_is_not_left(shops: Shop) -> None:
    """Its answer is missing, it finds nothing by our reference and what it opens can be paid: the saga stays."""
    checkout = await shops.record(gateway="adyen", alternatives=("stripe",))
    await shops.strike("create", "timeout_before", checkout, count=1000)
    assert not await shops.sagas().open(checkout, 8)
    status = await eventually(lambda: shops.status(checkout), lambda seen: seen.stuck)
    assert status.state == "processing"
    await shops.sandbox.delete("/sandbox/faults")
    await shops.handle(checkout).signal("retry_now")
    await sold(shops, checkout, "adyen")
    assert await moves(shops, checkout) == []
    assert await tried(shops, checkout) == [("create:1", "adyen")]


@pytest.mark.parametrize(("first", "second"), [("stripe", "paypal"), ("paypal", "adyen"), ("adyen", "stripe")])
async def test_a_payment_that_was_opened_after_all_is_used(shops: Shop, first: str, second: str) -> None:
    """Only the answer got lost: the payment is found or answered again, and no second one is opened anywhere."""
    kinds = ("timeout_after", "reset_after", "error_500_after")
    await for_each(kinds, lambda kind: _used(shops, first, second, kind))


async def _used(shops: Shop, first: str, second: str, kind: str) -> None:
    checkout = await shops.record(gateway=first, alternatives=(second,))
    await shops.strike("create", kind, checkout)
    # Long enough for the second try: where nothing can come of the first, one that is out of patience goes on.
    assert await shops.sagas(replace(HASTY, failover_after_seconds=10)).open(checkout, 60)
    await sold(shops, checkout, first)
    assert await moves(shops, checkout) == []
    assert await tried(shops, checkout) == [("create:1", first)]


async def test_a_payment_that_shows_late_is_used(shops: Shop) -> None:
    """No answer ever, but the gateway has the payment when it is asked at last."""
    checkout = await shops.record(gateway="stripe", alternatives=("paypal",))
    await shops.strike("create", "timeout_after", checkout, count=1000)
    await shops.strike("find", "error_500_before", checkout, count=2)
    assert await shops.sagas().open(checkout, 60)
    await sold(shops, checkout, "stripe")
    assert await moves(shops, checkout) == []


async def test_a_look_up_that_fails_is_no_proof(shops: Shop) -> None:
    """Stripe opened it, stored a 500 for the key and is too busy to be asked: it is not left for that."""
    checkout = await shops.record(gateway="stripe", alternatives=("paypal",))
    await shops.strike("create", "stored_500", checkout)
    await shops.strike("find", "rate_limit_429", checkout, count=3)
    assert await shops.sagas(replace(HASTY, failover_after_seconds=8)).open(checkout, 60)
    await sold(shops, checkout, "stripe")
    assert await moves(shops, checkout) == []


@pytest.mark.parametrize("first", GATEWAYS)
async def test_a_breaker_that_is_open_sends_on_at_once(shops: Shop, first: str) -> None:
    """Maintenance: the call is kept back, so nothing happened, and nobody waits for it."""
    second = "stripe" if first != "stripe" else "paypal"
    breakers = Breakers(shops.parts.engine)
    await breakers.change(first, "create", lambda breaker, now: breaker.forced(now, "maintenance"), "operator")
    await asyncio.sleep(1.2)
    try:
        checkout = await shops.record(gateway=first, alternatives=(second,))
        # Whoever waited for the gateway would wait for longer than the answer is waited for here.
        assert await shops.sagas(replace(HASTY, failover_after_seconds=120)).open(checkout, 60)
    finally:
        await breakers.change(first, "create", lambda breaker, now: breaker.released(now, "done"), "operator")
        await asyncio.sleep(1.2)
    await sold(shops, checkout, second)
    assert await moves(shops, checkout) == [(first, second, "BreakerOpen")]


async def test_each_of_several_gateways_is_tried_once(shops: Shop) -> None:
    """Every attempt has a key and rows of its own; the first that opens it has the payment."""
    checkout = await shops.open(gateway="closed", alternatives=("locked", "reluctant", "adyen"))
    await sold(shops, checkout, "adyen")
    names = ["closed", "locked", "reluctant", "adyen"]
    assert await tried(shops, checkout) == [(f"create:{n}", name) for n, name in enumerate(names, 1)]
    assert [(a, b) for a, b, _ in await moves(shops, checkout)] == list(pairwise(names))


async def test_the_last_gateways_failure_stays(shops: Shop) -> None:
    """Nowhere left to go: the checkout is stuck, and a cancel waits until the gateway says that it has no payment."""
    checkout = await shops.record(gateway="reluctant", alternatives=("locked", "closed"))
    assert not await shops.sagas().open(checkout, 1)
    status = await eventually(lambda: shops.status(checkout), lambda seen: seen.stuck)
    assert (status.state, status.gateway) == ("processing", "closed")
    await shops.handle(checkout).cancel()
    await shops.handle(checkout).signal("retry_now")
    status = await shops.until(checkout, "needs_review", patience=40)
    assert status.waiting_for is not None
    assert "look up" in status.waiting_for
    assert await shops.moved(checkout) == {}


@pytest.mark.parametrize("gateway", GATEWAYS)
async def test_nobody_is_sent_on_who_knows_what_to_do(shops: Shop, gateway: str) -> None:
    """The customer has a next step: from here on every no is the customer's matter, and the gateway stays."""
    second = "stripe" if gateway != "stripe" else "paypal"
    checkout = await shops.open(gateway=gateway, alternatives=(second,))
    await shops.pay_with(checkout, "declined_soft")
    await eventually(lambda: shops.status(checkout), lambda seen: seen.failure is not None)
    await sold(shops, checkout, gateway)
    assert await moves(shops, checkout) == []


async def test_a_decline_for_good_after_the_next_step_is_the_end(shops: Shop) -> None:
    """The customer approved and the gateway said no for good: nobody else is asked in the customer's back."""
    checkout = await shops.open(gateway="paypal", alternatives=("stripe",))
    await shops.pay_with(checkout, "declined_hard")
    await shops.until(checkout, "declined")
    assert await moves(shops, checkout) == []
    assert await shops.moved(checkout) == {}


async def test_a_cancel_while_gateways_are_tried_ends_it(shops: Shop) -> None:
    """An operator cancels while the first gateway gives no answer: nothing is opened any more, nothing moved."""
    checkout = await shops.record(gateway="stripe", alternatives=("paypal",))
    await shops.strike("create", "timeout_after", checkout, count=1000)
    await shops.sagas().start(checkout)
    await asyncio.sleep(1)
    await shops.handle(checkout).cancel()
    await shops.until(checkout, "canceled", patience=40)
    await agree(shops, checkout)
    assert await shops.moved(checkout) == {}
    payment = await shops.parts.gateways["stripe"].find(checkout.id)
    assert payment is not None
    assert payment.status == "canceled"


async def test_the_shops_cancel_while_gateways_are_tried_is_heeded(shops: Shop) -> None:
    """Nobody opens the payment and the shop gives up: it need not wait until a gateway is back."""
    checkout = await shops.record(gateway="reluctant", alternatives=("stripe",))
    await shops.fault("payment_intents.create", "unavailable_503", checkout, count=1000)
    await shops.sagas().start(checkout)
    await eventually(lambda: shops.status(checkout), lambda seen: seen.stuck)
    cancelling = asyncio.create_task(shops.sagas().cancel(checkout, 20))
    await shops.until(checkout, "canceled")
    await cancelling


async def test_an_expiry_while_gateways_are_tried_ends_it(shops: Shop) -> None:
    """Nobody opens the payment in time: the checkout expires as any other does."""
    soon = datetime.now(UTC) + timedelta(seconds=12)
    checkout = await shops.record(gateway="reluctant", alternatives=("stripe",), expires_at=soon)
    await shops.fault("payment_intents.create", "unavailable_503", checkout, count=1000)
    await shops.sagas().start(checkout)
    await shops.until(checkout, "expired")
    assert await shops.moved(checkout) == {}


async def test_a_worker_that_is_gone_between_the_attempts(shops: Shop) -> None:
    """The worker stops after the first gateway was left: the next one goes on there, with the same keys."""
    parts = replace(shops.parts, task_queue=f"{shops.parts.task_queue}-mortal")
    sagas = Sagas(parts.client, parts.task_queue, HASTY, accounts_of(parts.gateways))
    checkout = await shops.record(gateway="closed", alternatives=("stripe",))
    await shops.fault("payment_intents.create", "timeout_before", checkout)
    async with worker.build_worker(parts):
        await sagas.start(checkout)
        await eventually(lambda: moves(shops, checkout), bool)
    async with worker.build_worker(parts):
        await sold(shops, checkout, "stripe")
    assert await tried(shops, checkout) == [("create:1", "closed"), ("create:2", "stripe")]
