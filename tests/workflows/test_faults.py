"""What a gateway, a network or a process can do to a saga, and what must be left true: charged once, or given back."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.sagas import NotTakenOnError, Sagas
from api.wiring import accounts_of
from domain.checkout import CaptureMode
from domain.saga import SagaPolicy
from tests.workflows.support import Shop, eventually
from worker import build_worker

CONFIRMED: dict[str, Any] = {"confirm_within_seconds": 600}
ON_CONFIRM: dict[str, Any] = {"capture": CaptureMode.ON_CONFIRM, "confirm_within_seconds": 600}
HASTY = SagaPolicy(poll_after_seconds=20, poll_at_most_seconds=60, stuck_after_seconds=3)

UNANSWERED = ["reset_after", "reset_before", "error_500_after", "error_500_before", "unavailable_503", "html_502"]


@pytest.mark.parametrize("kind", [*UNANSWERED, "rate_limit_429", "stored_500"])
async def test_an_unanswered_create_opens_one_payment(shop: Shop, kind: str) -> None:
    """Whatever became of the first call, the customer pays once and the checkout completes."""
    checkout = await shop.record()
    await shop.fault("payment_intents.create", kind, checkout)
    assert await shop.sagas().open(checkout, 30)
    await shop.pay(checkout)
    await shop.until(checkout, "completed")
    assert await shop.taken(checkout) == 1


@pytest.mark.parametrize("kind", [*UNANSWERED, "stored_500"])
async def test_an_unanswered_capture_takes_the_money_once(shop: Shop, kind: str) -> None:
    """The capture may have worked: it is looked up, and repeated with the same key if not."""
    checkout = await shop.open(**ON_CONFIRM)
    await shop.pay(checkout)
    await shop.until(checkout, "authorized")
    await shop.fault("payment_intents.capture", kind, checkout)
    await shop.sagas().confirm(checkout, 30)
    await shop.until(checkout, "completed")
    assert await shop.moved(checkout) == {"authorization": [4200], "capture": [4200]}


@pytest.mark.parametrize("kind", [*UNANSWERED, "stored_500"])
async def test_an_unanswered_refund_gives_back_once(shop: Shop, kind: str) -> None:
    """The refund may have worked: it is looked up, and repeated with the same key if not."""
    checkout = await shop.open(**CONFIRMED)
    await shop.pay(checkout)
    await shop.until(checkout, "paid")
    await shop.fault("refunds.create", kind, checkout)
    await shop.sagas().reject(checkout, "out of stock", 30)
    await shop.until(checkout, "refunded")
    assert await shop.moved(checkout) == {"charge": [4200], "refund": [4200]}


@pytest.mark.parametrize("kind", ["reset_after", "error_500_before", "stored_500"])
async def test_an_unanswered_void_releases_once(shop: Shop, kind: str) -> None:
    """The void may have worked: it is looked up, and repeated if not."""
    checkout = await shop.open(**ON_CONFIRM)
    await shop.pay(checkout)
    await shop.until(checkout, "authorized")
    await shop.fault("payment_intents.cancel", kind, checkout)
    await shop.sagas().reject(checkout, "out of stock", 30)
    await shop.until(checkout, "canceled")
    assert await shop.moved(checkout) == {"authorization": [4200], "release": [4200]}


async def test_a_key_that_keeps_a_failure_is_replaced(shop: Shop) -> None:
    """A stored 500 is replayed for ever: the saga looks, sees nothing done, and goes on with a new key."""
    checkout = await shop.open(**CONFIRMED)
    await shop.pay(checkout)
    await shop.until(checkout, "paid")
    await shop.fault("refunds.create", "stored_500", checkout, executed=False)
    await shop.sagas().reject(checkout, "out of stock", 30)
    await shop.until(checkout, "refunded")
    rows = [row for row in await shop.gateway_rows(checkout) if row["operation"] == "refund"]
    assert [row["idempotency_key"] for row in rows] == [f"{checkout.id}:refund:2"]


async def test_webhooks_twice_reordered_and_forged_change_nothing(shop: Shop) -> None:
    """Doubled and reordered deliveries give one sale; a forged one is refused."""
    checkout = await shop.record()
    for kind in ("duplicate", "reorder", "forge"):
        await shop.fault("webhook", kind, checkout, count=10)
    assert await shop.sagas().open(checkout, 30)
    await shop.pay(checkout)
    await shop.until(checkout, "completed")
    assert await shop.taken(checkout) == 1
    assert [row.key for row in await shop.timeline(checkout)] == ["created", "awaiting_payment", "paid", "completed"]


async def test_a_late_webhook_after_the_poll_changes_nothing(shop: Shop) -> None:
    """The poll was faster: the webhook that comes after the end finds everything on the books."""
    checkout = await shop.record()
    await shop.fault("webhook", "delay", checkout, count=20, seconds=4)
    assert await shop.sagas(SagaPolicy(1, 2, 60)).open(checkout, 30)
    await shop.pay(checkout)
    await shop.until(checkout, "completed")
    assert (await shop.causes(checkout))["paid"] == "poll"
    status = await shop.status(checkout)

    async def deliveries() -> list[dict[str, Any]]:
        answer = await shop.sandbox.get("/sandbox/deliveries", params={"payment": status.payment_id or ""})
        return list(answer.json()["data"])

    await eventually(deliveries, lambda rows: bool(rows) and all(row["state"] in ("delivered", "lost") for row in rows))
    assert [row.key for row in await shop.timeline(checkout)] == ["created", "awaiting_payment", "paid", "completed"]


@pytest.mark.parametrize("kind", ["amount_off_by_one", "other_currency", "livemode_true"])
async def test_an_answer_that_contradicts_what_was_asked_needs_review(shop: Shop, kind: str) -> None:
    """Amount, currency and mode of every answer are compared; a person looks, and the saga goes on from the truth."""
    checkout = await shop.open()
    await shop.fault("payment_intents.retrieve", kind, checkout)
    await shop.pay(checkout)
    status = await shop.until(checkout, "needs_review")
    assert status.failure is not None
    assert status.failure.code == "contradiction"
    assert status.captured_minor == 0
    await shop.sandbox.delete("/sandbox/faults")
    await shop.handle(checkout).signal("retry_now")
    status = await shop.until(checkout, "completed")
    assert status.captured_minor == 4200


async def test_a_refund_that_fails_later_is_a_case_for_a_person(shop: Shop) -> None:
    """The gateway takes the refund in and fails it: the case says why, and a person's word starts a new refund."""
    checkout = await shop.open(**CONFIRMED)
    await shop.pay(checkout, method="pm_card_pendingRefund")
    await shop.until(checkout, "paid")
    await shop.tell(checkout, "reject", "out of stock")
    await shop.until(checkout, "refunding")
    status = await shop.status(checkout)
    rows = await eventually(
        lambda: shop.gateway_rows(checkout), lambda seen: any(row["operation"] == "refund" for row in seen)
    )
    refund_id = next(row["refund"] for row in rows if row["operation"] == "refund")
    answer = await shop.sandbox.post(f"/v1/refunds/{refund_id}/cancel", headers={"Authorization": "Bearer sk_test_x"})
    assert answer.is_success, answer.text
    status = await shop.until(checkout, "needs_review")
    assert status.failure is not None
    assert status.failure.code == "refund_failed"
    assert status.stuck
    await shop.handle(checkout).signal("retry_now")
    await eventually(
        lambda: shop.gateway_rows(checkout), lambda seen: sum(row["operation"] == "refund" for row in seen) == 2
    )
    await shop.sandbox.post("/sandbox/settle")
    status = await shop.until(checkout, "refunded")
    assert status.refunded_minor == 4200
    assert "needs_review" in await shop.path(checkout)


