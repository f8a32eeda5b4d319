"""Taking what is held: all of it, or a part, and letting go of the rest."""

from dataclasses import dataclass
from datetime import timedelta

from domain.booked import is_lower
from domain.case import CaseKind
from domain.money import Money
from domain.outcomes import Completed, Declined, Pending
from domain.payment import Decline, DeclineCode, PaymentSnapshot, PaymentStatus
from domain.saga import EndReason, Fact
from domain.states import CheckoutState
from gateways.contract import Verb
from workflows import options
from workflows.capture_orders import HELD
from workflows.cases import Cases
from workflows.desk import Desk
from workflows.endings import NoSaleError, failure_of
from workflows.journal import Journal
from workflows.till import Till


@dataclass(frozen=True)
class Refusal:
    """A gateway's no to a capture, and what it was learnt by."""

    decline: Decline
    cause: str


HOLD_OVER = Decline(DeclineCode.NOT_SUPPORTED, True, "hold_over", "the gateway takes no more of this payment")
"""What an order for more is answered when the hold has ended."""


class Taking:
    """Asks for captures and for the release of the rest, and waits until the gateway has said what became of them."""

    def __init__(self, journal: Journal, desk: Desk, cases: Cases, till: Till) -> None:
        self._journal = journal
        self._desk = desk
        self._cases = cases
        self._till = till
        self._asked = False

    async def whole(self) -> None:
        """Take what is held, if it is still only held."""
        if self._journal.state is CheckoutState.AUTHORIZED:
            refusal = await self.part(self._journal.command.amount, final=True)
            if refusal is not None:
                raise NoSaleError(EndReason.DECLINED, refusal.cause, failure_of(refusal.decline))

    async def part(self, amount: Money, final: bool) -> Refusal | None:
        """Take this much of what is held; nothing is held any more after a `final` one. Answers the gateway's no."""
        before = self._journal.booked.captured_minor
        total = Money(before + amount.minor, amount.currency)
        if self._asked:
            # The capture before has its answer, which its key brings for ever.
            self._desk.next_attempt(Verb.CAPTURE)
        self._asked = True
        self._till.expect(total.minor)
        key = self._desk.key(Verb.CAPTURE)
        match await self._desk.capture(self._payment_id(), amount, final, total if before else None):
            case Pending(evidence=PaymentSnapshot(decline=Decline(), attempt=attempt)) if attempt != key:
                # A no from before this capture is not the answer to it.
                refusal = await self._told(amount.minor, attempt)
            case Completed(evidence=PaymentSnapshot() as payment) if not _is_short(payment, total.minor):
                refusal = self._taken(await self._till.agreed(payment), "api", total.minor)
            case Declined(decline=decline):
                refusal = Refusal(decline, "api")
            case _:
                refusal = await self._told(amount.minor)
        if final and refusal is None:
            await self.release()
        return refusal

    async def release(self) -> None:
        """Let go of what is still held after the last capture; then the checkout is paid."""
        pause = options.STUCK_PAUSE
        while self._journal.state is CheckoutState.PARTIALLY_CAPTURED:
            key, answer = self._desk.key(Verb.VOID), await self._desk.void(self._payment_id())
            # Should it have to be asked for once more, that is a new operation: this one's answer is stored.
            self._desk.next_attempt(Verb.VOID)
            match answer:
                case Completed(evidence=PaymentSnapshot() as payment):
                    self._cases.overcome("api")
                    await self._till.heed(Fact(payment, "api"))
                case Declined(decline=decline):
                    self._cases.overcome("api")
                    message = f"the gateway will not release the rest: {decline.gateway_code}"
                    await self._cases.review(CaseKind.VOID_DECLINED, message, at_stake=self._journal.booked.held_minor)
                    await self.look()
                case _:
                    await self._await_release(key, pause)
                    pause = min(2 * pause, options.STUCK_PAUSE_AT_MOST)

    async def look(self) -> EndReason | None:
        """See what the payment is now, and heed it; why that leaves no sale to be made."""
        payment = await self._desk.look_up()
        return await self._till.heed(Fact(payment, "poll")) if payment is not None else None

    async def _await_release(self, key: str, pause: timedelta) -> None:
        """The gateway took the release in; it tells later, and says no while it is at work on a capture.

        One no is common; another is followed by a longer `pause`, and is shown until the gateway says otherwise.
        """
        while self._journal.state is CheckoutState.PARTIALLY_CAPTURED:
            fact = await self._desk.next_fact(lambda: False)
            if fact is None:
                continue
            decline = fact.payment.decline if fact.payment.attempt == key else None
            if decline is None and not _is_held(fact.payment):
                self._cases.overcome(fact.cause)
            await self._till.heed(fact)
            if decline is not None and self._journal.state is CheckoutState.PARTIALLY_CAPTURED:
                if pause > options.STUCK_PAUSE:
                    self._cases.stuck(Verb.VOID, decline.gateway_code, lasting=True)
                await self._cases.pause(pause)
                return

    async def _told(self, asked: int, declined_before: str | None = None) -> Refusal | None:
        """The gateway took the capture in and tells later whether it was done; how it names the try is its own."""
        while True:
            fact = await self._desk.next_fact(lambda: False)
            payment = await self._desk.fresh(fact.payment) if fact else None
            if fact is None or payment is None:
                continue
            if is_lower(self._journal.booked, payment):
                # Meanwhile a capture from before has failed: the total to be reached is lower by as much.
                await self._till.heed(Fact(payment, fact.cause))
                if self._journal.state not in HELD:
                    return Refusal(HOLD_OVER, fact.cause)
                self._till.expect(self._journal.booked.captured_minor + asked)
            else:
                # More than there was and less than was asked for: no capture of ours, so a person has to look.
                payment = await self._till.agreed(payment)
            # What tells of the loss may be the answer as well, and is not told again.
            on_books = self._journal.booked.captured_minor
            if payment.status is PaymentStatus.CAPTURED or _has(payment, on_books + asked):
                return self._taken(payment, fact.cause, on_books + asked)
            if payment.status is PaymentStatus.CANCELED:
                raise NoSaleError(EndReason.CANCELED_AT_GATEWAY, fact.cause)
            if payment.decline and _is_held(payment) and self._is_answer(payment.attempt, declined_before):
                return Refusal(payment.decline, fact.cause)

    def _is_answer(self, attempt: str | None, declined_before: str | None) -> bool:
        """Whether a decline of this try, on an open hold, is the answer to the capture that is waited for."""
        ours = (attempt or "").startswith(f"{self._journal.command.checkout_id}:")
        return attempt != declined_before and (not ours or attempt == self._desk.key(Verb.CAPTURE))

    def _taken(self, payment: PaymentSnapshot, cause: str, total: int) -> Refusal | None:
        """Note what a capture left. A gateway that has taken less and will take no more has refused it."""
        if _is_held(payment) and payment.captured.minor < payment.amount.minor:
            self._till.part(payment, cause)
        else:
            self._till.paid(payment, cause)
        return None if payment.captured.minor >= total else Refusal(HOLD_OVER, cause)

    def _payment_id(self) -> str:
        payment_id = self._journal.status.payment_id
        assert payment_id is not None, "what is held has an id"
        return payment_id


def _is_held(payment: PaymentSnapshot) -> bool:
    return payment.status is PaymentStatus.AUTHORIZED


def _has(payment: PaymentSnapshot, total: int) -> bool:
    return _is_held(payment) and payment.captured.minor >= total


def _is_short(payment: PaymentSnapshot, total: int) -> bool:
    """Whether more is to come: it is still held, and less is taken than was asked for."""
    return _is_held(payment) and payment.captured.minor < total
