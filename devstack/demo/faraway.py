"""A shop of its own on a clock that leaps: another database and sandbox, with API and worker in this process."""

import secrets
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]
import httpx
from sqlalchemy.engine import make_url
from temporalio.client import Client

from devstack import keys, launch
from devstack.demo.accounts import ACCOUNTS
from devstack.demo.keys import api_key
from devstack.demo.people import GatewaySide, Shop
from devstack.demo.scenario import NAMES
from devstack.demo.witnesses import Parties
from devstack.errors import StackError
from devstack.inprocess import logged_to, running_product
from devstack.layout import Layout
from devstack.longclock import LongClock, time_skipping_server
from devstack.ports import HOST, any_free
from devstack.settings import Addresses, StackOptions, product_environment
from devstack.supervisor import Supervisor, to_the_end
from ledger.books import Books
from ledger.engine import dsn

SETTINGS: Mapping[str, str] = {
    **{f"{name.upper()}_TIMEOUT_SECONDS": "4" for name in NAMES},
    # How patient a saga is stays as it is in production: hours cost nothing here.
    "TASK_QUEUE": "paysaga-faraway",
    # Whatever server our own environment names, this one is another.
    "TEMPORAL_NAMESPACE": "default",
    "TEMPORAL_API_KEY": "",
    "TEMPORAL_TLS": "false",
    "ROUTES_FILE": "",
}


@dataclass(frozen=True)
class Faraway:
    """What is needed to tell a story there, and to judge it."""

    clock: LongClock
    parties: Parties
    books: Books
    temporal: Client
    database_url: str


@asynccontextmanager
async def faraway(data: Path, server_url: str) -> AsyncIterator[Faraway]:
    """The shop on a new database of that Postgres; nothing of it stays but its logs in `data`."""
    layout = Layout(data)
    # Its clock begins now, so that nothing of an earlier run may be in the sandbox, which has been further.
    shutil.rmtree(layout.sandbox, ignore_errors=True)
    async with AsyncExitStack() as stack:
        supervisor = Supervisor(layout)
        supervisor.open()
        stack.push_async_callback(lambda: to_the_end(supervisor.close()))
        stack.enter_context(logged_to(layout.log("faraway")))
        database_url = await stack.enter_async_context(_database(server_url))
        server = await stack.enter_async_context(time_skipping_server())
        temporal = server.client.service_client.config.target_host
        api, sandbox = (f"http://{HOST}:{any_free()}" for _ in range(2))
        environment = await _started(supervisor, layout, Addresses(api, temporal, None, sandbox, database_url))
        remote = await stack.enter_async_context(httpx.AsyncClient(base_url=sandbox, trust_env=False, timeout=60))
        clock = LongClock(server, remote)
        parts = await stack.enter_async_context(running_product(environment, int(api.rpartition(":")[2]), clock))
        secret = await stack.enter_async_context(api_key(database_url, "demo", "read", "write", "refund", "operate"))
        parties = await stack.enter_async_context(_parties(api, sandbox, secret, environment))
        yield Faraway(clock, parties, Books(parts.engine), parts.client, database_url)


async def _started(supervisor: Supervisor, layout: Layout, addresses: Addresses) -> dict[str, str]:
    """Start the sandbox and bring the database up to date; answers the environment of the product."""
    webhook_secrets = keys.webhook_secrets(layout)
    sandbox = supervisor.spawn(launch.sandbox(layout, addresses, webhook_secrets))
    await launch.http_ready(sandbox, f"{addresses.sandbox}/healthz", lambda _: None)
    environment = product_environment(StackOptions(layout, settings=SETTINGS), addresses, webhook_secrets)
    await launch.migrate(layout, environment, lambda _: None)
    return environment


@asynccontextmanager
async def _parties(api: str, sandbox: str, secret: str, environment: Mapping[str, str]) -> AsyncIterator[Parties]:
    shop, side = Shop(api, secret), GatewaySide(sandbox)
    accounts = {name: ACCOUNTS[name](environment, side) for name in NAMES}
    try:
        yield Parties(shop, side, accounts, booked_before=0, begun=datetime.now(UTC))
    finally:
        for account in accounts.values():
            await account.close()
        await side.close()
        await shop.close()


@asynccontextmanager
async def _database(server_url: str) -> AsyncIterator[str]:
    """A database of its own, gone at the end."""
    name = f"paysaga_faraway_{secrets.token_hex(4)}"
    await _command(server_url, f"CREATE DATABASE {name}")
    try:
        yield make_url(server_url).set(database=name).render_as_string(hide_password=False)
    finally:
        await to_the_end(_command(server_url, f"DROP DATABASE {name} WITH (FORCE)"))


async def _command(server_url: str, sql: str) -> None:
    connection = await asyncpg.connect(dsn(server_url))
    try:
        await connection.execute(sql)
    except asyncpg.InsufficientPrivilegeError as error:
        raise StackError(f"the demo needs a second database on this server: {error}") from None
    finally:
        await connection.close()
