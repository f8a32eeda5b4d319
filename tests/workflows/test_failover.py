"""Going on to the next gateway: only with proof that nothing happened at the one before."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import text

import worker
from api.sagas import Sagas
from api.wiring import accounts_of
from domain.checkout import Checkout, CheckoutStatus
from domain.outcomes import Answer, Declined
from domain.payment import Decline, DeclineCode
from domain.saga import SagaPolicy
from gateways.contract import CreatePayment, Evidence, Gateway
from gateways.paypal.adapter import PayPalGateway
from gateways.registry import Builder
from gateways.stripe.adapter import StripeGateway
from ledger.breakers import Breakers
from ledger.contract import Operation
from ledger.operations import Operations
from tests.conftest import new_database
from tests.workflows.agreement import agree
from tests.workflows.sandboxes import Announced, paypal_options, stripe_options
from tests.workflows.support import Shop, eventually, running_shop

GATEWAYS = ("stripe", "paypal", "adyen")
HASTY = SagaPolicy(poll_after_seconds=20, poll_at_most_seconds=60, stuck_after_seconds=10, failover_after_seconds=4)
NOWHERE = "http://127.0.0.1:9"


class Reluctant(StripeGateway):
    """Declines whatever it is asked to open."""

    hard = False

    async def create(self, request: CreatePayment) -> Answer:
        """No."""
        return Declined(Decline(DeclineCode.TRY_AGAIN_LATER, self.hard, "not_today", "not today"))


class Opposed(Reluctant):
    """Declines for good."""

    hard = True


def further_gateways(sandbox: Announced) -> dict[str, Builder]:
    """Gateways that will not open a payment, each for a reason of its own."""
    stripe = stripe_options(sandbox)

    def closed(evidence: Evidence) -> Gateway:
        return StripeGateway(stripe_options(sandbox, NOWHERE))

    def locked(evidence: Evidence) -> Gateway:
        return PayPalGateway(paypal_options(sandbox, client_secret="wrong"), evidence)

    return {
        "closed": closed,
        "locked": locked,
        "reluctant": lambda evidence: Reluctant(stripe),
        "opposed": lambda evidence: Opposed(stripe),
    }


@pytest.fixture(scope="module")
async def shops(
    tmp_path_factory: pytest.TempPathFactory, server_url: str, template_database: str, temporal_address: str
) -> AsyncIterator[Shop]:
    """A stack with gateways that fail, on books of its own: breakers are shared by all who share a database."""
    async with (
        new_database(server_url, template_database) as url,
        running_shop(tmp_path_factory.mktemp("failover"), url, temporal_address, further_gateways) as running,
    ):
        running.policy = HASTY
        yield running


@pytest.fixture(autouse=True)
async def _no_faults_stay(shops: Shop) -> AsyncIterator[None]:
    """A test's faults end with it."""
    yield
    await shops.sandbox.delete("/sandbox/faults")


async def operations(shop: Shop, checkout: Checkout) -> list[Operation]:
    """The checkout's creates, oldest first."""
    return [op for op in await Operations(shop.parts.engine).of_checkout(checkout.id) if op.verb == "create"]


async def tried(shop: Shop, checkout: Checkout) -> list[tuple[str, str]]:
    """The keys under which a payment was asked for, and where."""
    return [(op.key.removeprefix(f"{checkout.id}:"), op.gateway) for op in await operations(shop, checkout)]


async def moves(shop: Shop, checkout: Checkout) -> list[tuple[Any, Any, Any]]:
    """From where to where the checkout went, and why."""
    rows = [row for row in await shop.timeline(checkout) if row.key.startswith("failed_over")]
    return [(row.details["from"], row.details["to"], row.details["reason"]) for row in rows]


async def outcomes(shop: Shop, gateway: str, reference: str) -> list[str | None]:
    """What became of this gateway's events about the checkout."""
    query = text("SELECT outcome FROM webhook_inbox WHERE gateway = :gateway AND reference = :reference AND relevant")
    async with shop.parts.engine.connect() as connection:
        rows = await connection.execute(query, {"gateway": gateway, "reference": reference})
        return [row.outcome for row in rows]


async def sold(shop: Shop, checkout: Checkout, gateway: str) -> CheckoutStatus:
    """The customer pays where the checkout ended up; it completes there, and all books agree."""
    await shop.until(checkout, "awaiting_payment", patience=40)
    assert (await shop.record_of(checkout)).gateway == gateway
    await shop.pay_with(checkout, "good")
    await shop.until(checkout, "completed")
    assert {row["gateway"] for row in await shop.gateway_rows(checkout)} == {gateway}
    return await agree(shop, checkout)


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
    assert await shops.sagas().open(checkout, 20)
    await sold(shops, checkout, second)
    assert await moves(shops, checkout) == [(first, second, "GatewayBusy")]


@pytest.mark.parametrize(("first", "second"), [("stripe", "paypal"), ("paypal", "stripe")])
@pytest.mark.parametrize("kind", ["timeout_before", "unavailable_503", "reset_before"])
async def test_a_gateway_that_gives_no_answer_is_left_when_nothing_can_come_of_it(
    shops: Shop, first: str, second: str, kind: str
) -> None:
    """Asked again and again in vain: it shows no payment, or none that could take money without us."""
    checkout = await shops.record(gateway=first, alternatives=(second,))
    await shops.strike("create", kind, checkout, count=1000)
    assert await shops.sagas().open(checkout, 30)
    await sold(shops, checkout, second)
    assert await moves(shops, checkout) == [(first, second, "OutcomeUnknown")]


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
@pytest.mark.parametrize("kind", ["timeout_after", "reset_after", "error_500_after"])
async def test_a_payment_that_was_opened_after_all_is_used(shops: Shop, first: str, second: str, kind: str) -> None:
    """Only the answer got lost: the payment is found or answered again, and no second one is opened anywhere."""
    checkout = await shops.record(gateway=first, alternatives=(second,))
    await shops.strike("create", kind, checkout)
    # Long enough for the second try: where nothing can come of the first, one that is out of patience goes on.
    assert await shops.sagas(replace(HASTY, failover_after_seconds=10)).open(checkout, 30)
    await sold(shops, checkout, first)
    assert await moves(shops, checkout) == []
    assert await tried(shops, checkout) == [("create:1", first)]


