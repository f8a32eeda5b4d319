"""Stories that are no single gateway's: the rules choose, another takes over, or several are paid together."""

import asyncio

import httpx

from devstack.demo import goods
from devstack.demo.customers import Call
from devstack.demo.people import Json, StoryError, accepted
from devstack.demo.plays import ASKED
from devstack.demo.promise import CAPTURED, VOIDED, Promise
from devstack.demo.scenario import Scenario
from devstack.demo.stage import MANY, Stage

_FIRST, _SECOND, _THIRD = "stripe", "paypal", "adyen"
"""As the demo's rules have them where none of them fits."""
_SPREAD_SECONDS = 1.5
"""Every process asks for the breakers once a second at most, so by then all know of a change."""
_LEG_EXPIRES_SECONDS = 20


async def by_rule(stage: Stage) -> None:
    """The shop leaves it to the rules, and one of them fits."""
    await _chosen(stage, "rule 1 (large in euro)", _THIRD)
    await stage.pay()


async def by_method(stage: Stage) -> None:
    """What the shop says of the customer decides."""
    await _chosen(stage, "rule 2 (wallets)", _SECOND, customer={"method": "wallet"})
    await stage.pay()


async def first_is_down(stage: Stage) -> None:
    """The first gateway opens no payments at the moment, and says so."""
    fault = await stage.fault(Call.CREATE, "unavailable_503", at=_FIRST, count=MANY)
    await stage.open()
    await stage.fired(fault)
    await stage.pay()


async def first_is_silent(stage: Stage) -> None:
    """The first never answers; what it may have opened takes no money unless we capture it, which we shall not."""
    fault = await stage.fault(Call.CREATE, "timeout_after", at=_SECOND, count=MANY)
    try:
        await stage.open(customer={"method": "wallet"})
        await stage.fired(fault)
    finally:
        await stage.side.mend(fault)
    await stage.pay()


async def first_lost_its_answer(stage: Stage) -> None:
    """The first opens the payment and its answer is lost: asked again, it has the payment, and keeps it."""
    fault = await stage.fault(Call.CREATE, "reset_after", at=_FIRST)
    await stage.open()
    await stage.fired(fault)
    await stage.pay()


async def kept_closed(stage: Stage) -> None:
    """An operator keeps the first closed to new payments for a while."""
    stage.say(f"an operator opens the breaker of {_FIRST}")
    await _breaker(stage, "forced_open")
    try:
        named = stage.order() | {"order_id": f"{stage.order_id}-named", "gateway": _FIRST}
        answer = await stage.shop.post("/checkouts", named)
        if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
            raise StoryError(f"a checkout at the closed gateway was answered {answer.status_code}")
        await _chosen(stage, f"{_FIRST} skipped", _SECOND)
    finally:
        await _breaker(stage, "automatic")
        await asyncio.sleep(_SPREAD_SECONDS)
    await stage.pay()


async def split_in_two(stage: Stage) -> None:
    """Two means of payment at two gateways, each over a part."""
    await open_in_two(stage)
    await all_pay(stage)


async def open_in_two(stage: Stage) -> None:
    """Up to where the customer can pay both."""
    await split(stage, {_FIRST: 3_000, _SECOND: 1_200})


async def split_in_three(stage: Stage) -> None:
    """One at each gateway."""
    await split(stage, {_FIRST: 2_000, _SECOND: 1_500, _THIRD: 700})
    await all_pay(stage)


async def split_with_a_lost_answer(stage: Stage) -> None:
    """One of the captures is done, and its answer never arrives."""
    await split(stage, {_THIRD: 2_000, _SECOND: 1_500, _FIRST: 700})
    fault = await stage.legs[1].fault(Call.CAPTURE, "timeout_after")
    await all_pay(stage)
    await stage.fired(fault)


