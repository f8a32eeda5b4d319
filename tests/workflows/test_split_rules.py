"""What gateways, workers and operators can do to a split checkout, and what is left true: all or nothing, once."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus, WorkflowFailureError
from temporalio.exceptions import CancelledError

import worker
from api.sagas import CommandRefusedError, Sagas
from api.wiring import accounts_of
from domain.checkout import CaptureMode
from domain.saga import SagaPolicy
from tests.workflows.sandboxes import STRIPE_SECRET
from tests.workflows.splits import (
    ended_in_order,
    first_row,
    moved,
    open_split,
    pay_all,
    record_split,
    reset,
    states,
)
from tests.workflows.support import Shop, eventually

HELD: dict[str, Any] = {"capture": CaptureMode.ON_CONFIRM, "confirm_within_seconds": 600}
ASKED: dict[str, Any] = {"confirm_within_seconds": 600}
TAKEN = [{"authorization": [3000], "capture": [3000]}, {"authorization": [1200], "capture": [1200]}]
RELEASED = [{"authorization": [3000], "release": [3000]}, {"authorization": [1200], "release": [1200]}]
RETURNED = [{**took, "refund": took["capture"]} for took in TAKEN]
EAGER = SagaPolicy(poll_after_seconds=1, poll_at_most_seconds=2, stuck_after_seconds=3)


async def test_a_cancelled_workflow_gives_every_tender_back(shop: Shop) -> None:
    """An operator's cancel, and two more while the money is on its way back, skip nothing and are not swallowed."""
    split = await open_split(shop, **ASKED)
    await pay_all(shop, split)
    await shop.until(split.whole, "paid")
    await shop.fault("refunds.create", "slow_drip", split.legs[1], seconds=1.5)
    for _ in range(3):
        await shop.handle(split.whole).cancel()
        await asyncio.sleep(0.5)
    with pytest.raises(WorkflowFailureError) as caught:
        await shop.handle(split.whole).result()
    assert isinstance(caught.value.cause, CancelledError)
    assert await states(shop, split) == ["refunded"] * 3
    assert await moved(shop, split) == RETURNED
    assert (await shop.causes(split.whole))["undoing"] == "operator"
    assert await ended_in_order(shop, split) == [2, 1]


async def test_an_operator_who_cancels_one_tender_ends_the_whole(shop: Shop) -> None:
    """The tender gives back as it is told, and the other follows."""
    split = await open_split(shop, **ASKED)
    await pay_all(shop, split)
    await shop.until(split.whole, "paid")
    await shop.handle(split.legs[0]).cancel()
    status = await shop.until(split.whole, "refunded")
    assert status.failure is not None
    assert status.failure.code == "canceled_by_operator"
    assert await moved(shop, split) == RETURNED


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("kind", ["timeout_after", "stored_500", "reset_after"])
async def test_an_unanswered_capture_of_a_tender_takes_it_once(shop: Shop, kind: str, number: int) -> None:
    """The gateway captured and never said so: it is looked up, and the whole completes."""
    split = await open_split(shop, **HELD)
    await pay_all(shop, split)
    await shop.until(split.whole, "authorized")
    await shop.fault("payment_intents.capture", kind, split.legs[number - 1])
    await shop.tell(split.whole, "confirm")
    await shop.until(split.whole, "completed", patience=60)
    assert await moved(shop, split) == TAKEN


async def test_a_tender_under_review_shows_on_the_whole_and_goes_on_when_it_is_solved(shop: Shop) -> None:
    """A refund of the second tender fails: the whole is stuck with it, the first waits its turn, a person solves it."""
    split = await open_split(shop, **ASKED)
    await shop.pay(split.legs[0])
    await shop.pay(split.legs[1], method="pm_card_pendingRefund")
    await shop.until(split.whole, "paid")
    await shop.tell(split.whole, "reject", "out of stock")
    second = split.legs[1]
    rows = await eventually(
        lambda: shop.gateway_rows(second), lambda seen: any(row["operation"] == "refund" for row in seen)
    )
    refund_id = next(row["refund"] for row in rows if row["operation"] == "refund")
    await shop.sandbox.post(f"/v1/refunds/{refund_id}/cancel", headers={"Authorization": "Bearer sk_test_x"})
    status = await eventually(lambda: shop.status(split.whole), lambda s: s.stuck)
    assert (status.state, status.waiting_for) == ("refunding", "tender 2: a person (refund_failed)")
    assert (await shop.status(split.legs[0])).state == "paid"
    await shop.handle(second).signal("retry_now")
    await eventually(lambda: shop.gateway_rows(second), lambda seen: len(seen) > len(rows) + 1)
    await shop.sandbox.post("/sandbox/settle")
    status = await shop.until(split.whole, "refunded")
    assert not status.stuck
    assert await ended_in_order(shop, split) == [2, 1]