async def test_a_payment_that_shows_late_is_used(shops: Shop) -> None:
    """No answer ever, but the gateway has the payment when it is asked at last."""
    checkout = await shops.record(gateway="stripe", alternatives=("paypal",))
    await shops.strike("create", "timeout_after", checkout, count=1000)
    await shops.strike("find", "error_500_before", checkout, count=2)
    assert await shops.sagas().open(checkout, 40)
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
        started = asyncio.get_running_loop().time()
        assert await shops.sagas().open(checkout, 20)
        assert asyncio.get_running_loop().time() - started < HASTY.failover_after_seconds
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


async def left_for(shops: Shop, first: str, second: str, **changes: Any) -> Checkout:
    """A checkout that went on from a gateway which gave no answer."""
    checkout = await shops.record(gateway=first, alternatives=(second,), **changes)
    await shops.strike("create", "timeout_after" if first == "paypal" else "timeout_before", checkout, count=1000)
    assert await shops.sagas().open(checkout, 30)
    await shops.sandbox.delete("/sandbox/faults")
    assert (await shops.record_of(checkout)).gateway == second
    return checkout


async def test_what_stays_behind_takes_no_money(shops: Shop) -> None:
    """An order that was opened unheard is approved by somebody: nobody captures it, its events say `left_behind`."""
    checkout = await left_for(shops, "paypal", "stripe")
    overview = (await shops.sandbox.get("/")).text
    row = next(line for line in overview.split("<tr>") if checkout.id in line and "/paypal/approve/" in line)
    page = row.partition('href="')[2].partition('"')[0]
    assert (await shops.sandbox.post(page, data={"outcome": "approve"})).status_code in (200, 303)
    seen = await eventually(
        lambda: outcomes(shops, "paypal", checkout.id), lambda seen: {*seen} - {None, "not_yet"} != set()
    )
    assert set(seen) == {"left_behind"}
    await sold(shops, checkout, "stripe")


async def charge_at_stripe(shops: Shop, checkout: Checkout) -> None:
    """Money turns up at the gateway that was left, under our reference."""
    form = {
        "amount": "4200",
        "currency": "usd",
        "payment_method": "pm_card_visa",
        "confirm": "true",
        "metadata[checkout_id]": checkout.id,
    }
    headers = {"Authorization": "Bearer sk_test_x"}
    answer = await shops.sandbox.post("/v1/payment_intents", data=form, headers=headers)
    assert answer.is_success, answer.text


async def test_money_at_a_gateway_that_was_left_is_a_case(shops: Shop) -> None:
    """It is neither taken for the sale nor given back: a person looks, and the sale goes on where it is."""
    checkout = await left_for(shops, "stripe", "paypal")
    await charge_at_stripe(shops, checkout)
    status = await shops.until(checkout, "needs_review")
    assert status.failure is not None
    assert (status.failure.code, status.stuck) == ("stray_payment", True)
    await shops.handle(checkout).signal("retry_now")
    await shops.until(checkout, "awaiting_payment")
    await shops.pay_with(checkout, "good")
    await shops.until(checkout, "completed")
    rows = await shops.gateway_rows(checkout)
    assert sorted((row["gateway"], row["operation"]) for row in rows) == [("paypal", "charge"), ("stripe", "charge")]
    assert {row.account.partition(":")[0] for row in await shops.books.postings(checkout.id)} == {"paypal"}


@pytest.mark.parametrize("state", ["completed", "expired"])
async def test_money_at_a_gateway_that_was_left_is_a_case_after_the_end_too(shops: Shop, state: str) -> None:
    """The checkout has ended, well or not: the stray payment is shown to a person, and the end stays what it was."""
    within = timedelta(minutes=30) if state == "completed" else timedelta(seconds=12)
    checkout = await left_for(shops, "stripe", "paypal", expires_at=datetime.now(UTC) + within)
    if state == "completed":
        await shops.pay_with(checkout, "good")
    await shops.until(checkout, state)
    await shops.handle(checkout).result()
    await charge_at_stripe(shops, checkout)
    status = await eventually(lambda: shops.status(checkout), lambda seen: seen.stuck)
    assert status.waiting_for == "a person (stray_payment)"
    late = shops.parts.client.get_workflow_handle(f"late/{checkout.id}")
    await late.signal("retry_now")
    await late.result()
    status = await shops.status(checkout)
    assert (status.state, status.stuck) == (state, False)
    assert "refund" not in await shops.moved(checkout)


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
    await shops.until(checkout, "canceled", patience=15)
    await cancelling


async def test_an_expiry_while_gateways_are_tried_ends_it(shops: Shop) -> None:
    """Nobody opens the payment in time: the checkout expires as any other does."""
    soon = datetime.now(UTC) + timedelta(seconds=12)
    checkout = await shops.record(gateway="reluctant", alternatives=("stripe",), expires_at=soon)
    await shops.fault("payment_intents.create", "unavailable_503", checkout, count=1000)
    await shops.sagas().start(checkout)
    await shops.until(checkout, "expired", patience=25)
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
