"""Tells all the scenarios on a running stack, and asks everybody afterwards what happened."""

import asyncio
import secrets
import time
from collections.abc import Iterable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx

from api.wiring import connect_temporal
from devstack.demo.accounts import ACCOUNTS
from devstack.demo.across import ACROSS, ACROSS_ALONE
from devstack.demo.board import Board
from devstack.demo.claims import Claim
from devstack.demo.crash import Crash
from devstack.demo.crash import scenarios as crash_scenarios
from devstack.demo.events.act import EventsAct, events_act
from devstack.demo.evidence import Evidence
from devstack.demo.hours import TenHours, ten_hours
from devstack.demo.judge import Heard, Result, Scene, conclude, hear
from devstack.demo.keys import api_key
from devstack.demo.people import GatewaySide, Shop, StoryError
from devstack.demo.promise import CAPTURED
from devstack.demo.report import ui_url
from devstack.demo.scenario import NAMES, Scenario, Told, as_held
from devstack.demo.scenarios import scenarios
from devstack.demo.settling import Settling
from devstack.demo.stage import Stage
from devstack.demo.witnesses import Parties
from devstack.stack import Stack

_PATIENCE_SECONDS = 90.0
"""Above what a worker's death in the middle of a call costs, which is the longest that anything else takes here."""
_LONG_PATIENCE_SECONDS = 150.0
"""For what begins first and waits for the minute after which a gateway's own list is read."""
_AT_ONCE = 24
"""Checkouts that are told at the same time, beside those that wait for the crash's end."""


@dataclass(frozen=True)
class Cast:
    """All tellings of a run, by when they are told. `met` are those whose worker is killed, `last` come after all."""

    patient: tuple[Told, ...]
    alone: tuple[Told, ...]
    met: tuple[Told, ...]
    others: tuple[Told, ...]
    last: tuple[Told, ...]

    def everything(self) -> list[Told]:
        """All, in the order of the tables: what the crash met comes last."""
        return [*self.others, *self.patient, *self.last, *self.alone, *self.met]


