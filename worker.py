"""The worker process: runs workflows, activities and the dispatcher. `python worker.py`; SIGTERM drains it."""

import asyncio
import logging
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta

import uvloop
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client
from temporalio.worker import PollerBehaviorAutoscaling, Worker, WorkflowRunner

from activities.books import BookActivities
from activities.guard import GatewayGuard
from activities.payments import PaymentActivities
from api.dispatcher import Dispatcher
from api.sagas import Sagas
from api.wiring import accounts_of, connect_temporal, saga_policy
from config.environment import SettingsError
from config.settings import DatabaseSettings, PolicySettings, TemporalSettings
from domain.saga import SagaPolicy
from gateways.contract import Gateway
from gateways.registry import build_gateways, close_all, configured_gateways
from ledger.books import Books
from ledger.breakers import Breakers
from ledger.engine import create_engine
from ledger.evidence import StoredEvidence
from ledger.inbox import Inbox
from ledger.operations import Operations
from workflows.checkout import CheckoutWorkflow
from workflows.late_payment import LatePaymentWorkflow
from workflows.runner import UNCHECKED
from workflows.search_attributes import ensure_search_attributes
from workflows.split import SplitCheckoutWorkflow

logger = logging.getLogger("worker")

# Above the gateways' HTTP time-out, so that a call in flight ends in an answer and not in a cut.
DRAIN = timedelta(seconds=22)


@dataclass(frozen=True)
class Parts:
    """What a worker works with."""

    client: Client
    engine: AsyncEngine
    gateways: Mapping[str, Gateway]
    task_queue: str
    policy: SagaPolicy
    guard: GatewayGuard
    workflow_runner: WorkflowRunner = UNCHECKED


def build_worker(parts: Parts) -> Worker:
    """The Temporal worker of these parts, not yet started."""
    payments = PaymentActivities(parts.gateways, Operations(parts.engine), parts.guard)
    books = BookActivities(Books(parts.engine), Operations(parts.engine))
    pollers = PollerBehaviorAutoscaling(minimum=2, maximum=20, initial=5)
    return Worker(
        parts.client,
        task_queue=parts.task_queue,
        workflows=[CheckoutWorkflow, SplitCheckoutWorkflow, LatePaymentWorkflow],
        activities=[
            payments.create_payment,
            payments.authorize_payment,
            payments.capture_payment,
            payments.void_payment,
            payments.refund_payment,
            payments.look_up_payment,
            books.record,
            books.read_books,
            books.read_tenders,
        ],
        workflow_runner=parts.workflow_runner,
        max_cached_workflows=2000,
        max_concurrent_activities=100,
        workflow_task_poller_behavior=pollers,
        activity_task_poller_behavior=pollers,
        graceful_shutdown_timeout=DRAIN,
    )


def build_dispatcher(parts: Parts) -> Dispatcher:
    """The loop that takes webhook events to the workflows."""
    sagas = Sagas(parts.client, parts.task_queue, parts.policy, accounts_of(parts.gateways))
    return Dispatcher(Books(parts.engine), Inbox(parts.engine), parts.gateways, sagas, parts.guard)


@asynccontextmanager
async def running(parts: Parts) -> AsyncIterator[None]:
    """Worker and dispatcher at work; at the end both finish what they began."""
    async with build_worker(parts):
        dispatcher = build_dispatcher(parts)
        loop = asyncio.create_task(dispatcher.run())
        try:
            yield
        finally:
            loop.cancel()
            with suppress(asyncio.CancelledError):
                await loop
            await dispatcher.inbox.close()


@asynccontextmanager
async def production() -> AsyncIterator[Parts]:
    """The parts that the environment names. Raises SettingsError."""
    database, temporal = DatabaseSettings.read(), TemporalSettings.read()
    builders, policy = configured_gateways(), PolicySettings.read()
    async with AsyncExitStack() as stack:
        engine = create_engine(database.database_url)
        stack.push_async_callback(engine.dispose)
        gateways = build_gateways(builders, StoredEvidence(engine))
        stack.push_async_callback(close_all, gateways)
        client = await connect_temporal(temporal)
        await ensure_search_attributes(client)
        guard = GatewayGuard(Breakers(engine))
        yield Parts(client, engine, gateways, temporal.task_queue, saga_policy(policy), guard)


async def main() -> None:
    """Run until SIGTERM or SIGINT, then drain."""
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with production() as parts, running(parts):
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
