"""Tells all the scenarios at once on a running stack, and asks everybody afterwards what happened."""

import asyncio
import secrets
import time
from collections.abc import Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

import httpx
from temporalio.service import RPCError

from api.wiring import connect_temporal
from devstack.demo import agreement, crash, promise
from devstack.demo.agreement import Agreement
from devstack.demo.board import Board
from devstack.demo.evidence import Evidence
from devstack.demo.people import GatewaySide, Shop, StoryError
from devstack.demo.report import Outcome, ui_url
from devstack.demo.scenarios import SCENARIOS
from devstack.demo.stage import Scenario, Stage, Told
from devstack.demo.witnesses import Witnesses
from devstack.stack import Stack
from domain.timeline import TimelineRow
from ledger.books import Books
from ledger.contract import Verification
from ledger.engine import create_engine
from ledger.verify import verify

_PATIENCE_SECONDS = 70.0
"""Above what a worker's death in the middle of a call costs, which is the longest that anything takes here."""


@dataclass(frozen=True)
class Showcase:
    """One checkout to look at closely; `url` is None where the Temporal server has no UI of ours."""

    told: Told
    seen: Evidence
    rows: Sequence[TimelineRow]
    url: str | None


@dataclass(frozen=True)
class Result:
    """What came of a run."""

    outcomes: tuple[Outcome, ...]
    agreement: Agreement
    verification: Verification
    showcase: Showcase | None

    @property
    def good(self) -> bool:
        """Whether every promise was kept and everything agrees."""
        kept = not any(told.trouble for told, _ in self.outcomes)
        return kept and not self.agreement.disagreements and self.verification.breach is None


class Show:
    """One run of the demo on a running stack; its orders have ids that no other run has."""

    def __init__(self, stack: Stack, board: Board) -> None:
        assert stack.addresses.sandbox is not None, "the demo runs on the sandbox alone"
        self._stack = stack
        self._board = board
        self._run = secrets.token_hex(3)
        self._shop = Shop(stack.addresses.api, stack.api_key)
        self._gateway = GatewaySide(stack.addresses.sandbox)
        self._crash = crash.Crash(crash.PARTS)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._shop.close()
        await self._gateway.close()

    async def run(self) -> Result:
        """Tell every scenario, then judge. The crash comes first, for what it breaks off takes longest."""
        others = [self._cast(number, each) for number, each in enumerate(SCENARIOS, 1)]
        crashing = enumerate(crash.scenarios(self._crash), len(others) + 1)
        met = [self._cast(number, each) for number, each in crashing]
        self._board.expect(len(met) + len(others))
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._tell(told)) for told in met]
                await self._crash.direct(self._stack, self._board.say)
                self._board.say(f"a new worker took over; {len(others)} more checkouts begin")
                tasks += [group.create_task(self._tell(told)) for told in others]
        except BaseExceptionGroup as errors:
            # The first failure is the cause, and says what a person should know: the rest was cancelled for it.
            raise errors.exceptions[0] from None
        return await self._judge([*others, *met])

    def _cast(self, number: int, scenario: Scenario) -> Told:
        order_id = f"demo-{self._run}-{number:02}"
        stage = Stage(
            self._shop,
            self._gateway,
            order_id,
            scenario.amount_minor,
            scenario.currency,
            lambda what: self._board.step(scenario.title, what),
        )
        return Told(scenario, stage)

    async def _tell(self, told: Told) -> None:
        """Play the scenario, and wait for its promised end. Whatever fails is its own trouble alone."""
        scenario, stage = told.scenario, told.stage
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await scenario.play(stage)
                stage.say(f"on its way to {scenario.promise.state}")
                await stage.until(scenario.promise.state, seconds=_PATIENCE_SECONDS)
        except TimeoutError:
            told.trouble.append(f"not {scenario.promise.state} within {_PATIENCE_SECONDS:.0f} s")
        except (StoryError, httpx.HTTPError) as error:
            told.trouble.append(str(error) or type(error).__name__)
        except BaseExceptionGroup as errors:
            told.trouble += [str(error) for error in errors.exceptions]
        result = "; ".join(told.trouble) or scenario.promise.state
        self._board.done(scenario.title, not told.trouble, result)

    async def _judge(self, everything: Iterable[Told]) -> Result:
        engine = create_engine(self._stack.addresses.database_url, pool_size=4)
        try:
            books = Books(engine)
            where = self._stack.temporal_settings
            witnesses = Witnesses(self._shop, self._gateway, books, await connect_temporal(where))
            outcomes = [await _with_evidence(told, witnesses) for told in everything]
            for told, seen in outcomes:
                # A scenario that broke off has said why; that it is not where it should be then follows.
                if seen is not None and not told.trouble:
                    told.trouble += promise.broken(told.scenario.promise, seen)
            return Result(
                tuple(outcomes),
                agreement.compare(seen for _, seen in outcomes if seen is not None),
                await verify(engine),
                await self._showcase(outcomes, books, where.temporal_namespace),
            )
        finally:
            await engine.dispose()

    async def _showcase(self, outcomes: Sequence[Outcome], books: Books, namespace: str) -> Showcase | None:
        """The one whose worker was killed in the middle of a call, if it came that far."""
        for told, seen in reversed(outcomes):
            if seen is not None and seen.workflows and told.scenario.promise == promise.CAPTURED:
                ui = self._stack.addresses.temporal_ui
                own = seen.workflows[0]
                url = ui_url(ui, namespace, own.workflow_id, own.run_id) if ui else None
                return Showcase(told, seen, await books.timeline(seen.checkout_id), url)
        return None


async def _with_evidence(told: Told, witnesses: Witnesses) -> Outcome:
    if not told.stage.checkout_id:
        return told, None
    try:
        return told, await witnesses.all_about(told.stage.checkout_id)
    except (StoryError, httpx.HTTPError, RPCError) as error:
        told.trouble.append(f"no evidence could be had: {error}")
        return told, None


async def perform(stack: Stack, board: Board) -> Result:
    """Run the demo once on this stack."""
    async with aclosing(Show(stack, board)) as show:
        begun = time.monotonic()
        result = await show.run()
        board.say(f"all told and judged after {time.monotonic() - begun:.1f} s")
        return result
