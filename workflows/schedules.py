"""What runs by the clock: made, or brought up to date, by every worker that starts."""

from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)

from workflows.reconcile import HousekeepingWorkflow, ReconcileWorkflow

PREFIX = "reconcile/"
HOUSEKEEPING = "housekeeping"
_DAY = timedelta(days=1)


async def ensure_schedules(client: Client, task_queue: str, listing: Collection[str], every: timedelta) -> None:
    """One schedule for each gateway that lists its events, none for those that no longer do, and the daily one."""
    async for found in await client.list_schedules():
        if found.id.startswith(PREFIX) and found.id.removeprefix(PREFIX) not in listing:
            await client.get_schedule_handle(found.id).delete()
    for gateway in sorted(listing):
        id_ = f"{PREFIX}{gateway}"
        action = ScheduleActionStartWorkflow(ReconcileWorkflow.run, gateway, id=id_, task_queue=task_queue)
        await _ensure(client, id_, action, every)
    action = ScheduleActionStartWorkflow(HousekeepingWorkflow.run, id=HOUSEKEEPING, task_queue=task_queue)
    await _ensure(client, HOUSEKEEPING, action, _DAY)


async def _ensure(client: Client, id_: str, action: ScheduleActionStartWorkflow, every: timedelta) -> None:
    wanted = Schedule(
        action=action,
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every)]),
        # Each run goes on from where the one before it stopped: one that was missed is not made up for.
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=timedelta(minutes=1)),
    )

    def change(found: ScheduleUpdateInput) -> ScheduleUpdate:
        # An operator's pause stays.
        return ScheduleUpdate(replace(wanted, state=found.description.schedule.state))

    try:
        await client.create_schedule(id_, wanted)
    except ScheduleAlreadyRunningError:
        await client.get_schedule_handle(id_).update(change)
