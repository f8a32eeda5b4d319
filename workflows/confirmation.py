"""Waiting for the shop's word on an order that is held or paid."""

from collections.abc import Awaitable, Callable
from datetime import datetime

from temporalio import workflow

from domain.checkout import Failure
from domain.saga import EndReason
from domain.timeline import EventType
from workflows.endings import NoSaleError
from workflows.journal import Journal
from workflows.mailbox import Decision, Mailbox


class Confirmation:
    """Ends when the shop confirms; its no, its silence and its cancel raise NoSaleError."""

    def __init__(self, journal: Journal, mailbox: Mailbox) -> None:
        self._journal = journal
        self._mailbox = mailbox

    async def run(self, deadline: datetime, has_news: Callable[[], bool], heed: Callable[[], Awaitable[None]]) -> None:
        """Meanwhile `heed` what happens elsewhere, whenever it `has_news`."""
        while not self._answered():
            try:
                await workflow.wait_condition(
                    lambda: self._answered() or has_news(),
                    timeout=deadline - workflow.now(),
                    timeout_summary="the shop must confirm",
                )
            except TimeoutError:
                failure = Failure("not_confirmed_in_time", "the shop did not confirm the order in time")
                raise self._rejected(EndReason.NOT_CONFIRMED_IN_TIME, "timer", failure) from None
            await heed()
        if self._mailbox.cancel_requested:
            raise NoSaleError(EndReason.CANCELED_BY_SHOP, "api")
        if self._mailbox.decision is Decision.REJECT:
            failure = Failure("rejected_by_shop", self._mailbox.reject_reason)
            raise self._rejected(EndReason.REJECTED_BY_SHOP, "api", failure)

    def _answered(self) -> bool:
        return self._mailbox.decision is not None or self._mailbox.cancel_requested

    def _rejected(self, reason: EndReason, cause: str, failure: Failure) -> NoSaleError:
        self._journal.enter(
            self._journal.state, cause, name="rejected", event=EventType.ORDER_REJECTED, details={"reason": reason}
        )
        return NoSaleError(reason, cause, failure)
