"""How each part is started, and when it counts as ready."""

import os
from collections.abc import Mapping
from typing import NoReturn
from urllib.parse import urlsplit

import httpx

from config.settings import TemporalSettings
from devstack import temporal
from devstack.errors import StackError
from devstack.layout import ROOT, Layout
from devstack.parts import NAME_WIDTH, ChildPart, PartSpec, Say, run_to_end, until_ready
from devstack.ports import HOST
from devstack.settings import Addresses, python, sandbox_environment
from workflows.search_attributes import ensure_search_attributes

_READY_SECONDS = 60.0
_MIGRATE_SECONDS = 120.0
_WORKER_GRACE_SECONDS = 30.0
"""A worker lets gateway calls in flight finish; it promises to be gone within 25 s."""
_API_GRACE_SECONDS = 15.0


def migration(layout: Layout, environment: Mapping[str, str]) -> PartSpec:
    """The command that brings the database's schema up to date."""
    return PartSpec("migrate", python("-m", "ledger.migrate"), environment, layout.log("migrate"))


async def migrate(layout: Layout, environment: Mapping[str, str], say: Say) -> None:
    """Bring the database's schema up to date."""
    await run_to_end(migration(layout, environment), _MIGRATE_SECONDS)
    say(f"{'database':<{NAME_WIDTH}} migrated")


def worker(name: str, layout: Layout, environment: Mapping[str, str]) -> PartSpec:
    """A worker."""
    return PartSpec(name, python("worker.py"), environment, layout.log(name), _WORKER_GRACE_SECONDS)


def become(spec: PartSpec) -> NoReturn:
    """Be that part from here on: it gets the terminal, and every signal."""
    os.chdir(ROOT)
    os.execve(spec.command[0], spec.command, dict(spec.environment))  # noqa: S606 - our own command


async def worker_ready(part: ChildPart, say: Say) -> None:
    """Wait until the worker polls."""

    async def ready() -> bool:
        return part.said("worker ready")

    await until_ready(part, ready, _READY_SECONDS, say)


def api(layout: Layout, url: str, environment: Mapping[str, str]) -> PartSpec:
    """The API, listening where `url` says."""
    command = python("-m", "api", "--host", HOST, "--port", str(urlsplit(url).port))
    return PartSpec("api", command, environment, layout.log("api"), _API_GRACE_SECONDS)


def sandbox(layout: Layout, addresses: Addresses, webhook_secrets: Mapping[str, str]) -> PartSpec:
    """The sandbox, which sends its webhooks to our API."""
    where = ("--host", HOST, "--port", str(urlsplit(addresses.sandbox or "").port))
    files = ("--data", str(layout.sandbox), "--announce", str(layout.sandbox_announced))
    environment = sandbox_environment(addresses, webhook_secrets)
    return PartSpec("sandbox", python("-m", "sandbox", *where, *files), environment, layout.log("sandbox"))


async def http_ready(part: ChildPart, url: str, say: Say) -> None:
    """Wait until the part answers 200 there."""
    async with httpx.AsyncClient(trust_env=False, timeout=5) as client:

        async def ready() -> bool:
            try:
                return (await client.get(url)).status_code == httpx.codes.OK
            except httpx.TransportError:
                return False

        await until_ready(part, ready, _READY_SECONDS, say)


def temporal_server(layout: Layout, port: Mapping[str, int], namespace: str) -> PartSpec:
    """The embedded Temporal server."""
    log = layout.log("temporal")
    return temporal.spec(layout.temporal, port["temporal"], log, port["temporal_ui"], namespace)


async def temporal_ready(part: ChildPart, where: TemporalSettings, say: Say) -> None:
    """Wait until the server answers and knows its namespace and our search attributes."""

    async def ready() -> bool:
        return await temporal.connect(where) is not None

    await until_ready(part, ready, _READY_SECONDS, say)
    await prepare_temporal(where)


async def prepare_temporal(where: TemporalSettings) -> None:
    """Register our search attributes, at whichever server this is. Raises StackError."""
    client = await temporal.connect(where)
    if client is None:
        raise StackError(f"no Temporal server with namespace {where.temporal_namespace!r} at {where.temporal_address}")
    await ensure_search_attributes(client)
