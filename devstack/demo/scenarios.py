"""The scenarios: what customers, shops, gateways and networks do to checkouts. Each ends as its promise says."""

import asyncio

import httpx

from devstack.demo.people import Json, StoryError, accepted
from devstack.demo.promise import CAPTURED, COMPLETED, REFUNDED, VOIDED, Promise
from devstack.demo.stage import Scenario, Stage, eventually

CONFIRM: Json = {"confirmation": {"required": True, "within_seconds": 600}}
HOLD: Json = {"capture": "on_confirm"} | CONFIRM
_HASTY: Json = {"confirmation": {"required": True, "within_seconds": 2}}
_MANY = 50
"""More webhooks than one payment ever causes."""
_LATE_SECONDS = 6
_BANK_CARD = "pm_card_threeDSecure2Required"


async def paid(stage: Stage) -> None:
    """Nothing unusual."""
    await stage.open()
    await stage.pay()


async def declined_then_paid(stage: Stage) -> None:
    """The first card is refused, the second is not."""
    await stage.open()
    await stage.pay("decline")
    await stage.until("awaiting_payment", when=lambda checkout: checkout["failure"] is not None)
    await stage.pay()


async def authenticated(stage: Stage) -> None:
    """The bank asks the customer."""
    await stage.open()
    await stage.pay(card=_BANK_CARD)
    await stage.authenticate("approve")


async def not_authenticated(stage: Stage) -> None:
    """The customer fails at the bank and takes another card."""
    await stage.open()
    await stage.pay(card=_BANK_CARD)
    await stage.authenticate("decline")
    await stage.until("awaiting_payment", when=lambda checkout: checkout["failure"] is not None)
    await stage.pay()


async def abandoned(stage: Stage) -> None:
    """The customer goes away."""
    await stage.open(expires_in_seconds=3)


async def declined_and_left(stage: Stage) -> None:
    """The customer's only card is refused."""
    await stage.open(expires_in_seconds=6)
    await stage.pay("decline", "pm_card_chargeDeclinedInsufficientFunds")


async def confirmed(stage: Stage) -> None:
    """Paid first, then taken on by the shop."""
    await stage.open(**CONFIRM)
    await stage.pay()
    await stage.until("paid")
    await stage.tell("confirm")


async def rejected(stage: Stage, card: str = "pm_card_visa") -> None:
    """The shop has nothing left to sell."""
    await stage.open(**CONFIRM)
    await stage.pay(card=card)
    await stage.until("paid")
    await stage.tell("reject", {"reason": "out of stock"})


async def not_confirmed(stage: Stage) -> None:
    """The shop never says that it takes the order on."""
    await stage.open(**_HASTY)
    await stage.pay()


async def held_and_confirmed(stage: Stage) -> None:
    """Held until the shop confirms."""
    await stage.open(**HOLD)
    await stage.pay()
    await stage.until("authorized")
    await stage.tell("confirm")


async def held_and_not_confirmed(stage: Stage) -> None:
    """Held, and the shop is silent."""
    await stage.open(capture="on_confirm", **_HASTY)
    await stage.pay()


async def held_and_rejected(stage: Stage) -> None:
    """Held, and the shop says no."""
    await stage.open(**HOLD)
    await stage.pay()
    await stage.until("authorized")
    await stage.tell("reject", {"reason": "out of stock"})


async def webhooks_twice(stage: Stage) -> None:
    """Every webhook comes twice."""
    await stage.fault("webhook", "duplicate", count=_MANY)
    await paid(stage)
    await stage.until("completed")
    await _deliveries(stage, "duplicate", "delivered")


async def webhooks_forged(stage: Stage) -> None:
    """Beside every webhook comes one that somebody else has signed."""
    await stage.fault("webhook", "forge", count=_MANY)
    await paid(stage)
    await stage.until("completed")
    await _deliveries(stage, "forged", "refused")


async def webhooks_late(stage: Stage) -> None:
    """The poll is faster; what comes afterwards must change nothing."""
    await stage.fault("webhook", "delay", count=_MANY, seconds=_LATE_SECONDS)
    await paid(stage)
    await stage.until("completed")
    before = await stage.shop.timeline(stage.checkout_id)
    stage.say("paid; its webhooks are still on their way")
    await _deliveries(stage, "normal", "delivered")
    if await stage.shop.timeline(stage.checkout_id) != before:
        raise StoryError("a webhook after the end changed the timeline")


async def webhooks_lost(stage: Stage) -> None:
    """No webhook ever comes."""
    await stage.fault("webhook", "lose", count=_MANY)
    await paid(stage)


async def capture_timed_out(stage: Stage) -> None:
    """The gateway captures and its answer never arrives."""
    await stage.open(**HOLD)
    await stage.pay()
    await stage.until("authorized")
    await _struck(stage, "payment_intents.capture", "timeout_after", "confirm")


async def refund_failed_after(stage: Stage) -> None:
    """The gateway refunds and answers 500."""
    await stage.open(**CONFIRM)
    await stage.pay()
    await stage.until("paid")
    await _struck(stage, "refunds.create", "error_500_after", "reject", {"reason": "out of stock"})


async def create_cut_off(stage: Stage) -> None:
    """The gateway opens the payment and the connection breaks before it says so."""
    fault = await stage.fault("payment_intents.create", "reset_after")
    await paid(stage)
    await _fired(stage, fault)


