"""Talking with the gateway, for as long as it takes."""

from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from activities.contract import Authorize, Capture, Create, LookUp, OnBooks, Refund, Void
from activities.failures import KEY_SPENT, NEVER_ASKED, NOTHING_HAPPENED, USELESS_KEY
from activities.payments import PaymentActivities
from domain.booked import is_lower
from domain.checkout import CaptureMode
from domain.money import Money
from domain.outcomes import Answer
from domain.payment import PaymentSnapshot
from domain.saga import Fact
from gateways.contract import AuthorizePayment, CapturePayment, CreatePayment, RefundPayment, Verb, VoidPayment
from workflows import options
from workflows.cases import Cases
from workflows.journal import Journal
from workflows.mailbox import Mailbox
from workflows.unanswered import GivenUpError, KeyUselessError, NothingHappenedError, left_for, reason_of, snake

A = TypeVar("A")
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

    async def create(self, may_leave: bool = False) -> Answer:
        """Open the payment. Raises NothingHappenedError, when it `may_leave`, for a gateway that will not open it.

        GivenUpError when there is no answer and the shop gave the checkout up meanwhile, or its time is over.
        """
        c = self._command
        hold = c.capture is CaptureMode.ON_CONFIRM

        def call(key: str) -> Create:
            request = CreatePayment(key, c.checkout_id, c.order_id, c.amount, hold, c.return_url)
            return Create(self.gateway, c.checkout_id, request, may_leave, unwanted=self._is_unwanted())

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

    async def capture(self, payment_id: str) -> Answer:
        """Take what is held or approved."""
        c = self._command
        return await self._operation(
            Verb.CAPTURE,
            PaymentActivities.capture_payment,
            lambda key: Capture(self.gateway, c.checkout_id, CapturePayment(key, payment_id, c.amount)),
        )

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
        return await self._persist("look up", PaymentActivities.look_up_payment, lambda: call)

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
            await self._cases.stray(fact.payment)
            return await self.next_fact(interrupted, until)
        return fact

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
                answer = await self._persist(verb, method, lambda: call(self.key(verb)), may_leave, in_time)
            except KeyUselessError as error:
                if error.reason != KEY_SPENT:
                    await self._cases.review(snake(error.reason), f"{self.key(verb)}: {error}")
                elif pause:
                    # One spoilt key is an accident; a row of them is a gateway in trouble, which is not to be hammered.
                    self._cases.stuck(verb, error.reason)
                    await self._cases.pause(pause)
                pause = min(2 * pause, options.STUCK_PAUSE_AT_MOST) if pause else options.STUCK_PAUSE
                self.next_attempt(verb)
            else:
                self._unanswered.discard(verb)
                return answer

    async def _persist(
        self,
        step: str,
        method: Callable[[PaymentActivities, C], Awaitable[A]],
        call: Callable[[], C],
        may_leave: bool = False,
        in_time: bool = False,
    ) -> A:
        """Repeat the call until it has an answer, and say so where people look when that takes long.

        Raises NothingHappenedError when it `may_leave`, GivenUpError when it is of use only `in_time` and that is over.
        """
        await self._journal.write()
        policy = self._command.policy
        patience = timedelta(seconds=policy.failover_after_seconds if may_leave else policy.stuck_after_seconds)
        cut_short, pause, cause, tried = may_leave, options.STUCK_PAUSE, "timer", False
        # Tried once in any case: where the story is told anew, what was asked for then has its answer.
        while not (tried and in_time and self._is_unwanted()):
            tried = True
            try:
                answer = await self._call(step, method, call(), patience)
            except ActivityError as error:
                if is_cancelled_exception(error):
                    raise
                reason = reason_of(error)
                if reason == NEVER_ASKED:
                    break
                if reason in USELESS_KEY:
                    raise KeyUselessError(reason, str(error.cause)) from error
                if reason == NOTHING_HAPPENED or (may_leave and await self._is_absent(patience)):
                    self._cases.unstuck(cause)
                    raise NothingHappenedError(left_for(error)) from error
                if cut_short:
                    # It was only to be seen whether to leave. What was opened after all is found by the next try.
                    cut_short, patience = False, timedelta(seconds=policy.stuck_after_seconds)
                    continue
                self._cases.stuck(step, reason)
                cause = await self._pause(pause, in_time)
                pause = min(2 * pause, options.STUCK_PAUSE_AT_MOST)
            else:
                self._cases.unstuck(cause)
                return answer
        raise GivenUpError(step)

    async def _call(
        self, step: str, method: Callable[[PaymentActivities, C], Awaitable[A]], call: C, patience: timedelta
    ) -> A:
        return await workflow.execute_activity_method(
            method,
            call,
            start_to_close_timeout=options.GATEWAY_ATTEMPT,
            schedule_to_close_timeout=patience,
            retry_policy=options.GATEWAY_RETRY,
            summary=f"{step} {self._command.amount} at {self.gateway}",
        )

    async def _pause(self, pause: timedelta, in_time: bool) -> str:
        if not in_time:
            return await self._cases.pause(pause)
        left = max(self._command.expires_at - workflow.now(), timedelta())
        return await self._cases.pause(min(pause, left), lambda: self._mailbox.stops)

    def _is_unwanted(self) -> bool:
        return self._mailbox.stops or workflow.now() >= self._command.expires_at

    async def _is_absent(self, patience: timedelta) -> bool:
        """Whether what was asked for has certainly come to nothing, although no answer told so.

        Either the gateway shows every payment by our reference and shows none, or nothing but our own capture could
        take money from one that it made after all, and this saga will not ask for it.
        """
        account = self._journal.account
        if not account.finds_by_reference:
            return not account.voids_unpaid
        call = LookUp(account.gateway, self._command.checkout_id, None)
        try:
            return await self._call("look up", PaymentActivities.look_up_payment, call, patience) is None
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            return False
