"""What the payment is, noted on the journal: held, taken in part or whole, changed by others meanwhile."""

from dataclasses import replace
from datetime import datetime

from temporalio import workflow

from domain import postings
from domain.booked import catch_up, is_lower
from domain.case import CaseKind
from domain.money import Money
from domain.outcomes import Completed, Declined, Pending, RequiresAction
from domain.payment import Decline, PaymentSnapshot, PaymentStatus
from domain.reactions import Reaction, reaction, seen_as
from domain.saga import EndReason, Fact, contradiction
from domain.states import CheckoutState
from domain.timeline import EventType, JsonScalar
from workflows.by_hand import enter_paid_by_hand
from workflows.cases import Cases
from workflows.desk import Desk
from workflows.endings import FAILURES, NoSaleError, failure_of
from workflows.journal import Journal
from workflows.mailbox import Mailbox

_OPEN = frozenset({PaymentStatus.AWAITING_CUSTOMER, PaymentStatus.REQUIRES_ACTION, PaymentStatus.APPROVED})
"""Nothing is held or taken yet."""


class Till:
    """What becomes of the payment once the customer has done what was to be done.

    `paid_by` is what the capture was learnt by; `held_until` is the end of the hold, None where the gateway names none,
    `held_since` when it was learnt of, `authorization_id` the gateway's id of it where it has one of its own.
    """

    def __init__(self, journal: Journal, mailbox: Mailbox, desk: Desk, cases: Cases) -> None:
        self._command = journal.command
        self._journal = journal
        self._mailbox = mailbox
        self._desk = desk
        self._cases = cases
        self.paid_by = "api"
        self.held_since: datetime | None = None
        self.held_until: datetime | None = None
        self.authorization_id: str | None = None
        self._refused = False
        self._totals: set[int] = set()
        self._most = 0

    async def agreed(self, payment: PaymentSnapshot) -> PaymentSnapshot:
        """The payment, once it is what was asked for. Until then a person has to look."""
        while (difference := self._difference(payment)) is not None:
            await self._cases.review(CaseKind.CONTRADICTION, difference, settled=self._agrees)
            payment = await self._desk.look_up() or payment
        return payment

    def _difference(self, payment: PaymentSnapshot) -> str | None:
        known, account = self._journal.status.payment_id, self._journal.account
        return contradiction(self._command, payment, known, account, self._bearable(payment))

    async def _agrees(self) -> bool:
        payment = await self._desk.look_up()
        return payment is not None and self._difference(payment) is None

    def expect(self, total: int) -> None:
        """A capture was asked for that leads to this total, in minor units."""
        self._totals.add(total)

    def _bearable(self, payment: PaymentSnapshot) -> set[int]:
        """The totals that may be captured: what was asked for, and less than the books have, which is a loss."""
        on_books = self._journal.booked
        lower = {payment.captured.minor} if is_lower(on_books, payment) else set()
        return {*self._totals, on_books.captured_minor, *lower}

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

    def marked_paid(self, evidence: str) -> None:
        """A person has seen that the money is taken."""
        self.paid_by = "operator"
        self.held_until = None
        enter_paid_by_hand(self._journal, evidence, waiting_for=self._awaited(CheckoutState.PAID))

    def authorized(self, payment: PaymentSnapshot, cause: str) -> None:
        """The money is held."""
        self.held_since = workflow.now()
        self._note_hold(payment)
        self._enter(CheckoutState.AUTHORIZED, payment, cause, EventType.PAYMENT_AUTHORIZED)

    def remember(self, payment: PaymentSnapshot) -> None:
        """A reset forgot that part of the hold is taken: what is left of it ends when it would have."""
        self.held_since = workflow.now()
        self._most = self._journal.booked.captured_minor
        self._note_hold(payment)

    def renewed(self, payment: PaymentSnapshot) -> None:
        """The gateway has made the hold anew: it let go of the old one and holds as much again."""
        self._note_hold(payment)
        held = Money(self._journal.booked.held_minor, payment.amount.currency)
        until = self.held_until.isoformat() if self.held_until else None
        self._journal.enter(
            self._journal.state,
            "timer",
            name="reauthorized",
            transactions=(
                postings.void(payment.gateway, payment.payment_id, held),
                postings.authorize(payment.gateway, payment.payment_id, held),
            ),
            details={"authorization_id": self.authorization_id, "held_until": until},
        )

    def part(self, payment: PaymentSnapshot, cause: str) -> None:
        """A part of the money is taken, and the rest still held."""
        self._note_hold(payment)
        self._most = max(self._most, payment.captured.minor)
        taken = payment.captured.minor - self._journal.booked.captured_minor
        details: dict[str, JsonScalar] = {"amount": taken, **_total(payment)}
        event = EventType.PAYMENT_PARTIALLY_CAPTURED
        self._enter(CheckoutState.PARTIALLY_CAPTURED, payment, cause, event, details)

    def paid(self, payment: PaymentSnapshot, cause: str) -> None:
        """The money is taken, all that ever will be."""
        self.paid_by = cause
        # What is taken is not lost with the hold it was taken from.
        self.held_until = None
        in_part = payment.captured.minor != self._command.amount.minor
        details = _total(payment) if in_part else None
        self._enter(CheckoutState.PAID, payment, cause, EventType.PAYMENT_SUCCEEDED, details)

    async def heed(self, fact: Fact) -> EndReason | None:
        """While somebody thinks, another may have captured, released or refunded at the gateway itself.

        Why that leaves no sale to be made; None while one may be.
        """
        if fact.payment.gateway != self._journal.account.gateway:
            await self._desk.stray(fact.payment)
            return None
        seen = await self._desk.fresh(fact.payment)
        if seen is None:
            return None
        payment = await self.agreed(seen)
        match reaction(self._journal.state, seen_as(self._journal.booked, payment)):
            case Reaction.PAY | Reaction.CLOSE:
                self.paid(payment, fact.cause)
            case Reaction.PART:
                self.part(payment, fact.cause)
            case Reaction.CASE:
                # What is lost of the parts, also of one whose loss is on the books since the hold opened again with it.
                await self._cases.capture_lost(payment, self._most - payment.captured.minor)
                self.paid(payment, fact.cause)
            case Reaction.NO_SALE if payment.status is PaymentStatus.CANCELED:
                raise NoSaleError(EndReason.CANCELED_AT_GATEWAY, fact.cause)
            case Reaction.NO_SALE:
                self._note_return(payment, fact.cause)
                return EndReason.CANCELED_AT_GATEWAY
            case Reaction.NO_SALE_LOST:
                self._book(payment, fact.cause)
                return EndReason.CAPTURE_LOST
            case _:
                self._book(payment, fact.cause)
        return None

    def is_lost(self) -> bool:
        """Whether the money was taken and went away again."""
        return self._journal.state is CheckoutState.PAID and not self._journal.booked.captured_minor

    def _note_return(self, payment: PaymentSnapshot, cause: str) -> None:
        """What was taken elsewhere was given back there: on the books it is first the one, then the other."""
        if self._journal.state is CheckoutState.AUTHORIZED:
            self.paid(payment, cause)
        else:
            self._book(payment, cause)

    def _book(self, payment: PaymentSnapshot, cause: str) -> None:
        """Put on the books what is new. Of a part that is sold and lost the shop is told; it may be taken again."""
        if not catch_up(self._journal.booked, payment):
            return
        state = self._journal.state
        if state is CheckoutState.PARTIALLY_CAPTURED and is_lower(self._journal.booked, payment):
            self._journal.enter(
                state,
                cause,
                name="part_lost",
                payment=payment,
                event=EventType.PAYMENT_DECLINED,
                failure=FAILURES[EndReason.CAPTURE_LOST],
            )
        else:
            self._journal.enter(state, cause, name="found_at_gateway", payment=payment)

    def _note_hold(self, payment: PaymentSnapshot) -> None:
        self.held_until = payment.authorized_until or self.held_until
        self.authorization_id = payment.authorization_id or self.authorization_id

    def _enter(
        self,
        state: CheckoutState,
        payment: PaymentSnapshot,
        cause: str,
        event: EventType,
        details: dict[str, JsonScalar] | None = None,
    ) -> None:
        self._journal.enter(
            state,
            cause,
            payment=payment,
            event=event,
            details=details,
            failure=None,
            next_action=None,
            waiting_for=self._awaited(state),
        )

    def _awaited(self, state: CheckoutState) -> str | None:
        if self._command.parent_id is not None:
            return "its split checkout to decide"
        if state is CheckoutState.PARTIALLY_CAPTURED:
            return "the shop to capture or release the rest"
        asked = self._command.confirm_within_seconds is not None and self._mailbox.decision is None
        return "the shop to confirm the order" if asked else None


def _total(payment: PaymentSnapshot) -> dict[str, JsonScalar]:
    return {"captured": payment.captured.minor, "currency": payment.captured.currency}
