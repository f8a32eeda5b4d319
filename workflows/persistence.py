"""Going on with a gateway call that has no answer, for as long as it takes."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from activities.contract import LookUp
from activities.failures import NEVER_ASKED, NOTHING_HAPPENED, USELESS_KEY
from activities.payments import PaymentActivities
from workflows import patches
from workflows.attempts import Pauses, ask
from workflows.cases import Cases
from workflows.journal import Journal
from workflows.mailbox import Mailbox
from workflows.unanswered import GivenUpError, KeyUselessError, NothingHappenedError, left_for, reason_of

A = TypeVar("A")
C = TypeVar("C")


class Persistence:
    """Ignorance is no failure: what became of a call is asked for ever, ever more rarely, and people are told."""

    def __init__(self, journal: Journal, mailbox: Mailbox, cases: Cases) -> None:
        self._command = journal.command
        self._journal = journal
        self._mailbox = mailbox
        self._cases = cases

    async def until_answered(
        self,
        step: str,
        method: Callable[[Any, C], Awaitable[A]],
        call: Callable[[], C],
        may_leave: bool = False,
        in_time: bool = False,
    ) -> A:
        """Repeat the call until it has an answer, and say so where people look when that takes long.

        Raises NothingHappenedError when it `may_leave`, GivenUpError when it is of use only `in_time` and that is over,
        KeyUselessError for a key that can bring no answer, and what a person's order leads to (see Cases).
        """
        await self._journal.write()
        policy = self._command.policy
        patience = timedelta(seconds=policy.failover_after_seconds if may_leave else policy.stuck_after_seconds)
        wait = _Wait(step, timedelta(seconds=policy.page_after_seconds))
        cut_short, cause, tried = may_leave, "timer", False
        # Tried once in any case: where the story is told anew, what was asked for then has its answer.
        while not (tried and in_time and self.is_unwanted()):
            tried = True
            try:
                answer = await self._call(step, method, call(), patience)
            except ActivityError as error:
                reason = _judged(error)
                if reason is None:
                    break
                if reason == NOTHING_HAPPENED or (may_leave and await self._is_absent(patience)):
                    self._cases.unstuck(cause)
                    raise NothingHappenedError(left_for(error)) from error
                if cut_short:
                    # It was only to be seen whether to leave. What was opened after all is found by the next try.
                    cut_short, patience = False, timedelta(seconds=policy.stuck_after_seconds)
                    continue
                cause = await self._pause(wait, reason, in_time)
            else:
                self._cases.unstuck(cause)
                return answer
        raise GivenUpError(step)

    def is_unwanted(self) -> bool:
        """Whether nobody wants a payment any more that is not opened yet."""
        return self._mailbox.stops or workflow.now() >= self._command.expires_at

    async def _call(self, step: str, method: Callable[[Any, C], Awaitable[A]], call: C, patience: timedelta) -> A:
        summary = f"{step} {self._command.amount} at {self._journal.account.gateway}"
        return await ask(method, call, patience, summary)

    async def _pause(self, wait: "_Wait", reason: str, in_time: bool) -> str:
        """Say how it stands, and wait until it is time to ask again. Answers the cause that ended the wait."""
        self._cases.stuck(wait.step, reason, wait.pauses.since)
        pause = wait.pauses.following()
        if patches.pages_unknown() and (due := wait.page_due()) is not None:
            if due <= timedelta():
                wait.paged = True
                self._cases.page(wait.step, reason, wait.pauses.since)
            else:
                pause = min(pause, due)
        if not in_time:
            return await self._cases.pause(pause)
        left = max(self._command.expires_at - workflow.now(), timedelta())
        return await self._cases.pause(min(pause, left), lambda: self._mailbox.stops)

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


class _Wait:
    """How long one call has been without an answer, and whether a person was told."""

    def __init__(self, step: str, page_after: timedelta) -> None:
        self.step = step
        self.pauses = Pauses(workflow.now())
        self.paged = False
        self._page_at = workflow.now() + page_after

    def page_due(self) -> timedelta | None:
        """How long until a person is to be told; None when one was."""
        return None if self.paged else self._page_at - workflow.now()


def _judged(error: ActivityError) -> str | None:
    """Why there is no answer, None for what was never asked. Raises what no repetition can help."""
    if is_cancelled_exception(error):
        raise error
    reason = reason_of(error)
    if reason in USELESS_KEY:
        raise KeyUselessError(reason, str(error.cause)) from error
    return None if reason == NEVER_ASKED else reason
