"""API and worker in this very process: for a clock that leaps, which takes along whatever asks it for the time."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from temporalio.runtime import LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter

import worker
from activities.guard import GatewayGuard
from api.__main__ import server_config
from api.app import ApiSettings, create_app, production
from api.wiring import connect_temporal, saga_policy
from devstack.longclock import LongClock
from devstack.ports import HOST
from domain.breaker import BreakerPolicy
from gateways.registry import build_gateways, close_all
from ledger.breakers import Breakers
from ledger.engine import create_engine
from ledger.evidence import StoredEvidence

NEVER_TRIPPED = BreakerPolicy(failures=1_000_000)
"""A breaker waits in real time, in which whole days pass here before it would let another call through."""
_LISTENING_SECONDS = 0.01


class _Server(uvicorn.Server):
    """A server that leaves the signals to the process that it is in."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


@asynccontextmanager
async def running_product(environment: Mapping[str, str], port: int, clock: LongClock) -> AsyncIterator[worker.Parts]:
    """API (on that port) and worker with the settings of `environment`, by this clock; gives the worker's parts."""
    with as_environment(environment):
        settings = ApiSettings.read()
    app = create_app(lambda: production(settings))
    async with served(app, port), _parts(settings, clock) as parts, worker.running(parts):
        yield parts


@contextmanager
def logged_to(path: Path) -> Iterator[None]:
    """What this process would log on the terminal goes to the file; of Temporal's core, which has a log of its own,
    only errors are left.
    """
    quiet = LoggingConfig(filter=TelemetryFilter(core_level="ERROR", other_level="ERROR"))
    Runtime.set_default(Runtime(telemetry=TelemetryConfig(logging=quiet)), error_if_already_set=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path)
    handler.setLevel(logging.WARNING)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()


@contextmanager
def as_environment(environment: Mapping[str, str]) -> Iterator[None]:
    """The product reads its settings from the environment alone: for this moment, from this one.

    Nothing may be awaited inside, so that nothing else sees it.
    """
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@asynccontextmanager
async def served(app: FastAPI, port: int) -> AsyncIterator[str]:
    """The application on this loopback port, as the API's own process serves it; gives its address."""
    server = _Server(server_config(app, HOST, port, log_config=None))
    task = asyncio.create_task(server.serve())
    try:
        while not server.started:
            if task.done():
                await task
                raise RuntimeError("the API ended before it listened")
            await asyncio.sleep(_LISTENING_SECONDS)
        yield f"http://{HOST}:{port}"
    finally:
        server.should_exit = True
        await task


@asynccontextmanager
async def _parts(settings: ApiSettings, clock: LongClock) -> AsyncIterator[worker.Parts]:
    engine = create_engine(settings.database.database_url)
    gateways = build_gateways(settings.gateways, StoredEvidence(engine))
    try:
        yield worker.Parts(
            await connect_temporal(settings.temporal),
            engine,
            gateways,
            settings.temporal.task_queue,
            saga_policy(settings.policy),
            GatewayGuard(Breakers(engine), NEVER_TRIPPED),
            webhooks=settings.webhooks,
            interceptors=(clock.interceptor(),),
            clock=clock.now,
        )
    finally:
        await close_all(gateways)
        await engine.dispose()
