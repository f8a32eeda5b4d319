"""The worker is killed (SIGKILL) while checkouts are under way, and another one takes over."""

import asyncio
from collections.abc import Awaitable, Callable

from api.wiring import connect_temporal
from devstack.demo import reconciling
from devstack.demo.across import all_pay, open_in_two
from devstack.demo.customers import Call
from devstack.demo.meeting import Meeting
from devstack.demo.people import Json, StoryError, accepted
from devstack.demo.plays import CONFIRM, OUT_OF_STOCK, held
from devstack.demo.promise import CAPTURED, COMPLETED, REFUNDED, Promise
from devstack.demo.scenario import Scenario
from devstack.demo.stage import Stage, eventually
from devstack.stack import Stack

_WORKING_SECONDS = 3
"""How long the gateway works on the call whose worker dies meanwhile."""
_ANSWER_PENDING = "done at the gateway; Temporal gives the dead worker 30 s to say so"

_BOTH = Promise("completed", legs=(CAPTURED, CAPTURED))
_PLACED = "placed"
_EXPOSED = "where the crash shall meet it: with a call at the gateway, or just waiting"
_DONE = "through with what it does while no worker runs"


class Crash:
    """The moment of the crash, awaited by all who take part."""

    def __init__(self) -> None:
        self.meeting = Meeting()
        self._killed, self._back = asyncio.Event(), asyncio.Event()

    async def direct(self, stack: Stack, say: Callable[[str], None], meanwhile: Callable[[], None]) -> None:
        """Kill the only worker when all are exposed, start another when all have used its absence.

        `meanwhile` is done just before: nothing is under way then.
        """
        async with reconciling.held(await connect_temporal(stack.temporal_settings)):
            await self.meeting.all_at(_EXPOSED)
            name = stack.kill_worker()
        say(f"{name} killed (SIGKILL) with {self.meeting.parts} checkouts under way; no worker runs now")
        self._killed.set()
        await self.meeting.all_at(_DONE)
        meanwhile()
        await stack.start_worker()
        self._back.set()

    async def placed(self) -> None:
        """Return when all who take part have come so far."""
        await self.meeting.reach(_PLACED)
        await self.meeting.all_at(_PLACED)

    async def happen(self) -> None:
        """Be met by the crash; return when there is no worker any more."""
        await self.meeting.reach(_EXPOSED)
        await self._killed.wait()

    async def over(self) -> None:
        """Report done, and wait for the new worker."""
        await self.meeting.reach(_DONE)
        await self._back.wait()

    async def give_up(self) -> None:
        """A scenario failed: the others must not wait for it."""
        await self.meeting.give_up(_PLACED, _EXPOSED, _DONE)


def scenarios(crash: Crash) -> tuple[Scenario, ...]:
    """The scenarios that the crash meets, each at another place."""

    def taking_part(act: Callable[[Stage, Crash], Awaitable[None]]) -> Callable[[Stage], Awaitable[None]]:
        async def play(stage: Stage) -> None:
            try:
                await act(stage, crash)
            except BaseException:
                await crash.give_up()
                raise

        return play

    return (
        Scenario("worker killed during the capture", CAPTURED, taking_part(_during_capture), 25_000, "EUR"),
        Scenario("worker killed during the refund", REFUNDED, taking_part(_during_refund), 25_000, "EUR"),
        Scenario("paid while no worker ran", COMPLETED, taking_part(_paid_meanwhile)),
        Scenario("confirmed while no worker ran", COMPLETED, taking_part(_confirmed_meanwhile)),
        Scenario("opened while no worker ran", COMPLETED, taking_part(_opened_meanwhile)),
        Scenario("split, paid while no worker ran", _BOTH, taking_part(_split_paid_meanwhile), across=True),
    )


async def _during_capture(stage: Stage, crash: Crash) -> None:
    await held(stage)
    await _mid_call(stage, crash, Call.CAPTURE, "confirm", None)


async def _during_refund(stage: Stage, crash: Crash) -> None:
    await stage.open(**CONFIRM)
    await stage.pay()
    await stage.until("paid")
    await _mid_call(stage, crash, Call.REFUND, "reject", OUT_OF_STOCK)


async def _mid_call(stage: Stage, crash: Crash, call: Call, command: str, body: Json | None) -> None:
    """The worker dies while the gateway works on its call, which the gateway then carries out for nobody."""

    async def movements() -> int:
        return len(await stage.side.rows("/books", checkout_id=stage.checkout_id))

    before = await movements()
    fault = await stage.fault(call, "slow", seconds=_WORKING_SECONDS)
    await crash.placed()
    async with asyncio.TaskGroup() as group:
        group.create_task(stage.tell(command, body))
        await stage.fired(fault)
        await crash.happen()
        if await movements() > before:
            raise StoryError("the gateway was done before the worker died")
    await eventually(movements, lambda seen: seen > before, "the gateway to finish the call")
    stage.say(_ANSWER_PENDING)
    await crash.over()


async def _paid_meanwhile(stage: Stage, crash: Crash) -> None:
    await stage.open()
    await _wait_for_it(crash)
    await stage.pay()
    await crash.over()


async def _split_paid_meanwhile(stage: Stage, crash: Crash) -> None:
    await open_in_two(stage)
    await _wait_for_it(crash)
    await all_pay(stage)
    await crash.over()


async def _confirmed_meanwhile(stage: Stage, crash: Crash) -> None:
    await stage.open(**CONFIRM)
    await stage.pay()
    await stage.until("paid")
    await _wait_for_it(crash)
    await stage.tell_nobody("confirm")
    await crash.over()
    await stage.tell("confirm")


async def _opened_meanwhile(stage: Stage, crash: Crash) -> None:
    await _wait_for_it(crash)
    stage.say("the shop opens a checkout")
    answer = await stage.shop.post("/checkouts", stage.order())
    checkout = accepted(answer, 202)
    if checkout["state"] != "processing":
        raise StoryError(f"opened as {checkout['state']} while no worker ran")
    stage.checkout_id = str(checkout["id"])
    await crash.over()
    await stage.opened(checkout)
    await stage.pay()


async def _wait_for_it(crash: Crash) -> None:
    """Be there, with nothing under way."""
    await crash.placed()
    await crash.happen()
