"""Ten hours without an answer: calls time out, carried out or not, and then the gateway cannot be reached at all.

The hours pass on a clock that leaps, in a shop of its own; see `faraway`.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import httpx

from devstack.demo.aftersale import refunded, sold
from devstack.demo.board import Board
from devstack.demo.casework import closed
from devstack.demo.customers import Call
from devstack.demo.faraway import Faraway, faraway
from devstack.demo.judge import Heard, Scene, hear
from devstack.demo.people import StoryError, accepted
from devstack.demo.plays import held
from devstack.demo.promise import CAPTURED, Promise
from devstack.demo.scenario import Scenario, Told, only
from devstack.demo.stage import Stage
from devstack.stack import Stack

_GATEWAY = "stripe"
_UNREACHABLE_HOURS = 10
_AT_MOST_HOURS = 6
"""The saga asks once an hour by then: later would mean that it has given up."""
_HOUR = timedelta(hours=1)
_TRIES = 1_000_000
_MOMENT = 0.2
_ALONE = only(_GATEWAY, "ten hours are told at one gateway: how long to ask is the saga's own rule, the same at all")

Step = Callable[[Stage], Awaitable[None]]


@dataclass(frozen=True)
class Sight:
    """How a checkout looks so long after its call: its state, what is shown of its waiting, and how many cases wait."""

    after: timedelta
    state: str
    shown: str | None
    cases: int


@dataclass(frozen=True)
class TenHours:
    """What everybody said of it in the end, and what was seen meanwhile, by the stories' titles."""

    heard: Heard
    sights: dict[str, list[Sight]]


@dataclass(frozen=True)
class _Act:
    """A call that gets no answer: what it takes to get there, the call, what happens to it, and how its end shows."""

    scenario: Scenario
    call: Call
    fault: str
    ask: Step
    ended: Step


async def _confirm(stage: Stage) -> None:
    await stage.tell("confirm")


async def _give_back(stage: Stage) -> None:
    accepted(await stage.refund(), 201, 202)


async def _is_captured(stage: Stage) -> None:
    await stage.until("completed")


async def _is_given_back(stage: Stage) -> None:
    await refunded(stage, stage.amount_minor)


def _story(title: str, promise: Promise, play: Step) -> Scenario:
    return Scenario(title, replace(promise, cases=1), play, absent=_ALONE, after=True)


_DONE = _story("capture done, unknown for ten hours", CAPTURED, held)
_NOT_DONE = _story("capture not done, unknown for ten hours", CAPTURED, held)
_GIVEN_BACK = _story("refund done, unknown for ten hours", Promise("completed", taken=True, returned=True), sold)
ACTS = (
    # The refund comes first: it looks at the gateway before it asks for anything, which must still be there then.
    _Act(_GIVEN_BACK, Call.REFUND, "timeout_after", _give_back, _is_given_back),
    _Act(_DONE, Call.CAPTURE, "timeout_after", _confirm, _is_captured),
    _Act(_NOT_DONE, Call.CAPTURE, "timeout_before", _confirm, _is_captured),
)


async def ten_hours(stack: Stack, board: Board) -> TenHours:
    """Tell it, beside a running stack on whose Postgres it has a database of its own."""
    for act in ACTS:
        board.expect(act.scenario.title)
    folder = stack.options.layout.data / "hours"
    async with faraway(folder, stack.addresses.database_url) as place:
        hours = _Hours(place, board)
        await hours.tell()
        told = [one for one, _ in hours.cast]
        shown = (lambda each: each.scenario is _DONE,)
        scene = Scene(place.parties, place.database_url, place.temporal, told, shown, lambda _: None)
        return TenHours(await hear(scene), hours.sights)


def check_nothing_decided(seen: Mapping[str, Sequence[Sight]]) -> None:
    """Raises StoryError when ignorance became something else, or not exactly one person was told of it."""
    for title, sights in seen.items():
        if len({sight.state for sight in sights}) != 1:
            raise StoryError(f"{title}: the state changed while nothing was known")
        if sights[-1].cases != 1:
            raise StoryError(f"{title}: {sights[-1].cases} cases are open after ten hours, not one")


