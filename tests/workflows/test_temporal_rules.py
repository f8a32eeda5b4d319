"""The rules that keep a saga on Temporal from losing money: cancels, duplicates, resets, unknown signals."""

import asyncio
from typing import Any

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType as HistoryEvent
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import WorkflowExecutionStatus, WorkflowFailureError
from temporalio.exceptions import CancelledError

from api.sagas import SagaEndedError
from domain.checkout import CaptureMode
from domain.saga import Fact
from tests.workflows.support import Shop, eventually

CONFIRMED: dict[str, Any] = {"confirm_within_seconds": 600}
ON_CONFIRM: dict[str, Any] = {"capture": CaptureMode.ON_CONFIRM, "confirm_within_seconds": 600}


async def test_a_cancelled_workflow_gives_the_money_back(shop: Shop) -> None:
    """A cancel in the Temporal UI is no loss: the capture is refunded before the workflow closes as cancelled."""
    checkout = await shop.open(**CONFIRMED)
    await shop.pay(checkout)
    await shop.until(checkout, "paid")
    await shop.handle(checkout).cancel()
    with pytest.raises(WorkflowFailureError) as caught:
        await shop.handle(checkout).result()
    assert isinstance(caught.value.cause, CancelledError)
    assert (await shop.status(checkout)).state == "refunded"
    assert (await shop.causes(checkout))["refunding"] == "operator"
    assert await shop.moved(checkout) == {"charge": [4200], "refund": [4200]}


async def test_a_workflow_cancelled_while_it_awaits_the_customer_voids(shop: Shop) -> None:
    """Cancelled in the wait for a webhook: the payment is made unpayable."""
    checkout = await shop.open()
    await shop.handle(checkout).cancel()
    await shop.until(checkout, "canceled")
    await eventually(lambda: shop.handle(checkout).describe(), lambda d: d.status == WorkflowExecutionStatus.CANCELED)
    assert await shop.moved(checkout) == {}


async def test_cancels_during_the_compensation_skip_nothing(shop: Shop) -> None:
    """Three cancels, two of them while the money is on its way back: the hold is released all the same."""
    checkout = await shop.open(**ON_CONFIRM)
    await shop.pay(checkout)
    await shop.until(checkout, "authorized")
    await shop.fault("payment_intents.cancel", "slow_drip", checkout, seconds=1.5)
    for _ in range(3):
        await shop.handle(checkout).cancel()
        await asyncio.sleep(0.5)
    await shop.until(checkout, "canceled")
    assert await shop.moved(checkout) == {"authorization": [4200], "release": [4200]}


async def test_a_closed_checkout_is_never_started_again(shop: Shop) -> None:
    """Opening a completed checkout again starts no second run and no second charge."""
    checkout = await shop.open()
    await shop.pay(checkout)
    await shop.handle(checkout).result()
    before = (await shop.handle(checkout).describe()).run_id
    assert await shop.sagas().open(checkout, 20)
    await shop.sagas().start(checkout)
    assert (await shop.handle(checkout).describe()).run_id == before
    assert await shop.taken(checkout) == 1


async def test_a_fact_for_a_closed_checkout_starts_nothing(shop: Shop) -> None:
    """Delivering to a closed workflow is an error to be handled, never a start."""
    checkout = await shop.open()
    await shop.pay(checkout)
    status = await shop.until(checkout, "completed")
    await shop.handle(checkout).result()
    payment = await shop.parts.gateways["stripe"].lookup(status.payment_id or "")
    assert payment is not None
    with pytest.raises(SagaEndedError):
        await shop.sagas().deliver(checkout, Fact(payment, "webhook:evt_late"))


async def test_twenty_opens_at_once_make_one_payment(shop: Shop) -> None:
    """One update id: however many callers open a checkout, the workflow accepts one."""
    checkout = await shop.record()
    answers = await asyncio.gather(*(shop.sagas().open(checkout, 30) for _ in range(20)))
    assert all(answers)
    history = await shop.handle(checkout).fetch_history()
    accepted = HistoryEvent.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED
    assert sum(event.event_type == accepted for event in history.events) == 1


