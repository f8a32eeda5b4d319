"""The tenders of a split checkout: each is a checkout of its own, with a workflow of its own."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.workflow import ChildWorkflowCancellationType, ChildWorkflowHandle, ParentClosePolicy

from activities.books import BookActivities
from domain.case import CaseKind
from domain.saga import CheckoutCommand, Verdict
from domain.split import SplitCommand
from domain.states import ENDED
from workflows import options
from workflows.cases import Cases
from workflows.checkout import CheckoutWorkflow
from workflows.letters import tell
from workflows.search_attributes import at_start
from workflows.shield import uncut
from workflows.split_journal import SplitJournal


class Tenders:
    """Starts them, sees where they stand, and tells them what is decided.

    What they signal is only a hint that there is something to see: the books are read, so that no order of signals and
    none that is lost can mislead. Places count from 0.
    """

    def __init__(self, split: SplitCommand, journal: SplitJournal, cases: Cases) -> None:
        self._split = split
        self._journal = journal
        self._cases = cases
        self._handles: dict[int, ChildWorkflowHandle[Any, Any]] = {}
        self._started: set[int] = set()
        self._unheard: set[int] = set()
        self._told: dict[int, Verdict] = {}
        self._moved = False
        self._first_pause = timedelta(seconds=split.checkout.policy.poll_after_seconds)
        self._pause = self._first_pause
        self.cause = "api"
        self.gone: frozenset[int] = frozenset()

    @property
    def places(self) -> range:
        """The tenders' places."""
        return range(len(self._split.tenders))

    def moved(self) -> None:
        """One of them says that it has written something."""
        self._moved = True

    def has_news(self) -> bool:
        """Whether there may be something to see."""
        return self._moved

    async def start(self, place: int) -> None:
        """Start the tender's workflow unless it ever was. It outlives this one: it ends by what it is told."""
        if place in self._started:
            return
        command = self._split.tenders[place]
        try:
            handle = await uncut(self._start(place, command))
        except WorkflowAlreadyStartedError:
            workflow.logger.info("tender %s ran before", command.checkout_id)
        else:
            self._handles[place] = handle
            handle.add_done_callback(self._closed)
        self._started.add(place)

    async def _start(self, place: int, command: CheckoutCommand) -> ChildWorkflowHandle[Any, Any]:
        return await workflow.start_child_workflow(
            CheckoutWorkflow.run,
            command,
            id=f"checkout/{command.checkout_id}",
            cancellation_type=ChildWorkflowCancellationType.ABANDON,
            parent_close_policy=ParentClosePolicy.ABANDON,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            search_attributes=at_start(command),
            static_summary=f"tender {place + 1} of {command.parent_id}: {command.amount} at {command.gateway}",
        )

    async def look(self) -> None:
        """See where the tenders stand on the books, and put on the books what is new of it."""
        self._moved = False
        silent = self._unheard | {place for place, handle in self._handles.items() if handle.done()}
        seen = await workflow.execute_local_activity_method(
            BookActivities.read_tenders,
            self._split.checkout.checkout_id,
            start_to_close_timeout=options.BOOKS_ATTEMPT,
            retry_policy=options.BOOKS_RETRY,
        )
        for place, tender in enumerate(seen):
            if tender.state is not self._journal.tenders[place].state:
                self.cause = f"tender:{self._split.tenders[place].checkout_id}"
            self._journal.see(place, tender)
        self.gone = frozenset(place for place in silent if not self._has_ended(place))
        await self._journal.write()

    async def pause(self, interrupted: Callable[[], bool]) -> None:
        """Until there may be something to see; a hint may be lost, so it is looked now and then anyway."""
        try:
            await workflow.wait_condition(
                lambda: self._moved or interrupted(), timeout=self._pause, timeout_summary="look at the tenders"
            )
        except TimeoutError:
            self._pause = max(self._pause, min(2 * self._pause, options.LONGEST_POLL_PAUSE))
        else:
            self._pause = self._first_pause

    async def tell(self, place: int, verdict: Verdict) -> None:
        """Tell the tender what is decided. One that cannot hear it has ended, or is `gone` at the next look."""
        if self._told.get(place) is verdict:
            return
        if await tell(self._split.tenders[place].checkout_id, "split_verdict", verdict):
            self._told[place] = verdict
        else:
            self._unheard.add(place)

    async def conclude(self, place: int, verdict: Verdict) -> None:
        """Tell the tender what ends it, and wait until it has ended, however long that takes."""
        await self.start(place)
        await self.look()
        while not self._has_ended(place):
            await self.tell(place, verdict)
            await self.look()
            while not self._has_ended(place) and place not in self.gone:
                await self.pause(lambda: False)
                await self.look()
            if place in self.gone:
                await self._find(place)

    async def closed(self) -> None:
        """Wait a moment for the workflows to close: their last events would come in the way of this one's own end."""
        with suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: all(handle.done() for handle in self._handles.values()),
                timeout=options.CLOSING,
                timeout_summary="the tenders close",
            )

    def _has_ended(self, place: int) -> bool:
        return self._journal.tenders[place].state in ENDED

    async def _find(self, place: int) -> None:
        """Its workflow was terminated before it had ended: only a person can make it go on, by a reset."""
        message = f"the workflow of tender {place + 1} is closed, and the tender has not ended: reset it, then go on"

        async def settled() -> bool:
            await self.look()
            return self._has_ended(place)

        at_stake = self._split.tenders[place].amount.minor
        await self._cases.review(CaseKind.TENDER_GONE, message, at_stake=at_stake, settled=settled)
        self._handles.pop(place, None)
        self._unheard.discard(place)
        self._told.pop(place, None)
        self.gone -= {place}

    def _closed(self, handle: Any) -> None:
        """A tender's workflow is closed: how it ended is on the books."""
        if not handle.cancelled():
            handle.exception()  # else asyncio reports it as never retrieved
        self._moved = True
