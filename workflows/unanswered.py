"""Why a gateway call was given up without an answer."""

from temporalio.exceptions import ActivityError, ApplicationError

from activities.failures import NOTHING_HAPPENED


class KeyUselessError(Exception):
    """The current key will never bring an answer, and the gateway shows nothing done under it."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class NothingHappenedError(Exception):
    """The gateway has no payment of this checkout, and none can come of what was asked: the next one may be asked.

    `reason`: what the gateway was left for, in one word.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class GivenUpError(Exception):
    """Nobody wants the answer any more; what was asked may have been done."""


def reason_of(error: ActivityError) -> str:
    """The failure's type; its text may carry more than the books should keep."""
    cause = error.cause
    return cause.type or "Failure" if isinstance(cause, ApplicationError) else type(cause).__name__


def left_for(error: ActivityError) -> str:
    """What the gateway was left for. Where the activity proved that nothing happened, its message begins with why."""
    cause = error.cause
    if isinstance(cause, ApplicationError) and cause.type == NOTHING_HAPPENED:
        return cause.message.partition(":")[0]
    return reason_of(error)


def snake(name: str) -> str:
    """`KeyExpired` as `key_expired`."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
