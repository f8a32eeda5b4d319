"""Weeks in a moment: a Temporal server that skips time, and how a test waits on it."""

from temporalio.testing import WorkflowEnvironment

from devstack.longclock import time_skipping_server
from domain.checkout import Checkout, CheckoutStatus
from workflows.checkout import CheckoutWorkflow

skipping_server = time_skipping_server
"""A Temporal server whose clock runs ahead while a result is awaited."""


async def end_of(skipping: WorkflowEnvironment, checkout: Checkout) -> CheckoutStatus:
    """The checkout's final status, time being skipped until then."""
    handle = skipping.client.get_workflow_handle_for(CheckoutWorkflow.run, checkout.workflow_id)
    async with skipping.time_skipping_unlocked():
        return await handle.result()
