"""Starting the workflows that deliver events to shops, and asking them for one more try."""

import asyncio
import logging
from datetime import timedelta

from temporalio.client import Client
from temporalio.common import AutoUpgradeVersioningOverride, WorkflowIDConflictPolicy, WorkflowIDReusePolicy

from api.calls import SagaEndedError, TemporalDownError, called
from domain.errors import BooksError
from domain.webhook import DeliveryCommand, DeliveryState, workflow_id_of
from ledger.contract import StoreUnavailableError
from ledger.listener import Listener
from ledger.webhook_contract import DeliveryRecord, Unstarted
from ledger.webhook_deliveries import WebhookDeliveries
from workflows.search_attributes import of_delivery
from workflows.webhook_delivery import WebhookDeliveryWorkflow, webhook_queue

logger = logging.getLogger(__name__)

BATCH = 100
AT_ONCE = 16
# Longer than starting a batch takes; a claim whose process died is free again after it.
LEASE = timedelta(seconds=30)
PAUSE = timedelta(seconds=5)
# They live for days: pinned to the build they began on, they would keep it from ever going.
_MOVING = AutoUpgradeVersioningOverride()


class WebhookRuns:
    """The client side of the deliveries' workflows. `task_queue` is that of the payments."""

    def __init__(self, client: Client, task_queue: str) -> None:
        self._client, self._task_queue = client, webhook_queue(task_queue)

    async def start(self, delivery: Unstarted) -> None:
        """Start the delivery; nothing happens when it ever was started. Raises TemporalDownError."""
        try:
            await called(
                self._client.start_workflow(
                    WebhookDeliveryWorkflow.run,
                    DeliveryCommand(delivery.id),
                    id=workflow_id_of(delivery.id),
                    task_queue=self._task_queue,
                    id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                    id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                    versioning_override=_MOVING,
                    search_attributes=of_delivery(delivery.endpoint_id, delivery.type),
                    static_summary=f"{delivery.type} to {delivery.endpoint_id}",
                )
            )
        except SagaEndedError:
            logger.info("%s was started before", delivery.id)

    async def resend(self, delivery: DeliveryRecord) -> None:
        """Have it tried once more, now; its workflow is started again where it has ended. Raises TemporalDownError."""
        # One that waits and has no workflow, since somebody terminated it, gets its whole schedule.
        command = DeliveryCommand(delivery.id, scheduled=delivery.state is DeliveryState.PENDING)
        await called(
            self._client.start_workflow(
                WebhookDeliveryWorkflow.run,
                command,
                id=workflow_id_of(delivery.id),
                task_queue=self._task_queue,
                start_signal="resend",
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                versioning_override=_MOVING,
                search_attributes=of_delivery(delivery.endpoint_id, delivery.type),
                static_summary=f"{delivery.type} to {delivery.endpoint_id}",
            )
        )


class DeliveryStarter:
    """The loop that starts what is planned. It runs in every worker process; rows are claimed, so several share it."""

    def __init__(self, deliveries: WebhookDeliveries, listener: Listener, runs: WebhookRuns) -> None:
        self._deliveries, self._listener, self._runs = deliveries, listener, runs

    async def run(self) -> None:
        """Work until cancelled. A database or server that is down costs a pause, never a delivery."""
        while True:
            try:
                if not await self.start_some():
                    await self._listener.wait(PAUSE)
            except (TemporalDownError, StoreUnavailableError, BooksError) as error:
                logger.warning("deliveries wait to be started: %s", type(error).__name__)
                await asyncio.sleep(PAUSE.total_seconds())
            except Exception:
                logger.exception("deliveries wait to be started")
                await asyncio.sleep(PAUSE.total_seconds())

    async def close(self) -> None:
        """Stop listening."""
        await self._listener.close()

    async def start_some(self) -> int:
        """Start some of those that nobody has started; how many there were. Raises what kept one from starting."""
        claimed = await self._deliveries.claim(BATCH, LEASE)
        if not claimed:
            return 0
        at_once = asyncio.Semaphore(AT_ONCE)
        ends = await asyncio.gather(*(self._start(delivery, at_once) for delivery in claimed), return_exceptions=True)
        started = [delivery.id for delivery, end in zip(claimed, ends, strict=True) if end is None]
        if started:
            await self._deliveries.started(started)
        for end in ends:
            if end is not None:
                raise end
        return len(claimed)

    async def _start(self, delivery: Unstarted, at_once: asyncio.Semaphore) -> None:
        async with at_once:
            await self._runs.start(delivery)
