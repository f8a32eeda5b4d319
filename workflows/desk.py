"""Talking with the gateway, for as long as it takes."""

from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from temporalio import workflow

from activities.contract import Authorize, Capture, Create, LookUp, OnBooks, Reauthorize, Refund, Void
from activities.disputes import DisputeActivities, LookUpDispute
from activities.failures import KEY_SPENT
from activities.payments import PaymentActivities
from domain.booked import is_at_rest, is_lower
from domain.case import CaseKind
from domain.checkout import CaptureMode
from domain.dispute import DisputeSnapshot
from domain.money import Money
from domain.outcomes import Answer
from domain.payment import PaymentSnapshot
from domain.saga import Fact
from gateways.contract import (
    AuthorizePayment,
    CapturePayment,
    CreatePayment,
    ReauthorizePayment,
    RefundPayment,
    Verb,
    VoidPayment,
)
from workflows import options
from workflows.cases import Cases
from workflows.journal import Journal
from workflows.mailbox import Mailbox
from workflows.persistence import Persistence
from workflows.unanswered import KeyUselessError, snake

C = TypeVar("C")


class Desk:
    """The saga's gateway calls. Each ends in an answer or goes on; nothing is given up silently.

    Keys are business keys, `<checkout>:<verb>:<number>`: the same for every repetition, whichever worker or run makes
    it. The number grows only when the gateway is known not to have done what the key before asked for, or to be done
    with it, or when a person says so.
    """

    def __init__(self, journal: Journal, mailbox: Mailbox, cases: Cases, on_books: OnBooks | None = None) -> None:
        self._command = journal.command
        self._journal = journal
        self._mailbox = mailbox
        self._cases = cases
        # A later workflow takes up the last refund that was asked for: what became of it is looked at first. A void
        # that was answered has its answer stored, and what is held now was held after it: the next one is a new one.
        refunds, voids = (on_books.refunds_asked, on_books.voids_asked) if on_books else (0, 0)
        self._numbers: Counter[Verb] = Counter({Verb.REFUND: max(0, refunds - 1), Verb.VOID: voids})
        self._persistence = Persistence(journal, mailbox, cases)
        self._poll_pause = timedelta(seconds=journal.command.policy.poll_after_seconds)
        self._last_polled: PaymentSnapshot | None = None
        self._unanswered: set[Verb] = set()

    @property
    def gateway(self) -> str:
        """The gateway that is talked with."""
        return self._journal.account.gateway

    def key(self, verb: Verb) -> str:
        """The idempotency key that the verb's current attempt carries."""
        return f"{self._command.checkout_id}:{verb}:{self._numbers[verb] + 1}"

    def next_attempt(self, verb: Verb) -> None:
        """The current attempt failed for certain: the next one is a new operation."""
        self._numbers[verb] += 1

    def remember(self, on_books: OnBooks) -> None:
        """A reset forgot what was asked for: whatever is asked for from now on is a new operation."""
        self._numbers[Verb.CAPTURE] = on_books.captures_asked
        self._numbers[Verb.VOID] = on_books.voids_asked
        self._numbers[Verb.REAUTHORIZE] = on_books.reauthorizations_asked

    async def create(self, may_leave: bool = False) -> Answer:
        """Open the payment. Raises NothingHappenedError, when it `may_leave`, for a gateway that will not open it.

        GivenUpError when there is no answer and the shop gave the checkout up meanwhile, or its time is over.
        """
        c = self._command
        hold = c.capture is CaptureMode.ON_CONFIRM

        def call(key: str) -> Create:
            request = CreatePayment(key, c.checkout_id, c.order_id, c.amount, hold, c.return_url)
            return Create(self.gateway, c.checkout_id, request, may_leave, unwanted=self._persistence.is_unwanted())

        return await self._operation(Verb.CREATE, PaymentActivities.create_payment, call, may_leave, in_time=True)

    async def take(self, payment_id: str) -> Answer:
        """Hold or take what the customer has approved, as the shop wants it."""
        return await (self.authorize if self.taking is Verb.AUTHORIZE else self.capture)(payment_id)

    @property
    def taking(self) -> Verb:
        """What follows the customer's approval."""
        return Verb.AUTHORIZE if self._command.capture is CaptureMode.ON_CONFIRM else Verb.CAPTURE

    def is_unanswered(self, verb: Verb) -> bool:
        """Whether the verb was asked for and its answer not waited for: it may be done at any moment."""
        return verb in self._unanswered

    async def authorize(self, payment_id: str) -> Answer:
        """Hold what the customer approved."""
        c = self._command
        return await self._operation(
            Verb.AUTHORIZE,
            PaymentActivities.authorize_payment,
            lambda key: Authorize(self.gateway, c.checkout_id, AuthorizePayment(key, payment_id, c.amount)),
        )

    async def capture(
        self, payment_id: str, amount: Money | None = None, final: bool = True, total: Money | None = None
    ) -> Answer:
        """Take what is held or approved, or this `amount` of it; see CapturePayment."""
        c = self._command

        def call(key: str) -> Capture:
            request = CapturePayment(key, payment_id, amount or c.amount, final, total)
            return Capture(self.gateway, c.checkout_id, request)

        return await self._operation(Verb.CAPTURE, PaymentActivities.capture_payment, call)

    async def reauthorize(self, payment_id: str, amount: Money, known: str | None) -> Answer:
        """Make the hold anew; `known` is the gateway's id of the one there is."""
        c = self._command

        def call(key: str) -> Reauthorize:
            return Reauthorize(self.gateway, c.checkout_id, ReauthorizePayment(key, payment_id, amount), known)

        return await self._operation(Verb.REAUTHORIZE, PaymentActivities.reauthorize_payment, call)

    async def void(self, payment_id: str) -> Answer:
        """End a payment that took nothing."""
        c = self._command
        return await self._operation(
            Verb.VOID,
            PaymentActivities.void_payment,
            lambda key: Void(self.gateway, c.checkout_id, VoidPayment(key, payment_id)),
        )

    async def refund(self, payment_id: str, amount: Money) -> Answer:
        """Give the amount back."""
        c = self._command
        return await self._operation(
            Verb.REFUND,
            PaymentActivities.refund_payment,
            lambda key: Refund(self.gateway, c.checkout_id, RefundPayment(key, payment_id, amount)),
        )

    async def look_up(self) -> PaymentSnapshot | None:
        """The payment as the gateway states it now; None when the gateway has none for this checkout."""
        c = self._command
        call = LookUp(self.gateway, c.checkout_id, self._journal.status.payment_id)
        return await self._persistence.until_answered("look up", PaymentActivities.look_up_payment, lambda: call)

    async def fresh(self, payment: PaymentSnapshot) -> PaymentSnapshot | None:
        """The payment, asked for anew where it has less captured than is on the books: it may be from before that."""
        return await self.look_up() if is_lower(self._journal.booked, payment) else payment

    async def next_fact(self, interrupted: Callable[[], bool], until: datetime | None = None) -> Fact | None:
        """What the gateway is seen to say next: told by webhook, or asked for when none comes for a while.

        None when `interrupted()` or when `until` has come. A lost webhook loses no sale.
        """
        await self._journal.write()
        since = workflow.now()
        self._mailbox.retry_requested = False
        while not self._mailbox.facts and not interrupted():
            if until is not None and workflow.now() >= until:
                return None
            pause = min(self._poll_pause, until - workflow.now()) if until else self._poll_pause
            if await self._quiet(interrupted, pause) and not (until and workflow.now() >= until):
                longest = timedelta(seconds=self._command.policy.poll_at_most_seconds)
                payment = await self._poll(longest if until else max(longest, options.LONGEST_POLL_PAUSE))
                if payment is not None:
                    self._cases.heard("poll")
                    return Fact(payment, "poll")
                if until is None and workflow.now() - since >= options.SILENCE:
                    self._cases.silent()
                    await self._journal.write()
        if interrupted():
            return None
        self._poll_pause = timedelta(seconds=self._command.policy.poll_after_seconds)
        fact = self._mailbox.facts.popleft()
        self._cases.heard(fact.cause)
        if fact.payment.gateway != self.gateway:
            await self.stray(fact.payment)
            return await self.next_fact(interrupted, until)
        return fact

    async def stray(self, payment: PaymentSnapshot) -> None:
        """Money at a gateway that the saga left is for a person to look at."""
        await self._cases.stray(payment, lambda: self.is_settled_elsewhere(payment.gateway, payment.payment_id))

    async def _poll(self, longest: timedelta) -> PaymentSnapshot | None:
        """Ask; the payment if it says something new. The pauses between polls grow."""
        payment = await self.look_up()
        self._poll_pause = max(self._poll_pause, min(2 * self._poll_pause, longest))
        if payment == self._last_polled:
            return None
        self._last_polled = payment
        return payment

    async def _quiet(self, interrupted: Callable[[], bool], pause: timedelta) -> bool:
        """Wait; whether nothing came, or a person wants the gateway to be asked now."""
        try:
            await workflow.wait_condition(
                lambda: bool(self._mailbox.facts) or interrupted() or self._mailbox.retry_requested,
                timeout=pause,
                timeout_summary="ask the gateway",
            )
        except TimeoutError:
            return True
        asked, self._mailbox.retry_requested = self._mailbox.retry_requested, False
        return asked and not self._mailbox.facts and not interrupted()

    async def _operation(
        self,
        verb: Verb,
        method: Callable[[PaymentActivities, C], Awaitable[Answer]],
        call: Callable[[str], C],
        may_leave: bool = False,
        in_time: bool = False,
    ) -> Answer:
        """A money operation under its current key; a key that can answer nothing any more is replaced by the next."""
        pause: timedelta | None = None
        self._unanswered.add(verb)
        while True:
            try:
                answer = await self._persistence.until_answered(
                    verb, method, lambda: call(self.key(verb)), may_leave, in_time
                )
            except KeyUselessError as error:
                if error.reason != KEY_SPENT:
                    ask = partial(self._persistence.until_answered, verb, method, lambda: call(self.key(verb)))
                    found = await self._useless(error, self.key(verb), ask)
                    if found is not None:
                        self._unanswered.discard(verb)
                        return found
                elif pause:
                    # One spoilt key is an accident; a row of them is a gateway in trouble, which is not to be hammered.
                    self._cases.stuck(verb, error.reason)
                    await self._cases.pause(pause)
                pause = min(2 * pause, options.STUCK_PAUSE_AT_MOST) if pause else options.STUCK_PAUSE
                self.next_attempt(verb)
            else:
                self._unanswered.discard(verb)
                return answer

    async def _useless(self, error: KeyUselessError, key: str, ask: Callable[[], Awaitable[Answer]]) -> Answer | None:
        """A person decides; the answer where looking again has shown it, None for a new operation."""
        found: list[Answer] = []

        async def settled() -> bool:
            with suppress(KeyUselessError):
                found.append(await ask())
            return bool(found)

        await self._cases.review(CaseKind(snake(error.reason)), f"{key}: {error}", settled=settled)
        return found[0] if found else None

    async def is_settled_elsewhere(self, gateway: str, payment_id: str) -> bool:
        """Whether a payment at a gateway that was left has come to nothing, or all of it went back."""
        call = LookUp(gateway, self._command.checkout_id, payment_id)
        payment = await self._persistence.until_answered("look up", PaymentActivities.look_up_payment, lambda: call)
        return payment is None or is_at_rest(payment)

    async def look_up_dispute(self, gateway: str, dispute_id: str) -> DisputeSnapshot | None:
        """The dispute as the gateway states it now, by the gateway's own id."""
        call = LookUpDispute(gateway, dispute_id)
        return await self._persistence.until_answered("look up", DisputeActivities.look_up_dispute, lambda: call)
