"""What happens by itself: refunds reach customers, bank debits settle, holds lapse, keys and events grow old."""

import asyncio
import itertools

from sandbox.stripe import payments, refunds
from sandbox.stripe.events import KEPT_SECONDS
from sandbox.stripe.gateway import BY_ITSELF, Gateway
from sandbox.stripe.store import Due

_SETTLEABLE = (refunds.SETTLE_REFUND, refunds.FAIL_REFUND, payments.SETTLE_PAYMENT)


async def keep_time(gateway: Gateway) -> None:
    """Let time pass: carry out what comes due once a second, and forget what is old once an hour."""
    for second in itertools.count(1):
        await asyncio.sleep(1)
        if second % 3600 == 0 or gateway.store.anything_due(gateway.clock.now()):
            catch_up(gateway)


def catch_up(gateway: Gateway) -> list[str]:
    """Carry out all that is due by now and forget what is too old; returns the ids of the objects that moved."""
    now = gateway.clock.now()
    with gateway.transaction():
        moved = [due.object for due in gateway.store.take_due(now) if _carry_out(gateway, due)]
        gateway.keys.prune()
        gateway.store.prune("event", now - KEPT_SECONDS)
    return moved


def settle_now(gateway: Gateway) -> list[str]:
    """Settle pending refunds and bank debits without waiting; returns the ids of the objects that moved."""
    with gateway.transaction():
        return [due.object for due in gateway.store.take_tasks(_SETTLEABLE) if _carry_out(gateway, due)]


def _carry_out(gateway: Gateway, due: Due) -> bool:
    """Do what is due if the object still is where it was when this was planned."""
    if due.task in (refunds.SETTLE_REFUND, refunds.FAIL_REFUND):
        return _move_refund(gateway, due)
    intent = gateway.find("payment_intent", due.object)
    if due.task == payments.LAPSE and intent["status"] == "requires_capture":
        payments.cancel(gateway, intent, "automatic", BY_ITSELF)
        return True
    if due.task == payments.SETTLE_PAYMENT and intent["status"] == "processing":
        payments.settle(gateway, intent, BY_ITSELF)
        return True
    return False


def _move_refund(gateway: Gateway, due: Due) -> bool:
    refund = gateway.find("refund", due.object)
    if due.task == refunds.SETTLE_REFUND and refund["status"] == "pending":
        refunds.settle(gateway, refund, BY_ITSELF)
        return True
    if due.task == refunds.FAIL_REFUND and refund["status"] == "succeeded":
        refunds.fail(gateway, refund, BY_ITSELF)
        return True
    return False
