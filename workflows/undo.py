"""Giving back: whatever the payment turns out to be, in the end nothing is held and nothing is kept."""

from domain.booked import catch_up
from domain.checkout import Failure
from domain.outcomes import Completed, Declined, Pending
from domain.payment import PaymentSnapshot, PaymentStatus, RefundSnapshot, RefundStatus
from domain.saga import EndReason
from domain.states import CheckoutState
from domain.timeline import EventType
from gateways.contract import Verb
from workflows.cases import Cases
from workflows.desk import Desk
from workflows.journal import Journal

_ENDS: dict[EndReason, tuple[CheckoutState, EventType]] = {
    EndReason.DECLINED: (CheckoutState.DECLINED, EventType.PAYMENT_DECLINED),
    EndReason.EXPIRED: (CheckoutState.EXPIRED, EventType.PAYMENT_EXPIRED),
    EndReason.CANCELED_BY_SHOP: (CheckoutState.CANCELED, EventType.PAYMENT_CANCELED),
    EndReason.CANCELED_AT_GATEWAY: (CheckoutState.CANCELED, EventType.PAYMENT_CANCELED),
    EndReason.REJECTED_BY_SHOP: (CheckoutState.CANCELED, EventType.PAYMENT_CANCELED),
    EndReason.NOT_CONFIRMED_IN_TIME: (CheckoutState.CANCELED, EventType.PAYMENT_CANCELED),
    EndReason.CANCELED_BY_OPERATOR: (CheckoutState.CANCELED, EventType.PAYMENT_CANCELED),
    EndReason.FAILED: (CheckoutState.CANCELED, EventType.PAYMENT_CANCELED),
}

_FAILURES = {
    EndReason.CANCELED_AT_GATEWAY: Failure(EndReason.CANCELED_AT_GATEWAY, "the payment was ended at the gateway"),
    EndReason.CANCELED_BY_OPERATOR: Failure(EndReason.CANCELED_BY_OPERATOR, "an operator canceled the checkout"),
    EndReason.FAILED: Failure(EndReason.FAILED, "the checkout could not go on"),
    EndReason.LATE_MONEY: Failure(EndReason.LATE_MONEY, "the payment came after the checkout had ended"),
}


