"""What a shop may ask of a running checkout: open, confirm, reject, cancel. Asked twice it is done once."""

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from domain.checkout import CheckoutStatus
from domain.saga import CheckoutCommand
from domain.states import CheckoutState
from workflows.journal import Journal
from workflows.mailbox import Decision
from workflows.reachable import Reachable

_UNPAID = frozenset({CheckoutState.PROCESSING, CheckoutState.AWAITING_PAYMENT, CheckoutState.AUTHORIZED})
_TAKEN = frozenset({CheckoutState.AUTHORIZED, CheckoutState.PAID})


class Commands(Reachable):
    """The updates of a checkout. They only note what was asked and wait for the story to have acted on it."""

    def __init__(self, command: CheckoutCommand, journal: Journal) -> None:
        super().__init__()
        self._command = command
        self._journal = journal
        self._undoing = False

    @workflow.update
    async def open(self) -> str:
        """Wait until the customer has a next step, or the checkout ended without one. Answers the state."""
        await workflow.wait_condition(lambda: self._journal.written.state is not CheckoutState.PROCESSING)
        return self._journal.written.state

    @workflow.update
    async def confirm(self) -> str:
        """The shop keeps the order. Answers the state this led to."""
        self._mailbox.decision = Decision.CONFIRM
        return await self._left(_TAKEN)

    @confirm.validator
    def _may_confirm(self) -> None:
        if self._mailbox.decision is not Decision.CONFIRM:
            self._refuse_unless(self._awaits_shop(), "confirmed")

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
        unpaid = self._journal.state in _UNPAID and not self._undoing
        self._refuse_unless(unpaid and self._mailbox.decision is None and self._decides, "canceled")

    @workflow.query
    def status(self) -> CheckoutStatus:
        """Where the checkout stands on the books."""
        return self._journal.written

    def _awaits_shop(self) -> bool:
        asked = self._command.confirm_within_seconds is not None and self._mailbox.decision is None
        paid = self._journal.state in _TAKEN
        return asked and paid and self._decides and not self._undoing and not self._mailbox.cancel_requested

    @property
    def _decides(self) -> bool:
        """Whether the shop may say what becomes of it: of a tender, its split checkout does."""
        return self._command.parent_id is None

    async def _left(self, states: frozenset[CheckoutState]) -> str:
        await workflow.wait_condition(lambda: self._journal.written.state not in states)
        return self._journal.written.state

    def _refuse_unless(self, allowed: bool, wish: str) -> None:
        if not allowed:
            message = f"a checkout that is {self._journal.state} cannot be {wish} now"
            raise ApplicationError(message, type="NotAllowed", non_retryable=True)
