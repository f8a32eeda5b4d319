"""Starting and talking to the workflows that look after a checkout's money once its own workflow has ended."""

from collections.abc import Mapping
from typing import Any

from temporalio.client import Client, WithStartWorkflowOperation, WorkflowUpdateHandle, WorkflowUpdateStage
from temporalio.common import AutoUpgradeVersioningOverride, WorkflowIDConflictPolicy, WorkflowIDReusePolicy

from api.calls import SagaEndedError, called, heard, starting, within
from domain.case import Case, CaseAnswer, CaseOrder
from domain.checkout import Checkout, CheckoutRecord, CheckoutStatus
from domain.dispute import DisputeCommand, DisputeSnapshot, DisputeState, dispute_id_of
from domain.payment import RefundStatus
from domain.refund import RefundCommand, RefundRecord
from domain.saga import CheckoutCommand, Fact, GatewayAccount, SagaPolicy
from domain.split import SplitCommand
from ledger.contract import DisputeRecord
from workflows.dispute import DisputeWorkflow
from workflows.late_payment import LatePaymentWorkflow
from workflows.refund import RefundWorkflow
from workflows.search_attributes import at_start, of_dispute, of_refund

_ACCEPTED = WorkflowUpdateStage.ACCEPTED
# They live for weeks: pinned to the build they began on, they would keep it from ever going.
_MOVING = AutoUpgradeVersioningOverride()


