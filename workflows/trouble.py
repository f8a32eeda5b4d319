"""Saying that a gateway gives no answer, or the wrong one, and waiting until it is time to try again."""

from collections.abc import Callable
from datetime import datetime, timedelta

from temporalio import workflow

from domain.case import NEEDS, CaseAction, CaseKind, CloseCase, OpenCase
from domain.checkout import CheckoutStatus, Failure
from domain.saga import EndReason
from domain.states import CheckoutState
from domain.timeline import EventType, JsonScalar
from workflows.endings import MarkedPaidError, NoSaleError
from workflows.journal import Journal
from workflows.mailbox import Mailbox
from workflows.orders import Orders, Waiting

TURNS_BACK = frozenset({CaseAction.REFUND, CaseAction.VOID})
"""What ends a saga that is on its way to a sale; for one that gives back they mean to go on."""


class Trouble:
    """A failing gateway is a mark while the saga goes forward, a case (`needs_review`) while money must go back.

    A mark that stays for long is a case too, beside the checkout's state: a page.
    """

    def __init__(self, journal: Journal, mailbox: Mailbox, orders: Orders | None = None) -> None:
        command = journal.command
        self._journal = journal
        self._mailbox = mailbox
        self.orders = orders or Orders(command.checkout_id, command.amount.currency, command.policy, journal)
        self._before: CheckoutStatus | None = None
        self._troubled: Waiting | None = None
        self._unsilenced: CheckoutStatus | None = None
        self._lasting = False
        self.compensating = False
        self.ended = False

    async def pause(self, pause: timedelta, given_up: Callable[[], bool] = lambda: False) -> str:
        """Wait until it is time to try again. Answers the cause that ended the wait.

        A person's order, a new fact from the gateway and `given_up` end it before its time. Raises what an order leads
        to that is not for trying again: NoSaleError, MarkedPaidError.
        """
        self._mailbox.retry_requested = False
        await self._journal.write()
        known = len(self._mailbox.facts)

        def is_over() -> bool:
            return self._is_asked(self._troubled) or len(self._mailbox.facts) > known or given_up()

        try:
            await workflow.wait_condition(is_over, timeout=pause, timeout_summary="try again by itself")
        except TimeoutError:
            return "timer"
        await self._heed_overtaken()
        if self._carry_out_in_trouble() or self._mailbox.retry_requested:
            return "operator"
        return self._mailbox.facts[-1].cause if len(self._mailbox.facts) > known else "api"

    def _carry_out_in_trouble(self) -> bool:
        """Whether there was an order about the trouble, to try again."""
        troubled = self._troubled
        order = self.orders.take(troubled) if troubled else None
        if troubled is None or order is None:
            return False
        if order.action is CaseAction.MARK_PAID:
            self.overcome("operator")
            raise MarkedPaidError(order.evidence or "")
        self._heed_turn(troubled, order.action)
        return True

    def stuck(self, step: str, reason: str, since: datetime | None = None, lasting: bool = False) -> None:
        """The gateway gives no answer, or always a no. Said once, until `unstuck`; `since` when nothing is known.

        A `lasting` trouble is not over with the next answer of any kind: only `overcome` ends it.
        """
        self._lasting = self._lasting or lasting
        if self._before is not None:
            return
        self._before = self._journal.status
        details: dict[str, JsonScalar] = {"step": step, "reason": reason}
        waiting_for = _unanswered(step, reason, since)
        if not self.compensating:
            self._journal.enter(
                self._journal.state, "timer", name="stuck", details=details, stuck=True, waiting_for=waiting_for
            )
            return
        message = f"{step} at the gateway fails: {reason}"
        self._troubled = self.orders.opened(self._marked(CaseKind.COMPENSATION_FAILING, message))
        self._journal.enter(
            CheckoutState.NEEDS_REVIEW,
            "timer",
            event=EventType.CASE_OPENED,
            details=details,
            case=self._troubled.mark,
            failure=Failure(CaseKind.COMPENSATION_FAILING, message),
            stuck=True,
            waiting_for=waiting_for,
        )

    def page(self, step: str, reason: str, since: datetime) -> None:
        """Nothing has been known for so long that a person has to hear of it: a line in the log, and a case."""
        checkout = self._journal.command.checkout_id
        workflow.logger.error("%s: %s has had no answer since %s (%s)", checkout, step, _at(since), reason)
        if self._troubled is not None:
            return
        message = f"{step} at the gateway has had no answer since {_at(since)} ({reason})"
        mark = self._marked(CaseKind.UNKNOWN_OUTCOME, message)
        self._troubled = self.orders.opened(mark, self._withheld(self._journal.status))
        self._journal.enter(
            self._journal.state,
            "timer",
            name="unknown_outcome",
            event=EventType.CASE_OPENED,
            details={"step": step, "reason": reason},
            case=mark,
            stuck=True,
            waiting_for=_unanswered(step, reason, since),
        )

    def unstuck(self, cause: str) -> None:
        """The gateway answers again. Raises NoSaleError when a person had ordered to turn back meanwhile."""
        if self._lasting:
            return
        before, self._before = self._before, None
        if before is None:
            return
        troubled, self._troubled = self._troubled, None
        order = self.orders.take(troubled) if troubled else None
        if troubled is not None:
            self.orders.closed(troubled)
        self._journal.enter(
            before.state,
            cause,
            name="unstuck",
            event=EventType.CASE_CLOSED if troubled else None,
            case=closing(troubled, cause) if troubled else None,
            failure=before.failure,
            stuck=False,
            waiting_for=before.waiting_for,
        )
        if troubled is not None and order is not None:
            self._heed_turn(troubled, order.action)

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

    def _heed_turn(self, waiting: Waiting, action: CaseAction) -> None:
        """Turn back where the saga still goes forward. A hold that would not be released is only asked for again."""
        if action is CaseAction.VOID and waiting.mark.kind is CaseKind.VOID_DECLINED:
            return
        if action in TURNS_BACK and not self.compensating and not self.ended:
            raise NoSaleError(EndReason.CANCELED_BY_OPERATOR, "operator")

    def _is_asked(self, waiting: Waiting | None) -> bool:
        ordered = waiting is not None and waiting.taken is not None
        return self._mailbox.retry_requested or ordered or self._journal.overtaken is not None

    async def _heed_overtaken(self) -> None:
        """A handler found the books further than this workflow knows: the story learns it as it would by itself."""
        if self._journal.overtaken is not None:
            await self._journal.write()

    def _marked(
        self, kind: CaseKind, message: str, at_stake: int | None = None, subject: str | None = None
    ) -> OpenCase:
        amount = self._journal.command.amount.minor if at_stake is None else at_stake
        return OpenCase(kind, message, workflow.info().workflow_id, amount, subject)

    def _withheld(self, before: CheckoutStatus) -> frozenset[CaseAction]:
        """What cannot be ordered here, whatever the kind of case: what has ended cannot turn back, only what is on its
        way back can be written off, and nothing is marked as paid that is on its way back or was taken before.
        """
        if self.compensating:
            return frozenset({CaseAction.MARK_PAID})
        if self.ended:
            return TURNS_BACK | {CaseAction.MARK_PAID, CaseAction.WRITE_OFF}
        payable = before.state in NEEDS[CaseAction.MARK_PAID] and not before.captured_minor
        return frozenset({CaseAction.WRITE_OFF} if payable else {CaseAction.WRITE_OFF, CaseAction.MARK_PAID})


def closing(waiting: Waiting, how: str) -> CloseCase:
    """The mark of the row that closes this case."""
    return CloseCase(waiting.mark.kind, how, waiting.mark.subject)


def _unanswered(step: str, reason: str, since: datetime | None) -> str:
    known = f", unknown since {_at(since)}" if since else ""
    return f"the gateway to answer ({step}: {reason}){known}"


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
