"""Saying that a saga is stuck, and waiting for a person where only a person can help."""

from datetime import timedelta

from temporalio import workflow

from domain.checkout import CheckoutStatus, Failure
from domain.payment import PaymentSnapshot
from domain.states import CheckoutState
from domain.timeline import EventType, JsonScalar
from workflows.journal import Journal
from workflows.mailbox import Mailbox


class Cases:
    """A failing gateway is a mark while the saga goes forward, a case (`needs_review`) while money must go back.

    Whatever needs a decision is a case in any event. Nothing ends silently: a case stays open until it is closed here.
    """

    def __init__(self, journal: Journal, mailbox: Mailbox) -> None:
        self._journal = journal
        self._mailbox = mailbox
        self._before: CheckoutStatus | None = None
        self.compensating = False

    async def review(
        self,
        reason: str,
        message: str,
        *,
        payment: PaymentSnapshot | None = None,
        event: EventType = EventType.CASE_OPENED,
    ) -> str:
        """Open a case, wait until a person asks to go on, close it. Answers the cause: `operator`."""
        before = self._journal.status
        self._journal.enter(
            CheckoutState.NEEDS_REVIEW,
            "api" if payment is None else "poll",
            payment=payment,
            event=event,
            details={"reason": reason},
            failure=Failure(reason, message),
            stuck=True,
            waiting_for=f"a person ({reason})",
        )
        cause = await self.pause(None)
        self._journal.enter(
            before.state,
            cause,
            name="review_closed",
            event=EventType.CASE_CLOSED,
            details={"reason": reason},
            failure=before.failure,
            stuck=before.stuck,
            waiting_for=before.waiting_for,
        )
        return cause

    async def pause(self, pause: timedelta | None) -> str:
        """Wait until a person asks to go on. Answers the cause that ended the wait.

        With a `pause`, its end and a new fact from the gateway end the wait too; without, it takes as long as it takes.
        """
        # Asked before there was anything to ask about: it must not close what nobody has looked at.
        self._mailbox.retry_requested = False
        await self._journal.write()
        known = len(self._mailbox.facts)

        def fact_came() -> bool:
            return pause is not None and len(self._mailbox.facts) > known

        try:
            await workflow.wait_condition(
                lambda: self._mailbox.retry_requested or fact_came(),
                timeout=pause,
                timeout_summary="try again by itself",
            )
        except TimeoutError:
            return "timer"
        return "operator" if self._mailbox.retry_requested else self._mailbox.facts[-1].cause

    def stuck(self, step: str, reason: str) -> None:
        """The gateway gives no answer. Said once, until `unstuck`."""
        if self._before is not None:
            return
        self._before = self._journal.status
        details: dict[str, JsonScalar] = {"step": step, "reason": reason}
        waiting_for = f"the gateway to answer ({step}: {reason})"
        if not self.compensating:
            self._journal.enter(
                self._journal.state, "timer", name="stuck", details=details, stuck=True, waiting_for=waiting_for
            )
            return
        self._journal.enter(
            CheckoutState.NEEDS_REVIEW,
            "timer",
            event=EventType.CASE_OPENED,
            details=details,
            failure=Failure("compensation_failing", f"{step} at the gateway fails: {reason}"),
            stuck=True,
            waiting_for=waiting_for,
        )

    def unstuck(self, cause: str) -> None:
        """The gateway answers again."""
        before, self._before = self._before, None
        if before is None:
            return
        was_case = self._journal.state is CheckoutState.NEEDS_REVIEW
        self._journal.enter(
            before.state,
            cause,
            name="unstuck",
            event=EventType.CASE_CLOSED if was_case else None,
            failure=before.failure,
            stuck=False,
            waiting_for=before.waiting_for,
        )

    def leave_all(self, cause: str) -> None:
        """The saga turns back while it was stuck or in review: what was waited for is settled by giving back."""
        self.compensating = True
        self._before = None
        if not self._journal.status.stuck:
            return
        was_case = self._journal.state is CheckoutState.NEEDS_REVIEW
        self._journal.enter(
            self._journal.state,
            cause,
            name="left",
            event=EventType.CASE_CLOSED if was_case else None,
            failure=None,
            stuck=False,
            waiting_for=None,
        )