async def test_a_gateway_that_is_down_at_the_opening_shows_on_the_whole(shop: Shop) -> None:
    """The customer is sent nowhere before every tender is open; then the story goes on."""
    split = await record_split(shop)
    await shop.fault("payment_intents.create", "unavailable_503", split.legs[1], count=1000)
    await shop.sagas(EAGER).open(split.whole, 0.5, split.legs)
    status = await eventually(lambda: shop.status(split.whole), lambda s: s.stuck)
    assert (status.state, status.next_action) == ("processing", None)
    await shop.sandbox.delete("/sandbox/faults")
    await shop.handle(split.legs[1]).signal("retry_now")
    status = await shop.until(split.whole, "awaiting_payment")
    assert not status.stuck
    await pay_all(shop, split)
    await shop.until(split.whole, "completed")
    assert await moved(shop, split) == TAKEN


async def test_a_refund_at_the_gateway_while_the_shop_thinks_ends_the_whole(shop: Shop) -> None:
    """A tender that is taken never leaves by itself: it tells, and the whole gives the other back too."""
    split = await open_split(shop, **ASKED)
    await pay_all(shop, split)
    await shop.until(split.whole, "paid")
    refund = {"payment_intent": (await shop.status(split.legs[0])).payment_id, "amount": "3000"}
    await shop.sandbox.post("/v1/refunds", data=refund, headers={"Authorization": "Bearer sk_test_x"})
    await shop.until(split.whole, "refunded")
    assert await states(shop, split) == ["refunded"] * 3
    assert await moved(shop, split) == RETURNED
    assert (await first_row(shop, split.whole, "undoing")).details["reason"] == "canceled_at_gateway"


async def test_late_money_of_a_tender_is_given_back_by_the_tender(shop: Shop) -> None:
    """The whole expired and one tender is paid after all: its own late path returns it; the whole stays expired."""
    split = await open_split(shop, expires_at=datetime.now(UTC) + timedelta(seconds=1))
    await shop.until(split.whole, "expired")
    for checkout in (split.whole, *split.legs):
        await shop.handle(checkout).result()
    payment_id = (await shop.status(split.legs[0])).payment_id
    assert (await shop.sandbox.post(f"/sandbox/payments/{payment_id}/pay_late")).is_success
    await shop.until(split.legs[0], "refunded")
    assert await states(shop, split) == ["expired", "refunded", "expired"]
    assert await moved(shop, split) == [{"charge": [3000], "refund": [3000]}, {}]


async def test_a_split_checkout_that_nobody_started_is_started(shop: Shop) -> None:
    """The API died between the record and the start: the dispatcher starts the whole, and the whole its tenders."""
    split = await record_split(shop, created_at=datetime.now(UTC) - timedelta(minutes=1))
    await shop.until(split.whole, "awaiting_payment")
    for leg in split.legs:
        assert (await shop.handle(leg).describe()).parent_id == split.whole.workflow_id
    await pay_all(shop, split)
    await shop.until(split.whole, "completed")


async def test_twenty_opens_at_once_open_each_tender_once(shop: Shop) -> None:
    """However many callers open a split checkout, each gateway is asked once per tender."""
    split = await record_split(shop)
    answers = await asyncio.gather(*(shop.sagas().open(split.whole, 30, split.legs) for _ in range(20)))
    assert all(answers)
    await pay_all(shop, split)
    await shop.until(split.whole, "completed")
    assert await shop.sagas().open(split.whole, 20, split.legs)
    assert await moved(shop, split) == TAKEN


async def test_a_tender_whose_workflow_was_terminated_is_a_case(shop: Shop) -> None:
    """Nobody can give it back by itself: the whole says so, and the others are still given back in their turn."""
    split = await open_split(shop)
    await shop.pay(split.legs[0])
    await shop.until(split.legs[0], "authorized")
    await shop.handle(split.legs[1]).terminate("test")
    status = await shop.until(split.whole, "needs_review")
    assert status.failure is not None
    assert status.failure.code == "tender_gone"
    assert "tender 2" in status.failure.message
    await reset(shop, split.legs[1].workflow_id)
    await shop.handle(split.whole).signal("retry_now")
    await shop.until(split.whole, "canceled")
    assert await moved(shop, split) == [RELEASED[0], {}]


