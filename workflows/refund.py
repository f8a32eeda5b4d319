"""A refund that the shop asked for: given to the gateway once, watched over until it is final on the books."""

from dataclasses import replace
from datetime import timedelta

from temporalio import workflow

from activities.contract import LookUp, Refund
from activities.failures import KEY_SPENT
from activities.payments import PaymentActivities
from activities.refunds import FailRefund, RefundActivities, RefundOnBooks
from domain.case import CaseKind
from domain.checkout import Failure
from domain.money import Money
from domain.outcomes import Answer, Completed, Declined, Pending
from domain.payment import PaymentSnapshot, RefundSnapshot, RefundStatus
from domain.refund import RefundCommand, RefundRecord, refund_of
from gateways.contract import RefundPayment
from workflows import options
from workflows.attempts import Pauses
from workflows.board import Board
from workflows.endings import failure_of
from workflows.errand import Errand, Stake
from workflows.letters import tell_workflow
from workflows.notebook import Notebook, on_books
from workflows.orders import Acting, Orders
from workflows.reachable import Reachable
from workflows.shield import shielded
from workflows.unanswered import KeyUselessError, snake

_DISPUTED = Failure("dispute_open", "a dispute has the money by now; a refund beside it would pay twice")


@workflow.defn(name="Refund")
class RefundWorkflow(Acting, Reachable):
    """Its amount is reserved before it starts. It may run again: what it did is on the books, where it looks first."""

    @workflow.init
    def __init__(self, command: RefundCommand) -> None:
        super().__init__()
        self._command = command
        self._pen = Notebook(command.checkout_id, command.refund_id)
        self._orders = Orders(command.checkout_id, command.amount.currency, command.policy, self._pen)
        stake = Stake(f"refund/{command.refund_id}", command.amount, command.policy)
        self._errand = Errand(stake, self._pen, self._orders, self._mailbox, self._show, self._news)
        self._board = Board(RefundStatus.PENDING)
        self._number = 1
        self._record: RefundRecord | None = None

    @workflow.run
    async def run(self, command: RefundCommand) -> RefundStatus:
        """How it ended. A cancel changes nothing: what was promised to the customer is carried out."""
        status = await shielded(self._carry_out())
        await workflow.wait_condition(workflow.all_handlers_finished)
        return status

    async def _carry_out(self) -> RefundStatus:
        found = await self._read()
        self._number = max(1, found.asked)
        if self._is_to_ask(found.record):
            await self._ask(found)
        await self._until_final()
        await self._hear_out()
        record = self._standing()
        if record.status is RefundStatus.SUCCEEDED:
            for dispute_id in (await self._read()).inquiries:
                # The refund answers it, which the gateway shows before it tells.
                await tell_workflow(f"dispute/{dispute_id}", "gateway_said", "api")
        self._show("", False)
        return record.status

    async def _ask(self, found: RefundOnBooks) -> None:
        """Give it to the gateway, which takes it on or declines."""
        failure = None if found.asked else await self._obstacle(found)
        if failure is not None:
            await self._fail(failure)
            return
        match answer := await self._answer():
            case Completed(evidence=RefundSnapshot() as refund) | Pending(evidence=RefundSnapshot() as refund):
                await self._look("api", refund)
            case Declined(decline=decline):
                # It may be declined because it was taken on and failed, which the payment shows.
                await self._look("api")
                if self._is_to_ask(self._standing()):
                    blocked = (await self._read()).blocked
                    await self._fail(_DISPUTED if blocked else failure_of(decline))
            case _:
                raise AssertionError(f"a gateway answered a refund with {answer}")

    async def _obstacle(self, found: RefundOnBooks) -> Failure | None:
        """What has come between since the amount was reserved; the gateway has not been asked yet."""
        if found.blocked:
            return _DISPUTED
        payment = await self._look("poll")
        if payment is None or payment.captured.minor < self._pen.status.captured_minor:
            return None
        returned = payment.refunded(RefundStatus.SUCCEEDED, RefundStatus.PENDING).minor
        # More may have gone back than is taken, where a capture failed after its refund.
        left = Money(max(0, payment.captured.minor - returned), payment.captured.currency)
        if left.minor >= self._command.amount.minor:
            return None
        return Failure("amount_exceeds_available", f"the gateway has {left} of the payment left to give back")

    async def _answer(self) -> Answer:
        """The gateway's answer, under a new key where the one before can bring none any more."""
        c, pauses = self._command, Pauses(workflow.now())
        while True:
            key = c.key(self._number)
            call = Refund(c.account.gateway, c.checkout_id, RefundPayment(key, c.payment_id, c.amount))
            try:
                return await self._errand.answer("refund", PaymentActivities.refund_payment, call, pauses)
            except KeyUselessError as error:
                if error.reason == KEY_SPENT:
                    await self._errand.pause("refund", pauses)
                else:
                    await self._errand.decide(CaseKind(snake(error.reason)), f"{key}: {error}", self._is_shown)
                if not await self._is_shown():
                    self._number += 1

    async def _is_shown(self) -> bool:
        """Whether the gateway has the refund after all; then the key that asked for it is answered by a look."""
        payment = await self._look_up()
        return payment is not None and any(self._is_ours(refund) for refund in payment.refunds)

    async def _until_final(self) -> None:
        """Look whenever something is told, and with growing pauses when nothing is."""
        usual = timedelta(seconds=self._command.policy.poll_after_seconds)
        pause, since = usual, workflow.now()
        while self._standing().status is RefundStatus.PENDING:
            silent = workflow.now() - since >= options.SILENCE
            self._show("the refund to be final", silent)
            cause = await self._heard(pause)
            before = self._standing()
            await self._look(cause)
            if self._standing() != before:
                pause, since = usual, workflow.now()
            else:
                pause = min(2 * pause, max(usual, options.LONGEST_POLL_PAUSE))

    async def _heard(self, pause: timedelta) -> str:
        """The cause of the next look."""
        self._mailbox.retry_requested = False
        try:
            await workflow.wait_condition(
                lambda: bool(self._mailbox.facts) or self._mailbox.retry_requested,
                timeout=pause,
                timeout_summary="ask the gateway",
            )
        except TimeoutError:
            return "poll"
        return self._mailbox.facts.popleft().cause if self._mailbox.facts else "operator"

    async def _hear_out(self) -> None:
        """What was told while the end was written: nobody else is told of it."""
        while self._mailbox.facts:
            await self._look(self._mailbox.facts.popleft().cause)

    async def _look(self, cause: str, answered: RefundSnapshot | None = None) -> PaymentSnapshot | None:
        """Put on the books what the gateway shows; `answered` is what it said of the refund, which a read may lag."""
        payment = await self._look_up()
        if payment is None:
            return None
        if payment.captured.minor < self._pen.status.captured_minor:
            # From before the capture, or the capture was lost: which of them is not for a refund to find out.
            found = await self._read()
            if payment.captured.minor < found.status.captured_minor:
                return payment
        if answered is not None:
            key = self._command.key(self._number)
            payment = with_refund(payment, replace(answered, reference=answered.reference or key))
        noted = await self._pen.note(cause, payment=payment)
        self._record = next(r for r in noted.refunds if r.refund.id == self._command.refund_id)
        return payment

    async def _look_up(self) -> PaymentSnapshot | None:
        c = self._command
        call = LookUp(c.account.gateway, c.checkout_id, c.payment_id)
        return await self._errand.answer("look up", PaymentActivities.look_up_payment, call)

    async def _read(self) -> RefundOnBooks:
        found = await on_books(RefundActivities.read_refund, self._command.refund_id, "read the refund")
        self._pen.begin(found.status, found.sequence)
        self._record = found.record
        return found

    async def _fail(self, failure: Failure) -> None:
        call = FailRefund(self._command.refund_id, failure, "api", workflow.now())
        self._record = await on_books(RefundActivities.fail_refund, call, f"failed: {failure.code}")

    def _standing(self) -> RefundRecord:
        assert self._record is not None, "the refund is read before anything else"
        return self._record

    @staticmethod
    def _is_to_ask(record: RefundRecord) -> bool:
        return record.status is RefundStatus.PENDING and record.gateway_refund_id is None

    def _is_ours(self, refund: RefundSnapshot) -> bool:
        return refund_of(refund.reference) == self._command.refund_id

    def _news(self) -> int:
        return len(self._mailbox.facts)

    def _show(self, waiting_for: str, stuck: bool) -> None:
        c = self._command
        lines = [
            f"refund `{c.refund_id}` of checkout `{c.checkout_id}`",
            f"{c.amount} at `{c.account.gateway}`, payment `{c.payment_id}`",
        ]
        status = self._record.status if self._record else RefundStatus.PENDING
        self._board.show(status, waiting_for, lines, stuck)


def with_refund(payment: PaymentSnapshot, refund: RefundSnapshot) -> PaymentSnapshot:
    """The payment with a refund that it does not show yet, or shows as less far than it is."""
    others = tuple(other for other in payment.refunds if other.refund_id != refund.refund_id)
    shown = next((other for other in payment.refunds if other.refund_id == refund.refund_id), None)
    if shown is not None and shown.status is not RefundStatus.PENDING:
        return payment
    return replace(payment, refunds=(*others, refund))
