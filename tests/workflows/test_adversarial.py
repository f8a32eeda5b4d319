"""Orders of events that nobody plans: what is left true when gateway, shop, operator and database interleave badly."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError

import worker
from api.sagas import Sagas
from api.wiring import accounts_of
from domain.checkout import CaptureMode, Checkout
from domain.money import Money
from domain.saga import Fact, SagaPolicy
from gateways.contract import RefundPayment, Verb
from ledger.contract import InboxItem
from ledger.operations import Operations, fingerprint_of
from tests.workflows.support import Shop, eventually

CONFIRMED: dict[str, Any] = {"confirm_within_seconds": 600}
ON_CONFIRM: dict[str, Any] = {"capture": CaptureMode.ON_CONFIRM, "confirm_within_seconds": 600}
AT_GATEWAY = {"Authorization": "Bearer sk_test_x"}
EAGER = SagaPolicy(poll_after_seconds=1, poll_at_most_seconds=2, stuck_after_seconds=3)


async def refund_at_gateway(shop: Shop, payment_id: str | None, minor: int) -> str:
    """Somebody refunds in the gateway's own pages; the refund's id."""
    form = {"payment_intent": payment_id or "", "amount": str(minor)}
    answer = await shop.sandbox.post("/v1/refunds", data=form, headers=AT_GATEWAY)
    assert answer.is_success, answer.text
    return str(answer.json()["id"])


async def foreign_payment(shop: Shop, checkout: Checkout) -> str:
    """Somebody else's payment that carries our reference, paid at once."""
    form = {
        "amount": "4200",
        "currency": "usd",
        "payment_method": "pm_card_visa",
        "confirm": "true",
        "metadata[checkout_id]": checkout.id,
    }
    answer = await shop.sandbox.post("/v1/payment_intents", data=form, headers=AT_GATEWAY)
    assert answer.is_success, answer.text
    return str(answer.json()["id"])


@asynccontextmanager
async def books_blocked(shop: Shop, checkout: Checkout) -> AsyncIterator[None]:
    """While inside, nobody can write to this checkout's books."""
    async with shop.parts.engine.begin() as connection:
        lock = text("SELECT 1 FROM checkout_status WHERE checkout_id = :id FOR UPDATE")
        await connection.execute(lock, {"id": checkout.id})
        yield


async def known(shop: Shop, workflow_id: str, run_id: str | None = None) -> bool:
    """Whether Temporal has such a run, open or closed."""
    try:
        await shop.parts.client.get_workflow_handle(workflow_id, run_id=run_id).describe()
    except RPCError:
        return False
    return True


async def forget(shop: Shop, workflow_id: str) -> None:
    """What Temporal does with a closed workflow when its retention is over."""
    client = shop.parts.client
    run_id = (await client.get_workflow_handle(workflow_id).describe()).run_id
    execution = WorkflowExecution(workflow_id=workflow_id, run_id=run_id)
    request = DeleteWorkflowExecutionRequest(namespace=client.namespace, workflow_execution=execution)
    await client.workflow_service.delete_workflow_execution(request)
    await eventually(lambda: known(shop, workflow_id, run_id), lambda seen: not seen, 70)


async def expired_and_paid_late(shop: Shop, method: str) -> Checkout:
    """An expired checkout whose customer pays after all, with this card."""
    checkout = await shop.open(expires_at=datetime.now(UTC) + timedelta(seconds=1))
    status = await shop.until(checkout, "expired")
    await shop.handle(checkout).result()
    answer = await shop.sandbox.post(f"/sandbox/payments/{status.payment_id}/pay_late", json={"payment_method": method})
    assert answer.is_success, answer.text
    return checkout


async def test_a_payment_of_somebody_else_with_our_reference_is_not_adopted(shop: Shop) -> None:
    """Money that this saga did not open is not its own: it neither completes the checkout nor is refunded by it."""
    checkout = await shop.open(**CONFIRMED)
    opened = await shop.status(checkout)
    foreign = await foreign_payment(shop, checkout)
    await asyncio.sleep(3)
    status = await shop.status(checkout)
    assert (status.payment_id, foreign) == (opened.payment_id, foreign), status


