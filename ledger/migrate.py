"""Brings the database to the newest schema: `python -m ledger.migrate`, with DATABASE_URL the owner's."""

import asyncio
import sys
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from config.environment import SettingsError
from config.settings import DatabaseSettings
from ledger.engine import create_engine

# Any number will do, as long as nothing else in the database locks the same one.
_LOCK = 7_203_615_443


async def migrate(database_url: str, revision: str = "head") -> None:
    """Upgrade to the newest revision, or to an earlier one, all or nothing.

    Processes that do so at once wait for each other. Within one process only one may run at a time: Alembic keeps its
    state in module variables.
    """
    engine = create_engine(database_url, pool_size=1, as_owner=True)
    try:
        async with engine.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            await connection.run_sync(_upgrade, revision)
    finally:
        await engine.dispose()


def _upgrade(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def main() -> int:
    """Upgrade the database of DATABASE_URL."""
    try:
        asyncio.run(migrate(DatabaseSettings.read().database_url))
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
