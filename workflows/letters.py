"""What one workflow tells another."""

from temporalio import workflow
from temporalio.exceptions import FailureError, is_cancelled_exception

from workflows.shield import uncut


async def tell(checkout_id: str, signal: str, word: str) -> bool:
    """Signal the checkout's own workflow, see `tell_workflow`."""
    return await tell_workflow(f"checkout/{checkout_id}", signal, word)


async def tell_workflow(workflow_id: str, signal: str, word: str) -> bool:
    """Signal another workflow. Whether it was there to hear it: False once it has ended.

    Never cancelled half-way: a signal that is cancelled in the moment in which it fails breaks the SDK's bookkeeping of
    the workflow (temporalio 1.35: "invalid transition in state machine"), which then cannot go on.
    """
    try:
        await uncut(workflow.get_external_workflow_handle(workflow_id).signal(signal, word))
    except FailureError as error:
        if is_cancelled_exception(error):
            raise
        workflow.logger.info("%s was not told %s: %s", workflow_id, signal, error)
        return False
    return True
