"""Refunds that the shop asks for after the sale, over every gateway: given once, never more than was taken."""

import asyncio

import pytest

from domain.case import CaseAction, CaseOrder
from domain.money import Money
from domain.payment import RefundStatus
from domain.saga import SagaPolicy
from gateways.contract import Modifications, RefundPayment
from ledger.cases import CaseBook
from ledger.contract import RefundRefusedError
from ledger.operations import Operations
from tests.gateways.outside import needs
from tests.workflows.after_sale import (
    GATEWAYS,
    balanced,
    events,
    gateway_of,
    open_dispute,
    refund,
    refund_handle,
    refund_now,
    refund_until,
    reserve,
    sold,
    start,
)
from tests.workflows.support import Shop, eventually, for_each

EAGER = SagaPolicy(poll_after_seconds=1, poll_at_most_seconds=2, stuck_after_seconds=2, page_after_seconds=3)


async def settled(shop: Shop, gateway: str) -> None:
    """What the gateway has pending is done."""
    await shop.world(gateway).settle()


@pytest.mark.parametrize("gateway", GATEWAYS)
async def test_a_full_refund(shop: Shop, gateway: str) -> None:
    """All that was taken goes back, once; the sale stays a sale, and two events tell of the refund."""
    checkout = await sold(shop, gateway)
    record = await refund(shop, checkout, 4200)
    await settled(shop, gateway)
    done = await refund_until(shop, record, "succeeded")
    assert await refund_handle(shop, record).result() == "succeeded"
    status = (await balanced(shop, checkout)).status
    assert (status.state, status.captured_minor, status.refunded_minor) == ("completed", 4200, 4200)
    assert (await shop.moved(checkout))["refund"] == [4200]
    assert done.gateway_refund_id is not None
    assert (await events(shop, checkout))[-2:] == ["refund.created", "refund.succeeded"]


@pytest.mark.parametrize("gateway", GATEWAYS)
async def test_two_equal_parts_at_once_are_two_refunds(shop: Shop, gateway: str) -> None:
    """Nothing but the request's own id tells them apart, and that is enough; a third finds too little left."""
    checkout = await sold(shop, gateway)
    parts = await asyncio.gather(refund(shop, checkout, 2000), refund(shop, checkout, 2000))
    with pytest.raises(RefundRefusedError) as refused:
        await reserve(shop, checkout, 2000)
    assert (refused.value.code, refused.value.available_minor) == ("amount_exceeds_available", 200)
    await settled(shop, gateway)
    for part in parts:
        await refund_until(shop, part, "succeeded")
    await balanced(shop, checkout)
    assert (await shop.moved(checkout))["refund"] == [2000, 2000]


@pytest.mark.parametrize("gateway", GATEWAYS)
async def test_a_call_without_an_answer_refunds_once(shop: Shop, gateway: str) -> None:
    """Whether the gateway had done it or not, the same key and a look end in exactly one refund."""
    kinds = ("timeout_after", "timeout_before", "reset_after", "unavailable_503")
    await for_each(kinds, lambda kind: _refunded_once(shop, gateway, kind))


async def _refunded_once(shop: Shop, gateway: str, kind: str) -> None:
    checkout = await sold(shop, gateway)
    await shop.strike("refund", kind, checkout)
    record = await refund(shop, checkout, 1500)
    await eventually(lambda: shop.moved(checkout), lambda moved: "refund" in moved, 60)
    await settled(shop, gateway)
    await refund_until(shop, record, "succeeded")
    await balanced(shop, checkout)
    assert (await shop.moved(checkout))["refund"] == [1500]


@pytest.mark.parametrize("gateway", GATEWAYS)
async def test_more_than_the_gateway_has_left_fails_with_a_clear_code(shop: Shop, gateway: str) -> None:
    """Somebody refunded in the gateway's own pages: the refund fails, and what is left can be given back.

    No webhook told of it, where the gateway tells by other ways too.
    """
    checkout = await sold(shop, gateway)
    record = await reserve(shop, checkout, 3000)
    if gateway_of(shop, checkout).capabilities.modifications is Modifications.SYNCHRONOUS:
        await shop.fault("webhook", "lose", checkout, count=20)
        await elsewhere(shop, checkout.id, 2000)
    else:
        await elsewhere(shop, checkout.id, 2000)
        await eventually(lambda: shop.status(checkout), lambda seen: seen.refunded_minor == 2000)
    await start(shop, checkout, record)
    failed = await refund_until(shop, record, "failed")
    assert failed.failure is not None
    assert failed.failure.code == "amount_exceeds_available"
    await balanced(shop, checkout)
    fitting = await refund(shop, checkout, 2200)
    await settled(shop, gateway)
    await refund_until(shop, fitting, "succeeded")
    assert sorted((await shop.moved(checkout))["refund"]) == [2000, 2200]
    assert (await events(shop, checkout)).count("refund.failed") == 1


async def elsewhere(shop: Shop, checkout_id: str, minor: int) -> None:
    """A refund that no checkout asked for, final at once."""
    record = await shop.books.get(checkout_id)
    assert record is not None
    assert record.status.payment_id is not None
    amount = Money(minor, record.checkout.amount.currency)
    request = RefundPayment(f"{checkout_id}:dashboard", record.status.payment_id, amount)
    await gateway_of(shop, record.checkout).refund(request)
    await settled(shop, record.gateway)