class AfterSale:
    """Refunds, disputes, cases and late money. All of these workflows may be started again: none ever charges."""

    def __init__(
        self, client: Client, task_queue: str, policy: SagaPolicy, accounts: Mapping[str, GatewayAccount]
    ) -> None:
        self._client = client
        self._task_queue = task_queue
        self._policy = policy
        self._accounts = accounts

    async def start_refund(self, record: RefundRecord, checkout: CheckoutRecord, patience: float = 0) -> bool:
        """Start the refund's workflow, or join the one that runs; whether it has ended within `patience` seconds."""
        refund, account, paid_as = record.refund, self._accounts[checkout.gateway], checkout.status.payment_id
        assert paid_as is not None, "what was captured has a payment"
        handle = await called(
            self._client.start_workflow(
                RefundWorkflow.run,
                RefundCommand(refund.id, refund.checkout_id, paid_as, refund.amount, account, self._policy),
                id=refund.workflow_id,
                task_queue=self._task_queue,
                # What it did is on the books, where it looks first: a second run does nothing twice.
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                versioning_override=_MOVING,
                search_attributes=of_refund(refund, checkout.checkout.order_id, account.gateway),
                static_summary=f"refund of {refund.amount} of order {checkout.checkout.order_id}",
            )
        )
        if patience <= 0:
            return False
        ended: RefundStatus | None = await within(patience, handle.result())
        return ended is not None

    async def tell_refund(self, refund_id: str, fact: Fact) -> bool:
        """Bring a fact to the refund's workflow; False when that has ended or was never started."""
        handle = self._client.get_workflow_handle(f"refund/{refund_id}")
        try:
            await called(handle.signal(RefundWorkflow.gateway_fact, fact))
        except SagaEndedError:
            return False
        return True

    async def deliver_dispute(self, dispute: DisputeSnapshot, checkout: CheckoutRecord, cause: str) -> None:
        """Have the dispute's workflow look at it, which is started where it does not run."""
        start = self._dispute_start(dispute, checkout)
        await called(
            self._client.start_workflow(
                DisputeWorkflow.run, start_signal="gateway_said", start_signal_args=[cause], **start
            )
        )

    async def submit_evidence(
        self, dispute: DisputeRecord, checkout: CheckoutRecord, evidence_id: str, who: str, patience: float = 3.0
    ) -> bool:
        """Answer the dispute with this evidence. Asked again with the same one, it is sent once."""
        update = self._tell_dispute(dispute, checkout, "submit_evidence", evidence_id, evidence_id, who)
        return await heard(patience, update) is not None

    async def accept(self, dispute: DisputeRecord, checkout: CheckoutRecord, who: str, patience: float = 3.0) -> bool:
        """Let the customer have the disputed money."""
        return await heard(patience, self._tell_dispute(dispute, checkout, "accept", None, who)) is not None

    async def act(
        self, case: Case, checkout: Checkout, order: CaseOrder, patience: float = 3.0, update_id: str | None = None
    ) -> CaseAnswer | None:
        """Give a person's order to whoever waits for it; None when it is taken on and not answered in time.

        Where that workflow is gone the late path takes the case up. Raises CommandRefusedError.
        """
        handle = self._client.get_workflow_handle(case.workflow_id)
        update = handle.start_update("act", order, wait_for_stage=_ACCEPTED, id=update_id, result_type=CaseAnswer)
        try:
            return await heard(patience, update)
        except SagaEndedError:
            return await heard(patience, self._act_late(checkout, order, update_id))

    async def deliver_late(self, checkout: Checkout, fact: Fact) -> None:
        """Bring a fact to the workflow that puts right what happens after a checkout's end."""
        start = self._late_start(checkout)
        await called(
            self._client.start_workflow(
                LatePaymentWorkflow.run, start_signal="gateway_fact", start_signal_args=[fact], **start
            )
        )

    async def _act_late(
        self, checkout: Checkout, order: CaseOrder, update_id: str | None
    ) -> WorkflowUpdateHandle[CaseAnswer]:
        operation: WithStartWorkflowOperation[Any, CheckoutStatus] = WithStartWorkflowOperation(
            LatePaymentWorkflow.run,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            **self._late_start(checkout),
        )
        update = self._client.start_update_with_start_workflow(
            "act",
            order,
            start_workflow_operation=operation,
            wait_for_stage=_ACCEPTED,
            id=update_id,
            result_type=CaseAnswer,
        )
        return await starting(operation, update)

    async def _tell_dispute(
        self, dispute: DisputeRecord, checkout: CheckoutRecord, update: str, update_id: str | None, *arguments: str
    ) -> WorkflowUpdateHandle[DisputeState]:
        """With start: the workflow of a dispute that nobody has heard of for long may have been lost."""
        operation: WithStartWorkflowOperation[Any, DisputeState] = WithStartWorkflowOperation(
            DisputeWorkflow.run,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            **self._dispute_start(dispute.snapshot, checkout),
        )
        told = self._client.start_update_with_start_workflow(
            update,
            args=arguments,
            start_workflow_operation=operation,
            wait_for_stage=_ACCEPTED,
            id=update_id,
            result_type=DisputeState,
        )
        return await starting(operation, told)

    def _dispute_start(self, dispute: DisputeSnapshot, checkout: CheckoutRecord) -> dict[str, Any]:
        id_ = dispute_id_of(dispute.gateway, dispute.dispute_id)
        account = self._accounts[dispute.gateway]
        return {
            "arg": DisputeCommand(id_, checkout.checkout.id, dispute, account, self._policy),
            "id": f"dispute/{id_}",
            "task_queue": self._task_queue,
            "versioning_override": _MOVING,
            # What is decided can be decided otherwise later: then it is watched over again.
            "id_reuse_policy": WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            "search_attributes": of_dispute(dispute, checkout.checkout.order_id),
            "static_summary": f"dispute of {dispute.amount} of order {checkout.checkout.order_id}",
        }

    def _late_start(self, checkout: Checkout) -> dict[str, Any]:
        if checkout.is_split:
            # Nothing of it is at a gateway: what waits there is a case of its own.
            command = SplitCommand.of(checkout, (), self._accounts, self._policy).checkout
        else:
            command = self._command(checkout)
        return {
            "arg": command,
            "id": f"late/{checkout.id}",
            "task_queue": self._task_queue,
            "versioning_override": _MOVING,
            # It takes its keys from the books.
            "id_reuse_policy": WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            "search_attributes": at_start(command),
            "static_summary": f"late money: {summary_of(command)}",
        }

    def _command(self, checkout: Checkout) -> CheckoutCommand:
        return CheckoutCommand.of(checkout, self._accounts, self._policy)


def summary_of(command: CheckoutCommand) -> str:
    """What people see of a checkout in a list of workflows."""
    return f"order {command.order_id}: {command.amount} at {command.gateway}"
