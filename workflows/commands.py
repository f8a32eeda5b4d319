"""What a shop may ask of a running checkout: open, capture, confirm, reject, cancel.

Asked twice it is done once; of two captures, each is one. Of cancel, reject and the captures exactly one side wins: a
validator and the first step of its handler run without a break between them.
"""

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from domain.checkout import SPLIT, CaptureMode, CheckoutStatus
from domain.saga import CaptureOrder, CheckoutCommand
from domain.states import CheckoutState
from workflows.capture_orders import HELD, CaptureQueue, Ticket
from workflows.journal import Journal
from workflows.mailbox import Decision
from workflows.reachable import Reachable

_UNPAID = frozenset({CheckoutState.PROCESSING, CheckoutState.AWAITING_PAYMENT, CheckoutState.AUTHORIZED})
_TAKEN = HELD | {CheckoutState.PAID}


class Commands(Reachable):
    """The updates of a checkout. They only note what was asked and wait for the story to have acted on it."""

    def __init__(self, command: CheckoutCommand, journal: Journal) -> None:
        super().__init__()
        self._command = command
        self._journal = journal
        self._captures = CaptureQueue(journal)
        self._undoing = False

    @workflow.update
    async def open(self) -> str:
        """Wait until the customer has a next step, or the checkout ended without one. Answers the state."""
        await workflow.wait_condition(lambda: self._journal.written.state is not CheckoutState.PROCESSING)
        return self._journal.written.state

    @workflow.update
    async def confirm(self) -> str:
        """The shop keeps the order: what is held is taken, all that is left of it. Answers the state this led to."""
        self._mailbox.decision = Decision.CONFIRM
        if self._journal.state in HELD:
            return await self._carried_out(self._captures.everything())
        return await self._left(_TAKEN)

    @confirm.validator
    def _may_confirm(self) -> None:
        if self._mailbox.decision is not Decision.CONFIRM:
            self._refuse_unless(self._awaits_shop(), "confirmed")

    @workflow.update
    async def capture(self, order: CaptureOrder) -> str:
        """The shop keeps the order and wants this much of the hold taken. Answers the state this led to.

        Fails as CaptureDeclined when the gateway will not and the checkout goes on without.
        """
        self._mailbox.decision = Decision.CONFIRM
        return await self._carried_out(self._captures.add(order))

    @capture.validator
    def _may_capture(self, order: CaptureOrder) -> None:
        confirms = self._mailbox.decision is Decision.CONFIRM and self._captures.last is None
        on_confirm = self._command.capture is CaptureMode.ON_CONFIRM and self._command.gateway != SPLIT
        held = on_confirm and self._journal.state in HELD and self._is_open()
        self._refuse_unless(held and (confirms or self._awaits_shop()), "captured")
        if (objection := self._captures.objection(order)) is not None:
            raise ApplicationError(objection, type="InvalidCapture", non_retryable=True)

    @workflow.update
    async def reject(self, reason: str) -> str:
        """The shop does not keep the order: the payment is undone. Answers the state this led to."""
        if self._mailbox.decision is None:
            self._mailbox.decision, self._mailbox.reject_reason = Decision.REJECT, reason
        return await self._left(_TAKEN)

    @reject.validator
    def _may_reject(self, reason: str) -> None:
        if self._mailbox.decision is not Decision.REJECT:
            self._refuse_unless(self._awaits_shop(), "rejected")

    @workflow.update
    async def cancel(self) -> str:
        """The shop gives the checkout up before it is paid. Answers the state this led to."""
        self._mailbox.cancel_requested = True
        return await self._left(_UNPAID)

    @cancel.validator
    def _may_cancel(self) -> None:
        if self._mailbox.cancel_requested:
            return
        unpaid = self._journal.state in _UNPAID and self._mailbox.decision is None
        self._refuse_unless(unpaid and self._is_open(), "canceled")

    @workflow.query
    def status(self) -> CheckoutStatus:
        """Where the checkout stands on the books."""
        return self._journal.written

    def _awaits_shop(self) -> bool:
        asked = self._command.confirm_within_seconds is not None and self._mailbox.decision is None
        return asked and self._journal.state in _TAKEN and self._is_open()

    def _is_open(self) -> bool:
        """Whether the shop may say what becomes of it: of a tender, its split checkout does."""
        return self._command.parent_id is None and not self._undoing and not self._mailbox.cancel_requested

    async def _carried_out(self, ticket: Ticket) -> str:
        """Wait for a capture; the last one ends with the checkout's sale, or with the checkout."""
        await workflow.wait_condition(
            lambda: (
                (ticket.done and (ticket.refusal is not None or not ticket.order.final))
                or self._journal.written.state not in _TAKEN
            )
        )
        if (refusal := ticket.refusal) is not None:
            details = refusal.code, refusal.gateway_code
            raise ApplicationError(refusal.message, *details, type="CaptureDeclined", non_retryable=True)
        return self._journal.written.state

    async def _left(self, states: frozenset[CheckoutState]) -> str:
        await workflow.wait_condition(lambda: self._journal.written.state not in states)
        return self._journal.written.state

    def _refuse_unless(self, allowed: bool, wish: str) -> None:
        if not allowed:
            message = f"a checkout that is {self._journal.state} cannot be {wish} now"
            raise ApplicationError(message, type="NotAllowed", non_retryable=True)
