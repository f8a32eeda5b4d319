"""Giving back: whatever the payment turns out to be, in the end nothing is held and nothing is kept."""

from temporalio import workflow

from domain.booked import catch_up, is_lost, is_lower
from domain.case import CaseKind
from domain.checkout import Failure
from domain.money import Money
from domain.outcomes import Completed, Declined, Pending
from domain.payment import Decline, PaymentSnapshot, PaymentStatus, RefundSnapshot, RefundStatus
from domain.saga import EndReason
from domain.states import ENDED, NOTHING_TAKEN, CheckoutState
from domain.timeline import EventType
from gateways.contract import Verb
from workflows import options, patches
from workflows.cases import Cases
from workflows.desk import Desk
from workflows.endings import ENDS, FAILURES
from workflows.journal import Journal
from workflows.orders import WrittenOffError


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
        self._failure = failure or FAILURES.get(reason)
        self._started_in = journal.state
        self._asked: set[str] = set()
        self._void_pause = options.STUCK_PAUSE

    async def run(self) -> None:
        """Go on until the gateway says that nothing is held and nothing is kept, or a person lets it be."""
        self._cases.leave_all(self._cause)
        try:
            await self._give_everything_back()
        except WrittenOffError as written_off:
            self._cases.write_off(written_off.waiting)
        await self._journal.write()

    async def _give_everything_back(self) -> None:
        payment = await self._heed_loss(await self._desk.look_up())
        while not self._is_over(payment):
            payment = await self._heed_loss(await self._step(payment))
        self._cases.overcome(self._cause)
        self._note_end(payment)

    def _is_over(self, payment: PaymentSnapshot | None) -> bool:
        """Whether nothing is held and nothing is kept. A captured payment that the gateway no longer shows is not."""
        if payment is None:
            return not self._journal.booked.captured_minor
        if self._is_outdated(payment):
            return False
        match payment.status:
            case PaymentStatus.CANCELED:
                return True
            case PaymentStatus.AWAITING_CUSTOMER | PaymentStatus.REQUIRES_ACTION | PaymentStatus.APPROVED:
                # Where nothing but our own capture takes the money, it is enough never to ask for one.
                return not self._journal.account.voids_unpaid and not self._desk.is_unanswered(self._desk.taking)
            case PaymentStatus.CAPTURED:
                returned = payment.refunded(RefundStatus.SUCCEEDED).minor
                return returned + self._journal.booked.written_off_minor >= payment.captured.minor
            case _:
                return False

    async def _is_settled(self) -> bool:
        """Whether a look shows that nothing is left to be done."""
        return self._is_over(await self._desk.look_up())

    def _is_outdated(self, payment: PaymentSnapshot) -> bool:
        """Whether it is shown as before the money was taken, with no word of a loss: a gateway's reads may lag."""
        return is_lower(self._journal.booked, payment) and not is_lost(self._journal.booked, payment)

    async def _heed_loss(self, payment: PaymentSnapshot | None) -> PaymentSnapshot | None:
        """More was given back than is taken, since the capture failed after the refund: only a person can settle it."""
        if payment is None or (given := _given_too_much(payment)) <= 0:
            return payment
        if catch_up(self._journal.booked, payment):
            await self._cases.capture_lost(payment, given, self._is_loss_settled)
        return payment

    async def _is_loss_settled(self) -> bool:
        payment = await self._desk.look_up()
        return payment is not None and _given_too_much(payment) <= 0

    async def _step(self, payment: PaymentSnapshot | None) -> PaymentSnapshot | None:
        """Act on what the payment is now; answers what it is then."""
        if payment is None:
            message = "the gateway no longer shows the payment that was captured"
            await self._cases.review(CaseKind.PAYMENT_UNKNOWN, message, settled=self._is_shown)
            return await self._desk.look_up()
        if self._is_outdated(payment):
            return await self._wait()
        match payment.status:
            case PaymentStatus.CAPTURED:
                return await self._give_back(payment)
            case PaymentStatus.PROCESSING:
                return await self._wait()
            case _ if not self._journal.account.voids_unpaid and self._desk.is_unanswered(self._desk.taking):
                # It was asked for and nobody knows whether it was done: asked again under its key, the gateway says.
                await self._desk.take(payment.payment_id)
                return await self._desk.look_up()
            case _:
                return await self._void(payment)

    async def _is_shown(self) -> bool:
        return await self._desk.look_up() is not None

    async def _void(self, payment: PaymentSnapshot) -> PaymentSnapshot | None:
        if payment.captured.minor and self._journal.state in NOTHING_TAKEN:
            # A part of it was taken after the end: the rest is released, and the part goes back.
            self._enter_refunding(payment)
        elif catch_up(self._journal.booked, payment):
            # A hold that no webhook told of: it goes on the books before it is released.
            self._journal.enter(self._journal.state, self._cause, name="found_held", payment=payment)
        match await self._desk.void(payment.payment_id):
            case Completed(evidence=PaymentSnapshot() as after):
                # Should money come after all, its hold is released by a new operation: this one's answer is stored.
                self._desk.next_attempt(Verb.VOID)
                return after
            case Pending(evidence=PaymentSnapshot()):
                asked = self._desk.key(Verb.VOID)
                self._desk.next_attempt(Verb.VOID)
                return await self._told_of_void(asked)
            case Declined(decline=decline):
                message = f"the gateway will not void: {decline.gateway_code}"
                self._cause = await self._cases.review(CaseKind.VOID_DECLINED, message, settled=self._is_settled)
                self._desk.next_attempt(Verb.VOID)
        return await self._desk.look_up()

    async def _told_of_void(self, asked: str) -> PaymentSnapshot | None:
        """What the gateway tells of a void that it took in. A no is not met by asking again at once.

        It may be at work on a capture, which has to end first.
        """
        told = payment = await self._wait()
        if told is None or told.decline is None or told.attempt != asked:
            return told
        if patches.shows_void_refusals():
            self._show_refusal(told.decline)
        again_at = workflow.now() + self._void_pause
        self._void_pause = min(2 * self._void_pause, options.STUCK_PAUSE_AT_MOST)
        while payment == told:
            fact = await self._desk.next_fact(lambda: False, again_at)
            if fact is None:
                return await self._desk.look_up()
            payment, self._cause = await self._desk.fresh(fact.payment), fact.cause
        return payment

    def _show_refusal(self, decline: Decline) -> None:
        """One no is common while a capture is under way; one that stays a no needs a person."""
        if self._void_pause >= options.STUCK_PAUSE_AT_MOST:
            self._cases.stuck(Verb.VOID, decline.gateway_code, lasting=True)
            return
        waiting_for = f"the gateway, which would not release the hold ({decline.gateway_code})"
        if self._journal.status.waiting_for != waiting_for:
            self._journal.enter(
                self._journal.state,
                self._cause,
                name="void_refused",
                details={"code": decline.gateway_code},
                waiting_for=waiting_for,
            )

    async def _give_back(self, payment: PaymentSnapshot) -> PaymentSnapshot | None:
        self._cases.overcome(self._cause)
        self._enter_refunding(payment)
        refund = self._our_refund(payment)
        if refund and refund.status is RefundStatus.FAILED:
            return await self._try_again(CaseKind.REFUND_FAILED, refund.failure_code or "unknown", payment)
        left = self._left_of(payment)
        if left.minor and refund and refund.status is RefundStatus.SUCCEEDED:
            # Ours went through and still something is left, because somebody else's refund came back.
            self._desk.next_attempt(Verb.REFUND)
        if not left.minor or self._desk.key(Verb.REFUND) in self._asked:
            return await self._wait()
        answer = await self._desk.refund(payment.payment_id, left)
        self._asked.add(self._desk.key(Verb.REFUND))
        if isinstance(answer, Declined):
            return await self._try_again(CaseKind.REFUND_DECLINED, answer.decline.gateway_code, None)
        return await self._desk.look_up()

    def _left_of(self, payment: PaymentSnapshot) -> Money:
        """What neither went back, nor is on its way back, nor was let be."""
        returned = payment.refunded(RefundStatus.SUCCEEDED, RefundStatus.PENDING).minor
        left = payment.captured.minor - returned - self._journal.booked.written_off_minor
        return Money(max(0, left), payment.captured.currency)

    async def _try_again(self, kind: CaseKind, code: str, payment: PaymentSnapshot | None) -> PaymentSnapshot | None:
        """A refund came to nothing: a person looks, then it is asked for anew, as a new operation."""
        message = f"the gateway did not give the money back: {code}"
        self._cause = await self._cases.review(
            kind, message, payment=payment, event=EventType.REFUND_FAILED, settled=self._is_settled
        )
        self._desk.next_attempt(Verb.REFUND)
        return await self._desk.look_up()

    async def _wait(self) -> PaymentSnapshot | None:
        fact = await self._desk.next_fact(lambda: False)
        if fact is None:
            return await self._desk.look_up()
        self._cause = fact.cause
        if not patches.asks_anew():
            return await self._desk.fresh(fact.payment)
        # What the dispatcher saw may be older than what this saga has done since: the gateway is asked anew.
        return await self._desk.look_up()

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
        if payment is None or not payment.captured.minor:
            self._enter_kept_nothing(payment)
            return
        if self._started_in is CheckoutState.WRITTEN_OFF and not self._asked:
            # What a person let be stays so; only the books learn what has become of the rest.
            self._journal.enter(CheckoutState.WRITTEN_OFF, self._cause, name="found_at_gateway", payment=payment)
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
        """End where the reason says; late money that came to nothing ends where it was, if that was an end."""
        late = self._reason is EndReason.LATE_MONEY and self._started_in in ENDED
        reason = EndReason.FAILED if self._reason is EndReason.LATE_MONEY else self._reason
        state, event = (self._started_in, None) if late else ENDS[reason]
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


def _given_too_much(payment: PaymentSnapshot) -> int:
    """By how much more was given back than is taken."""
    return payment.refunded(RefundStatus.SUCCEEDED).minor - payment.captured.minor