class Show:
    """One run of the demo on a running stack; its orders have ids that no other run has."""

    def __init__(self, stack: Stack, board: Board, second_key: str, run: str, act: EventsAct) -> None:
        assert stack.addresses.sandbox is not None, "the demo runs on the sandbox alone"
        self._stack = stack
        self._board = board
        self._run, self._act = run, act
        self.ends: list[datetime] = []
        """When each checkout came to its end."""
        self._orders = 0
        self._shop = Shop(stack.addresses.api, stack.api_key)
        self._colleague = Shop(stack.addresses.api, second_key)
        self._side = GatewaySide(stack.addresses.sandbox)
        self._accounts = {name: ACCOUNTS[name](stack.environment, self._side) for name in NAMES}
        self._crash, self._settling = Crash(), Settling()
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def aclose(self) -> None:
        """Close the connections."""
        for account in self._accounts.values():
            await account.close()
        await self._colleague.close()
        await self._shop.close()
        await self._side.close()

    async def run(self) -> Heard:
        """Tell every scenario, then ask what happened. The crash comes early, for what it breaks off takes longest."""
        cast = self._cast()
        begun = datetime.now(UTC)
        before = max((int(row["sequence"]) for row in await self._side.rows("/books")), default=0)
        try:
            await self._tell_all(cast)
        except BaseExceptionGroup as errors:
            raise _first_of(errors) from None
        self._board.say("asking everybody what happened …")
        parties = Parties(self._shop, self._side, self._accounts, before, begun)
        return await hear(
            Scene(
                parties,
                self._stack.addresses.database_url,
                await connect_temporal(self._stack.temporal_settings),
                cast.everything(),
                (_was_met_by_the_crash, _was_taken_over),
                self._page,
            )
        )

    async def _tell_all(self, cast: Cast) -> None:
        disturbing = self._act.disturbing
        async with asyncio.TaskGroup() as patient:
            for told in cast.patient:
                patient.create_task(self._tell(told))
            for told in cast.alone:
                await self._tell(told)
            await self._act.hearing.wait()
            async with asyncio.TaskGroup() as group:
                for told in cast.met:
                    group.create_task(self._tell(told))
                await self._crash.direct(self._stack, self._board.say, disturbing.silence)
                self._board.say(f"a new worker took over; {len(cast.others)} more checkouts begin")
                # The longest stories stand last in the tables, and begin first.
                for told in reversed(cast.others):
                    group.create_task(self._tell_in_turn(told))
                group.create_task(disturbing.take_the_broker())
            await self._act.go_on()
            async with asyncio.TaskGroup() as group:
                for told in cast.last:
                    group.create_task(self._tell(told))

    def _page(self, seen: Evidence) -> str | None:
        """The checkout's workflow in the Temporal UI; None where that is not ours."""
        ui, own = self._stack.addresses.temporal_ui, seen.workflows[0]
        return ui_url(ui, self._stack.temporal_settings.temporal_namespace, own.workflow_id, own.run_id) if ui else None

    def _cast(self) -> Cast:
        at_one = self._all_of(scenarios(self._settling))
        self._settling.meeting.parts = sum(told.scenario.play in self._settling.waiting for told in at_one)
        met = self._all_of(crash_scenarios(self._crash))
        self._crash.meeting.parts = len(met)
        alone = [told for told in at_one if told.stage.gateway in told.scenario.alone]
        patient = [told for told in at_one if told.scenario.patient]
        others = [told for told in at_one if told not in (*alone, *patient)]
        return Cast(
            tuple(patient),
            (*self._all_of(ACROSS_ALONE), *alone),
            tuple(met),
            (*others, *self._all_of(ACROSS)),
            tuple(self._all_of(self._act.scenarios)),
        )

    def _all_of(self, wanted: Iterable[Scenario]) -> list[Told]:
        return [self._told(scenario, gateway) for scenario in wanted for gateway in scenario.gateways]

    def _told(self, scenario: Scenario, gateway: str | None) -> Told:
        self._orders += 1
        self._board.expect(scenario.title)
        stage = Stage(
            self._shop,
            self._side,
            gateway,
            f"demo-{self._run}-{self._orders:03}",
            scenario.amount_minor,
            scenario.currency,
            lambda what: self._board.step(scenario.title, gateway or "", what),
            colleague=self._colleague,
            follows=True,
        )
        return Told(scenario, stage, scenario.promise_at(gateway))

    async def _tell_in_turn(self, told: Told) -> None:
        async with self._turns:
            await self._tell(told)

    async def _tell(self, told: Told) -> None:
        """Play the scenario, and wait for its promised end. Whatever fails is its own trouble alone."""
        scenario, stage = told.scenario, told.stage
        where = "" if scenario.across else stage.gateway or ""
        patience = _LONG_PATIENCE_SECONDS if scenario.patient else _PATIENCE_SECONDS
        try:
            async with asyncio.timeout(patience):
                await scenario.play(stage)
                if stage.decided is not None and stage.gateway is not None:
                    told.promise = as_held(stage.decided, stage.gateway)
                stage.say(f"on its way to {told.promise.state}")
                await stage.until(told.promise.state, seconds=patience)
        except TimeoutError:
            told.trouble.append(f"not {told.promise.state} within {patience:.0f} s")
        except (StoryError, httpx.HTTPError) as error:
            told.trouble.append(str(error) or type(error).__name__)
        except BaseExceptionGroup as errors:
            told.trouble += [str(error) for error in errors.exceptions]
        finally:
            await stage.leave()
        self.ends.append(datetime.now(UTC))
        self._board.done(scenario.title, where, not told.trouble, "; ".join(told.trouble) or told.promise.state)


def _first_of(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first failure is the cause, and says what a person should know: the rest was cancelled for it."""
    first = errors.exceptions[0]
    return _first_of(first) if isinstance(first, BaseExceptionGroup) else first


def _was_met_by_the_crash(told: Told) -> bool:
    """Whether its worker was killed in the middle of a call; the crash is told last."""
    return told.scenario.promise == CAPTURED


def _was_taken_over(told: Told) -> bool:
    return bool(told.promise.left)


@dataclass(frozen=True)
class Performance:
    """What came of a run, what was seen of the ten hours on the way, and what is claimed of the events."""

    result: Result
    hours: TenHours
    claims: tuple[Claim, ...]

    @property
    def good(self) -> bool:
        """Whether every promise and every claim holds, and everything agrees."""
        return self.result.good and not any(claim.trouble for claim in self.claims)


async def perform(stack: Stack, board: Board) -> Performance:
    """Run the demo once on this stack; the hours pass beside it, in a shop of their own."""
    second_key = api_key(stack.addresses.database_url, "demo, a second person", "read", "operate")
    run = secrets.token_hex(3)
    async with second_key as secret, events_act(stack, run, board.say) as act:
        await act.begin()
        async with aclosing(Show(stack, board, secret, run, act)) as show:
            begun = time.monotonic()
            try:
                async with asyncio.TaskGroup() as group:
                    told = group.create_task(show.run())
                    group.create_task(act.start_hearing())
                    passed = group.create_task(ten_hours(stack, board))
            except BaseExceptionGroup as errors:
                raise _first_of(errors) from None
            hours, heard = passed.result(), told.result()
            claims = await act.claims(heard.outcomes, show.ends)
            board.say(f"all told and judged after {time.monotonic() - begun:.1f} s")
            return Performance(conclude([heard, hours.heard]), hours, claims)
