"""The worker process: runs workflows, activities and the dispatcher. `python worker.py`; SIGTERM drains it."""

import asyncio
import logging
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import uvloop
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import Interceptor, PollerBehaviorAutoscaling, Worker, WorkerDeploymentConfig, WorkflowRunner

from activities.books import BookActivities
from activities.disputes import DisputeActivities
from activities.events import EventActivities
from activities.guard import GatewayGuard
from activities.outbound import Outbound
from activities.payments import PaymentActivities, utc_now
from activities.refunds import RefundActivities
from activities.remarks import RemarkActivities
from activities.webhooks import WebhookActivities
from api.deliveries import Deliveries
from api.dispatcher import Dispatcher
from api.sagas import Sagas
from api.shop_webhooks import delivery_starter
from api.starting import Starter
from api.wiring import accounts_of, connect_temporal, saga_policy
from config.environment import SettingsError
from config.settings import DatabaseSettings, PolicySettings, ReconcileSettings, TemporalSettings, WebhookSettings
from domain.saga import SagaPolicy
from gateways.contract import Gateway
from gateways.registry import build_gateways, close_all, configured_gateways
from ledger.books import Books
from ledger.breakers import Breakers
from ledger.cases import CaseBook
from ledger.disputes import Disputes
from ledger.engine import create_engine
from ledger.evidence import StoredEvidence
from ledger.idempotency import IdempotencyKeys
from ledger.inbox import Inbox
from ledger.marks import PollMarks
from ledger.operations import Operations
from ledger.refunds import Refunds
from ledger.remarks import Remarks
from ledger.webhook_attempts import WebhookAttempts
from ledger.webhook_deliveries import WebhookDeliveries
from workflows.checkout import CheckoutWorkflow
from workflows.dispute import DisputeWorkflow
from workflows.late_payment import LatePaymentWorkflow
from workflows.reconcile import HousekeepingWorkflow, ReconcileWorkflow
from workflows.refund import RefundWorkflow
from workflows.runner import UNCHECKED
from workflows.schedules import ensure_schedules
from workflows.search_attributes import ensure_search_attributes
from workflows.split import SplitCheckoutWorkflow
from workflows.webhook_delivery import WebhookDeliveryWorkflow, webhook_queue

logger = logging.getLogger("worker")

DEPLOYMENT = "paysaga"
"""The worker deployment whose versions are the builds."""

WORKFLOWS = [
    CheckoutWorkflow,
    SplitCheckoutWorkflow,
    LatePaymentWorkflow,
    RefundWorkflow,
    DisputeWorkflow,
    ReconcileWorkflow,
    HousekeepingWorkflow,
]
WEBHOOK_WORKFLOWS = [WebhookDeliveryWorkflow]

# Above the gateways' HTTP time-out, so that a call in flight ends in an answer and not in a cut.
DRAIN = timedelta(seconds=22)


@dataclass(frozen=True)
class Parts:
    """What a worker works with. `clock`: the one that idempotency keys and events get old by, where not real time."""

    client: Client
    engine: AsyncEngine
    gateways: Mapping[str, Gateway]
    task_queue: str
    policy: SagaPolicy
    guard: GatewayGuard
    workflow_runner: WorkflowRunner = UNCHECKED
    build_id: str | None = None
    interceptors: Sequence[Interceptor] = ()
    clock: Callable[[], datetime] | None = None
    webhooks: WebhookSettings = field(default_factory=WebhookSettings)


def build_worker(parts: Parts, inbox: Inbox | None = None) -> Worker:
    """The Temporal worker of these parts, not yet started. `inbox`: a started one, which reconciling stores into."""
    return _worker(
        parts,
        parts.task_queue,
        WORKFLOWS,
        _activities(parts, inbox or Inbox(parts.engine)),
        PollerBehaviorAutoscaling(minimum=2, maximum=20, initial=5),
    )


def build_webhook_worker(parts: Parts, outbound: Outbound) -> Worker:
    """The same for webhooks to shops, with places of its own: no payment waits for them, however many are slow."""
    patience = timedelta(days=parts.webhooks.webhooks_disable_after_days)
    deliveries, attempts = WebhookDeliveries(parts.engine), WebhookAttempts(parts.engine, patience)
    return _worker(
        parts,
        webhook_queue(parts.task_queue),
        WEBHOOK_WORKFLOWS,
        [WebhookActivities(deliveries, attempts, outbound).try_delivery],
        PollerBehaviorAutoscaling(minimum=1, maximum=10, initial=2),
    )


def _worker(
    parts: Parts,
    task_queue: str,
    workflows: Sequence[type],
    activities: Sequence[Callable[..., Any]],
    pollers: PollerBehaviorAutoscaling,
) -> Worker:
    return Worker(
        parts.client,
        task_queue=task_queue,
        workflows=workflows,
        activities=activities,
        workflow_runner=parts.workflow_runner,
        interceptors=parts.interceptors,
        max_cached_workflows=2000,
        max_concurrent_activities=100,
        workflow_task_poller_behavior=pollers,
        activity_task_poller_behavior=pollers,
        graceful_shutdown_timeout=DRAIN,
        deployment_config=_deployment(parts.build_id),
    )


