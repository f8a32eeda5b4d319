"""Talking with the gateway, for as long as it takes."""

from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

from activities.contract import Capture, Create, LookUp, Refund, Void
from activities.failures import KEY_SPENT, USELESS_KEY
from activities.payments import PaymentActivities
from domain.checkout import CaptureMode
from domain.money import Money
from domain.outcomes import Answer
from domain.payment import PaymentSnapshot
from domain.saga import Fact
from gateways.contract import CapturePayment, CreatePayment, RefundPayment, Verb, VoidPayment
from workflows import options
from workflows.cases import Cases
from workflows.journal import Journal
from workflows.mailbox import Mailbox

A = TypeVar("A")
C = TypeVar("C")


class _KeyUselessError(Exception):
    """The current key will never bring an answer, and the gateway shows nothing done under it."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Desk:
    """The saga's gateway calls. Each ends in an answer or goes on; nothing is given up silently.

    Keys are business keys, `<checkout>:<verb>:<number>`: the same for every repetition, whichever worker or run makes
    it. The number grows only when the gateway is known not to have done what the key before asked for, or to be done
    with it, or when a person says so.
    """

    def __init__(self, journal: Journal, mailbox: Mailbox, cases: Cases, refunds_asked: int = 0) -> None:
        self._command = journal.command
        self._journal = journal
        self._mailbox = mailbox
        self._cases = cases
        # A later workflow takes up the last refund that was asked for: what became of it is looked at first.
        self._numbers: Counter[Verb] = Counter({Verb.REFUND: max(0, refunds_asked - 1)})
        self._poll_pause = timedelta(seconds=journal.command.policy.poll_after_seconds)
        self._last_polled: PaymentSnapshot | None = None

    def key(self, verb: Verb) -> str:
        """The idempotency key that the verb's current attempt carries."""
        return f"{self._command.checkout_id}:{verb}:{self._numbers[verb] + 1}"

    def next_attempt(self, verb: Verb) -> None:
        """The current attempt failed for certain: the next one is a new operation."""
        self._numbers[verb] += 1

    async def create(self) -> Answer:
        """Open the payment."""
        c = self._command
        hold = c.capture is CaptureMode.ON_CONFIRM

        def call(key: str) -> Create:
            request = CreatePayment(key, c.checkout_id, c.order_id, c.amount, hold, c.return_url)
            return Create(c.gateway, c.checkout_id, request)

        return await self._operation(Verb.CREATE, PaymentActivities.create_payment, call)

    async def capture(self, payment_id: str) -> Answer:
        """Take what is held."""
        c = self._command
        return await self._operation(
            Verb.CAPTURE,
            PaymentActivities.capture_payment,
            lambda key: Capture(c.gateway, c.checkout_id, CapturePayment(key, payment_id, c.amount)),
        )

    async def void(self, payment_id: str) -> Answer:
        """End a payment that took nothing."""
        c = self._command
        return await self._operation(
            Verb.VOID,
            PaymentActivities.void_payment,
            lambda key: Void(c.gateway, c.checkout_id, VoidPayment(key, payment_id)),
        )

    async def refund(self, payment_id: str, amount: Money) -> Answer:
        """Give the amount back."""
        c = self._command
        return await self._operation(
            Verb.REFUND,
            PaymentActivities.refund_payment,
            lambda key: Refund(c.gateway, c.checkout_id, RefundPayment(key, payment_id, amount)),
        )

    async def look_up(self) -> PaymentSnapshot | None:
        """The payment as the gateway states it now; None when the gateway has none for this checkout."""
        c = self._command
        call = LookUp(c.gateway, c.checkout_id, self._journal.status.payment_id)
        return await self._persist("look up", PaymentActivities.look_up_payment, lambda: call)

    async def next_fact(self, interrupted: Callable[[], bool], until: datetime | None = None) -> Fact | None:
        """What the gateway is seen to say next: told by webhook, or asked for when none comes for a while.

        None when `interrupted()` or when `until` has come. A lost webhook loses no sale.
        """
        await self._journal.write()
        while not self._mailbox.facts and not interrupted():
            if until is not None and workflow.now() >= until:
                return None
            pause = min(self._poll_pause, until - workflow.now()) if until else self._poll_pause
            if await self._quiet(interrupted, pause) and not (until and workflow.now() >= until):
                longest = timedelta(seconds=self._command.policy.poll_at_most_seconds)
                payment = await self._poll(longest if until else max(longest, options.LONGEST_POLL_PAUSE))
                if payment is not None:
                    return Fact(payment, "poll")
        if interrupted():
            return None
        self._poll_pause = timedelta(seconds=self._command.policy.poll_after_seconds)
        return self._mailbox.facts.popleft()

    async def _poll(self, longest: timedelta) -> PaymentSnapshot | None:
        """Ask; the payment if it says something new. The pauses between polls grow."""
        payment = await self.look_up()
        self._poll_pause = max(self._poll_pause, min(2 * self._poll_pause, longest))
        if payment == self._last_polled:
            return None
        self._last_polled = payment
        return payment

    async def _quiet(self, interrupted: Callable[[], bool], pause: timedelta) -> bool:
        """Wait; whether nothing came."""
        try:
            await workflow.wait_condition(
                lambda: bool(self._mailbox.facts) or interrupted(), timeout=pause, timeout_summary="ask the gateway"
            )
        except TimeoutError:
            return True
        return False

    async def _operation(
        self, verb: Verb, method: Callable[[PaymentActivities, C], Awaitable[Answer]], call: Callable[[str], C]
    ) -> Answer:
        """A money operation under its current key; a key that can answer nothing any more is replaced by the next."""
        pause: timedelta | None = None
        while True:
            try:
                return await self._persist(verb, method, lambda: call(self.key(verb)))
            except _KeyUselessError as error:
                if error.reason != KEY_SPENT:
                    await self._cases.review(_snake(error.reason), f"{self.key(verb)}: {error}")
                elif pause:
                    # One spoilt key is an accident; a row of them is a gateway in trouble, which is not to be hammered.
                    self._cases.stuck(verb, error.reason)
                    await self._cases.pause(pause)
                pause = min(2 * pause, options.STUCK_PAUSE_AT_MOST) if pause else options.STUCK_PAUSE
                self.next_attempt(verb)

    async def _persist(
        self, step: str, method: Callable[[PaymentActivities, C], Awaitable[A]], call: Callable[[], C]
    ) -> A:
        """Repeat the call until it has an answer, and say so where people look when that takes long."""
        await self._journal.write()
        pause, cause = options.STUCK_PAUSE, "timer"
        while True:
            try:
                answer = await workflow.execute_activity_method(
                    method,
                    call(),
                    start_to_close_timeout=options.GATEWAY_ATTEMPT,
                    schedule_to_close_timeout=timedelta(seconds=self._command.policy.stuck_after_seconds),
                    retry_policy=options.GATEWAY_RETRY,
                    summary=f"{step} {self._command.amount} at {self._command.gateway}",
                )
            except ActivityError as error:
                if is_cancelled_exception(error):
                    raise
                reason = _reason(error)
                if reason in USELESS_KEY:
                    raise _KeyUselessError(reason, str(error.cause)) from error
                self._cases.stuck(step, reason)
                cause = await self._cases.pause(pause)
                pause = min(2 * pause, options.STUCK_PAUSE_AT_MOST)
            else:
                self._cases.unstuck(cause)
                return answer


def _reason(error: ActivityError) -> str:
    """The failure's type; its text may carry more than the books should keep."""
    cause = error.cause
    return cause.type or "Failure" if isinstance(cause, ApplicationError) else type(cause).__name__


def _snake(name: str) -> str:
    """`KeyExpired` as `key_expired`."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
