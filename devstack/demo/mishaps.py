"""What networks, gateways and bad timing do: the stories with a fault, each of which must strike to mean anything."""

import asyncio
from itertools import pairwise
from typing import Any

from devstack.demo.customers import Call, Means
from devstack.demo.people import Json, StoryError
from devstack.demo.plays import CONFIRM, HOLD, OUT_OF_STOCK, held
from devstack.demo.stage import Stage, eventually

_LATE_SECONDS = 6
_BATCH_SECONDS = 2
_BATCH_SIZE = 100
"""The whole sandbox's: others' notifications travel in the same deliveries."""
_DRIPPING_SECONDS = 8
_TOGETHER_SECONDS = 0.2
"""What one delivery carries is marked as delivered within this time; what came apart was sent further apart."""


async def webhooks_twice(stage: Stage) -> None:
    """Every webhook comes twice."""
    await stage.open()
    await stage.webhooks("duplicate")
    await stage.pay()
    await stage.until("completed")
    await stage.delivered("duplicate")


async def webhooks_forged(stage: Stage) -> None:
    """Beside every webhook comes one that somebody else has signed."""
    await stage.open()
    await stage.webhooks("forge")
    await stage.pay()
    await stage.until("completed")
    await stage.delivered("forged", "refused")


async def webhooks_late(stage: Stage) -> None:
    """Where the poll is faster, what comes afterwards must change nothing."""
    await stage.open()
    await stage.webhooks("delay", seconds=_LATE_SECONDS)
    await stage.pay()
    await stage.until("completed")
    before = await stage.shop.timeline(stage.checkout_id)
    stage.say("paid; its webhooks are still on their way")
    await stage.delivered()
    if await stage.shop.timeline(stage.checkout_id) != before:
        raise StoryError("a webhook after the end changed the timeline")


async def webhooks_reordered(stage: Stage) -> None:
    """Each webhook comes after a later one, as far as there is a later one."""
    await stage.open()
    await stage.webhooks("reorder")
    await stage.pay()
    await stage.until("completed")
    await stage.delivered()


async def webhooks_lost(stage: Stage) -> None:
    """No webhook ever comes."""
    await stage.open()
    await stage.webhooks("lose")
    await stage.pay()


async def capture_timed_out(stage: Stage) -> None:
    """The gateway captures and its answer never arrives."""
    await held(stage)
    await _struck(stage, Call.CAPTURE, "timeout_after", "confirm")


async def capture_dripped(stage: Stage) -> None:
    """The gateway captures, and its answer comes byte by byte, for longer than anybody waits."""
    await held(stage)
    await _struck(stage, Call.CAPTURE, "slow_drip", "confirm", seconds=_DRIPPING_SECONDS)


async def capture_failure_kept(stage: Stage) -> None:
    """The gateway captures, answers 500, and keeps that answer for whoever repeats the call."""
    await held(stage)
    await _struck(stage, Call.CAPTURE, "stored_500", "confirm")


async def refund_throttled(stage: Stage) -> None:
    """The gateway is asked too often."""
    await stage.open(**CONFIRM)
    await stage.pay()
    await stage.until("paid")
    await _struck(stage, Call.REFUND, "rate_limit_429", "reject", OUT_OF_STOCK, count=2, seconds=1)


async def tokens_expired(stage: Stage) -> None:
    """All access tokens become useless while the customer pays."""
    await stage.open()
    await stage.side.control("/paypal/expire_tokens")
    await stage.pay()


async def taking_timed_out(stage: Stage) -> None:
    """The gateway takes what the customer has approved, and its answer never arrives."""
    await stage.open()
    fault = await stage.fault(Call.TAKE, "timeout_after")
    await stage.pay()
    await stage.fired(fault)


async def holding_failed_after(stage: Stage) -> None:
    """The gateway holds what the customer has approved, and answers 500."""
    await stage.open(**HOLD)
    fault = await stage.fault(Call.HOLD, "error_500_after")
    await stage.pay()
    await stage.until("authorized")
    await stage.fired(fault)
    await stage.tell("confirm")


async def refund_failed_after(stage: Stage) -> None:
    """The gateway refunds and answers 500."""
    await stage.open(**CONFIRM)
    await stage.pay()
    await stage.until("paid")
    await _struck(stage, Call.REFUND, "error_500_after", "reject", OUT_OF_STOCK)


async def create_cut_off(stage: Stage) -> None:
    """The gateway opens the payment and the connection breaks before it says so."""
    fault = await stage.fault(Call.CREATE, "reset_after")
    await stage.open()
    await stage.fired(fault)
    await stage.pay()


async def canceled_while_paid(stage: Stage) -> None:
    """Paid and canceled in the same moment, and nobody tells us of the payment before we ask."""
    await stage.open()
    if stage.manners.truth_by_webhook:
        await stage.webhooks("delay", seconds=_LATE_SECONDS)
    else:
        await stage.webhooks("lose")
    await stage.pay()
    await stage.tell("cancel")


async def paid_after_expiry(stage: Stage) -> None:
    """The gateway has the customer's money for a checkout that is over."""
    await stage.open(expires_in_seconds=2)
    await stage.until("expired")
    stage.say("money comes after the expiry")
    await stage.side.control(f"/payments/{stage.payment_id}/pay_late")
    # Where it was only held the checkout stays as it was, so its state does not tell when that is over.
    await _booked(stage, "refund_settled", "void")


async def notified_in_a_batch(stage: Stage) -> None:
    """Three tries one after the other, and notifications of several in one delivery."""
    await stage.open()
    await stage.side.control("/adyen/batch", {"size": _BATCH_SIZE, "seconds": _BATCH_SECONDS})
    try:
        for means in (Means.REFUSED, Means.NO_FUNDS, Means.GOOD):
            await stage.pay(means)
            await asyncio.sleep(2 * _TOGETHER_SECONDS)
        rows = await stage.delivered(event_type="AUTHORISATION")
    finally:
        await stage.side.control("/adyen/batch", {"size": 1})
    times = sorted(row["attempts"][-1]["at"] for row in rows)
    if not any(later - earlier < _TOGETHER_SECONDS for earlier, later in pairwise(times)):
        raise StoryError(f"no two notifications came together: {times}")


async def _struck(stage: Stage, call: Call, kind: str, command: str, body: Json | None = None, **more: Any) -> None:
    """The shop's command meets a fault."""
    fault = await stage.fault(call, kind, **more)
    await stage.tell(command, body)
    await stage.fired(fault)


async def _booked(stage: Stage, *kinds: str) -> None:
    async def found() -> bool:
        return any(row["kind"] in kinds for row in await stage.shop.postings(stage.checkout_id))

    await eventually(found, bool, f"{' or '.join(kinds)} to be on the books")
