"""One bout of tries of a gateway call, and how far apart the bouts are while there is no answer."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from activities.failures import USELESS_KEY
from workflows import options
from workflows.unanswered import KeyUselessError, reason_of

A = TypeVar("A")
C = TypeVar("C")


class UnansweredError(Exception):
    """The gateway gave no answer for as long as it was asked; what was asked may have been done."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


async def ask(method: Callable[[Any, C], Awaitable[A]], call: C, patience: timedelta, summary: str) -> A:
    """The answer to the call, repeated for as long as there is patience. Raises ActivityError."""
    return await workflow.execute_activity_method(
        method,
        call,
        start_to_close_timeout=options.GATEWAY_ATTEMPT,
        schedule_to_close_timeout=patience,
        retry_policy=options.GATEWAY_RETRY,
        summary=summary,
    )


async def attempt(method: Callable[[Any, C], Awaitable[A]], call: C, patience: timedelta, summary: str) -> A:
    """The same; raises UnansweredError, and KeyUselessError when its key can never bring an answer any more."""
    try:
        return await ask(method, call, patience, summary)
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise
        reason = reason_of(error)
        if reason in USELESS_KEY:
            raise KeyUselessError(reason, str(error.cause)) from error
        raise UnansweredError(reason) from error


class Pauses:
    """Growing pauses: minutes while it may be a moment's trouble, hours later, in the end a day."""

    def __init__(self, since: datetime) -> None:
        self.since = since
        self._pause = options.STUCK_PAUSE

    def following(self) -> timedelta:
        """The next pause."""
        pause, unknown_for = self._pause, workflow.now() - self.since
        longest = options.STUCK_PAUSE_AT_MOST if unknown_for < timedelta(days=1) else timedelta(days=1)
        self._pause = min(2 * self._pause, longest)
        return pause
