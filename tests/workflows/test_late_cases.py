"""Cases whose workflow is gone: the late path takes them up from the books, and nothing else is needed."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from temporalio.client import WithStartWorkflowOperation, WorkflowExecutionStatus, WorkflowUpdateFailedError
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy

from api.wiring import accounts_of
from domain.case import Case, CaseAction, CaseAnswer, CaseKind, CaseOrder
from domain.checkout import Checkout
from domain.money import Money
from domain.refund import Refund
from domain.saga import CheckoutCommand
from domain.split import SplitCommand
from ledger.refunds import Refunds
from ledger.verify import verify
from tests.workflows.agreement import agree
from tests.workflows.casebook import (
    HASTY,
    SCENARIOS,
    act,
    capture_lost,
    closed_case,
    open_case,
    paid,
    refund_declined,
    rows_named,
)
from tests.workflows.splits import Split, open_split, reset, states
from tests.workflows.support import Shop, eventually
from tests.workflows.test_adversarial import forget, known
from workflows.late_payment import LatePaymentWorkflow
from workflows.search_attributes import at_start

A, K = CaseAction, CaseKind


async def act_late(
    shop: Shop,
    checkout: Checkout,
    case: Case,
    action: CaseAction,
    who: str = "ann",
    split: Split | None = None,
    **more: Any,
) -> CaseAnswer:
    """Order it from the late path, which is started for it where it does not run."""
    accounts = accounts_of(shop.parts.gateways)
    if split is None:
        command = CheckoutCommand.of(checkout, accounts, HASTY)
    else:
        command = SplitCommand.of(checkout, split.legs, accounts, HASTY).checkout
    start: WithStartWorkflowOperation[Any, Any] = WithStartWorkflowOperation(
        LatePaymentWorkflow.run,
        command,
        id=f"late/{checkout.id}",
        task_queue=shop.parts.task_queue,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        search_attributes=at_start(command),
    )
    order = CaseOrder(case.id, action, "its workflow is gone", who, **more)
    return await shop.parts.client.execute_update_with_start_workflow(
        LatePaymentWorkflow.act, order, start_workflow_operation=start
    )


async def late_is_over(shop: Shop, checkout: Checkout) -> bool:
    """Whether the late path has closed well."""
    described = await shop.parts.client.get_workflow_handle(f"late/{checkout.id}").describe()
    return described.status is WorkflowExecutionStatus.COMPLETED


async def orphaned(shop: Shop, checkout: Checkout) -> None:
    """Somebody terminates the checkout's workflow, and Temporal forgets that it ever ran."""
    await shop.handle(checkout).terminate("test")
    await forget(shop, checkout.workflow_id)


@pytest.mark.parametrize(
    ("kind", "action", "state"),
    [
        (K.UNKNOWN_OUTCOME, A.REFUND, "canceled"),
        (K.UNKNOWN_OUTCOME, A.MARK_PAID, "completed"),
        (K.KEY_EXPIRED, A.RETRY_NOW, "canceled"),
        (K.CONTRADICTION, A.REFUND, "refunded"),
        (K.REFUND_DECLINED, A.REFUND, "refunded"),
        (K.REFUND_DECLINED, A.WRITE_OFF, "written_off"),
        (K.PAYMENT_UNKNOWN, A.RETRY_NOW, "refunded"),
    ],
)
async def test_a_case_of_a_workflow_that_temporal_has_forgotten_is_carried_out(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, kind: CaseKind, action: CaseAction, state: str
) -> None:
    """Its history is deleted: the order starts the late path, which reads the books and ends the checkout."""
    checkout, calm = await SCENARIOS[kind](shop, monkeypatch)
    case = await open_case(shop, checkout, kind)
    await orphaned(shop, checkout)
    if action not in (A.MARK_PAID, A.WRITE_OFF):
        await calm()
    evidence = "ch_seen" if action is A.MARK_PAID else None
    assert await act_late(shop, checkout, case, action, evidence=evidence) is CaseAnswer.DONE
    status = await shop.until(checkout, state)
    assert not status.stuck
    await closed_case(shop, case)
    await eventually(lambda: late_is_over(shop, checkout), bool)
    assert not await known(shop, checkout.workflow_id)
    if action is not A.MARK_PAID and state != "written_off":
        await agree(shop, checkout)


