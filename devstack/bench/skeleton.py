"""A checkout without its content: what Temporal alone costs.

The shape is that of our happy path: update-with-start, one activity at the gateway, a note on the books, a signal, a
note on the books. There is no timer and no search attribute, so the yardstick is rather too short than too long.
"""

from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client, WithStartWorkflowOperation, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy

TASK_QUEUE = "bench-skeleton"
_ATTEMPT = timedelta(seconds=10)


@activity.defn(name="bench_call")
async def call() -> None:
    """Stands where the gateway is called."""


@activity.defn(name="bench_note")
async def note() -> None:
    """Stands where the books are written."""


@workflow.defn(name="BenchSkeleton")
class Skeleton:
    """Opens, waits, closes."""

    def __init__(self) -> None:
        self._opened = False
        self._paid = False

    @workflow.run
    async def run(self) -> None:
        """Ends after the signal."""
        await workflow.execute_activity(call, start_to_close_timeout=_ATTEMPT)
        await workflow.execute_local_activity(note, start_to_close_timeout=_ATTEMPT)
        self._opened = True
        await workflow.wait_condition(lambda: self._paid)
        await workflow.execute_local_activity(note, start_to_close_timeout=_ATTEMPT)

    @workflow.update
    async def open(self) -> None:
        """Wait for the first half."""
        await workflow.wait_condition(lambda: self._opened)

    @workflow.signal
    def pay(self) -> None:
        """Let the second half begin."""
        self._paid = True


async def start(client: Client, workflow_id: str) -> WorkflowHandle[Skeleton, None]:
    """Update-with-start, as our API calls it; returns when the update is done."""
    operation = WithStartWorkflowOperation(
        Skeleton.run,
        id=workflow_id,
        task_queue=TASK_QUEUE,
        id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
    )
    await client.execute_update_with_start_workflow(Skeleton.open, start_workflow_operation=operation, id="open")
    return client.get_workflow_handle_for(Skeleton.run, workflow_id)
