"""Keeps the reading of the gateways' lists away from the moment in which a worker dies."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio.client import Client, ScheduleActionExecutionStartWorkflow, ScheduleHandle, WorkflowExecutionStatus

from devstack.demo.stage import eventually
from workflows.schedules import PREFIX

_STARTED_SECONDS = 0.3
"""A run that began as the pause was ordered is known by then."""


@asynccontextmanager
async def held(client: Client) -> AsyncIterator[None]:
    """No run is under way inside: one that dies with its worker is missed after two minutes only, and begins anew.

    Nothing is lost by that, but who waits for what a list tells would wait so long.
    """
    ids = [found.id async for found in await client.list_schedules() if found.id.startswith(PREFIX)]
    schedules = [client.get_schedule_handle(id_) for id_ in ids]
    try:
        for schedule in schedules:
            await schedule.pause(note="a worker is about to die")
        await asyncio.sleep(_STARTED_SECONDS)
        for schedule in schedules:
            await _at_rest(client, schedule)
        yield
    finally:
        for schedule in schedules:
            await schedule.unpause()


async def _at_rest(client: Client, schedule: ScheduleHandle) -> None:
    async def runs() -> int:
        actions = (await schedule.describe()).info.running_actions
        ids = [action.workflow_id for action in actions if isinstance(action, ScheduleActionExecutionStartWorkflow)]
        states = [(await client.get_workflow_handle(id_).describe()).status for id_ in ids]
        return states.count(WorkflowExecutionStatus.RUNNING)

    await eventually(runs, lambda running: not running, f"the run of {schedule.id} to end")
