"""Waiting for the shop's word on an order that is held or paid."""

from collections.abc import Awaitable, Callable
from datetime import datetime

from temporalio import workflow

from domain.checkout import Failure
from domain.saga import EndReason
from domain.timeline import EventType
from workflows.endings import NoSaleError
from workflows.hold import Due, Hold
from workflows.journal import Journal
from workflows.mailbox import Decision, Mailbox


class Confirmation:
    """Ends when the shop confirms; its no, its silence and its cancel raise NoSaleError."""

    def __init__(self, journal: Journal, mailbox: Mailbox, hold: Hold | None = None) -> None:
        self._journal = journal
        self._mailbox = mailbox
        self._hold = hold

    async def run(self, deadline: datetime, has_news: Callable[[], bool], heed: Callable[[], Awaitable[None]]) -> None:
        """Meanwhile `heed` what happens elsewhere, whenever it `has_news`, and see to the hold."""
        while not self._answered():
            due = self._hold.due() if self._hold else None
            until = deadline if due is None else min(deadline, due.at)
            try:
                await workflow.wait_condition(
                    lambda: self._answered() or has_news(),
                    timeout=until - workflow.now(),
                    timeout_summary="the shop must confirm",
                )
            except TimeoutError:
                if not self._answered():
                    await self._time_is_up(due if due is not None and due.at <= deadline else None)
            await heed()
        if self._mailbox.cancel_requested:
            raise NoSaleError(EndReason.CANCELED_BY_SHOP, "api")
        if self._mailbox.decision is Decision.REJECT:
            failure = Failure("rejected_by_shop", self._mailbox.reject_reason)
            raise self._rejected(EndReason.REJECTED_BY_SHOP, "api", failure)

    async def _time_is_up(self, due: Due | None) -> None:
        """The hold has to be seen to, where something of it is `due`; else the shop has been silent for too long."""
        if due is not None and self._hold is not None and await self._hold.see_to(due):
            return
        failure = Failure("not_confirmed_in_time", "the shop did not confirm the order in time")
        raise self._rejected(EndReason.NOT_CONFIRMED_IN_TIME, "timer", failure)

    def _answered(self) -> bool:
        return self._mailbox.decision is not None or self._mailbox.cancel_requested

    def _rejected(self, reason: EndReason, cause: str, failure: Failure) -> NoSaleError:
        self._journal.enter(
            self._journal.state, cause, name="rejected", event=EventType.ORDER_REJECTED, details={"reason": reason}
        )
        return NoSaleError(reason, cause, failure)
