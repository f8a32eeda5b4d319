"""What customers and shops do: the stories without a fault, which every gateway must be able to tell."""

import asyncio

import httpx

from devstack.demo import goods
from devstack.demo.customers import Means
from devstack.demo.people import Json, StoryError, accepted
from devstack.demo.stage import Stage

_BY_HAND: Json = {"metadata": {"order": "by_hand"}}
"""The shop decides on the order itself; the subscriber that takes orders leaves it alone."""
ASKED: Json = {"confirmation": {"required": True, "within_seconds": 600}}
CONFIRM: Json = ASKED | _BY_HAND
HOLD: Json = {"capture": "on_confirm"} | CONFIRM
_HASTY: Json = {"confirmation": {"required": True, "within_seconds": 2}} | _BY_HAND
OUT_OF_STOCK: Json = {"reason": "out of stock"}


async def paid(stage: Stage) -> None:
    """Nothing unusual."""
    await stage.open()
    await stage.pay()


async def declined_then_paid(stage: Stage) -> None:
    """The first means are refused, the second are not."""
    await stage.open()
    await stage.pay(Means.REFUSED)
    await stage.until_declined()
    await stage.pay()


async def authenticated(stage: Stage) -> None:
    """The bank asks the customer."""
    await stage.open()
    await stage.pay(Means.BANK_ASKS)
    await stage.authenticate("approve")


async def not_authenticated(stage: Stage) -> None:
    """The customer fails at the bank and takes another card."""
    await stage.open()
    await stage.pay(Means.BANK_ASKS)
    await stage.authenticate("decline")
    await stage.until_declined()
    await stage.pay()


async def abandoned(stage: Stage) -> None:
    """The customer goes away."""
    await stage.open(expires_in_seconds=3)


async def declined_and_left(stage: Stage) -> None:
    """The customer's only means are refused."""
    await stage.open(expires_in_seconds=10)
    await stage.pay(Means.NO_FUNDS)


async def confirmed(stage: Stage) -> None:
    """Paid first; then the orders process sets the goods aside, and confirms."""
    await stage.open(**ASKED, **goods.IN_STOCK)
    await stage.pay()


async def rejected(stage: Stage, means: Means = Means.GOOD) -> None:
    """The orders process finds nothing left to sell, and rejects."""
    await stage.open(**ASKED, **goods.SOLD_OUT)
    await stage.pay(means)


async def not_confirmed(stage: Stage) -> None:
    """The shop never says that it takes the order on."""
    await stage.open(**_HASTY)
    await stage.pay()


async def held_and_confirmed(stage: Stage) -> None:
    """Held until the orders process confirms."""
    await stage.open(capture="on_confirm", **ASKED, **goods.IN_STOCK)
    await stage.pay()


async def held_and_not_confirmed(stage: Stage) -> None:
    """Held, and the shop is silent."""
    await stage.open(capture="on_confirm", **_HASTY)
    await stage.pay()


async def held_and_rejected(stage: Stage) -> None:
    """Held, and there is nothing left to sell."""
    await stage.open(capture="on_confirm", **ASKED, **goods.SOLD_OUT)
    await stage.pay()


async def held(stage: Stage) -> None:
    """Up to where the shop itself is to confirm."""
    await stage.open(**HOLD)
    await stage.pay()
    await stage.until("authorized")


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
    """The shop gives up, and the customer comes afterwards."""
    await stage.open()
    await stage.tell("cancel")
    await stage.until("canceled")
    answer = await stage.side.visit(stage.page, {"outcome": "approve"})
    if stage.manners.closes and answer.status_code != httpx.codes.CONFLICT:
        raise StoryError(f"a canceled payment could still be paid: {answer.status_code}")
    if not stage.manners.closes:
        stage.say("the customer approves what nobody will take any more")
        await stage.delivered()