async def test_a_compensation_that_keeps_failing_opens_a_case_and_goes_on(shop: Shop) -> None:
    """The gateway is down while money must go back: the case says so, and a person's word tries again."""
    checkout = await shop.open(HASTY, **CONFIRMED)
    await shop.pay(checkout)
    await shop.until(checkout, "paid")
    await shop.fault("refunds.create", "unavailable_503", checkout, count=1000)
    await shop.sagas().reject(checkout, "out of stock", 10)
    status = await shop.until(checkout, "needs_review")
    assert status.stuck
    assert status.failure is not None
    assert status.failure.code == "compensation_failing"
    await shop.sandbox.delete("/sandbox/faults")
    await shop.handle(checkout).signal("retry_now")
    await shop.until(checkout, "refunded")
    assert await shop.moved(checkout) == {"charge": [4200], "refund": [4200]}
    assert (await shop.causes(checkout))["unstuck"] == "operator"


async def test_a_gateway_that_is_down_shows_as_stuck_and_the_sale_goes_on_after(shop: Shop) -> None:
    """Going forward, a failing gateway is no case: the checkout is marked stuck, and unmarked when it answers."""
    checkout = await shop.record()
    await shop.fault("payment_intents.create", "unavailable_503", checkout, count=1000)
    await shop.sagas(HASTY).start(checkout)
    status = await eventually(lambda: shop.status(checkout), lambda s: s.stuck)
    assert status.state == "processing"
    await shop.sandbox.delete("/sandbox/faults")
    await shop.handle(checkout).signal("retry_now")
    status = await shop.until(checkout, "awaiting_payment")
    assert not status.stuck
    await shop.pay(checkout)
    await shop.until(checkout, "completed")
    assert await shop.taken(checkout) == 1


async def test_a_time_out_after_the_capture_takes_the_money_once(shop: Shop) -> None:
    """The gateway captured and never answered: the activity's next attempt reads before it repeats."""
    checkout = await shop.open(**ON_CONFIRM)
    await shop.pay(checkout)
    await shop.until(checkout, "authorized")
    await shop.fault("payment_intents.capture", "timeout_after", checkout)
    await shop.sagas().confirm(checkout, 10)
    await shop.until(checkout, "completed", patience=60)
    assert await shop.moved(checkout) == {"authorization": [4200], "capture": [4200]}


async def test_a_checkout_that_nobody_started_is_started(shop: Shop) -> None:
    """The API died between the record and the start: the dispatcher finds the checkout and starts its saga."""
    checkout = await shop.record(created_at=datetime.now(UTC) - timedelta(minutes=1))
    await shop.until(checkout, "awaiting_payment")
    await shop.pay(checkout)
    await shop.until(checkout, "completed")
    assert await shop.taken(checkout) == 1


async def test_a_command_that_no_worker_hears_is_not_said_to_be_taken_on(shop: Shop) -> None:
    """What no worker has accepted stands in the server's memory only: the shop must know to say it again."""
    nobody = replace(shop.parts, task_queue=f"{shop.parts.task_queue}-nobody")
    sagas = Sagas(nobody.client, nobody.task_queue, shop.policy, accounts_of(nobody.gateways))
    checkout = await shop.record()
    await sagas.start(checkout)
    with pytest.raises(NotTakenOnError):
        await sagas.cancel(checkout, 1)
    async with build_worker(nobody):
        assert await sagas.cancel(checkout, 20)
    await shop.until(checkout, "canceled")
