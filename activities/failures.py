"""The one place that decides what Temporal repeats and what it hands back to the workflow."""

from datetime import timedelta

from temporalio.exceptions import ApplicationError

from domain.errors import (
    EntryMismatchError,
    GatewayMisconfiguredError,
    GatewayRefusedError,
    IllegalTransitionError,
    InvalidMoneyError,
    KeySpentError,
    NotDoneError,
    OperationMismatchError,
    OrderExistsError,
    PaysagaError,
)

KEY_SPENT = "KeySpent"
NOTHING_HAPPENED = "NothingHappened"
"""The gateway was never asked for this payment: another one may be."""
KEY_EXPIRED = "KeyExpired"
NEVER_ASKED = "NeverAsked"
"""Nobody wants it any more, and the gateway was never asked for it."""
USELESS_KEY = frozenset({KEY_SPENT, KEY_EXPIRED, "OperationMismatch"})
"""Failures after which the same key can never bring an answer, while the gateway shows nothing done under it."""

# A wrong credential is mended by a person; asking every second meanwhile would only bury the log.
_MISCONFIGURED_PAUSE = timedelta(seconds=30)


def failure(error: PaysagaError) -> ApplicationError:
    """The Temporal failure of a domain error: its type is the error's class name without `Error`."""
    name = type(error).__name__.removesuffix("Error")
    match error:
        case KeySpentError():
            return ApplicationError(str(error), type=KEY_SPENT, non_retryable=True)
        case NotDoneError(retry_after_seconds=float() as seconds):
            return ApplicationError(str(error), type=name, next_retry_delay=timedelta(seconds=seconds))
        case GatewayMisconfiguredError():
            return ApplicationError(str(error), type=name, next_retry_delay=_MISCONFIGURED_PAUSE)
        case GatewayRefusedError() | IllegalTransitionError() | InvalidMoneyError():
            return ApplicationError(str(error), type=name, non_retryable=True)
        case OperationMismatchError() | EntryMismatchError() | OrderExistsError():
            return ApplicationError(str(error), type=name, non_retryable=True)
        case _:
            return ApplicationError(str(error), type=name)
