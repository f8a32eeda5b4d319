"""Reading a gateway's own list of events, so that a webhook that never came costs minutes and no sale."""

from dataclasses import dataclass
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

from activities.events import EventActivities, Listed
from workflows import options

_ATTEMPT = timedelta(minutes=2)
_PATIENCE = timedelta(minutes=10)
"""The next run of the schedule goes on from the mark, so this one need not wait out an outage."""


@dataclass(frozen=True)
class Reconciled:
    """How many events the list had, and how many of them no webhook had told."""

    listed: int
    healed: int


@workflow.defn(name="Reconcile")
class ReconcileWorkflow:
    """One run of the schedule `reconcile/<gateway>`; what it finds goes the way of every event, through the inbox."""

    @workflow.run
    async def run(self, gateway: str) -> Reconciled:
        """Until the list is read up to now; after a long outage that takes several parts."""
        listed = healed = 0
        behind = True
        while behind:
            part: Listed = await workflow.execute_activity_method(
                EventActivities.list_events,
                gateway,
                start_to_close_timeout=_ATTEMPT,
                schedule_to_close_timeout=_PATIENCE,
                retry_policy=options.GATEWAY_RETRY,
                summary=f"events of {gateway}",
            )
            listed, healed, behind = listed + part.listed, healed + part.healed, part.behind
            workflow.set_current_details(
                f"- read up to {part.until:%Y-%m-%d %H:%M:%S} UTC\n- {healed} of {listed} new\n"
            )
        return Reconciled(listed, healed)


@workflow.defn(name="Housekeeping")
class HousekeepingWorkflow:
    """One run of the daily schedule `housekeeping`."""

    @workflow.run
    async def run(self) -> int:
        """How many idempotency keys of our API were forgotten."""
        return await workflow.execute_activity_method(
            EventActivities.prune_keys,
            start_to_close_timeout=_ATTEMPT,
            schedule_to_close_timeout=_PATIENCE,
            retry_policy=RetryPolicy(maximum_interval=timedelta(minutes=1)),
        )
