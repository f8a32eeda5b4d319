"""What happens by itself: refunds reach customers, debits settle, holds lapse, keys and events grow old."""

import asyncio
import itertools

from sandbox.part import Part


async def keep_time(part: Part) -> None:
    """Let time pass: carry out what comes due once a second, and forget what is old once an hour."""
    gateway = part.gateway
    for second in itertools.count(1):
        await asyncio.sleep(1)
        if second % 3600 == 0 or gateway.store.anything_due(gateway.clock.now()):
            catch_up(part)


def catch_up(part: Part) -> list[str]:
    """Carry out all that is due by now and forget what is too old; returns the ids of the objects that moved."""
    gateway = part.gateway
    with gateway.transaction():
        moved = [due.object for due in gateway.store.take_due(gateway.clock.now()) if part.carry_out(due)]
        gateway.forget()
    # Deliveries follow the virtual clock too: what waited for its time is to be looked at again.
    gateway.deliveries.wake.set()
    return moved


def settle_now(part: Part) -> list[str]:
    """Settle what is pending without waiting; returns the ids of the objects that moved."""
    with part.gateway.transaction():
        return [due.object for due in part.gateway.store.take_tasks(part.settleable) if part.carry_out(due)]
