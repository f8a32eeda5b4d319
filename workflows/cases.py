"""Saying that a saga is stuck, and waiting for a person where only a person can help."""

from collections.abc import Callable
from datetime import timedelta

from temporalio import workflow

from domain.checkout import CheckoutStatus, Failure
from domain.payment import PaymentSnapshot, RefundStatus
from domain.states import CheckoutState
from domain.timeline import EventType, JsonScalar
from workflows.journal import Journal
from workflows.mailbox import Mailbox

_LOST = "capture_lost"


class Cases:
    """A failing gateway is a mark while the saga goes forward, a case (`needs_review`) while money must go back.

    Whatever needs a decision is a case in any event. Nothing ends silently: a case stays open until it is closed here.
    """

    def __init__(self, journal: Journal, mailbox: Mailbox) -> None:
        self._journal = journal
        self._mailbox = mailbox
        self._before: CheckoutStatus | None = None
        self._unsilenced: CheckoutStatus | None = None
        self._strays: set[tuple[str, str, str, int]] = set()
        self._lasting = False
        self.compensating = False

    async def review(
        self,
        reason: str,
        message: str,
        *,
        payment: PaymentSnapshot | None = None,
        event: EventType = EventType.CASE_OPENED,
        doubts_sale: bool = False,
    ) -> str:
        """Open a case, wait until a person asks to go on, close it. Answers the cause: `operator`.

        What is sold stays sold: a case about it is a mark, unless it is the sale itself that is in doubt.
        """
        before = self._journal.status
        sold = before.state is CheckoutState.COMPLETED and not doubts_sale
        self._journal.enter(
            CheckoutState.COMPLETED if sold else CheckoutState.NEEDS_REVIEW,
            "api" if payment is None else "poll",
            name=CheckoutState.NEEDS_REVIEW,
            payment=payment,
            event=event,
            details={"reason": reason},
            failure=Failure(reason, message),
            stuck=True,
            waiting_for=f"a person ({reason})",
        )
        return await self._close_review(reason, before)

    async def _close_review(self, reason: str, before: CheckoutStatus) -> str:
        """Wait for a person, then go back to what was before."""
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

    async def capture_lost(self, payment: PaymentSnapshot | None = None) -> None:
        """Money that was taken went away again when it was too late to go without it.

        `payment` is the loss as it is freshly seen; None for one that is on the books already.
        """
        message = "the gateway could not keep the money it had taken, and what it was for is done"
        await self.review(_LOST, message, payment=payment, doubts_sale=True)
        await self._journal.write()

    async def take_up_loss(self) -> None:
        """A case about lost money that is open on the books outlives the workflow that opened it.

        It came of a sale or of a full refund, and neither is to be given back.
        """
        status = self._journal.status
        if status.state is not CheckoutState.NEEDS_REVIEW or status.failure is None or status.failure.code != _LOST:
            return
        returned = status.refunded_minor >= self._journal.command.amount.minor
        state = CheckoutState.REFUNDED if returned else CheckoutState.COMPLETED
        await self._close_review(_LOST, CheckoutStatus(state))
        await self._journal.write()

    async def stray(self, payment: PaymentSnapshot) -> None:
        """Money at a gateway that the saga left because nothing had happened there: neither adopted nor given back."""
        kept = payment.captured - payment.refunded(RefundStatus.SUCCEEDED)
        seen = (payment.gateway, payment.payment_id, payment.status, kept.minor)
        if seen in self._strays:
            return
        self._strays.add(seen)
        message = f"payment {payment.payment_id} at {payment.gateway}, which was left, is {payment.status}"
        await self.review("stray_payment", message)
        await self._journal.write()

    async def pause(self, pause: timedelta | None, given_up: Callable[[], bool] = lambda: False) -> str:
        """Wait until a person asks to go on. Answers the cause that ended the wait.

        With a `pause`, its end, a new fact from the gateway and `given_up` end the wait too; without, it takes as long
        as it takes.
        """
        # Asked before there was anything to ask about: it must not close what nobody has looked at.
        self._mailbox.retry_requested = False
        await self._journal.write()
        known = len(self._mailbox.facts)

        def is_over() -> bool:
            return pause is not None and (len(self._mailbox.facts) > known or given_up())

        try:
            await workflow.wait_condition(
                lambda: self._mailbox.retry_requested or is_over(),
                timeout=pause,
                timeout_summary="try again by itself",
            )
        except TimeoutError:
            return "timer"
        if self._mailbox.retry_requested:
            return "operator"
        return self._mailbox.facts[-1].cause if len(self._mailbox.facts) > known else "api"

    def stuck(self, step: str, reason: str, lasting: bool = False) -> None:
        """The gateway gives no answer, or always a no. Said once, until `unstuck`.

        A `lasting` trouble is not over with the next answer of any kind: only `overcome` ends it.
        """
        self._lasting = self._lasting or lasting
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
        if self._lasting:
            return
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

    def overcome(self, cause: str) -> None:
        """What was lasting is over too."""
        self._lasting = False
        self.unstuck(cause)

    def silent(self) -> None:
        """The gateway has nothing new to say for very long, and maybe never will: a person should ask there."""
        if self._journal.status.stuck:
            return
        self._unsilenced = self._journal.status
        waiting_for = "the gateway, which has said nothing new for long"
        self._journal.enter(self._journal.state, "timer", name="silent", stuck=True, waiting_for=waiting_for)

    def heard(self, cause: str) -> None:
        """The gateway has said something after all."""
        before, self._unsilenced = self._unsilenced, None
        if before is not None and self._journal.status.stuck:
            self._journal.enter(self._journal.state, cause, name="heard", stuck=False, waiting_for=before.waiting_for)

    def leave_all(self, cause: str) -> None:
        """The saga turns back while it was stuck or in review: what was waited for is settled by giving back."""
        self.compensating = True
        self._before = self._unsilenced = None
        self._lasting = False
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