async def split_and_given_back(stage: Stage) -> None:
    """All is paid, and the orders process finds nothing left to sell."""
    await split(stage, {_FIRST: 1_500, _SECOND: 1_500, _THIRD: 1_200}, **ASKED, **goods.SOLD_OUT)
    await all_pay(stage)


async def split_and_rejected(stage: Stage) -> None:
    """Both are held, and the orders process finds nothing left to sell."""
    await split(stage, {_THIRD: 2_200, _SECOND: 2_000}, capture="on_confirm", **ASKED, **goods.SOLD_OUT)
    await all_pay(stage)


async def split_and_left(stage: Stage) -> None:
    """One is paid and the other never is."""
    await split(stage, {_FIRST: 3_000, _THIRD: 1_200}, expires_in_seconds=_LEG_EXPIRES_SECONDS)
    await stage.legs[0].pay()


async def _chosen(stage: Stage, why: str, gateway: str, **terms: object) -> None:
    """Open it and look whether the rules chose that gateway for that reason, which the timeline keeps."""
    await stage.open(**terms)
    first_row = (await stage.shop.timeline(stage.checkout_id))[0]
    reason = str(first_row["details"].get("route"))
    if why not in reason or stage.gateway != gateway:
        raise StoryError(f"went to {stage.gateway} ({reason}), expected was {gateway} ({why})")


async def _breaker(stage: Stage, state: str) -> None:
    command: Json = {"state": state, "operation": "create", "reason": "maintenance"}
    accepted(await stage.shop.post(f"/gateways/{_FIRST}/breaker", command), 200)


async def split(stage: Stage, parts: dict[str, int], **terms: object) -> None:
    """The shop opens a split checkout; return when the customer can pay each tender."""
    tenders = [{"gateway": gateway, "amount": amount} for gateway, amount in parts.items()]
    checkout = await stage.open(tenders=tenders, **terms)
    for tender in checkout["tenders"]:
        await stage.leg(tender)


async def all_pay(stage: Stage) -> None:
    """The customer pays every tender."""
    for leg in stage.legs:
        await leg.pay()


def _at(gateway: str, *left: str, held: bool = False) -> Promise:
    return Promise("completed", held=held, taken=True, at=gateway, left=left)


_BOTH, _ALL = (CAPTURED, CAPTURED), (CAPTURED, CAPTURED, CAPTURED)
_ALL_BACK = (Promise("refunded", held=True, taken=True, returned=True),) * 3
_UNPAID = Promise("expired", attempts=0)

ACROSS = (
    Scenario("the rules choose by amount", _at(_THIRD, held=True), by_rule, 1_500_000, "EUR", across=True),
    Scenario("the rules choose by method", _at(_SECOND), by_method, across=True),
    Scenario("the first is down: the second takes it", _at(_SECOND, _FIRST), first_is_down, across=True),
    Scenario("the first lost its answer, and keeps it", _at(_FIRST), first_lost_its_answer, across=True),
    Scenario("split over two gateways", Promise("completed", legs=_BOTH), split_in_two, across=True),
    Scenario("split over three gateways", Promise("completed", legs=_ALL), split_in_three, across=True),
    Scenario("split, one answer timed out", Promise("completed", legs=_ALL), split_with_a_lost_answer, across=True),
    Scenario("split, sold out while held", Promise("canceled", legs=(VOIDED, VOIDED)), split_and_rejected, across=True),
    Scenario("split, sold out when paid", Promise("refunded", legs=_ALL_BACK), split_and_given_back, across=True),
    Scenario("split, one is never paid", Promise("expired", legs=(VOIDED, _UNPAID)), split_and_left, across=True),
)
"""Those that disturb nobody."""

ACROSS_ALONE = (
    Scenario("kept closed by an operator: routed around", _at(_SECOND), kept_closed, across=True),
    Scenario("the first is silent: the second takes it", _at(_FIRST, _SECOND), first_is_silent, across=True),
)
"""Those whose fault would meet other checkouts too, so they are told before all others."""