async def clicked_twice(stage: Stage) -> None:
    """Two requests for one order at the same moment, and a third over another amount."""
    stage.say("the shop opens the same order twice at once")
    answers = await asyncio.gather(*(stage.shop.post("/checkouts", stage.order()) for _ in range(2)))
    first, second = (accepted(answer, 201, 202) for answer in answers)
    if first["id"] != second["id"]:
        raise StoryError("two clicks gave two checkouts")
    await stage.opened(first)
    other = await stage.shop.post("/checkouts", stage.order() | {"amount": stage.amount_minor + 1})
    if other.status_code != httpx.codes.CONFLICT or other.json()["checkout"]["id"] != first["id"]:
        raise StoryError("another amount for the same order was not refused")
    await stage.pay()


async def canceled(stage: Stage) -> None:
    """The shop gives up; the customer can no longer pay."""
    await stage.open()
    await stage.tell("cancel")
    await stage.until("canceled")
    answer = await stage.gateway.visit(f"/pay/{stage.client_secret}", {"outcome": "approve"})
    if answer.status_code != httpx.codes.CONFLICT:
        raise StoryError(f"a canceled payment could still be paid: {answer.status_code}")


async def canceled_while_paid(stage: Stage) -> None:
    """Paid and canceled in the same moment, and nobody tells us of the payment."""
    await stage.fault("webhook", "lose", count=_MANY)
    await stage.open()
    await stage.pay()
    await stage.tell("cancel")


async def paid_after_expiry(stage: Stage) -> None:
    """The gateway takes the customer's money for a checkout that is over."""
    await stage.open(expires_in_seconds=2)
    await stage.until("expired")
    stage.say("money comes after the expiry")
    await stage.gateway.control(f"/payments/{stage.payment_id}/pay_late")


async def refund_pending(stage: Stage) -> None:
    """The gateway takes days for the refund; the sandbox, until it is told."""
    await rejected(stage, card="pm_card_pendingRefund")

    async def booked_as_pending() -> bool:
        return any(row["kind"] == "refund" for row in await stage.shop.postings(stage.checkout_id))

    await eventually(booked_as_pending, bool, "the pending refund to be on the books")
    pending = await stage.until("refunding")
    if pending["amount_refunded"] != 0:
        raise StoryError("a pending refund already counts as refunded")
    stage.say("the refund settles at the gateway")
    await stage.gateway.control("/settle")


async def _struck(stage: Stage, operation: str, kind: str, command: str, body: Json | None = None) -> None:
    """The shop's command meets a fault, which must have struck for the scenario to mean anything."""
    fault = await stage.fault(operation, kind)
    await stage.tell(command, body)
    await _fired(stage, fault)


async def _fired(stage: Stage, fault: str) -> None:
    await eventually(lambda: stage.gateway.fired(fault), bool, "the fault to strike")


async def _deliveries(stage: Stage, variant: str, state: str) -> None:
    """Wait until every delivery of that kind, and there must be some, is where it should be."""

    async def states() -> set[str]:
        rows = await stage.gateway.rows("/deliveries", payment_intent=stage.payment_id)
        return {str(row["state"]) for row in rows if row["variant"] == variant}

    await eventually(states, lambda seen: seen == {state}, f"the {variant} webhooks to be {state}")


_EXPIRED = Promise("expired", attempts=0, cause="timer")
SCENARIOS = (
    Scenario("paid", COMPLETED, paid),
    Scenario("paid in yen, which have no cents", COMPLETED, paid, 980, "JPY"),
    Scenario("paid in dinars, with three decimals", COMPLETED, paid, 12_340, "KWD"),
    Scenario("paid in krónur, which Stripe counts in hundredths", COMPLETED, paid, 5_900, "ISK"),
    Scenario("declined, then paid", Promise("completed", taken=True, attempts=2), declined_then_paid),
    Scenario("3-D Secure approved", COMPLETED, authenticated, 8_800, "EUR"),
    Scenario("3-D Secure failed, then another card", COMPLETED, not_authenticated, 8_800, "EUR"),
    Scenario("abandoned, expires", _EXPIRED, abandoned),
    Scenario("declined and left, expires", Promise("expired", cause="timer"), declined_and_left),
    Scenario("paid, the shop confirms", COMPLETED, confirmed),
    Scenario("paid, the shop rejects: refunded", REFUNDED, rejected),
    Scenario("paid, the shop is silent: refunded", REFUNDED, not_confirmed),
    Scenario("held, the shop confirms: captured", CAPTURED, held_and_confirmed, 19_900, "GBP"),
    Scenario("held, the shop is silent: released", VOIDED, held_and_not_confirmed, 19_900, "GBP"),
    Scenario("held, the shop rejects: released", VOIDED, held_and_rejected, 19_900, "GBP"),
    Scenario("every webhook twice", COMPLETED, webhooks_twice),
    Scenario("forged webhooks beside the real ones", COMPLETED, webhooks_forged),
    Scenario("webhooks late, the poll is first", Promise("completed", taken=True, cause="poll"), webhooks_late),
    Scenario("webhooks lost, found by poll", Promise("completed", taken=True, cause="poll"), webhooks_lost),
    Scenario("capture done, its answer timed out", CAPTURED, capture_timed_out),
    Scenario("refund done, answered 500", REFUNDED, refund_failed_after),
    Scenario("payment opened, connection cut", COMPLETED, create_cut_off),
    Scenario("two clicks for one order", COMPLETED, clicked_twice),
    Scenario("canceled before payment", Promise("canceled", attempts=0, cause="api"), canceled),
    Scenario("paid while the shop cancels: refunded", REFUNDED, canceled_while_paid),
    Scenario("money after the expiry: refunded", REFUNDED, paid_after_expiry),
    Scenario("refund pending, then settled", REFUNDED, refund_pending),
)
