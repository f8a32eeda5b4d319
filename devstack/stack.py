"""The whole stack: starts every part in the right order, tells where everything is, stops it all."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Collection, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from config.settings import TemporalSettings
from devstack import eventing, keys, launch, ports, postgres, temporal, versions
from devstack.errors import PartFailedError, StackError
from devstack.files import write_private
from devstack.layout import Layout
from devstack.parts import ChildPart, DetachedPart, Say
from devstack.records import ProcessRecord
from devstack.settings import Addresses, StackOptions, external_temporal, product_environment
from devstack.supervisor import Supervisor, cancelled_by, to_the_end


class Stack:
    """A running system. Build it with `running_stack`; `addresses` and `api_key` are there when that has entered."""

    addresses: Addresses
    api_key: str
    webhook_secrets: Mapping[str, str]
    """What the webhooks of the sandbox's gateways are proven by; empty where those are real."""

    def __init__(self, options: StackOptions, say: Say) -> None:
        self.options = options
        self._say = say
        self._supervisor = Supervisor(options.layout)
        self.webhook_secrets = {}
        self._subscribers_keys: dict[str, str] = {}
        self._ready = False

    @property
    def environment(self) -> dict[str, str]:
        """What worker and API run with; for commands of the product that belong to this stack."""
        return product_environment(self.options, self.addresses, self.webhook_secrets)

    @property
    def temporal_settings(self) -> TemporalSettings:
        """The Temporal server of this stack as a client finds it."""
        if (outside := external_temporal()) is not None:
            return outside
        namespace = self.environment.get("TEMPORAL_NAMESPACE") or "default"
        return temporal.here(int(self.addresses.temporal.rpartition(":")[2]), namespace)

    @property
    def workers(self) -> tuple[str, ...]:
        """The names of the running workers, oldest first."""
        return tuple(name for name in self._supervisor.pids() if name.startswith("worker-"))

    @property
    def pids(self) -> dict[str, int | list[int]]:
        """The process ids of all parts that are ours."""
        pids = self._supervisor.pids()
        others = {name: pid for name, pid in pids.items() if name not in self.workers}
        return {"worker": [pids[name] for name in self.workers], **others}

    async def start(self) -> None:
        """Start everything and return when it is ready. Raises StackError; what was started then still runs."""
        layout = self.options.layout
        self._supervisor.open()
        self.webhook_secrets = keys.webhook_secrets(layout) if self.options.with_sandbox else {}
        port = ports.choose(layout.ports)
        url = {name: f"http://{ports.HOST}:{number}" for name, number in port.items()}
        outside = external_temporal()
        server = outside.temporal_address if outside else f"{ports.HOST}:{port['temporal']}"
        ui = (os.environ.get("TEMPORAL_UI_URL") or None) if outside else url["temporal_ui"]
        sandbox = url["sandbox"] if self.options.with_sandbox else None
        self.addresses = Addresses(
            url["api"],
            server,
            ui,
            sandbox,
            os.environ.get("DATABASE_URL", ""),
            broker=eventing.outside_broker() or f"nats://{ports.HOST}:{port['broker']}",
            smtp=f"smtp://{ports.HOST}:{port['smtp']}",
            metrics={name: f"{url[name]}/metrics" for name in eventing.MEASURED},
        )
        parts = [name for name in eventing.wanted(self.options) if name not in self.options.later]
        below = [name for name in parts if name not in eventing.MEASURED]
        above = [name for name in parts if name in eventing.MEASURED]
        await _together(
            self._start_database(), self._start_temporal(port), self._start_sandbox(), *map(self.start_part, below)
        )
        await _together(
            self.start_api(),
            *(self.start_worker() for _ in range(self.options.workers)),
            *map(self.start_part, above),
        )
        await self.promote(self.options.build)
        self._ready = True
        self._tell()

    async def stop(self) -> None:
        """Stop every part: the broker's clients together, as long as they can still tell it, the rest one by one."""
        self._ready = False
        running = [name for name in eventing.MEASURED if self._supervisor.find(name) is not None]
        await asyncio.gather(*map(self._supervisor.stop, running))
        await self._supervisor.close()

    async def watch(self) -> PartFailedError:
        """Wait until a part dies that nobody asked to."""
        return await self._supervisor.watch()

    async def start_worker(self, build: str | None = None) -> str:
        """Start one more worker, of the stack's own build unless told otherwise; answers its name when it polls."""
        number = 1
        while self._supervisor.find(f"worker-{number}") is not None:
            number += 1
        environment = self.environment | ({"BUILD_ID": build} if build else {})
        part = self._supervisor.spawn(launch.worker(f"worker-{number}", self.options.layout, environment))
        await launch.worker_ready(part, self._say)
        self._tell()
        return part.record.name

    async def promote(self, build: str) -> None:
        """Let new checkouts start on this build, one of whose workers must run. Raises StackError."""
        client = await temporal.connect(self.temporal_settings)
        if client is None:
            raise StackError("the Temporal server does not answer")
        await versions.promote(client, build)

    def kill_worker(self, index: int = 0) -> str:
        """Kill a worker as a crash would (SIGKILL), and answer its name. Raises IndexError."""
        return self.kill(self.workers[index])

    async def start_api(self) -> None:
        """Start the API and return when it serves."""
        part = self._supervisor.spawn(launch.api(self.options.layout, self.addresses.api, self.environment))
        await launch.http_ready(part, f"{self.addresses.api}/readyz", self._say)
        self._tell()

    async def start_part(self, name: str) -> None:
        """Start one of the parts that events need, see `eventing`, and return when it is ready."""
        spec = eventing.spec(name, self.options.layout, self.addresses, self.environment, self._subscribers_keys)
        await eventing.ready(self._supervisor.spawn(spec), self.addresses, self._say)
        self._tell()

    def kill(self, name: str) -> str:
        """Kill a part as a crash would (SIGKILL), and answer its name. Raises KeyError where there is none."""
        part = self._supervisor.release(name)
        assert isinstance(part, ChildPart), "every part but the database is a child of ours"
        part.kill()
        self._tell()
        return name

    async def _start_database(self) -> None:
        """A database with our schema, and everybody's keys in it."""
        layout = self.options.layout
        if not self.addresses.database_url:
            url = await to_the_end(self._start_postgres())
            self.addresses = replace(self.addresses, database_url=url)
        await launch.migrate(layout, self.environment, self._say)
        url = self.addresses.database_url
        self.api_key = await keys.api_key(layout, url)
        for name, scopes in eventing.SCOPES.items():
            self._subscribers_keys[name] = await keys.api_key(layout, url, name, scopes)

    async def _start_postgres(self) -> str:
        """Start the embedded server and watch over it. It cannot be interrupted half-way: it would stay behind."""
        folder = self.options.layout.postgres
        try:
            url = await asyncio.to_thread(postgres.start, folder)
        except postgres.PostgresError as error:
            raise StackError(f"postgres: {error}") from None
        pid = postgres.pid(folder)
        if pid is None:
            raise PartFailedError("postgres", "ended at once", postgres.log_tail(folder))
        record = ProcessRecord.of("postgres", pid, signal.SIGINT, grace_seconds=30.0)
        self._supervisor.adopt(DetachedPart(record, lambda: postgres.log_tail(folder)))
        return url

    async def _start_temporal(self, port: Mapping[str, int]) -> None:
        if (outside := external_temporal()) is not None:
            await launch.prepare_temporal(outside)
            return
        where = self.temporal_settings
        spec = launch.temporal_server(self.options.layout, port, where.temporal_namespace)
        await launch.temporal_ready(self._supervisor.spawn(spec), where, self._say)

    async def _start_sandbox(self) -> None:
        if self.addresses.sandbox is not None:
            spec = launch.sandbox(self.options.layout, self.addresses, self.webhook_secrets)
            await launch.http_ready(self._supervisor.spawn(spec), f"{self.addresses.sandbox}/healthz", self._say)

    def _tell(self) -> None:
        """Write stack.json anew: process ids change."""
        if self._ready:
            write_private(self.options.layout.stack, json.dumps(self.description(), indent=2) + "\n")

    def description(self) -> dict[str, object]:
        """What stack.json holds."""
        places = self.addresses
        return {
            "api": places.api,
            "docs": f"{places.api}/docs",
            "temporal": places.temporal,
            "temporal_ui": places.temporal_ui,
            "sandbox": places.sandbox,
            "broker": places.broker,
            "mails": str(self.options.layout.mails),
            "metrics": dict(places.metrics),
            "database_url": places.database_url,
            "api_key": self.api_key,
            "webhook_secrets": dict(self.webhook_secrets),
            "pids": self.pids,
        }


@asynccontextmanager
async def running_stack(
    data: Path,
    workers: int = 1,
    settings: Mapping[str, str] | None = None,
    real_gateways: bool = False,
    say: Say = lambda _: None,
    build: str = "dev",
    without: Collection[str] = (),
    later: Collection[str] = (),
) -> AsyncIterator[Stack]:
    """A whole stack on the data folder, ready, and gone at the end; the data stay.

    `settings` are environment variables for the product. Of the parts of `eventing`, those of `without` are left out,
    those of `later` are left to the body to start. When a part dies that nobody asked to, the body is cancelled and
    PartFailedError raised, which names the part and shows its log. Raises StackError.
    """
    options = StackOptions(
        Layout.at(data), workers, settings or {}, real_gateways, build, frozenset(without), frozenset(later)
    )
    stack = Stack(options, say)
    try:
        await stack.start()
        async with cancelled_by(stack.watch()):
            yield stack
    finally:
        await to_the_end(stack.stop())


async def _together(*work: Coroutine[object, object, object]) -> None:
    """Do it all at once; the first failure cancels the rest and is raised as itself."""
    try:
        async with asyncio.TaskGroup() as group:
            for one in work:
                group.create_task(one)
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