class _Hours:
    """One telling."""

    def __init__(self, place: Faraway, board: Board) -> None:
        self._place, self._board = place, board
        run = secrets.token_hex(3)
        self.cast = [(self._told(act, f"hours-{run}-{number}"), act) for number, act in enumerate(ACTS, start=1)]
        self.sights: dict[str, list[Sight]] = {act.scenario.title: [] for act in ACTS}
        self._since: datetime | None = None

    async def tell(self) -> None:
        """From the sales to the end. What fails is the trouble of all, for they share their hours."""
        trouble = []
        try:
            await asyncio.gather(*(act.scenario.play(told.stage) for told, act in self.cast))
            outage = await self._fall_silent()
            await self._pass_hours(_UNREACHABLE_HOURS)
            await self._answer_again(outage)
        except (StoryError, httpx.HTTPError) as error:
            trouble.append(str(error) or type(error).__name__)
        for told, act in self.cast:
            told.trouble += trouble
            self._board.done(act.scenario.title, _GATEWAY, not trouble, "; ".join(trouble) or told.promise.state)

    async def _fall_silent(self) -> list[str]:
        """The calls are made and time out, and from then on nothing reaches the gateway. Answers the faults."""
        faults = [await told.stage.fault(act.call, act.fault) for told, act in self.cast]
        (first, giving_back), *captures = self.cast
        side, asked = self._place.parties.side, [asyncio.ensure_future(giving_back.ask(first.stage))]
        try:
            await first.stage.fired(faults[0])
            away = {"operation": "*", "kind": "reset_before", "gateway": _GATEWAY, "count": _TRIES}
            mute = {"operation": "webhook", "kind": "lose", "gateway": _GATEWAY, "count": _TRIES}
            outage = [str((await side.control("/faults", fault))["id"]) for fault in (away, mute)]
            asked += [asyncio.ensure_future(act.ask(told.stage)) for told, act in captures]
            for (told, _), fault in zip(captures, faults[1:], strict=True):
                await told.stage.fired(fault)
            await asyncio.gather(*asked)
        finally:
            for task in asked:
                task.cancel()
        self._since = self._place.clock.now()
        return outage

    async def _pass_hours(self, hours: int) -> None:
        for _ in range(hours):
            await self._place.clock.pass_time(_HOUR, self._look, _HOUR)

    async def _look(self) -> None:
        """How all of them stand, a moment after the clock has leapt."""
        await asyncio.sleep(_MOMENT)
        assert self._since is not None, "the calls are made before hours pass"
        after = self._place.clock.now() - self._since
        for told, act in self.cast:
            record = await self._place.books.get(told.stage.checkout_id)
            assert record is not None, "a checkout is never deleted"
            cases = await self._place.parties.shop.cases(told.stage.checkout_id, "true")
            # A refund waits beside its checkout, which is a sale and waits for nothing.
            shown = record.status.waiting_for or next((f"case: {case['message']}" for case in cases), None)
            sight = Sight(after, str(record.status.state), shown, len(cases))
            self.sights[act.scenario.title].append(sight)
            told.stage.say(f"no answer for {after.total_seconds() / 3600:.0f} simulated hours")

    async def _answer_again(self, outage: list[str]) -> None:
        """The gateway can be reached; nobody helps, the next try finds out what became of the call."""
        check_nothing_decided(self.sights)
        for fault in outage:
            await self._place.parties.side.mend(fault)
        for _ in range(_AT_MOST_HOURS):
            await self._pass_hours(1)
            if not any(sights[-1].cases for sights in self.sights.values()):
                break
        for told, act in self.cast:
            await act.ended(told.stage)
            await closed(told.stage)

    def _told(self, act: _Act, order_id: str) -> Told:
        scenario = act.scenario
        parties = self._place.parties
        stage = Stage(
            parties.shop,
            parties.side,
            _GATEWAY,
            order_id,
            scenario.amount_minor,
            scenario.currency,
            lambda what: self._board.step(scenario.title, _GATEWAY, what),
        )
        return Told(scenario, stage, scenario.promise_at(_GATEWAY))
