"""The shop's words race each other: exactly one of its yes, its no and its cancel is taken on."""

import asyncio
import itertools

from temporalio.client import WorkflowUpdateFailedError

from domain.checkout import Checkout
from domain.saga import CaptureOrder
from tests.workflows.agreement import agree
from tests.workflows.captures import held
from tests.workflows.support import Shop

ROUNDS = 50
AT_ONCE = 5
ORDERS = list(itertools.permutations(("cancel", "capture", "confirm", "reject")))


async def said(shop: Shop, checkout: Checkout, word: str) -> tuple[str, str | None]:
    """The word and the state it led to; None where it was refused."""
    arguments = {"capture": [CaptureOrder()], "reject": ["out of stock"]}.get(word, [])
    try:
        answer = await shop.handle(checkout).execute_update(word, args=arguments, result_type=str)
    except WorkflowUpdateFailedError:
        return word, None
    return word, str(answer)


async def race(shop: Shop, number: int) -> str:
    """Say everything at once, each time in another order, and look at what came of it; the side that won."""
    checkout = await held(shop)
    words = ORDERS[number % len(ORDERS)]
    heard = dict(await asyncio.wait_for(asyncio.gather(*(said(shop, checkout, word) for word in words)), 60))
    won = {"yes" if word in ("capture", "confirm") else word for word, state in heard.items() if state}
    assert len(won) == 1, heard
    await shop.handle(checkout).result()
    status, moved = await agree(shop, checkout), await shop.moved(checkout)
    end = ("completed", "capture") if won == {"yes"} else ("canceled", "release")
    assert (status.state, moved) == (end[0], {"authorization": [4200], end[1]: [4200]}), heard
    assert {state for state in heard.values() if state} == {end[0]}, heard
    return won.pop()


async def test_cancel_capture_confirm_and_reject_race(shop: Shop) -> None:
    """50 holds on which all four are said in the same moment: one side wins, and the gateway's books are its."""
    winners = []
    for start in range(0, ROUNDS, AT_ONCE):
        winners += await asyncio.gather(*(race(shop, number) for number in range(start, start + AT_ONCE)))
    assert len(winners) == ROUNDS
    assert set(winners) == {"yes", "cancel", "reject"}, "each of them is the first now and then"