class Undo:
    """The saga's compensation: void what is held, refund what was captured, wait until both are final.

    It reads the gateway before it acts, so it may start at any point and any number of times, also before it is known
    whether a payment exists: a call that timed out may have worked.
    """

    def __init__(
        self,
        journal: Journal,
        desk: Desk,
        cases: Cases,
        reason: EndReason,
        cause: str,
        failure: Failure | None = None,
    ) -> None:
        self._journal = journal
        self._desk = desk
        self._cases = cases
        self._reason = reason
        self._cause = cause
        self._failure = failure or _FAILURES.get(reason)
        self._started_in = journal.state
        self._asked: set[str] = set()

    async def run(self) -> None:
        """Go on until the gateway says that nothing is held and nothing is kept."""
        self._cases.leave_all(self._cause)
        payment = await self._desk.look_up()
        while not self._is_over(payment):
            payment = await self._step(payment)
        self._note_end(payment)
        await self._journal.write()

    def _is_over(self, payment: PaymentSnapshot | None) -> bool:
        """Whether nothing is held and nothing is kept. A captured payment that the gateway no longer shows is not."""
        if payment is None:
            return not self._journal.booked.captured_minor
        match payment.status:
            case PaymentStatus.CANCELED:
                return True
            case PaymentStatus.CAPTURED:
                return payment.refunded(RefundStatus.SUCCEEDED) == payment.captured
            case _:
                return False

    async def _step(self, payment: PaymentSnapshot | None) -> PaymentSnapshot | None:
        """Act on what the payment is now; answers what it is then."""
        if payment is None:
            await self._cases.review("payment_unknown", "the gateway no longer shows the payment that was captured")
            return await self._desk.look_up()
        match payment.status:
            case PaymentStatus.CAPTURED:
                return await self._give_back(payment)
            case PaymentStatus.PROCESSING:
                return await self._wait()
            case _:
                return await self._void(payment)

    async def _void(self, payment: PaymentSnapshot) -> PaymentSnapshot | None:
        if catch_up(self._journal.booked, payment):
            # A hold that no webhook told of: it goes on the books before it is released.
            self._journal.enter(self._journal.state, self._cause, name="found_held", payment=payment)
        match await self._desk.void(payment.payment_id):
            case Completed(evidence=PaymentSnapshot() as after):
                return after
            case Pending(evidence=PaymentSnapshot()):
                # The stored answer would stay as it is for ever, so the next void is a new operation.
                self._desk.next_attempt(Verb.VOID)
                return await self._wait()
            case Declined(decline=decline):
                message = f"the gateway will not void: {decline.gateway_code}"
                self._cause = await self._cases.review("void_declined", message)
                self._desk.next_attempt(Verb.VOID)
        return await self._desk.look_up()

    async def _give_back(self, payment: PaymentSnapshot) -> PaymentSnapshot | None:
        self._enter_refunding(payment)
        refund = self._our_refund(payment)
        if refund and refund.status is RefundStatus.FAILED:
            return await self._try_again("refund_failed", refund.failure_code or "unknown", payment)
        left = payment.captured - payment.refunded(RefundStatus.SUCCEEDED, RefundStatus.PENDING)
        if left.minor and refund and refund.status is RefundStatus.SUCCEEDED:
            # Ours went through and still something is left, because somebody else's refund came back.
            self._desk.next_attempt(Verb.REFUND)
        if not left.minor or self._desk.key(Verb.REFUND) in self._asked:
            return await self._wait()
        answer = await self._desk.refund(payment.payment_id, left)
        self._asked.add(self._desk.key(Verb.REFUND))
        if isinstance(answer, Declined):
            return await self._try_again("refund_declined", answer.decline.gateway_code, None)
        return await self._desk.look_up()

    async def _try_again(self, reason: str, code: str, payment: PaymentSnapshot | None) -> PaymentSnapshot | None:
        """A refund came to nothing: a person looks, then it is asked for anew, as a new operation."""
        message = f"the gateway did not give the money back: {code}"
        self._cause = await self._cases.review(reason, message, payment=payment, event=EventType.REFUND_FAILED)
        self._desk.next_attempt(Verb.REFUND)
        return await self._desk.look_up()

    async def _wait(self) -> PaymentSnapshot | None:
        fact = await self._desk.next_fact(lambda: False)
        if fact is None:
            return await self._desk.look_up()
        self._cause = fact.cause
        return fact.payment

    def _our_refund(self, payment: PaymentSnapshot) -> RefundSnapshot | None:
        """The refund that the current attempt asked for."""
        key = self._desk.key(Verb.REFUND)
        return next((refund for refund in payment.refunds if refund.reference == key), None)

    def _enter_refunding(self, payment: PaymentSnapshot) -> None:
        """Say that money is on its way back; later, note what moved meanwhile."""
        if self._journal.state is not CheckoutState.REFUNDING:
            self._journal.enter(
                CheckoutState.REFUNDING,
                self._cause,
                payment=payment,
                event=EventType.REFUND_CREATED,
                details={"reason": self._reason},
                failure=self._failure or self._journal.status.failure,
                next_action=None,
                stuck=False,
                waiting_for="the refund to be final",
            )
        elif payment.refunded(RefundStatus.PENDING).minor and catch_up(self._journal.booked, payment):
            self._journal.enter(CheckoutState.REFUNDING, self._cause, name="refund_pending", payment=payment)

    def _note_end(self, payment: PaymentSnapshot | None) -> None:
        if payment is None or payment.status is PaymentStatus.CANCELED:
            self._enter_kept_nothing(payment)
            return
        self._enter_refunding(payment)
        returned = payment.refunded(RefundStatus.SUCCEEDED)
        self._journal.enter(
            CheckoutState.REFUNDED,
            self._cause,
            payment=payment,
            event=EventType.REFUND_SUCCEEDED,
            details={"refunded": returned.minor, "currency": returned.currency},
            stuck=False,
            waiting_for=None,
        )

    def _enter_kept_nothing(self, payment: PaymentSnapshot | None) -> None:
        """End where the reason says; late money that came to nothing ends where it was."""
        state, event = _ENDS.get(self._reason, (self._started_in, None))
        late = self._reason is EndReason.LATE_MONEY
        self._journal.enter(
            state,
            self._cause,
            payment=payment,
            event=event,
            details={"reason": self._reason},
            failure=(None if late else self._failure) or self._journal.status.failure,
            next_action=None,
            stuck=False,
            waiting_for=None,
        )
