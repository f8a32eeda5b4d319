"""Starting anew who should look after a refund or a dispute, and is gone."""

from dataclasses import dataclass

from temporalio import workflow
from temporalio.common import TypedSearchAttributes, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from activities.disputes import DisputeActivities, ReadDispute
from domain.dispute import OPEN, DisputeCommand
from domain.money import Money
from domain.refund import Refund, RefundCommand
from workflows.journal import Journal
from workflows.notebook import on_books
from workflows.orders import Waiting
from workflows.search_attributes import of_dispute, of_refund


@dataclass(frozen=True)
class Revival:
    """The workflow of this id, to be started once its old case is closed on the books: it may open the same again."""

    workflow_id: str
    name: str
    command: RefundCommand | DisputeCommand
    attributes: TypedSearchAttributes

    async def start(self) -> None:
        """It takes up from the books, and outlives whoever started it; one that runs after all goes on."""
        try:
            await workflow.start_child_workflow(
                self.name,
                self.command,
                id=self.workflow_id,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                parent_close_policy=workflow.ParentClosePolicy.ABANDON,
                search_attributes=self.attributes,
            )
        except WorkflowAlreadyStartedError:
            workflow.logger.info("%s runs", self.workflow_id)


async def revival_for(journal: Journal, waiting: Waiting) -> Revival | None:
    """Who has to go on with what this case is about; None where that is no refund, and no dispute that is open."""
    kind, _, id_ = waiting.mark.workflow_id.partition("/")
    if kind == "refund" and journal.status.payment_id is not None:
        amount = Money(waiting.mark.amount_minor, journal.command.amount.currency)
        return _of_refund(journal, Refund(id_, journal.command.checkout_id, amount, None, workflow.now()))
    return await _of_dispute(journal, id_) if kind == "dispute" else None


def _of_refund(journal: Journal, refund: Refund) -> Revival:
    c, account, paid_as = journal.command, journal.account, journal.status.payment_id or ""
    command = RefundCommand(refund.id, c.checkout_id, paid_as, refund.amount, account, c.policy)
    return Revival(refund.workflow_id, "Refund", command, of_refund(refund, c.order_id, account.gateway))


async def _of_dispute(journal: Journal, dispute_id: str) -> Revival | None:
    c = journal.command
    call = ReadDispute(dispute_id, c.checkout_id)
    found = await on_books(DisputeActivities.read_dispute, call, "read the dispute")
    if found.record is None or found.record.snapshot.state not in OPEN:
        return None
    seen = found.record.snapshot
    command = DisputeCommand(dispute_id, c.checkout_id, seen, c.account(seen.gateway), c.policy)
    return Revival(f"dispute/{dispute_id}", "Dispute", command, of_dispute(seen, c.order_id))