async def test_a_reset_split_checkout_takes_up_where_the_books_stand(shop: Shop) -> None:
    """A reset in the middle opens, charges and writes nothing twice; a reset after the end changes nothing."""
    split = await open_split(shop, **HELD)
    await pay_all(shop, split)
    await shop.until(split.whole, "authorized")
    await reset(shop, split.whole.workflow_id)

    async def confirmed() -> bool:
        """Until the new run has read the books it cannot be told anything; the shop says it again."""
        try:
            return await shop.sagas().confirm(split.whole, 20)
        except CommandRefusedError:
            return False

    await eventually(confirmed, bool)
    await shop.until(split.whole, "completed")
    await shop.handle(split.whole).result()
    await reset(shop, split.whole.workflow_id)
    assert (await shop.handle(split.whole).result())["state"] == "completed"
    assert await states(shop, split) == ["completed"] * 3
    assert await moved(shop, split) == TAKEN


@asynccontextmanager
async def doomed_worker(shop: Shop, task_queue: str) -> AsyncIterator[Process]:
    """A worker process of its own on this task queue, killed at the end if not before."""
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": shop.parts.engine.url.render_as_string(hide_password=False),
        "TEMPORAL_ADDRESS": shop.parts.client.service_client.config.target_host,
        "TASK_QUEUE": task_queue,
        "STRIPE_API_KEY": "sk_test_" + "x" * 24,
        "STRIPE_WEBHOOK_SECRET": STRIPE_SECRET,
        "STRIPE_API_BASE": shop.announced.url,
        "STRIPE_PAYMENT_PAGE": f"{shop.announced.url}/pay/",
    }
    process = await asyncio.create_subprocess_exec(sys.executable, "worker.py", env=environment, stdout=PIPE)
    assert process.stdout is not None
    try:
        assert await process.stdout.readline() == b"worker ready\n"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_a_worker_that_is_killed_in_a_capture_is_taken_over_from(shop: Shop) -> None:
    """The gateway captures the first tender while the only worker dies: the next one finishes, each is taken once."""
    parts = replace(shop.parts, task_queue=f"{shop.parts.task_queue}-doomed")
    sagas = Sagas(parts.client, parts.task_queue, parts.policy, accounts_of(parts.gateways))
    split = await record_split(shop, **HELD)
    async with doomed_worker(shop, parts.task_queue) as process:
        assert await sagas.open(split.whole, 30, split.legs)
        await pay_all(shop, split)
        await shop.until(split.whole, "authorized")
        await shop.fault("payment_intents.capture", "slow_drip", split.legs[0], seconds=2)
        await shop.tell(split.whole, "confirm")
        await eventually(lambda: shop.taken(split.legs[0]), bool)
        process.kill()
        await process.wait()
    assert (await shop.status(split.whole)).state == "authorized"
    async with worker.build_worker(parts):
        await shop.until(split.whole, "completed", patience=80)
    assert await states(shop, split) == ["completed"] * 3
    assert await moved(shop, split) == TAKEN


async def test_a_tender_lets_go_of_its_hold_when_the_whole_is_silent(shop: Shop) -> None:
    """The whole's workflow was terminated: what is held is released in time, by the tender itself."""
    split = await open_split(shop, silence=2)
    await shop.pay(split.legs[0])
    await shop.handle(split.whole).terminate("test")
    status = await shop.until(split.legs[0], "canceled")
    assert status.failure is not None
    assert status.failure.code == "not_confirmed_in_time"
    assert await shop.moved(split.legs[0]) == RELEASED[0]


async def test_a_taken_tender_waits_openly_when_the_whole_is_silent(shop: Shop) -> None:
    """It may be half of a sale that was made: it is not given back, but people see it, and an operator can end it."""
    split = await open_split(shop, silence=1, held=False)
    await shop.pay(split.legs[0])
    await shop.until(split.legs[0], "paid")
    await shop.handle(split.whole).terminate("test")
    status = await eventually(lambda: shop.status(split.legs[0]), lambda s: s.stuck)
    assert status.waiting_for == "its split checkout, which has said nothing for long"
    await shop.handle(split.legs[0]).cancel()
    await shop.until(split.legs[0], "refunded")
    described = await eventually(
        lambda: shop.handle(split.legs[0]).describe(), lambda d: d.status != WorkflowExecutionStatus.RUNNING
    )
    assert described.status == WorkflowExecutionStatus.CANCELED