async def test_a_reset_workflow_charges_nobody_again(shop: Shop) -> None:
    """A reset runs the activities again in a new run; their keys are the checkout's, so nothing is done twice."""
    checkout = await shop.open(**ON_CONFIRM)
    await shop.pay(checkout)
    await shop.until(checkout, "authorized")
    await shop.sagas().confirm(checkout, 20)
    await shop.until(checkout, "completed")
    history = await shop.handle(checkout).fetch_history()
    completed = HistoryEvent.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
    first = next(event.event_id for event in history.events if event.event_type == completed)
    described = await shop.handle(checkout).describe()
    client = shop.parts.client
    await client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=checkout.workflow_id, run_id=described.run_id),
            reason="test",
            workflow_task_finish_event_id=first,
            request_id=checkout.id,
        )
    )
    status = await shop.handle(checkout).result()
    assert status["state"] == "completed"
    assert await shop.moved(checkout) == {"authorization": [4200], "capture": [4200]}
    keys = [row.key for row in await shop.timeline(checkout)]
    assert len(keys) == len(set(keys))


async def test_unknown_signals_are_kept(shop: Shop) -> None:
    """A signal nobody knows is not dropped without a trace."""
    checkout = await shop.open()
    await shop.handle(checkout).signal("payment_succeded", {"id": "evt_1"})
    names = await eventually(lambda: shop.handle(checkout).query("unknown_signals"), bool)
    assert names == ["payment_succeded"]


async def test_the_names_that_others_use_are_pinned() -> None:
    """Renaming a signal, update or query would lose what is sent by the old name."""
    from temporalio.workflow import _Definition

    from workflows.checkout import CheckoutWorkflow
    from workflows.late_payment import LatePaymentWorkflow
    from workflows.split import SplitCheckoutWorkflow

    kinds = (CheckoutWorkflow, SplitCheckoutWorkflow, LatePaymentWorkflow)
    checkout, split, late = (_Definition.must_from_class(kind) for kind in kinds)
    for whole in (checkout, split):
        assert set(whole.updates) >= {"open", "confirm", "reject", "cancel", "act"}
        assert set(whole.queries) == {"status", "unknown_signals"}
    always = {"gateway_fact", "retry_now", None}
    assert set(checkout.signals) == always | {"split_verdict"}
    assert set(split.signals) == always | {"tender_moved"}
    assert set(late.signals) == always
    assert set(late.updates) == {"act"}
    assert (checkout.name, split.name, late.name) == ("Checkout", "SplitCheckout", "LatePayment")


async def test_a_slow_command_is_answered_before_the_workflow_closes(shop: Shop) -> None:
    """A confirm that waits for a slow capture gets its answer: the workflow waits for its handlers."""
    checkout = await shop.open(**ON_CONFIRM)
    await shop.pay(checkout)
    await shop.until(checkout, "authorized")
    await shop.fault("payment_intents.capture", "slow_drip", checkout, seconds=1)
    answers = await asyncio.gather(*(shop.sagas().confirm(checkout, 30) for _ in range(3)))
    assert answers == [True, True, True]
    assert (await shop.status(checkout)).state == "completed"


async def test_confirm_and_reject_at_once_have_one_winner(shop: Shop) -> None:
    """The shop says yes and no in the same moment: one is refused, the money ends where the other says."""
    from api.sagas import CommandRefusedError

    checkout = await shop.open(**CONFIRMED)
    await shop.pay(checkout)
    await shop.until(checkout, "paid")
    sagas = shop.sagas()
    answers = await asyncio.gather(
        sagas.confirm(checkout, 20), sagas.reject(checkout, "no", 20), return_exceptions=True
    )
    refused = [answer for answer in answers if isinstance(answer, CommandRefusedError | SagaEndedError)]
    assert len(refused) == 1, answers
    status = await shop.until(checkout, "completed", "refunded")
    assert (status.state == "completed") == (answers[0] is True)
