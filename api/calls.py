"""One call to the Temporal server: how long it is waited for, and its errors in our words."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from temporalio.client import (
    WithStartWorkflowOperation,
    WorkflowUpdateFailedError,
    WorkflowUpdateHandle,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from domain.errors import PaysagaError

T = TypeVar("T")

_DOWN = {RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.RESOURCE_EXHAUSTED}


class CommandRefusedError(PaysagaError):
    """The state of what the command is for does not allow it."""


class InvalidCommandError(CommandRefusedError):
    """The command makes no sense for this checkout, wherever it stands; the message names the field at fault."""


class CommandFailedError(PaysagaError):
    """The command was taken on and came to nothing. `code`: why, in a word."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class SagaEndedError(PaysagaError):
    """The workflow has ended, or the Temporal server does not know it."""


class TemporalDownError(PaysagaError):
    """The Temporal server does not answer."""


class NotTakenOnError(PaysagaError):
    """No worker has heard the command in time: it may still be carried out, or get lost."""


async def heard(patience: float, command: Coroutine[Any, Any, WorkflowUpdateHandle[T]]) -> T | None:
    """The workflow's answer, None when it has taken the command on and does not answer in time.

    Raises NotTakenOnError when it has not even heard it: only what a worker accepted is in the workflow's history.
    Until then the server keeps an update in its memory, and one that restarts forgets it: a shop that was told "taken
    on" would lose its order.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + patience
    try:
        async with asyncio.timeout(patience):
            accepted = await called(command)
    except TimeoutError:
        raise NotTakenOnError("no worker has heard the command") from None
    return await within(end - loop.time(), accepted.result())


async def within(patience: float, call: Coroutine[Any, Any, T]) -> T | None:
    """What the call answered, None when it did not in time.

    asyncio's own time-out, since the client's may take twice as long as asked.
    """
    try:
        async with asyncio.timeout(patience):
            return await called(call)
    except TimeoutError:
        return None


async def starting(operation: WithStartWorkflowOperation[Any, Any], update: Coroutine[Any, Any, T]) -> T:
    """Await a call that starts a workflow on its way, and leave no failure of the start unread."""
    try:
        return await update
    finally:
        started = operation._workflow_handle
        if started.done():
            started.exception()  # else asyncio reports it as never retrieved


async def called(call: Coroutine[Any, Any, T]) -> T:
    """Await a client call; its errors in our words."""
    try:
        return await call
    except WorkflowUpdateFailedError as error:
        raise _update_failure(error) from error
    except WorkflowUpdateRPCTimeoutOrCancelledError:
        raise TimeoutError from None
    except WorkflowAlreadyStartedError as error:
        raise SagaEndedError(str(error)) from error
    except RPCError as error:
        if error.status in (RPCStatusCode.NOT_FOUND, RPCStatusCode.ALREADY_EXISTS):
            raise SagaEndedError(str(error)) from error
        if error.status in _DOWN:
            raise TemporalDownError(str(error)) from error
        raise
    except RuntimeError as error:
        # A lazily connected client raises this when its first connection fails.
        if "connect" not in str(error).lower():
            raise
        raise TemporalDownError(str(error)) from error


def _update_failure(error: WorkflowUpdateFailedError) -> PaysagaError:
    """An update that names no kind of failure was cut off by its workflow's end."""
    cause = error.cause
    if not isinstance(cause, ApplicationError) or cause.type in (None, "AcceptedUpdateCompletedWorkflow"):
        return SagaEndedError(str(cause))
    if cause.type == "NotAllowed":
        return CommandRefusedError(cause.message)
    if cause.type == "InvalidCapture":
        return InvalidCommandError(cause.message)
    code = str(cause.details[0]) if cause.details else cause.type
    return CommandFailedError(code, cause.message)
