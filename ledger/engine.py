"""Connections to Postgres: the pool for the stores, and single connections for those that need one of their own."""

import asyncpg  # type: ignore[import-untyped]
from sqlalchemy import event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

APP_ROLE = "paysaga_app"
"""What api and worker run as: it may do what the stores do and nothing else, whoever the login is."""
STATEMENT_SECONDS = 10
"""A statement that takes longer means a server that hangs; each of ours takes milliseconds."""
_AS_OURS = {"application_name": "paysaga", "timezone": "UTC"}


def create_engine(database_url: str, pool_size: int = 10, *, as_owner: bool = False) -> AsyncEngine:
    """A pool of connections, each running as `paysaga_app`; `as_owner` keeps the login's own rights, for migrations.

    A connection that the server closed while it was idle is replaced before use.
    """
    url = make_url(database_url).set(drivername="postgresql+asyncpg")
    settings = _AS_OURS | ({} if as_owner else {"role": APP_ROLE})
    limits = {"timeout": 10, "command_timeout": None if as_owner else STATEMENT_SECONDS}
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=10,
        connect_args={"server_settings": settings} | limits,
        # An error's text reaches logs and Temporal; a statement's values may be a client secret or an e-mail address.
        hide_parameters=True,
    )
    event.listen(engine.sync_engine, "checkout", _refuse_closed)
    return engine


def _refuse_closed(connection: DBAPIConnection, *_: object) -> None:
    """The pool's own test costs three round trips for each use; asyncpg is told of a closed connection for nothing."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError


def statement_by_statement(engine: AsyncEngine) -> AsyncEngine:
    """The same pool for single statements, each its own transaction: no round trips for BEGIN and COMMIT."""
    return engine.execution_options(isolation_level="AUTOCOMMIT")


def dsn(database_url: str | URL) -> str:
    """The same address as asyncpg alone takes it."""
    return make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)


async def connect(engine: AsyncEngine) -> asyncpg.Connection:
    """A connection outside the pool, as `paysaga_app`: for listening, and for one writer that never shares."""
    return await asyncpg.connect(dsn(engine.url), server_settings=_AS_OURS | {"role": APP_ROLE}, timeout=10)
