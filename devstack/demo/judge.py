"""What came of a run: every promise looked at, all evidence laid side by side."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import httpx
from temporalio.client import Client
from temporalio.service import RPCError

from devstack.demo import agreement, promise
from devstack.demo.agreement import Agreement, Booked
from devstack.demo.evidence import Evidence
from devstack.demo.people import StoryError
from devstack.demo.report import Outcome
from devstack.demo.scenario import NAMES, Told
from devstack.demo.witnesses import Parties, Witnesses
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
class Scene:
    """Where stories were told, and who can be asked about them; `page` is a workflow's in the Temporal UI."""

    parties: Parties
    database_url: str
    temporal: Client
    told: Sequence[Told]
    shown: Sequence[Callable[[Told], bool]]
    page: Callable[[Evidence], str | None]


@dataclass(frozen=True)
class Heard:
    """What everybody said of a scene: of each checkout, of all that moved there, and of the books as a whole."""

    outcomes: tuple[Outcome, ...]
    booked: tuple[Booked, ...]
    verification: Verification
    showcases: tuple[Showcase, ...]


@dataclass(frozen=True)
class Result:
    """What came of a run."""

    outcomes: tuple[Outcome, ...]
    agreement: Agreement
    verifications: tuple[Verification, ...]
    showcases: tuple[Showcase, ...]

    @property
    def good(self) -> bool:
        """Whether every promise was kept and everything agrees."""
        kept = not any(told.trouble for told, _ in self.outcomes)
        return kept and not self.agreement.disagreements and not self.agreement.double_charges and self.books_hold

    @property
    def books_hold(self) -> bool:
        """Whether no row of the books was found wrong."""
        return all(verification.breach is None for verification in self.verifications)


async def hear(scene: Scene) -> Heard:
    """Ask all parties about every checkout."""
    engine = create_engine(scene.database_url, pool_size=4)
    try:
        books = Books(engine)
        witnesses = Witnesses(scene.parties, books, scene.temporal)
        outcomes = await _all_heard(scene.told, witnesses)
        for told, seen in outcomes:
            # A scenario that broke off has said why; that it is not where it should be then follows.
            if seen is not None and not told.trouble:
                told.trouble += promise.broken(told.promise, seen)
        booked = tuple(await witnesses.all_booked())
        return Heard(tuple(outcomes), booked, await verify(engine), await _showcases(scene, outcomes, books))
    finally:
        await engine.dispose()


def conclude(scenes: Sequence[Heard]) -> Result:
    """Lay what everybody said side by side, all scenes together."""
    outcomes = tuple(outcome for heard in scenes for outcome in heard.outcomes)
    booked = [row for heard in scenes for row in heard.booked]
    return Result(
        outcomes,
        agreement.compare((seen for _, seen in outcomes if seen is not None), NAMES, booked),
        tuple(heard.verification for heard in scenes),
        tuple(case for heard in scenes for case in heard.showcases),
    )


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
        return told, await witnesses.all_about(told.stage.checkout_id, tuple(told.stage.captures))
    except (StoryError, httpx.HTTPError, RPCError) as error:
        told.trouble.append(f"no evidence could be had: {error}")
        return told, None


async def _showcases(scene: Scene, outcomes: Sequence[Outcome], books: Books) -> tuple[Showcase, ...]:
    """The last of the checkouts, by their order in the tables, that each of the scene's wishes fits."""
    found = []
    for wants in scene.shown:
        for told, seen in reversed(outcomes):
            if seen is not None and seen.workflows and wants(told):
                found.append(Showcase(told, seen, await books.timeline(seen.checkout_id), scene.page(seen)))
                break
    return tuple(found)