async def test_a_foreign_charge_is_flagged_and_left_alone(shop: Shop) -> None:
    """Somebody else took money under our reference: our payment is the sale, theirs is flagged."""
    checkout = await shop.open()
    foreign = await foreign_payment(shop, checkout)
    await shop.pay(checkout)
    status = await shop.until(checkout, "completed")
    assert status.captured_minor == 4200
    query = text("SELECT DISTINCT outcome FROM webhook_inbox WHERE payment_id = :id AND relevant")

    async def outcomes() -> list[str]:
        async with shop.parts.engine.connect() as connection:
            return [row.outcome for row in await connection.execute(query, {"id": foreign})]

    assert await eventually(outcomes, lambda seen: bool(seen) and None not in seen) == ["another_payment"]
    assert "refund" not in await shop.moved(checkout)


async def test_late_money_under_review_is_not_a_sale_after_retention(shop: Shop) -> None:
    """Temporal forgot the ended saga while its late refund is on the way: an event must not start the saga again."""
    checkout = await expired_and_paid_late(shop, "pm_card_pendingRefund")
    rows = await eventually(
        lambda: shop.gateway_rows(checkout), lambda seen: any(row["operation"] == "refund" for row in seen)
    )
    refund_id = next(row["refund"] for row in rows if row["operation"] == "refund")
    await forget(shop, checkout.workflow_id)
    await shop.sandbox.post(f"/v1/refunds/{refund_id}/cancel", headers=AT_GATEWAY)
    status = await shop.until(checkout, "needs_review", "completed", patience=40)
    await shop.all_dispatched(status.payment_id)
    status = await shop.status(checkout)
    again = await known(shop, checkout.workflow_id)
    assert (status.state, again) == ("needs_review", False), [(r.key, r.state) for r in await shop.timeline(checkout)]


async def test_a_refund_at_the_gateway_while_the_shop_thinks_is_booked(shop: Shop) -> None:
    """Refunded in the gateway's pages before the confirm: the sale is off, and the books say so."""
    checkout = await shop.open(**CONFIRMED)
    await shop.pay(checkout)
    status = await shop.until(checkout, "paid")
    await refund_at_gateway(shop, status.payment_id, 4200)
    await shop.all_dispatched(status.payment_id)
    status = await shop.until(checkout, "completed", "refunded")
    assert (status.state, status.refunded_minor) == ("refunded", 4200)


async def test_a_fact_that_comes_while_the_saga_closes_is_not_lost(shop: Shop) -> None:
    """A refund at the gateway in the moment of completion, told by webhook, reaches the books."""
    checkout = await shop.open()
    status = await shop.status(checkout)
    async with books_blocked(shop, checkout):
        await shop.pay(checkout)
        await asyncio.sleep(1.5)
        await refund_at_gateway(shop, status.payment_id, 1000)
        await shop.all_dispatched(status.payment_id)
    await shop.until(checkout, "completed")
    status = await eventually(lambda: shop.status(checkout), lambda s: s.refunded_minor == 1000)
    assert status.refunded_minor == 1000


async def test_a_fact_that_comes_while_the_late_path_closes_is_not_lost(shop: Shop) -> None:
    """Two refunds in a row at the gateway after the end: the second arrives while the first is being written."""
    checkout = await shop.open()
    await shop.pay(checkout)
    status = await shop.until(checkout, "completed")
    await shop.handle(checkout).result()
    await shop.all_dispatched(status.payment_id)
    async with books_blocked(shop, checkout):
        await refund_at_gateway(shop, status.payment_id, 1000)
        await asyncio.sleep(2)
        await refund_at_gateway(shop, status.payment_id, 500)
        await shop.all_dispatched(status.payment_id)
    status = await eventually(lambda: shop.status(checkout), lambda s: s.refunded_minor == 1500)
    assert status.refunded_minor == 1500


async def test_a_refund_whose_key_is_too_old_can_be_made_after_a_person_acted(shop: Shop) -> None:
    """The key's lifetime is over and the gateway shows no refund: a person decides, then the money goes back."""
    checkout = await shop.open(EAGER, **CONFIRMED)
    await shop.pay(checkout)
    status = await shop.until(checkout, "paid")
    assert status.payment_id is not None
    key = f"{checkout.id}:refund:1"
    request = RefundPayment(key, status.payment_id, Money(4200, "USD"))
    async with shop.parts.engine.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO operations (key, checkout_id, gateway, verb, fingerprint, request, started_at)"
                " VALUES (:key, :id, 'stripe', 'refund', :print, cast(:request as jsonb), now() - interval '25 hours')"
            ),
            {
                "key": key,
                "id": checkout.id,
                "print": fingerprint_of(checkout.id, "stripe", Verb.REFUND, asdict(request)),
                "request": json.dumps(asdict(request)),
            },
        )
    await shop.sagas().reject(checkout, "out of stock", 10)
    status = await shop.until(checkout, "needs_review")
    assert status.failure is not None
    assert status.failure.code == "key_expired"
    await shop.handle(checkout).signal("retry_now")
    await shop.until(checkout, "refunded")
    rows = [row for row in await shop.gateway_rows(checkout) if row["operation"] == "refund"]
    assert [row["idempotency_key"] for row in rows] == [f"{checkout.id}:refund:2"]