def _activities(parts: Parts, inbox: Inbox) -> list[Callable[..., Any]]:
    engine, gateways, guard = parts.engine, parts.gateways, parts.guard
    clock = parts.clock or utc_now
    payments = PaymentActivities(gateways, Operations(engine, parts.clock), guard, clock)
    books = BookActivities(Books(engine), Operations(engine), CaseBook(engine))
    refunds = RefundActivities(Books(engine), Refunds(engine), Disputes(engine), Operations(engine))
    disputes = DisputeActivities(payments, Books(engine), Disputes(engine), CaseBook(engine))
    remarks = RemarkActivities(Remarks(engine))
    events = EventActivities(gateways, inbox, PollMarks(engine), guard, IdempotencyKeys(engine), clock)
    return [
        *(payments.create_payment, payments.authorize_payment, payments.capture_payment, payments.reauthorize_payment),
        *(payments.void_payment, payments.refund_payment, payments.look_up_payment),
        *(books.record, books.read_books, books.read_tenders, books.note, books.read_case, books.read_cases),
        *(refunds.read_refund, refunds.fail_refund, remarks.remark),
        *(disputes.read_dispute, disputes.look_up_dispute, disputes.answer_dispute, disputes.note_answer),
        *(events.list_events, events.prune_keys),
    ]


def _deployment(build_id: str | None) -> WorkerDeploymentConfig | None:
    """A workflow stays with the build it started on unless its class says otherwise."""
    if build_id is None:
        return None
    return WorkerDeploymentConfig(
        WorkerDeploymentVersion(DEPLOYMENT, build_id),
        use_worker_versioning=True,
        default_versioning_behavior=VersioningBehavior.PINNED,
    )


def build_dispatcher(parts: Parts, inbox: Inbox | None = None) -> Dispatcher:
    """The loop that takes webhook events to the workflows."""
    sagas = Sagas(parts.client, parts.task_queue, parts.policy, accounts_of(parts.gateways))
    books = Books(parts.engine)
    starter = Starter(books, Refunds(parts.engine), sagas)
    return Dispatcher(
        inbox or Inbox(parts.engine), Deliveries(books, parts.gateways, sagas, parts.guard, starter), starter
    )


@asynccontextmanager
async def running(parts: Parts) -> AsyncIterator[None]:
    """Worker and dispatcher at work; at the end both finish what they began."""
    async with AsyncExitStack() as stack:
        inbox = Inbox(parts.engine)
        await inbox.start()
        stack.push_async_callback(inbox.close)
        outbound = Outbound(parts.webhooks.webhooks_development, parts.webhooks.webhooks_timeout_seconds)
        stack.push_async_callback(outbound.aclose)
        await stack.enter_async_context(build_worker(parts, inbox))
        await stack.enter_async_context(build_webhook_worker(parts, outbound))
        starter = delivery_starter(parts.engine, parts.client, parts.task_queue)
        stack.push_async_callback(starter.close)
        loops = [asyncio.create_task(loop) for loop in (build_dispatcher(parts, inbox).run(), starter.run())]
        try:
            yield
        finally:
            for loop in loops:
                loop.cancel()
            for loop in loops:
                with suppress(asyncio.CancelledError):
                    await loop


@asynccontextmanager
async def production() -> AsyncIterator[Parts]:
    """The parts that the environment names. Raises SettingsError."""
    database, temporal = DatabaseSettings.read(), TemporalSettings.read()
    builders, policy, webhooks = configured_gateways(), PolicySettings.read(), WebhookSettings.read()
    async with AsyncExitStack() as stack:
        engine = create_engine(database.database_url)
        stack.push_async_callback(engine.dispose)
        gateways = build_gateways(builders, StoredEvidence(engine))
        stack.push_async_callback(close_all, gateways)
        client = await connect_temporal(temporal)
        await ensure_search_attributes(client)
        guard = GatewayGuard(Breakers(engine))
        yield Parts(
            client,
            engine,
            gateways,
            temporal.task_queue,
            saga_policy(policy),
            guard,
            build_id=temporal.build_id,
            webhooks=webhooks,
        )


async def main() -> None:
    """Run until SIGTERM or SIGINT, then drain."""
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    every = timedelta(seconds=ReconcileSettings.read().reconcile_every_seconds)
    async with production() as parts, running(parts):
        listing = [name for name, gateway in parts.gateways.items() if gateway.capabilities.lists_events]
        await ensure_schedules(parts.client, parts.task_queue, listing, every)
        print("worker ready", flush=True)  # noqa: T201 - tells whoever started it
        await stop.wait()
        logger.info("draining")
    logger.info("stopped")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(main())
    except SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201 - tells whoever started it
        sys.exit(2)
    time.sleep(0.2)  # the SDK's native threads may crash an interpreter that ends at once (temporalio/sdk-python#300)
