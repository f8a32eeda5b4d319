"""Holding and taking the money of one payment, and noting what it is then."""

from dataclasses import replace
from datetime import datetime

from temporalio import workflow

from domain.booked import catch_up
from domain.outcomes import Completed, Declined, Pending, RequiresAction
from domain.payment import Decline, PaymentSnapshot, PaymentStatus, RefundStatus
from domain.saga import EndReason, Fact, contradiction
from domain.states import CheckoutState
from domain.timeline import EventType
from gateways.contract import Verb
from workflows.cases import Cases
from workflows.desk import Desk
from workflows.endings import NoSaleError, failure_of
from workflows.journal import Journal
from workflows.mailbox import Mailbox

_OPEN = frozenset({PaymentStatus.AWAITING_CUSTOMER, PaymentStatus.REQUIRES_ACTION, PaymentStatus.APPROVED})
"""Nothing is held or taken yet."""


class Till:
    """What becomes of the payment once the customer has done what was to be done.

    `paid_by` is what the capture was learnt by; `held_until` is the end of the hold, None where the gateway names none.
    """

    def __init__(self, journal: Journal, mailbox: Mailbox, desk: Desk, cases: Cases) -> None:
        self._command = journal.command
        self._journal = journal
        self._mailbox = mailbox
        self._desk = desk
        self._cases = cases
        self.paid_by = "api"
        self.held_until: datetime | None = None
        self._refused = False

    async def agreed(self, payment: PaymentSnapshot) -> PaymentSnapshot:
        """The payment, once it is what was asked for. Until then a person has to look."""
        known, account = self._journal.status.payment_id, self._journal.account
        while (difference := contradiction(self._command, payment, known, account)) is not None:
            await self._cases.review("contradiction", difference)
            payment = await self._desk.look_up() or payment
        return payment

    def is_new_approval(self, fact: Fact) -> bool:
        """Whether to try and take what the customer has approved.

        Once the money could not be had, a look-up shows the same approval as before: only the gateway's own word tells
        of another one. Should that be lost, it is tried once more before the checkout expires.
        """
        told = fact.cause.startswith("webhook:") or workflow.now() >= self._command.expires_at
        return fact.payment.status is PaymentStatus.APPROVED and (told or not self._refused)

    async def take(self, approved: PaymentSnapshot) -> PaymentSnapshot:
        """The customer has agreed: the money is held or taken by us. Answers the payment as it is then."""
        key = self._desk.key(self._desk.taking)
        answer = await self._desk.take(approved.payment_id)
        if not isinstance(answer, Completed):
            # The stored answer would stay as it is for ever, so what follows another approval is a new operation.
            self._desk.next_attempt(self._desk.taking)
        match answer:
            case Declined(decline=decline, evidence=payment):
                if workflow.now() >= self._command.expires_at:
                    return await self.agreed(await self._as_it_is_after(decline))
                if payment is None or payment.next_action is None:
                    raise NoSaleError(EndReason.DECLINED, "api", failure_of(decline))
                self._refused = True
                payment = replace(payment, decline=decline, attempt=key)
            case RequiresAction(evidence=payment, action=action):
                payment = replace(payment, next_action=action)
            case Completed(evidence=PaymentSnapshot() as payment) | Pending(evidence=PaymentSnapshot() as payment):
                pass
            case _:
                raise AssertionError(f"a gateway answered a {self._desk.taking} with {answer}")
        return await self.agreed(payment)

    async def _as_it_is_after(self, decline: Decline) -> PaymentSnapshot:
        """The time is over, unless the story is told anew and a later try took the money."""
        payment = await self._desk.look_up()
        if payment is None or payment.status in _OPEN:
            raise NoSaleError(EndReason.EXPIRED, "timer", failure_of(decline))
        return payment

    def authorized(self, payment: PaymentSnapshot, cause: str) -> None:
        """The money is held."""
        self.held_until = payment.authorized_until
        self._enter(CheckoutState.AUTHORIZED, payment, cause, EventType.PAYMENT_AUTHORIZED)

    def paid(self, payment: PaymentSnapshot, cause: str) -> None:
        """The money is taken."""
        self.paid_by = cause
        # What is taken is not lost with the hold it was taken from.
        self.held_until = None
        self._enter(CheckoutState.PAID, payment, cause, EventType.PAYMENT_SUCCEEDED)

    async def capture(self) -> None:
        """Take what is held, if it is still only held."""
        if self._journal.state is not CheckoutState.AUTHORIZED:
            return
        payment_id = self._journal.status.payment_id
        assert payment_id is not None, "what is authorized has an id"
        key = self._desk.key(Verb.CAPTURE)
        match await self._desk.capture(payment_id):
            case Pending(evidence=PaymentSnapshot(decline=Decline(), attempt=attempt)) if attempt != key:
                # A no from before this capture is not the answer to it.
                await self._await_capture(attempt)
            case Completed(evidence=PaymentSnapshot() as payment):
                self.paid(await self.agreed(payment), "api")
            case Declined(decline=decline):
                raise NoSaleError(EndReason.DECLINED, "api", failure_of(decline))
            case _:
                await self._await_capture()

    async def heed(self, fact: Fact) -> EndReason | None:
        """While somebody thinks, another may have captured, released or refunded at the gateway itself.

        Why that leaves no sale to be made; None while one may be.
        """
        if fact.payment.gateway != self._journal.account.gateway:
            await self._cases.stray(fact.payment)
            return None
        seen = await self._desk.fresh(fact.payment)
        if seen is None:
            return None
        payment = await self.agreed(seen)
        held = self._journal.state is CheckoutState.AUTHORIZED
        if held and payment.status is PaymentStatus.CANCELED:
            raise NoSaleError(EndReason.CANCELED_AT_GATEWAY, fact.cause)
        if held and payment.status is PaymentStatus.CAPTURED:
            self.paid(payment, fact.cause)
        elif catch_up(self._journal.booked, payment):
            self._journal.enter(self._journal.state, fact.cause, name="found_at_gateway", payment=payment)
        if payment.captured.minor and payment.refunded(RefundStatus.SUCCEEDED) == payment.captured:
            return EndReason.CANCELED_AT_GATEWAY
        return EndReason.CAPTURE_LOST if self.is_lost() else None

    def is_lost(self) -> bool:
        """Whether the money was taken and went away again."""
        return self._journal.state is CheckoutState.PAID and not self._journal.booked.captured_minor

    async def _await_capture(self, declined_before: str | None = None) -> None:
        """The gateway took the capture in and tells later whether it was done; how it names the try is its own."""
        while self._journal.state is CheckoutState.AUTHORIZED:
            fact = await self._desk.next_fact(lambda: False)
            if fact and fact.payment.status is PaymentStatus.CAPTURED:
                self.paid(await self.agreed(fact.payment), fact.cause)
            elif fact and fact.payment.status is PaymentStatus.CANCELED:
                raise NoSaleError(EndReason.CANCELED_AT_GATEWAY, fact.cause)
            elif fact and fact.payment.decline and _is_declined_hold(fact.payment, declined_before):
                raise NoSaleError(EndReason.DECLINED, fact.cause, failure_of(fact.payment.decline))

    def _enter(self, state: CheckoutState, payment: PaymentSnapshot, cause: str, event: EventType) -> None:
        self._journal.enter(
            state, cause, payment=payment, event=event, failure=None, next_action=None, waiting_for=self._awaited()
        )

    def _awaited(self) -> str | None:
        if self._command.parent_id is not None:
            return "its split checkout to decide"
        asked = self._command.confirm_within_seconds is not None and self._mailbox.decision is None
        return "the shop to confirm the order" if asked else None


def _is_declined_hold(payment: PaymentSnapshot, declined_before: str | None) -> bool:
    """Whether the hold is open and something that was tried on it came to nothing, other than what had before."""
    return payment.status is PaymentStatus.AUTHORIZED and payment.attempt != declined_before
