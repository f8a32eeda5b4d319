"""The sandbox as an ASGI application: every gateway, the shared control interface, the index."""

import argparse
import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sandbox import pages, settlement
from sandbox.adyen.part import Adyen
from sandbox.books import Books
from sandbox.clock import Clock
from sandbox.control.disputes import DisputeControl
from sandbox.control.errors import ControlError
from sandbox.control.interface import Control, refuse
from sandbox.faults import Faults
from sandbox.part import Part
from sandbox.paypal.part import PayPal
from sandbox.stripe.part import Stripe
from sandbox.tools import Tools
from sandbox.webhooks.sender import Sender
from sandbox.wire import Hanging

_logger = logging.getLogger(__name__)

GATEWAYS = (Stripe, PayPal, Adyen)
"""Every gateway the sandbox plays. A new one is a folder with a `Part`, named here."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the data lies, how a customer's browser gets here, and the gateways' options as they were given."""

    data: Path
    public_url: str | None
    given: argparse.Namespace


def create_app(settings: Settings, hanging: Hanging) -> Starlette:
    """Build the sandbox on its data folder; `app.state.announced` is what the announce file says besides."""
    settings.data.mkdir(parents=True, exist_ok=True)
    clock = Clock(settings.data / "clock.json")
    books = Books(settings.data / "books.sqlite")
    faults = Faults()
    tools = Tools(settings.data, clock, books, faults, hanging, settings.public_url)
    parts: list[Part] = [each(tools, settings.given) for each in GATEWAYS]
    for part in parts:
        faults.know(part.gateway.name, part.operations, lying_events=part.lying_events)

    async def index(_: Request) -> Response:
        return pages.index(clock, faults, {part.gateway.name: part.latest() for part in parts})

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with _running(parts):
            yield
        for part in parts:
            part.gateway.close()
        books.close()

    routes: list[BaseRoute] = [
        *(route for part in parts for route in part.routes()),
        *Control(clock, books, faults, parts).routes(),
        *DisputeControl(parts).routes(),
        Route("/", index),
    ]
    app = Starlette(routes=routes, exception_handlers={ControlError: refuse}, lifespan=lifespan)
    app.state.announced = {name: told for part in parts for name, told in part.announced().items()}
    return app


@contextlib.asynccontextmanager
async def _running(parts: Sequence[Part]) -> AsyncIterator[None]:
    """Keep the background work of the gateways going."""
    works = [work for part in parts for work in (Sender(part).run(), settlement.keep_time(part))]
    tasks = [asyncio.create_task(work) for work in works]
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
