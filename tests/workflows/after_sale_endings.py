"""Endings of the workflows that look after a checkout's money once it is sold; see `save_histories`."""

import secrets
from collections.abc import Awaitable, Callable

from domain.case import CaseAction, CaseOrder
from domain.saga import SagaPolicy
from gateways.contract import RefundPayment
from ledger.cases import CaseBook
from tests.workflows.after_sale import (
    dispute_of,
    disputed,
    gateway_of,
    refund,
    refund_now,
    reserve,
    sold,
    start,
    submit,
)
from tests.workflows.support import Shop, eventually
from workflows.reconcile import HousekeepingWorkflow, ReconcileWorkflow


async def refund_succeeded(shop: Shop) -> str:
    """A part of the sale went back."""
    return (await refund(shop, await sold(shop), 1000)).refund.workflow_id


async def refund_told(shop: Shop) -> str:
    """Taken on, and final by a webhook."""
    checkout = await sold(shop, means="refund_pending")
    record = await refund(shop, checkout, 4200)
    await eventually(lambda: refund_now(shop, record), lambda r: r.gateway_refund_id is not None)
    await shop.world("stripe").settle()
    return record.refund.workflow_id


async def refund_without_answer(shop: Shop) -> str:
    """Made, without an answer that told so."""
    checkout = await sold(shop)
    await shop.strike("refund", "timeout_after", checkout)
    return (await refund(shop, checkout, 1000)).refund.workflow_id


async def refund_failed(shop: Shop) -> str:
    """The gateway had too little left."""
    checkout = await sold(shop)
    record = await reserve(shop, checkout, 4000)
    await shop.fault("webhook", "lose", checkout, count=20)
    payment_id = (await shop.status(checkout)).payment_id
    assert payment_id is not None
    amount = type(checkout.amount)(3000, checkout.amount.currency)
    await gateway_of(shop, checkout).refund(RefundPayment(f"dashboard-{checkout.id}", payment_id, amount))
    await start(shop, checkout, record)
    return record.refund.workflow_id


async def refund_paged(shop: Shop) -> str:
    """Unknown for so long that a person looked."""
    checkout = await sold(shop)
    await shop.fault("refunds.create", "timeout_before", checkout, count=1000)
    hasty = SagaPolicy(poll_after_seconds=1, poll_at_most_seconds=2, stuck_after_seconds=2, page_after_seconds=3)
    record = await refund(shop, checkout, 4200, hasty)
    case = (await eventually(lambda: CaseBook(shop.parts.engine).open_of(checkout.id), bool, 90))[0]
    await shop.sandbox.delete("/sandbox/faults")
    order = CaseOrder(case.id, CaseAction.LOOK_AGAIN, "the gateway is back", "key_ada")
    await shop.sagas().act(case, checkout, order, 20)
    return record.refund.workflow_id


async def dispute_won(shop: Shop) -> str:
    """Answered with evidence, and won."""
    checkout, dispute = await disputed(shop)
    await submit(shop, checkout, dispute)
    await shop.world("stripe").decide(dispute.snapshot.dispute_id, won=True)
    await dispute_of(shop, checkout, "won")
    return dispute.workflow_id


async def dispute_lost(shop: Shop) -> str:
    """Never answered."""
    checkout, dispute = await disputed(shop)
    await shop.world("stripe").decide(dispute.snapshot.dispute_id, won=False)
    await dispute_of(shop, checkout, "lost")
    return dispute.workflow_id


async def dispute_accepted(shop: Shop) -> str:
    """Given up by the shop."""
    checkout, dispute = await disputed(shop)
    await shop.sagas().accept(dispute, await shop.record_of(checkout), "key_ada", 30)
    return dispute.workflow_id


async def inquiry_refunded(shop: Shop) -> str:
    """A question that a refund answered."""
    checkout, dispute = await disputed(shop, "stripe", "inquiry")
    await refund(shop, checkout, 4200)
    await dispute_of(shop, checkout, "won")
    return dispute.workflow_id


async def reconciled(shop: Shop) -> str:
    """One reading of a gateway's list."""
    id_ = f"reconcile/stripe-{secrets.token_hex(4)}"
    await shop.parts.client.execute_workflow(ReconcileWorkflow.run, "stripe", id=id_, task_queue=shop.parts.task_queue)
    return id_


async def housekept(shop: Shop) -> str:
    """One day's clearing."""
    id_ = f"housekeeping-{secrets.token_hex(4)}"
    await shop.parts.client.execute_workflow(HousekeepingWorkflow.run, id=id_, task_queue=shop.parts.task_queue)
    return id_


SCENARIOS: list[Callable[[Shop], Awaitable[str]]] = [
    refund_succeeded,
    refund_told,
    refund_without_answer,
    refund_failed,
    refund_paged,
    dispute_won,
    dispute_lost,
    dispute_accepted,
    inquiry_refunded,
    reconciled,
    housekept,
]
