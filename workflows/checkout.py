"""A checkout's saga: open a payment, wait for the customer, take the money, or give everything back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError, FailureError, is_cancelled_exception

from activities.contract import OnBooks
from domain.booked import Booked
from domain.checkout import CheckoutStatus, Failure
from domain.outcomes import Completed, Declined, Pending, RequiresAction, Unknown
from domain.payment import Decline, PaymentSnapshot, PaymentStatus
from domain.saga import CheckoutCommand, EndReason, Fact, contradiction
from domain.states import ENDED, CheckoutState
from domain.timeline import EventType
from workflows.desk import Desk
from workflows.journal import Journal, OvertakenError
from workflows.mailbox import Decision, Mailbox
from workflows.shield import shielded
from workflows.undo import Undo


@dataclass
class _NoSaleError(Exception):
    """The story stops without a sale; what was taken by then is given back."""

    reason: EndReason
    cause: str
    failure: Failure | None = None


@workflow.defn(name="Checkout")
class CheckoutWorkflow:
    """The only writer of one checkout's state, from its opening to its end."""

    @workflow.init
    def __init__(self, command: CheckoutCommand) -> None:
        start = OnBooks(CheckoutStatus(CheckoutState.PROCESSING), Booked(command.amount.currency), 1)
        self._command = command
        self._mailbox = Mailbox()
        self._journal = Journal(command, start)
        self._desk = Desk(self._journal, self._mailbox)
        self._undoing = False
        self._paid_by = "api"
        self._declined_attempts: set[str | None] = set()

    @workflow.run
    async def run(self, command: CheckoutCommand) -> CheckoutStatus:
        """The checkout's status when all is final. A cancelled workflow gives everything back first."""
        try:
            await self._sell_or_undo()
        except OvertakenError:
            workflow.logger.warning("the books have %s as ended: nothing is done again", command.checkout_id)
        finally:
            if workflow.in_workflow() and self._journal.written.state in ENDED:
                await shielded(workflow.wait_condition(workflow.all_handlers_finished))
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
            case Completed() | Pending() | Unknown() as answer:
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
        waits = self._command.confirm_within_seconds is not None and self._mailbox.decision is None
        self._journal.enter(
            CheckoutState.PAID,
            cause,
            payment=payment,
            event=EventType.PAYMENT_SUCCEEDED,
            failure=None,
            next_action=None,
            waiting_for=self._waits_for_shop() if waits else None,
        )

    def _waits_for_shop(self) -> str | None:
        return "the shop to confirm the order" if self._command.confirm_within_seconds is not None else None

    async def _await_confirmation(self) -> None:
        """Until the shop confirms; its no, its silence and the end of the hold undo the payment."""
        await self._journal.write()
        deadline = workflow.now() + timedelta(seconds=self._command.confirm_within_seconds or 0)
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
            self._heed_facts()
        if self._mailbox.cancel_requested:
            raise _NoSaleError(EndReason.CANCELED_BY_SHOP, "api")
        if self._mailbox.decision is Decision.REJECT:
            failure = Failure("rejected_by_shop", self._mailbox.reject_reason)
            raise self._rejected(EndReason.REJECTED_BY_SHOP, "api", failure)

    def _shop_answered(self) -> bool:
        return self._mailbox.decision is not None or self._mailbox.cancel_requested

    def _heed_facts(self) -> None:
        """While the shop thinks, somebody may have captured or released the hold at the gateway itself."""
        while self._mailbox.facts:
            fact = self._mailbox.facts.popleft()
            if self._journal.state is not CheckoutState.AUTHORIZED:
                continue
            if fact.payment.status is PaymentStatus.CANCELED:
                raise _NoSaleError(EndReason.CANCELED_AT_GATEWAY, fact.cause)
            if fact.payment.status is PaymentStatus.CAPTURED and not contradiction(self._command, fact.payment):
                self._paid(fact.payment, fact.cause)

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
        await self._journal.write()

    async def _agreed(self, payment: PaymentSnapshot) -> PaymentSnapshot:
        """The payment, once it is what was asked for. Until then a person has to look."""
        while (difference := contradiction(self._command, payment)) is not None:
            await self._desk.review("contradiction", difference)
            payment = await self._desk.look_up() or payment
        return payment

    async def _undo(self, ending: _NoSaleError) -> None:
        self._undoing = True
        self._mailbox.facts.clear()
        await shielded(Undo(self._journal, self._desk, ending.reason, ending.cause, ending.failure).run())

    @workflow.update
    async def open(self) -> str:
        """Wait until the customer has a next step, or the checkout ended without one. Answers the state."""
        await workflow.wait_condition(lambda: self._journal.written.state is not CheckoutState.PROCESSING)
        return self._journal.written.state

    @workflow.update
    async def confirm(self) -> str:
        """The shop keeps the order. Answers the state this led to."""
        self._mailbox.decision = Decision.CONFIRM
        return await self._left({CheckoutState.AUTHORIZED, CheckoutState.PAID})

    @confirm.validator
    def _may_confirm(self) -> None:
        if self._mailbox.decision is not Decision.CONFIRM:
            self._refuse_unless(self._awaits_shop(), "confirmed")

    @workflow.update
    async def reject(self, reason: str) -> str:
        """The shop does not keep the order: the payment is undone. Answers the state this led to."""
        if self._mailbox.decision is None:
            self._mailbox.decision, self._mailbox.reject_reason = Decision.REJECT, reason
        return await self._left({CheckoutState.AUTHORIZED, CheckoutState.PAID})

    @reject.validator
    def _may_reject(self, reason: str) -> None:
        if self._mailbox.decision is not Decision.REJECT:
            self._refuse_unless(self._awaits_shop(), "rejected")

    @workflow.update
    async def cancel(self) -> str:
        """The shop gives the checkout up before it is paid. Answers the state this led to."""
        self._mailbox.cancel_requested = True
        return await self._left({CheckoutState.PROCESSING, CheckoutState.AWAITING_PAYMENT, CheckoutState.AUTHORIZED})

    @cancel.validator
    def _may_cancel(self) -> None:
        if self._mailbox.cancel_requested:
            return
        unpaid = {CheckoutState.PROCESSING, CheckoutState.AWAITING_PAYMENT, CheckoutState.AUTHORIZED}
        free = self._journal.state in unpaid and not self._undoing and self._mailbox.decision is None
        self._refuse_unless(free, "canceled")

    @workflow.signal(description="What the gateway was seen to say, brought by the dispatcher")
    def gateway_fact(self, fact: Fact) -> None:
        """Take a look-up that a webhook caused."""
        self._mailbox.facts.append(fact)

    @workflow.signal(description="An operator asks to try again now")
    def retry_now(self) -> None:
        """End a pause between tries, or a case."""
        self._mailbox.retry_requested = True

    @workflow.signal(dynamic=True)
    def unknown_signal(self, name: str, arguments: Sequence[RawValue]) -> None:
        """Keep a signal nobody knows; it would be dropped without a trace."""
        workflow.logger.warning("unknown signal %s", name)
        self._mailbox.put_stranger(name, arguments)

    @workflow.query
    def status(self) -> CheckoutStatus:
        """Where the checkout stands on the books."""
        return self._journal.written

    @workflow.query
    def unknown_signals(self) -> list[str]:
        """The names of signals that nobody knew."""
        return self._mailbox.strangers

    def _awaits_shop(self) -> bool:
        asked = self._command.confirm_within_seconds is not None and self._mailbox.decision is None
        paid = self._journal.state in (CheckoutState.AUTHORIZED, CheckoutState.PAID)
        return asked and paid and not self._undoing and not self._mailbox.cancel_requested

    async def _left(self, states: set[CheckoutState]) -> str:
        await workflow.wait_condition(lambda: self._journal.written.state not in states)
        return self._journal.written.state

    def _refuse_unless(self, allowed: bool, wish: str) -> None:
        if not allowed:
            message = f"a checkout that is {self._journal.state} cannot be {wish} now"
            raise ApplicationError(message, type="NotAllowed", non_retryable=True)


def _failure(decline: Decline) -> Failure:
    return Failure(decline.code, decline.message)