@pytest.mark.parametrize("gateway", GATEWAYS)
async def test_a_pending_refund_is_waited_for_and_outlives_a_cancel(shop: Shop, gateway: str) -> None:
    """An operator cancels its workflow while the gateway works on it: what was promised is carried out."""
    needs(shop.world(gateway), "refund_pending")
    checkout = await sold(shop, gateway, "refund_pending")
    record = await refund(shop, checkout, 4200)
    await eventually(lambda: refund_now(shop, record), lambda r: r.gateway_refund_id is not None, 60)
    await refund_handle(shop, record).cancel()
    await asyncio.sleep(1)
    assert (await refund_now(shop, record)).status is RefundStatus.PENDING
    await settled(shop, gateway)
    await refund_until(shop, record, "succeeded")
    assert await refund_handle(shop, record).result() == "succeeded"
    await balanced(shop, checkout)


@pytest.mark.parametrize("gateway", GATEWAYS)
async def test_a_refund_that_fails_is_free_again(shop: Shop, gateway: str) -> None:
    """It fails while its workflow watches, or after that has ended: a case, its money is the shop's again."""
    needs(shop.world(gateway), "refund_fails")
    checkout = await sold(shop, gateway, "refund_fails")
    record = await refund(shop, checkout, 4200)
    await eventually(lambda: refund_now(shop, record), lambda r: r.gateway_refund_id is not None, 60)
    await settled(shop, gateway)
    await refund_until(shop, record, "failed")
    status = (await balanced(shop, checkout)).status
    assert status.refunded_minor == 0
    cases = await eventually(lambda: CaseBook(shop.parts.engine).open_of(checkout.id), bool)
    assert [(case.kind, case.subject) for case in cases] == [("refund_failed_later", record.refund.id)]
    assert (await reserve(shop, checkout, 4200)).status is RefundStatus.PENDING


async def test_a_dispute_that_came_between_stops_the_refund(shop: Shop) -> None:
    """Reserved, then disputed, then started: the money is with the bank by now, so the gateway is not even asked."""
    checkout = await sold(shop)
    record = await reserve(shop, checkout, 4200)
    await open_dispute(shop, checkout)
    await eventually(lambda: events(shop, checkout), lambda seen: "dispute.opened" in seen, 60)
    await start(shop, checkout, record)
    failed = await refund_until(shop, record, "failed")
    assert failed.failure is not None
    assert failed.failure.code == "dispute_open"
    operations = await Operations(shop.parts.engine).of_checkout(checkout.id)
    assert not any(record.refund.id in operation.key for operation in operations)
    with pytest.raises(RefundRefusedError) as refused:
        await reserve(shop, checkout, 100)
    assert refused.value.code == "dispute_open"


async def test_a_second_run_does_nothing_twice(shop: Shop) -> None:
    """Its workflow is terminated while pending and started anew: the key is the same, and the books know how far."""
    checkout = await sold(shop, means="refund_pending")
    record = await refund(shop, checkout, 1000)
    await eventually(lambda: refund_now(shop, record), lambda r: r.gateway_refund_id is not None, 60)
    await refund_handle(shop, record).terminate()
    await start(shop, checkout, record)
    await settled(shop, "stripe")
    await refund_until(shop, record, "succeeded")
    await start(shop, checkout, record)
    assert await refund_handle(shop, record).result() == "succeeded"
    assert (await shop.moved(checkout))["refund"] == [1000]


async def test_a_refund_that_nobody_started_is_started(shop: Shop) -> None:
    """The API's process died between the reservation and the start: the dispatcher finds it."""
    checkout = await sold(shop)
    record = await reserve(shop, checkout, 700)
    await refund_until(shop, record, "succeeded", patience=90)
    assert (await shop.moved(checkout))["refund"] == [700]


@pytest.mark.parametrize("action", ["look_again", "wait"])
async def test_an_unknown_refund_pages_and_is_resolved(shop: Shop, action: str) -> None:
    """The gateway is silent for longer than the policy bears: a case, which closes by itself with the answer."""
    checkout = await sold(shop)
    fault = await shop.fault("refunds.create", "timeout_before", checkout, count=1000)
    record = await refund(shop, checkout, 4200, EAGER)
    cases = CaseBook(shop.parts.engine)
    case = (await eventually(lambda: cases.open_of(checkout.id), bool, 90))[0]
    assert (case.kind, case.workflow_id) == ("unknown_outcome", record.refund.workflow_id)
    assert (await refund_now(shop, record)).status is RefundStatus.PENDING
    assert (await shop.status(checkout)).state == "completed"
    await shop.sandbox.delete(f"/sandbox/faults/{fault}")
    if action == "look_again":
        order = CaseOrder(case.id, CaseAction.LOOK_AGAIN, "the gateway is back", "key_ada")
        assert await shop.sagas().act(case, checkout, order, 20) == "done"
    else:
        await refund_handle(shop, record).signal("retry_now")
    await refund_until(shop, record, "succeeded")
    assert await eventually(lambda: cases.open_of(checkout.id), lambda found: not found) == ()
    assert (await shop.moved(checkout))["refund"] == [4200]
