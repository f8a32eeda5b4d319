"""A checkout's saga: open a payment, wait for the customer, take the money, or give everything back."""

from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

from temporalio import workflow

from activities.contract import OnBooks
from domain.booked import Booked
from domain.checkout import CaptureMode, CheckoutStatus
from domain.outcomes import Completed, Declined, Pending, RequiresAction
from domain.payment import PaymentSnapshot, PaymentStatus
from domain.reactions import Reaction, reaction, seen_as
from domain.saga import CheckoutCommand, EndReason, Fact, Verdict
from domain.states import CheckoutState
from domain.timeline import EventType
from workflows.aftermath import Aftermath
from workflows.capture_orders import HELD
from workflows.capturing import Capturing
from workflows.cases import Cases
from workflows.confirmation import Confirmation
from workflows.desk import Desk
from workflows.endings import MarkedPaidError, NoSaleError, failure_of
from workflows.hold import Hold
from workflows.journal import Journal
from workflows.leg import Leg
from workflows.mailbox import Decision
from workflows.opening import Opening
from workflows.saga import Saga
from workflows.shield import shielded
from workflows.taking import Taking
from workflows.till import Till
from workflows.unanswered import GivenUpError
from workflows.undo import Undo

_AGREED = frozenset({PaymentStatus.APPROVED, PaymentStatus.AUTHORIZED, PaymentStatus.CAPTURED})
"""The customer has done what was to be done."""