async def test_keys_that_are_spent_one_after_the_other_are_not_burnt_in_a_loop(shop: Shop) -> None:
    """Every new key meets a stored failure: the saga slows down and says that it is stuck."""
    checkout = await shop.open(EAGER, **CONFIRMED)
    await shop.pay(checkout)
    await shop.until(checkout, "paid")
    await shop.fault("refunds.create", "stored_500", checkout, count=100000, executed=False)
    await shop.sagas().reject(checkout, "out of stock", 10)
    await asyncio.sleep(5)
    used = len(await Operations(shop.parts.engine).of_checkout(checkout.id))
    length = (await shop.handle(checkout).describe()).history_length
    status = await shop.status(checkout)
    await shop.sandbox.delete("/sandbox/faults")
    assert used < 5, f"{used} keys, {length} history events in 5 s, stuck={status.stuck}"


async def test_a_foreign_refund_that_fails_leaves_nothing_owed(shop: Shop) -> None:
    """Part was being refunded by somebody else when we undid; that part fails: the rest goes back too."""
    checkout = await shop.open(EAGER, **CONFIRMED)
    await shop.pay(checkout, method="pm_card_pendingRefund")
    status = await shop.until(checkout, "paid")
    foreign = await refund_at_gateway(shop, status.payment_id, 1000)
    await shop.sagas().reject(checkout, "out of stock", 10)
    await eventually(
        lambda: shop.gateway_rows(checkout), lambda seen: sum(row["operation"] == "refund" for row in seen) == 2
    )
    answer = await shop.sandbox.post(f"/v1/refunds/{foreign}/cancel", headers=AT_GATEWAY)
    assert answer.is_success, answer.text
    await shop.sandbox.post("/sandbox/settle")

    async def look() -> tuple[Any, int]:
        await shop.sandbox.post("/sandbox/settle")
        return await shop.status(checkout), len(await shop.gateway_rows(checkout))

    await eventually(look, lambda seen: seen[0].state == "refunded")
    assert sum(row["operation"] == "refund" for row in await shop.gateway_rows(checkout)) == 3


async def test_a_cancelled_late_path_gives_back_all_the_same(shop: Shop) -> None:
    """An operator cancels the late workflow before its worker took it up: the money goes back before it closes."""
    checkout = await shop.open(expires_at=datetime.now(UTC) + timedelta(seconds=1))
    status = await shop.until(checkout, "expired")
    await shop.handle(checkout).result()
    await shop.fault("webhook", "lose", checkout, count=50)
    await shop.sandbox.post(f"/sandbox/payments/{status.payment_id}/pay_late")
    payment = await shop.parts.gateways["stripe"].lookup(status.payment_id or "")
    assert payment is not None
    parts = replace(shop.parts, task_queue=f"{shop.parts.task_queue}-late")
    sagas = Sagas(parts.client, parts.task_queue, shop.policy, accounts_of(parts.gateways))
    await sagas.deliver_late(checkout, Fact(payment, "webhook:evt_late"))
    late = parts.client.get_workflow_handle(f"late/{checkout.id}")
    first = (await late.describe()).run_id
    await late.cancel()
    async with worker.build_worker(parts):
        await shop.until(checkout, "refunded")
    assert (await late.describe()).run_id == first


async def test_a_cancel_in_the_moment_of_completion_ends_one_way(shop: Shop) -> None:
    """Postgres is slow at the last write and an operator cancels: completed or given back, but closed."""
    checkout = await shop.open()
    async with books_blocked(shop, checkout):
        await shop.pay(checkout)
        await asyncio.sleep(2)
        await shop.handle(checkout).cancel()
        await asyncio.sleep(11)
    described = await eventually(
        lambda: shop.handle(checkout).describe(), lambda d: d.status != WorkflowExecutionStatus.RUNNING
    )
    assert described.status != WorkflowExecutionStatus.RUNNING


