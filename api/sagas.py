"""The one place that starts checkout workflows and talks to them."""

import asyncio
import logging
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, TypeVar

from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowHandle,
    WorkflowUpdateFailedError,
    WorkflowUpdateHandle,
    WorkflowUpdateRPCTimeoutOrCancelledError,
    WorkflowUpdateStage,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from domain.checkout import Checkout, CheckoutStatus
from domain.errors import PaysagaError
from domain.saga import CheckoutCommand, Fact, GatewayAccount, SagaPolicy
from domain.split import SplitCommand
from workflows.checkout import CheckoutWorkflow
from workflows.late_payment import LatePaymentWorkflow
from workflows.search_attributes import at_start

T = TypeVar("T")

logger = logging.getLogger(__name__)

_ACCEPTED = WorkflowUpdateStage.ACCEPTED
_DOWN = {RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.RESOURCE_EXHAUSTED}


class CommandRefusedError(PaysagaError):
    """The checkout's state does not allow what was asked."""


class SagaEndedError(PaysagaError):
    """The checkout's workflow has ended, or the Temporal server does not know it."""


class TemporalDownError(PaysagaError):
    """The Temporal server does not answer."""


class NotTakenOnError(PaysagaError):
    """No worker has heard the command in time: it may still be carried out, or get lost."""


class Sagas:
    """Starts and talks to checkout workflows.

    `accounts`: per gateway, what a saga must know of ours. Methods that take `patience` (seconds) answer True when
    the workflow has answered by then, else False: what was asked goes on, durably. They raise CommandRefusedError,
    SagaEndedError and TemporalDownError; confirm, reject and cancel NotTakenOnError too.
    """

    def __init__(
        self, client: Client, task_queue: str, policy: SagaPolicy, accounts: Mapping[str, GatewayAccount]
    ) -> None:
        self._client = client
        self._task_queue = task_queue
        self._policy = policy
        self._accounts = accounts

    async def open(self, checkout: Checkout, patience: float = 3.0, legs: Sequence[Checkout] = ()) -> bool:
        """Start the checkout's workflow, or join the one that runs, and wait for the customer's next step.

        `legs` are those of a split checkout, in their order.
        """
        workflow, argument, command = self._start_of(checkout, legs)
        operation: WithStartWorkflowOperation[Any, CheckoutStatus] = WithStartWorkflowOperation(
            workflow,
            argument,
            id=checkout.workflow_id,
            task_queue=self._task_queue,
            # Never a second run for one checkout: it would charge again.
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            search_attributes=at_start(command),
            static_summary=_summary(command),
        )

        async def update() -> None:
            try:
                # One update id for all: however many ask, the workflow accepts one.
                await self._client.execute_update_with_start_workflow(
                    CheckoutWorkflow.open, start_workflow_operation=operation, id="open"
                )
            finally:
                started = operation._workflow_handle
                if started.done():
                    started.exception()  # else asyncio reports it as never retrieved

        try:
            return await _within(patience, update())
        except SagaEndedError:
            return True

    async def start(self, checkout: Checkout, legs: Sequence[Checkout] = ()) -> None:
        """Start the checkout's workflow without waiting; nothing happens when it ever was started."""
        workflow, argument, command = self._start_of(checkout, legs)
        try:
            await _called(
                self._client.start_workflow(
                    workflow,
                    argument,
                    id=checkout.workflow_id,
                    task_queue=self._task_queue,
                    id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                    id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                    search_attributes=at_start(command),
                    static_summary=_summary(command),
                )
            )
        except SagaEndedError:
            logger.info("%s ran before", checkout.workflow_id)

    async def confirm(self, checkout: Checkout, patience: float = 3.0) -> bool:
        """The shop keeps the order."""
        command = self._handle(checkout).start_update(CheckoutWorkflow.confirm, wait_for_stage=_ACCEPTED)
        return await _told(patience, command)

    async def reject(self, checkout: Checkout, reason: str, patience: float = 3.0) -> bool:
        """The shop does not keep the order: the payment is undone."""
        command = self._handle(checkout).start_update(CheckoutWorkflow.reject, reason, wait_for_stage=_ACCEPTED)
        return await _told(patience, command)

    async def cancel(self, checkout: Checkout, patience: float = 3.0) -> bool:
        """The shop gives the checkout up before it is paid."""
        command = self._handle(checkout).start_update(CheckoutWorkflow.cancel, wait_for_stage=_ACCEPTED)
        return await _told(patience, command)

    async def deliver(self, checkout: Checkout, fact: Fact) -> None:
        """Bring a fact to the running workflow. Raises SagaEndedError; a closed workflow is never started again."""
        await _called(self._handle(checkout).signal(CheckoutWorkflow.gateway_fact, fact))

    async def deliver_late(self, checkout: Checkout, fact: Fact) -> None:
        """Bring a fact to the workflow that puts right what happens after a checkout's end."""
        command = self._command(checkout)
        await _called(
            self._client.start_workflow(
                LatePaymentWorkflow.run,
                command,
                id=f"late/{checkout.id}",
                task_queue=self._task_queue,
                # May run again, since it never charges and takes its keys from the books.
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                search_attributes=at_start(command),
                static_summary=f"late money: {_summary(command)}",
                start_signal="gateway_fact",
                start_signal_args=[fact],
            )
        )

    def _start_of(self, checkout: Checkout, legs: Sequence[Checkout]) -> tuple[str, object, CheckoutCommand]:
        """The workflow that writes this checkout's state, what it starts with, and what people see of that."""
        if checkout.is_split:
            split = SplitCommand.of(checkout, legs, self._accounts, self._policy)
            return "SplitCheckout", split, split.checkout
        command = self._command(checkout)
        return "Checkout", command, command

    def _command(self, checkout: Checkout) -> CheckoutCommand:
        return CheckoutCommand.of(checkout, self._accounts, self._policy)

    def _handle(self, checkout: Checkout) -> WorkflowHandle[CheckoutWorkflow, CheckoutStatus]:
        return self._client.get_workflow_handle_for(CheckoutWorkflow.run, checkout.workflow_id)


async def _told(patience: float, command: Coroutine[Any, Any, WorkflowUpdateHandle[str]]) -> bool:
    """Whether the workflow has acted on the command in time. Raises NotTakenOnError when it has not even heard it.

    Only what a worker accepted is in the workflow's history. Until then the server keeps an update in its memory, and
    one that restarts forgets it: a shop that was told "taken on" would lose its order.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + patience
    try:
        async with asyncio.timeout(patience):
            accepted = await _called(command)
    except TimeoutError:
        raise NotTakenOnError("no worker has heard the command") from None
    return await _within(end - loop.time(), accepted.result())


async def _within(patience: float, call: Coroutine[Any, Any, object]) -> bool:
    """Whether the call ended in time. asyncio's own time-out: the client's may take twice as long as asked."""
    try:
        async with asyncio.timeout(patience):
            await _called(call)
    except TimeoutError:
        return False
    return True


async def _called(call: Coroutine[Any, Any, T]) -> T:
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
    cause = error.cause
    if isinstance(cause, ApplicationError) and cause.type == "NotAllowed":
        return CommandRefusedError(cause.message)
    return SagaEndedError(str(cause))


def _summary(command: CheckoutCommand) -> str:
    return f"order {command.order_id}: {command.amount} at {command.gateway}"