@workflow.defn(name="Checkout")
class CheckoutWorkflow(Saga):
    """The only writer of one checkout's state, from its opening to its end."""

    @workflow.init
    def __init__(self, command: CheckoutCommand) -> None:
        start = OnBooks(CheckoutStatus(CheckoutState.PROCESSING), Booked(command.amount.currency), 1)
        super().__init__(command, Journal(command, start))
        self._cases = Cases(self._journal, self._mailbox)
        self._orders = self._cases.orders
        self._desk = Desk(self._journal, self._mailbox, self._cases)
        self._till = Till(self._journal, self._mailbox, self._desk, self._cases)
        self._taking = Taking(self._journal, self._desk, self._cases, self._till)
        self._hold = Hold(self._journal, self._mailbox, self._desk, self._till, self._captures)
        self._capturing = Capturing(self._journal, self._mailbox, self._taking, self._captures, self._hold)
        self._declined_attempts: set[str | None] = set()

    @workflow.run
    async def run(self, command: CheckoutCommand) -> CheckoutStatus:
        """The checkout's status when all is final. A cancelled workflow gives everything back first."""
        return await self._carry_out()

    @workflow.signal(description="What the split checkout decides for this tender of it")
    def split_verdict(self, verdict: Verdict) -> None:
        """Take the decision; the first of those that end the tender stands."""
        if self._mailbox.verdict in (None, Verdict.CAPTURE):
            self._mailbox.verdict = verdict

    async def _sell(self) -> None:
        if self._command.parent_id is not None:
            await self._sell_as_leg()
            return
        await self._or_by_hand(self._obtain())
        if self._command.confirm_within_seconds is not None:
            await self._await_shop(timedelta(seconds=self._command.confirm_within_seconds))
        await self._complete()

    async def _obtain(self) -> None:
        await self._obtain_hold()
        if self._command.capture is CaptureMode.AUTOMATIC or self._command.confirm_within_seconds is None:
            await self._taking.whole()

    async def _obtain_hold(self) -> None:
        await self._open_payment()
        await self._await_payment()

    async def _or_by_hand(self, step: Coroutine[Any, Any, None]) -> bool:
        """Whether the step came to its end; where the gateway gives no answer, a person may see that all is paid."""
        try:
            await step
        except MarkedPaidError as marked:
            self._till.marked_paid(marked.evidence)
            return False
        return True

    async def _sell_as_leg(self) -> None:
        """Nothing is taken before every tender is held, and nothing is kept before every tender is taken."""
        leg = Leg(self._journal, self._mailbox, self._till)
        self._heed_stop()
        await self._or_by_hand(self._obtain_hold())
        await leg.until(Verdict.CAPTURE)
        await self._or_by_hand(self._taking.whole())
        await leg.until(Verdict.KEEP)
        if self._till.is_lost():
            # The others are sold by now, so this is no reason to give it back: a person has to look.
            await self._cases.capture_lost()
        await self._enter_completed("split", EventType.CHECKOUT_COMPLETED)

    async def _open_payment(self) -> None:
        try:
            answer = await Opening(self._journal, self._desk).run()
        except GivenUpError:
            self._heed_stop()
            raise NoSaleError(EndReason.EXPIRED, "timer") from None
        match answer:
            case RequiresAction(evidence=payment, action=action):
                self._journal.enter(
                    CheckoutState.AWAITING_PAYMENT,
                    "api",
                    payment=await self._till.agreed(payment),
                    event=EventType.CHECKOUT_OPENED,
                    next_action=action,
                    waiting_for="the customer to pay",
                )
                await self._journal.write()
            case Completed(evidence=PaymentSnapshot() as payment) | Pending(evidence=PaymentSnapshot() as payment):
                self._mailbox.facts.append(Fact(payment, "api"))
            case Declined(decline=decline):
                raise NoSaleError(EndReason.DECLINED, "api", failure_of(decline))
            case Completed() | Pending():
                raise AssertionError(f"a gateway answered a create with {answer}")

    async def _await_payment(self) -> None:
        """Until the money is held or captured; a decline leaves the customer another try until the checkout expires."""
        while not await self._remembers_parts():
            fact = await self._desk.next_fact(lambda: self._mailbox.stops, self._command.expires_at)
            self._heed_stop()
            if fact is None:
                fact = await self._last_look()
            payment = await self._till.agreed(fact.payment)
            if self._till.is_new_approval(Fact(payment, fact.cause)):
                payment = await self._till.take(payment)
            match reaction(self._journal.state, seen_as(self._journal.booked, payment)):
                case Reaction.PAY:
                    return self._till.paid(payment, fact.cause)
                case Reaction.HOLD:
                    return self._till.authorized(payment, fact.cause)
                case Reaction.NO_SALE:
                    raise NoSaleError(EndReason.CANCELED_AT_GATEWAY, fact.cause)
                case Reaction.SHOW_STEP | Reaction.TAKE:
                    self._note_try(payment, fact.cause)
        return None

    async def _last_look(self) -> Fact:
        """Before a checkout expires the gateway is asked: the customer may have paid and the webhook be lost."""
        payment = await self._desk.look_up()
        if payment is not None and payment.status is PaymentStatus.PROCESSING:
            waiting_for = "the gateway to say what became of the payment"
            self._journal.enter(self._journal.state, "timer", name="undecided", waiting_for=waiting_for)
        while payment is not None and payment.status is PaymentStatus.PROCESSING:
            fact = await self._desk.next_fact(lambda: False)
            payment = fact.payment if fact else await self._desk.look_up()
        if payment is None or payment.status not in _AGREED:
            raise NoSaleError(EndReason.EXPIRED, "timer")
        return Fact(payment, "poll")

    def _note_try(self, payment: PaymentSnapshot, cause: str) -> None:
        """A decline is told once; the customer's next step may have changed."""
        status = self._journal.status
        if payment.decline and payment.attempt not in self._declined_attempts:
            self._declined_attempts.add(payment.attempt)
            self._journal.enter(
                status.state,
                cause,
                name="declined",
                payment=payment,
                event=EventType.PAYMENT_DECLINED,
                details={"code": payment.decline.code, "attempt": payment.attempt, "hard": payment.decline.hard},
                failure=failure_of(payment.decline),
                next_action=payment.next_action or status.next_action,
            )
        elif payment.next_action and payment.next_action != status.next_action:
            self._journal.enter(
                status.state,
                cause,
                name="next_action",
                payment=payment,
                details={"type": payment.next_action.type},
                next_action=payment.next_action,
            )

    async def _await_shop(self, within: timedelta) -> None:
        """Until the money is taken and the shop has said yes; its no, its silence and the end of the hold undo it."""
        await self._journal.write()
        await self._remembers_parts()
        deadline = workflow.now() + within
        shop = Confirmation(self._journal, self._mailbox, self._hold)
        while True:
            asked = shop.run(deadline, lambda: bool(self._mailbox.facts), self._heed_facts)
            told = await self._or_by_hand(asked) and await self._or_by_hand(self._capturing.run(self._heed_facts))
            if told and self._journal.state not in HELD:
                return

    async def _remembers_parts(self) -> bool:
        """Whether parts are on the books that a reset has forgotten: the story goes on from there.

        Orders that the reset has kept are carried out anew instead, under the keys that have their answers.
        """
        if not self._journal.forgot_parts or self._captures.waiting:
            return False
        self._mailbox.decision = Decision.CONFIRM
        self._desk.remember(await self._journal.remember())
        payment = await self._desk.look_up()
        if payment is not None:
            self._till.remember(payment)
        return True

    async def _heed_facts(self) -> None:
        while self._mailbox.facts:
            fact = self._mailbox.facts.popleft()
            if (reason := await self._till.heed(fact)) is not None:
                raise NoSaleError(reason, fact.cause)
            await self._journal.write()

    async def _complete(self) -> None:
        # A cancel may have been asked for while the capture was under way, which nothing could stop any more.
        self._heed_stop()
        if self._mailbox.decision is Decision.CONFIRM:
            await self._enter_completed(self._capturing.cause, EventType.ORDER_CONFIRMED)
        else:
            await self._enter_completed(self._till.paid_by, EventType.CHECKOUT_COMPLETED)

    async def _enter_completed(self, cause: str, event: EventType) -> None:
        self._journal.enter(CheckoutState.COMPLETED, cause, event=event, waiting_for=None)
        # From here on a cancel is too late: the sale is made.
        await shielded(self._journal.write())

    def _heed_stop(self) -> None:
        """The shop gave the checkout up, or the split checkout gives its tenders back."""
        if self._mailbox.cancel_requested:
            raise NoSaleError(EndReason.CANCELED_BY_SHOP, "api")
        if self._mailbox.verdict is Verdict.GIVE_BACK:
            raise NoSaleError(EndReason.SPLIT_UNDONE, "split")

    async def _give_back(self, ending: NoSaleError) -> None:
        self._mailbox.forget(self._journal.account.gateway)
        await Undo(self._journal, self._desk, self._cases, ending.reason, ending.cause, ending.failure).run()

    async def _see_to_the_rest(self) -> None:
        await Aftermath(self._journal, self._desk, self._cases, self._mailbox).run()
