"""The sandbox as an ASGI application: every gateway, the shared control interface, the index."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route

from sandbox import pages
from sandbox.books import Books
from sandbox.clock import Clock
from sandbox.control import Control, refuse
from sandbox.faults import ControlError, Faults
from sandbox.stripe import settlement
from sandbox.stripe.api import Api
from sandbox.stripe.control import StripeControl
from sandbox.stripe.gateway import Gateway
from sandbox.stripe.pages import Pages, latest
from sandbox.stripe.routes import OPERATIONS
from sandbox.stripe.sender import Sender
from sandbox.wire import Hanging

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Webhook:
    """An endpoint that exists from the start."""

    url: str
    secret: str
    events: tuple[str, ...] = ("*",)


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the data lies, and what the outside looks like. `public_url` is how a customer's browser gets here."""

    data: Path
    public_url: str | None = None
    stripe_webhook: Webhook | None = None
    stripe_search_lag: float = 0.0


def create_app(settings: Settings, hanging: Hanging) -> Starlette:
    """Build the sandbox on its data folder."""
    settings.data.mkdir(parents=True, exist_ok=True)
    clock = Clock(settings.data / "clock.json")
    books = Books(settings.data / "books.sqlite")
    faults = Faults()
    faults.know(OPERATIONS)
    gateway = Gateway(settings.data, clock, books, faults)
    gateway.search_lag = settings.stripe_search_lag
    hook = settings.stripe_webhook
    if hook is not None:
        gateway.endpoints.configure(hook.url, hook.secret, list(hook.events))

    async def index(_: Request) -> Response:
        return pages.index(clock, faults, latest(gateway))

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with _running(gateway):
            yield
        gateway.close()
        books.close()

    routes: list[BaseRoute] = [
        Mount("/v1", app=Api(gateway, hanging, settings.public_url)),
        *Pages(gateway, settings.public_url).routes(),
        *Control(clock, books, faults, lambda: settlement.catch_up(gateway)).routes(),
        *StripeControl(gateway, settings.public_url).routes(),
        Route("/", index),
    ]
    return Starlette(routes=routes, exception_handlers={ControlError: refuse}, lifespan=lifespan)


@contextlib.asynccontextmanager
async def _running(gateway: Gateway) -> AsyncIterator[None]:
    """Keep the background work of a gateway going."""
    tasks = [asyncio.create_task(Sender(gateway).run()), asyncio.create_task(settlement.keep_time(gateway))]
    for task in tasks:
        task.add_done_callback(_stop_when_broken)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _stop_when_broken(task: asyncio.Task[None]) -> None:
    """A sandbox that looks alive but sends no webhooks would mislead, so it stops, and its log says why."""
    if not task.cancelled() and (error := task.exception()) is not None:
        _logger.critical("background work died", exc_info=error)
        signal.raise_signal(signal.SIGTERM)
