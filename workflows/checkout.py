"""A checkout's saga: open a payment, wait for the customer, take the money, or give everything back."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import FailureError, is_cancelled_exception

from activities.contract import OnBooks
from domain.booked import Booked, catch_up
from domain.checkout import CheckoutStatus, Failure
from domain.outcomes import Completed, Declined, Pending, RequiresAction
from domain.payment import Decline, PaymentSnapshot, PaymentStatus, RefundStatus
from domain.saga import CheckoutCommand, EndReason, Fact, contradiction
from domain.states import ENDED, CheckoutState
from domain.timeline import EventType
from workflows import options
from workflows.aftermath import Aftermath
from workflows.cases import Cases
from workflows.commands import Commands
from workflows.desk import Desk
from workflows.journal import Journal, OvertakenError
from workflows.mailbox import Decision
from workflows.shield import shielded
from workflows.undo import Undo


@dataclass
class _NoSaleError(Exception):
    """The story stops without a sale; what was taken by then is given back."""

    reason: EndReason
    cause: str
    failure: Failure | None = None


@workflow.defn(name="Checkout")
class CheckoutWorkflow(Commands):
    """The only writer of one checkout's state, from its opening to its end."""

    @workflow.init
    def __init__(self, command: CheckoutCommand) -> None:
        start = OnBooks(CheckoutStatus(CheckoutState.PROCESSING), Booked(command.amount.currency), 1)
        super().__init__(command, Journal(command, start))
        self._cases = Cases(self._journal, self._mailbox)
        self._desk = Desk(self._journal, self._mailbox, self._cases)
        self._paid_by = "api"
        self._held_until: datetime | None = None
        self._declined_attempts: set[str | None] = set()

    @workflow.run
    async def run(self, command: CheckoutCommand) -> CheckoutStatus:
        """The checkout's status when all is final. A cancelled workflow gives everything back first."""
        try:
            await self._sell_or_undo()
        except OvertakenError as overtaken:
            workflow.logger.warning("the books have %s as %s", command.checkout_id, overtaken)
            if self._journal.state not in ENDED:
                await self._undo(_NoSaleError(EndReason.LATE_MONEY, "operator"))
        finally:
            if workflow.in_workflow() and self._journal.written.state in ENDED:
                await shielded(workflow.wait_condition(workflow.all_handlers_finished))
        await shielded(Aftermath(self._journal, self._desk, self._cases, self._mailbox).run())
        return self._journal.status

    async def _sell_or_undo(self) -> None:
        try:
            await self._sell()
        except _NoSaleError as ending:
            await self._undo(ending)
        except BaseException as error:
            # Cancellation is a BaseException. What is neither it nor a failure of Temporal's (a bug, the eviction from
            # a worker's cache) ends nothing: the task is tried again, with mended code if need be.
            if is_cancelled_exception(error):
                await self._undo(_NoSaleError(EndReason.CANCELED_BY_OPERATOR, "operator"))
            elif isinstance(error, FailureError):
                await self._undo(_NoSaleError(EndReason.FAILED, "timer"))
            raise

    async def _sell(self) -> None:
        await self._open_payment()
        await self._await_payment()
        if self._command.confirm_within_seconds is not None:
            await self._await_confirmation()
        if self._journal.state is CheckoutState.AUTHORIZED:
            await self._capture()
        await self._complete()

    async def _open_payment(self) -> None:
        match await self._desk.create():
            case RequiresAction(evidence=payment, action=action):
                self._journal.enter(
                    CheckoutState.AWAITING_PAYMENT,
                    "api",
                    payment=await self._agreed(payment),
                    event=EventType.CHECKOUT_OPENED,
                    next_action=action,
                    waiting_for="the customer to pay",
                )
                await self._journal.write()
            case Completed(evidence=PaymentSnapshot() as payment) | Pending(evidence=PaymentSnapshot() as payment):
                self._mailbox.facts.append(Fact(payment, "api"))
            case Declined(decline=decline):
                raise _NoSaleError(EndReason.DECLINED, "api", _failure(decline))
            case Completed() | Pending() as answer:
                raise AssertionError(f"a gateway answered a create with {answer}")

    async def _await_payment(self) -> None:
        """Until the money is held or captured; a decline leaves the customer another try until the checkout expires."""
        while True:
            fact = await self._desk.next_fact(lambda: self._mailbox.cancel_requested, self._command.expires_at)
            if self._mailbox.cancel_requested:
                raise _NoSaleError(EndReason.CANCELED_BY_SHOP, "api")
            if fact is None:
                fact = await self._last_look()
            payment = await self._agreed(fact.payment)
            match payment.status:
                case PaymentStatus.CAPTURED:
                    return self._paid(payment, fact.cause)
                case PaymentStatus.AUTHORIZED:
                    return self._authorized(payment, fact.cause)
                case PaymentStatus.CANCELED:
                    raise _NoSaleError(EndReason.CANCELED_AT_GATEWAY, fact.cause)
                case PaymentStatus.REQUIRES_ACTION | PaymentStatus.AWAITING_CUSTOMER:
                    self._note_try(payment, fact.cause)
                case PaymentStatus.PROCESSING:
                    pass

    async def _last_look(self) -> Fact:
        """Before a checkout expires the gateway is asked: the customer may have paid and the webhook be lost."""
        payment = await self._desk.look_up()
        while payment is not None and payment.status is PaymentStatus.PROCESSING:
            fact = await self._desk.next_fact(lambda: False)
            payment = fact.payment if fact else await self._desk.look_up()
        if payment is None or payment.status not in (PaymentStatus.CAPTURED, PaymentStatus.AUTHORIZED):
            raise _NoSaleError(EndReason.EXPIRED, "timer")
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
                failure=_failure(payment.decline),
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

    def _authorized(self, payment: PaymentSnapshot, cause: str) -> None:
        self._held_until = payment.authorized_until
        self._journal.enter(
            CheckoutState.AUTHORIZED,
            cause,
            payment=payment,
            event=EventType.PAYMENT_AUTHORIZED,
            failure=None,
            next_action=None,
            waiting_for=self._waits_for_shop(),
        )

    def _paid(self, payment: PaymentSnapshot, cause: str) -> None:
        self._paid_by = cause
        self._journal.enter(
            CheckoutState.PAID,
            cause,
            payment=payment,
            event=EventType.PAYMENT_SUCCEEDED,
            failure=None,
            next_action=None,
            waiting_for=self._waits_for_shop(),
        )

    def _waits_for_shop(self) -> str | None:
        asked = self._command.confirm_within_seconds is not None and self._mailbox.decision is None
        return "the shop to confirm the order" if asked else None

    async def _await_confirmation(self) -> None:
        """Until the shop confirms; its no, its silence and the end of the hold undo the payment."""
        await self._journal.write()
        deadline = workflow.now() + timedelta(seconds=self._command.confirm_within_seconds or 0)
        if self._held_until is not None:
            deadline = min(deadline, self._held_until - options.HOLD_MARGIN)
        while not self._shop_answered():
            try:
                await workflow.wait_condition(
                    lambda: self._shop_answered() or bool(self._mailbox.facts),
                    timeout=deadline - workflow.now(),
                    timeout_summary="the shop must confirm",
                )
            except TimeoutError:
                failure = Failure("not_confirmed_in_time", "the shop did not confirm the order in time")
                raise self._rejected(EndReason.NOT_CONFIRMED_IN_TIME, "timer", failure) from None
            await self._heed_facts()
        if self._mailbox.cancel_requested:
            raise _NoSaleError(EndReason.CANCELED_BY_SHOP, "api")
        if self._mailbox.decision is Decision.REJECT:
            failure = Failure("rejected_by_shop", self._mailbox.reject_reason)
            raise self._rejected(EndReason.REJECTED_BY_SHOP, "api", failure)

    def _shop_answered(self) -> bool:
        return self._mailbox.decision is not None or self._mailbox.cancel_requested

    async def _heed_facts(self) -> None:
        """While the shop thinks, somebody may have captured, released or refunded at the gateway itself."""
        while self._mailbox.facts:
            fact = self._mailbox.facts.popleft()
            payment = await self._agreed(fact.payment)
            held = self._journal.state is CheckoutState.AUTHORIZED
            if held and payment.status is PaymentStatus.CANCELED:
                raise _NoSaleError(EndReason.CANCELED_AT_GATEWAY, fact.cause)
            if held and payment.status is PaymentStatus.CAPTURED:
                self._paid(payment, fact.cause)
            elif catch_up(self._journal.booked, payment):
                self._journal.enter(self._journal.state, fact.cause, name="found_at_gateway", payment=payment)
            if payment.captured.minor and payment.refunded(RefundStatus.SUCCEEDED) == payment.captured:
                raise _NoSaleError(EndReason.CANCELED_AT_GATEWAY, fact.cause)
            await self._journal.write()

    def _rejected(self, reason: EndReason, cause: str, failure: Failure) -> _NoSaleError:
        self._journal.enter(
            self._journal.state, cause, name="rejected", event=EventType.ORDER_REJECTED, details={"reason": reason}
        )
        return _NoSaleError(reason, cause, failure)

    async def _capture(self) -> None:
        payment_id = self._journal.status.payment_id
        assert payment_id is not None, "what is authorized has an id"
        match await self._desk.capture(payment_id):
            case Completed(evidence=PaymentSnapshot() as payment):
                self._paid(await self._agreed(payment), "api")
            case Declined(decline=decline):
                raise _NoSaleError(EndReason.DECLINED, "api", _failure(decline))
            case _:
                await self._await_capture()

    async def _await_capture(self) -> None:
        """The gateway took the capture in and tells later whether it was done."""
        while self._journal.state is CheckoutState.AUTHORIZED:
            fact = await self._desk.next_fact(lambda: False)
            if fact and fact.payment.status is PaymentStatus.CAPTURED:
                self._paid(await self._agreed(fact.payment), fact.cause)
            elif fact and fact.payment.status is PaymentStatus.CANCELED:
                raise _NoSaleError(EndReason.CANCELED_AT_GATEWAY, fact.cause)

    async def _complete(self) -> None:
        confirmed = self._mailbox.decision is Decision.CONFIRM
        self._journal.enter(
            CheckoutState.COMPLETED,
            "api" if confirmed else self._paid_by,
            event=EventType.ORDER_CONFIRMED if confirmed else EventType.CHECKOUT_COMPLETED,
            waiting_for=None,
        )
        # From here on a cancel is too late: the sale is made.
        await shielded(self._journal.write())

    async def _agreed(self, payment: PaymentSnapshot) -> PaymentSnapshot:
        """The payment, once it is what was asked for. Until then a person has to look."""
        known = self._journal.status.payment_id
        while (difference := contradiction(self._command, payment, known)) is not None:
            await self._cases.review("contradiction", difference)
            payment = await self._desk.look_up() or payment
        return payment

    async def _undo(self, ending: _NoSaleError) -> None:
        self._undoing = True
        self._mailbox.facts.clear()
        undo = Undo(self._journal, self._desk, self._cases, ending.reason, ending.cause, ending.failure)
        await shielded(undo.run())


def _failure(decline: Decline) -> Failure:
    return Failure(decline.code, decline.message)
