"""What came of a run: every promise looked at, all evidence laid side by side."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import httpx
from temporalio.service import RPCError

from api.wiring import connect_temporal
from devstack.demo import agreement, promise
from devstack.demo.agreement import Agreement
from devstack.demo.evidence import Evidence
from devstack.demo.people import StoryError
from devstack.demo.report import Outcome, ui_url
from devstack.demo.scenario import NAMES, Told
from devstack.demo.witnesses import Parties, Witnesses
from devstack.stack import Stack
from domain.timeline import TimelineRow
from ledger.books import Books
from ledger.contract import Verification
from ledger.engine import create_engine
from ledger.verify import verify

_ASKED_AT_ONCE = 8


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
    showcases: tuple[Showcase, ...]

    @property
    def good(self) -> bool:
        """Whether every promise was kept and everything agrees."""
        kept = not any(told.trouble for told, _ in self.outcomes)
        return kept and not self.agreement.disagreements and self.verification.breach is None


async def judge(stack: Stack, parties: Parties, everything: Sequence[Told]) -> Result:
    """Ask all parties about every checkout, and compare."""
    engine = create_engine(stack.addresses.database_url, pool_size=4)
    try:
        books = Books(engine)
        witnesses = Witnesses(parties, books, await connect_temporal(stack.temporal_settings))
        outcomes = await _all_heard(everything, witnesses)
        for told, seen in outcomes:
            # A scenario that broke off has said why; that it is not where it should be then follows.
            if seen is not None and not told.trouble:
                told.trouble += promise.broken(told.promise, seen)
        return Result(
            tuple(outcomes),
            agreement.compare((seen for _, seen in outcomes if seen is not None), NAMES, await witnesses.all_booked()),
            await verify(engine),
            await _showcases(outcomes, books, stack),
        )
    finally:
        await engine.dispose()


async def _all_heard(everything: Sequence[Told], witnesses: Witnesses) -> list[Outcome]:
    few = asyncio.Semaphore(_ASKED_AT_ONCE)

    async def heard(told: Told) -> Outcome:
        async with few:
            return await _with_evidence(told, witnesses)

    return list(await asyncio.gather(*map(heard, everything)))


async def _with_evidence(told: Told, witnesses: Witnesses) -> Outcome:
    if not told.stage.checkout_id:
        return told, None
    try:
        return told, await witnesses.all_about(told.stage.checkout_id)
    except (StoryError, httpx.HTTPError, RPCError) as error:
        told.trouble.append(f"no evidence could be had: {error}")
        return told, None


async def _showcases(outcomes: Sequence[Outcome], books: Books, stack: Stack) -> tuple[Showcase, ...]:
    """One whose worker was killed in the middle of a call, and one that another gateway took over."""
    wanted: tuple[Callable[[Told], bool], ...] = (
        lambda told: told.scenario.promise == promise.CAPTURED,
        lambda told: bool(told.promise.left),
    )
    found = []
    for wants in wanted:
        # The crash is told last.
        for told, seen in reversed(outcomes):
            if seen is not None and seen.workflows and wants(told):
                found.append(Showcase(told, seen, await books.timeline(seen.checkout_id), _url(stack, seen)))
                break
    return tuple(found)


def _url(stack: Stack, seen: Evidence) -> str | None:
    ui, own = stack.addresses.temporal_ui, seen.workflows[0]
    return ui_url(ui, stack.temporal_settings.temporal_namespace, own.workflow_id, own.run_id) if ui else None
