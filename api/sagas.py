"""The one place that starts workflows and talks to them."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from temporalio.client import Client, WithStartWorkflowOperation, WorkflowHandle, WorkflowUpdateStage
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy

from api.after_sale import AfterSale, summary_of
from api.calls import (
    CommandFailedError,
    CommandRefusedError,
    InvalidCommandError,
    NotTakenOnError,
    SagaEndedError,
    TemporalDownError,
    called,
    heard,
    starting,
    within,
)
from domain.checkout import Checkout, CheckoutStatus
from domain.saga import CaptureOrder, CheckoutCommand, Fact, GatewayAccount, SagaPolicy
from domain.split import SplitCommand
from workflows.checkout import CheckoutWorkflow
from workflows.search_attributes import at_start

__all__ = [
    "CommandFailedError",
    "CommandRefusedError",
    "InvalidCommandError",
    "NotTakenOnError",
    "SagaEndedError",
    "Sagas",
    "TemporalDownError",
]

logger = logging.getLogger(__name__)

_ACCEPTED = WorkflowUpdateStage.ACCEPTED


class Sagas(AfterSale):
    """Starts and talks to workflows; what comes after a sale is in its base.

    `accounts`: per gateway, what a saga must know of ours. Methods that take `patience` (seconds) answer True when
    the workflow has answered by then, else False: what was asked goes on, durably. They raise CommandRefusedError,
    SagaEndedError and TemporalDownError; all but `open` NotTakenOnError too.
    """

    def __init__(
        self, client: Client, task_queue: str, policy: SagaPolicy, accounts: Mapping[str, GatewayAccount]
    ) -> None:
        super().__init__(client, task_queue, policy, accounts)

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
            static_summary=summary_of(command),
        )

        # One update id for all: however many ask, the workflow accepts one.
        update = self._client.execute_update_with_start_workflow(
            CheckoutWorkflow.open, start_workflow_operation=operation, id="open"
        )
        try:
            return await within(patience, starting(operation, update)) is not None
        except SagaEndedError:
            return True

    async def start(self, checkout: Checkout, legs: Sequence[Checkout] = ()) -> None:
        """Start the checkout's workflow without waiting; nothing happens when it ever was started."""
        workflow, argument, command = self._start_of(checkout, legs)
        try:
            await called(
                self._client.start_workflow(
                    workflow,
                    argument,
                    id=checkout.workflow_id,
                    task_queue=self._task_queue,
                    id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                    id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                    search_attributes=at_start(command),
                    static_summary=summary_of(command),
                )
            )
        except SagaEndedError:
            logger.info("%s ran before", checkout.workflow_id)

    async def confirm(self, checkout: Checkout, patience: float = 3.0) -> bool:
        """The shop keeps the order."""
        command = self._handle(checkout).start_update(CheckoutWorkflow.confirm, wait_for_stage=_ACCEPTED)
        return await heard(patience, command) is not None

    async def reject(self, checkout: Checkout, reason: str, patience: float = 3.0) -> bool:
        """The shop does not keep the order: the payment is undone."""
        command = self._handle(checkout).start_update(CheckoutWorkflow.reject, reason, wait_for_stage=_ACCEPTED)
        return await heard(patience, command) is not None

    async def cancel(self, checkout: Checkout, patience: float = 3.0) -> bool:
        """The shop gives the checkout up before it is paid."""
        command = self._handle(checkout).start_update(CheckoutWorkflow.cancel, wait_for_stage=_ACCEPTED)
        return await heard(patience, command) is not None

    async def capture(
        self, checkout: Checkout, order: CaptureOrder, update_id: str | None = None, patience: float = 3.0
    ) -> bool:
        """Take what the order says of the hold. The same `update_id` is the same order, however often it is given.

        Raises InvalidCommandError too, and CommandFailedError when the gateway declined.
        """
        handle = self._handle(checkout)
        command = handle.start_update("capture", order, wait_for_stage=_ACCEPTED, id=update_id, result_type=str)
        return await heard(patience, command) is not None

    async def deliver(self, checkout: Checkout, fact: Fact) -> None:
        """Bring a fact to the running workflow. Raises SagaEndedError; a closed workflow is never started again."""
        await called(self._handle(checkout).signal(CheckoutWorkflow.gateway_fact, fact))

    def _start_of(self, checkout: Checkout, legs: Sequence[Checkout]) -> tuple[str, object, CheckoutCommand]:
        """The workflow that writes this checkout's state, what it starts with, and what people see of that."""
        if checkout.is_split:
            split = SplitCommand.of(checkout, legs, self._accounts, self._policy)
            return "SplitCheckout", split, split.checkout
        command = self._command(checkout)
        return "Checkout", command, command

    def _handle(self, checkout: Checkout) -> WorkflowHandle[CheckoutWorkflow, CheckoutStatus]:
        return self._client.get_workflow_handle_for(CheckoutWorkflow.run, checkout.workflow_id)