async def test_a_payment_that_was_processing_when_voided_ends(shop: Shop) -> None:
    """A bank debit was on its way as the shop cancelled, then it failed: the payment is made unpayable."""
    checkout = await shop.open(EAGER)
    await shop.fault("payment_intents.cancel", "unavailable_503", checkout)
    cancelling = asyncio.create_task(shop.sagas().cancel(checkout, 10))
    await asyncio.sleep(0.5)
    await shop.pay(checkout, method="pm_usBankAccount_insufficientFunds")
    await asyncio.sleep(2.5)
    status = await shop.status(checkout)
    payment = await shop.parts.gateways["stripe"].lookup(status.payment_id or "")
    assert payment is not None
    assert payment.status == "processing"
    await shop.sandbox.post("/sandbox/settle")
    try:
        await shop.until(checkout, "canceled")
    finally:
        cancelling.cancel()


async def test_a_case_that_a_cancel_ends_is_no_longer_stuck(shop: Shop) -> None:
    """A person cancels the workflow in a case: everything goes back and nobody has to look any more."""
    checkout = await shop.open()
    await shop.fault("payment_intents.retrieve", "amount_off_by_one", checkout)
    await shop.pay(checkout)
    await shop.until(checkout, "needs_review")
    await shop.sandbox.delete("/sandbox/faults")
    await shop.handle(checkout).cancel()
    status = await shop.until(checkout, "refunded")
    assert await shop.moved(checkout) == {"charge": [4200], "refund": [4200]}
    assert not status.stuck


async def test_money_of_a_terminated_saga_is_not_forgotten(shop: Shop) -> None:
    """Somebody terminated the workflow, the customer pays: the event ends in a refund or a case, not in a log line."""
    checkout = await shop.open()
    await shop.handle(checkout).terminate("test")
    await shop.fault("webhook", "lose", checkout, count=50)
    await shop.pay(checkout)
    status = await shop.status(checkout)
    dispatcher = worker.build_dispatcher(shop.parts)
    item = InboxItem(1, "stripe", "evt_x", "payment_intent.succeeded", status.payment_id, None, datetime.now(UTC), 12)
    outcome = await dispatcher.dispatch(item)
    await asyncio.sleep(5)
    status = await shop.status(checkout)
    assert status.state in ("refunding", "refunded", "needs_review"), (outcome, status)


async def test_a_webhook_ends_the_pause_of_a_stuck_poll(shop: Shop) -> None:
    """The poll failed for a while, the gateway is back and says paid: the sale does not wait for the pause."""
    checkout = await shop.open(EAGER)
    await shop.fault("payment_intents.retrieve", "unavailable_503", checkout, count=1000)
    await eventually(lambda: shop.status(checkout), lambda s: s.stuck)
    await shop.sandbox.delete("/sandbox/faults")
    await shop.pay(checkout)
    await shop.until(checkout, "completed", patience=20)


async def test_events_reach_the_late_path_that_runs(shop: Shop) -> None:
    """While late money is on its way back, the gateway's word on the refund reaches the one who waits for it."""
    checkout = await expired_and_paid_late(shop, "pm_card_pendingRefund")
    await eventually(
        lambda: shop.gateway_rows(checkout), lambda seen: any(row["operation"] == "refund" for row in seen)
    )
    await asyncio.sleep(1)
    await shop.sandbox.post("/sandbox/settle")
    await shop.until(checkout, "refunded", patience=10)


async def test_an_early_retry_closes_no_later_case(shop: Shop) -> None:
    """`retry_now` sent when nothing waited is over: a case opened later stays open until a person acts."""
    checkout = await shop.open(**CONFIRMED)
    await shop.handle(checkout).signal("retry_now")
    await shop.pay(checkout, method="pm_card_pendingRefund")
    await shop.until(checkout, "paid")
    await shop.sagas().reject(checkout, "out of stock", 10)
    rows = await eventually(
        lambda: shop.gateway_rows(checkout), lambda seen: any(row["operation"] == "refund" for row in seen)
    )
    refund_id = next(row["refund"] for row in rows if row["operation"] == "refund")
    await shop.sandbox.post(f"/v1/refunds/{refund_id}/cancel", headers=AT_GATEWAY)
    await eventually(lambda: shop.path(checkout), lambda path: "needs_review" in path)
    await asyncio.sleep(3)
    assert (await shop.status(checkout)).state == "needs_review"
