"""Weeks in a moment: a Temporal server that skips time, and how a test waits on it."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from domain.checkout import Checkout, CheckoutStatus
from workflows.checkout import CheckoutWorkflow
from workflows.search_attributes import SEARCH_ATTRIBUTES, add_search_attributes

TEST_SERVER = Path(sys.executable).with_name("temporal-test-server")


@asynccontextmanager
async def skipping_server() -> AsyncIterator[WorkflowEnvironment]:
    """A Temporal server whose clock runs ahead while a result is awaited."""
    async with await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=str(TEST_SERVER), data_converter=pydantic_data_converter
    ) as environment:
        # An attribute the server does not know would stop every test.
        await add_search_attributes(environment.client, SEARCH_ATTRIBUTES)
        yield environment


async def end_of(skipping: WorkflowEnvironment, checkout: Checkout) -> CheckoutStatus:
    """The checkout's final status, time being skipped until then."""
    handle = skipping.client.get_workflow_handle_for(CheckoutWorkflow.run, checkout.workflow_id)
    async with skipping.time_skipping_unlocked():
        return await handle.result()