async def test_two_people_order_it_from_the_late_path(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first order opens it and waits for the second; the late path stays open until then."""
    checkout, _ = await refund_declined(shop, monkeypatch)
    case = await open_case(shop, checkout, K.REFUND_DECLINED)
    await orphaned(shop, checkout)
    monkeypatch.setattr("tests.workflows.test_late_cases.HASTY", replace(HASTY, four_eyes_above=1))
    assert await act_late(shop, checkout, case, A.WRITE_OFF) is CaseAnswer.AWAITS_SECOND
    assert await act_late(shop, checkout, case, A.WRITE_OFF) is CaseAnswer.AWAITS_SECOND
    assert not await late_is_over(shop, checkout)
    assert await act_late(shop, checkout, case, A.WRITE_OFF, who="bob") is CaseAnswer.DONE
    await shop.until(checkout, "written_off")
    [done] = await rows_named(shop, checkout, "case_action")
    assert (done["who"], done["first"]) == ("bob", "ann")


async def test_an_order_for_no_open_case_moves_nothing(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The late path is started by an order that it refuses: it looks at nothing, gives nothing back, and is over."""
    checkout, _ = await capture_lost(shop, monkeypatch)
    case = await open_case(shop, checkout, K.CAPTURE_LOST)
    await act(shop, case, A.CLOSE)
    await eventually(lambda: late_is_over(shop, checkout), bool)
    rows = len(await shop.timeline(checkout))
    with pytest.raises(WorkflowUpdateFailedError):
        await act_late(shop, checkout, case, A.CLOSE)
    sale = await paid(shop)
    await shop.sagas().confirm(sale, 20)
    with pytest.raises(WorkflowUpdateFailedError):
        await act_late(shop, sale, case, A.CLOSE)
    await eventually(lambda: late_is_over(shop, sale), bool)
    assert (await shop.status(sale)).state == "completed"
    assert len(await shop.timeline(checkout)) == rows


async def test_a_loss_that_outlives_the_late_path_is_taken_up_by_the_next(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The workflow that asked is terminated and forgotten: the next order finds the case and writes it off."""
    checkout, _ = await capture_lost(shop, monkeypatch)
    case = await open_case(shop, checkout, K.CAPTURE_LOST)
    late = f"late/{checkout.id}"
    assert case.workflow_id == late
    await shop.parts.client.get_workflow_handle(late).terminate("test")
    await forget(shop, late)
    assert await act_late(shop, checkout, case, A.WRITE_OFF) is CaseAnswer.DONE
    status = await shop.until(checkout, "completed")
    assert (status.stuck, status.failure, status.captured_minor) == (False, None, 0)
    written = [row for row in await shop.books.postings(checkout.id) if row.kind == "write_off"]
    assert {row.account: row.amount_minor for row in written} == {"adyen:sales": -4200, "adyen:write_offs": 4200}
    await eventually(lambda: late_is_over(shop, checkout), bool)


async def test_a_split_checkout_without_a_workflow_ends_as_its_tenders_did(shop: Shop) -> None:
    """Its own case is closed by the late path, which looks at no gateway: the tenders have ended by themselves."""
    split = await open_split(shop, HASTY)
    await shop.handle(split.legs[1]).terminate("test")
    case = await open_case(shop, split.whole, K.TENDER_GONE)
    await orphaned(shop, split.whole)
    await reset(shop, split.legs[1].workflow_id)
    for leg in split.legs:
        await shop.handle(leg).cancel()
        await shop.until(leg, "canceled")
    assert await act_late(shop, split.whole, case, A.LOOK_AGAIN, split=split) is CaseAnswer.DONE
    await closed_case(shop, case)
    await eventually(lambda: states(shop, split), lambda all_: all_[0] == "canceled")


async def test_an_order_finds_the_late_path_at_work(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two orders at once for a case of a dead saga: one late path, one effect."""
    checkout, calm = await SCENARIOS[K.REFUND_DECLINED](shop, monkeypatch)
    case = await open_case(shop, checkout, K.REFUND_DECLINED)
    await orphaned(shop, checkout)
    await calm()
    answers = await asyncio.gather(
        *(act_late(shop, checkout, case, A.REFUND) for _ in range(4)), return_exceptions=True
    )
    assert CaseAnswer.DONE in answers
    await shop.until(checkout, "refunded")
    assert await shop.moved(checkout) == {"charge": [4200], "refund": [4200]}


@pytest.mark.parametrize("action", [A.CLOSE, A.WRITE_OFF])
async def test_a_refund_that_came_back_is_closed_by_the_late_path(shop: Shop, action: CaseAction) -> None:
    """The shop's refund fails days later: the case is the late path's, a look settles nothing, a person closes it."""
    checkout = await shop.open(HASTY)
    await shop.pay(checkout, method="pm_card_refundFail")
    status = await shop.until(checkout, "completed")
    await shop.handle(checkout).result()
    refund = Refund(f"rfd_{checkout.id.removeprefix('chk_')}", checkout.id, Money(1000, "USD"), None, datetime.now(UTC))
    record = await Refunds(shop.parts.engine).reserve(refund)
    assert await shop.sagas().start_refund(record, await shop.record_of(checkout), 20)
    await shop.all_dispatched(status.payment_id)
    await shop.sandbox.post("/sandbox/settle")
    case = await open_case(shop, checkout, K.REFUND_FAILED_LATER)
    assert (case.subject, case.amount_minor, case.workflow_id) == (refund.id, 1000, f"late/{checkout.id}")
    assert await act_late(shop, checkout, case, A.LOOK_AGAIN) is CaseAnswer.DONE
    assert await act_late(shop, checkout, case, action, who="bob") is CaseAnswer.DONE
    await closed_case(shop, case)
    status = await shop.status(checkout)
    assert (status.state, status.stuck, status.refunded_minor) == ("completed", False, 0)
    written = [row.amount_minor for row in await shop.books.postings(checkout.id) if row.account.endswith("write_offs")]
    assert written == ([-1000] if action is A.WRITE_OFF else [])
    assert (await verify(shop.parts.engine, checkout.id)).breach is None
