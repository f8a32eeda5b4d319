"""What a tender of a split checkout does while the split checkout decides."""

from datetime import timedelta

from temporalio import workflow

from domain.checkout import Failure
from domain.saga import EndReason, Verdict
from domain.states import CheckoutState
from workflows import options
from workflows.endings import NoSaleError
from workflows.journal import Journal
from workflows.mailbox import Mailbox
from workflows.till import Till


class Leg:
    """Waits for the split checkout's word, and does not wait for ever where the money is only held.

    What is taken is given back by that word alone (or by an operator's): the others may be sold already.
    """

    def __init__(self, journal: Journal, mailbox: Mailbox, till: Till) -> None:
        self._journal = journal
        self._mailbox = mailbox
        self._till = till
        self._silent = False

    async def until(self, wanted: Verdict) -> None:
        """Until the split checkout says so. Raises NoSaleError when it says to give back, or says nothing for long."""
        await self._journal.write()
        within = self._journal.command.confirm_within_seconds
        deadline = workflow.now() + (options.SPLIT_SILENCE if within is None else timedelta(seconds=within))
        if self._till.held_until is not None:
            deadline = min(deadline, self._till.held_until - options.HOLD_MARGIN)
        while not self._mailbox.was_told(wanted):
            pause = None if self._silent else max(deadline - workflow.now(), timedelta())
            try:
                await workflow.wait_condition(
                    lambda: self._mailbox.was_told(wanted) or bool(self._mailbox.facts),
                    timeout=pause,
                    timeout_summary="the split checkout must decide",
                )
            except TimeoutError:
                await self._unheard()
            await self._heed_facts()
        if self._mailbox.verdict is Verdict.GIVE_BACK:
            raise NoSaleError(EndReason.SPLIT_UNDONE, "split")
        self._heard()

    async def _unheard(self) -> None:
        """What is held is released; what is taken waits on, where people look."""
        if self._journal.state is CheckoutState.AUTHORIZED:
            failure = Failure("not_confirmed_in_time", "the split checkout did not decide in time")
            raise NoSaleError(EndReason.NOT_CONFIRMED_IN_TIME, "timer", failure)
        self._silent = True
        waiting_for = "its split checkout, which has said nothing for long"
        self._journal.enter(self._journal.state, "timer", name="unheard", stuck=True, waiting_for=waiting_for)
        await self._journal.write()

    def _heard(self) -> None:
        if self._silent:
            self._silent = False
            self._journal.enter(self._journal.state, "split", name="heard", stuck=False, waiting_for=None)

    async def _heed_facts(self) -> None:
        """The books and the split checkout learn of what happens at the gateway; that one judges it."""
        while self._mailbox.facts:
            await self._till.heed(self._mailbox.facts.popleft())
            await self._journal.write()
