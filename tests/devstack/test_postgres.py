"""The embedded Postgres: it starts anywhere, outlives who started it, keeps its data, and goes when told."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import psutil
import pytest

from devstack import postgres


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that only its owner can enter, with a path too long for a socket."""
    with tempfile.TemporaryDirectory(prefix="paysaga-private-", dir="/tmp") as private:
        yield Path(private) / ("long" * 25)
        postgres.remove(Path(private) / ("long" * 25))


async def execute(url: str, sql: str) -> object:
    """The statement's one value."""
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def test_it_keeps_its_data_through_stop_kill_and_start(folder: Path) -> None:
    """From a private folder with a long path, as any user; started by a process that ends, stopped by another."""
    script = f"from pathlib import Path; from devstack import postgres; print(postgres.start(Path({str(folder)!r})))"
    started = subprocess.run(  # noqa: ASYNC221 (nothing else runs in the meantime)
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    url = started.stdout.strip()
    first = postgres.pid(folder)
    assert first is not None
    assert postgres.start(folder) == url
    assert postgres.pid(folder) == first
    await execute(url, "CREATE TABLE kept AS SELECT 7 AS value")

    postgres.stop(folder)
    assert postgres.pid(folder) is None
    postgres.stop(folder)
    assert await execute(postgres.start(folder), "SELECT value FROM kept") == 7

    second = postgres.pid(folder)
    assert second is not None
    family = [psutil.Process(second), *psutil.Process(second).children(recursive=True)]
    os.kill(second, signal.SIGKILL)
    psutil.wait_procs(family, timeout=10)
    assert postgres.pid(folder) is None
    assert await execute(postgres.start(folder), "SELECT value FROM kept") == 7
    assert "ready to accept connections" in postgres.log_tail(folder)


def test_it_listens_to_nobody_outside(folder: Path) -> None:
    """No TCP port at all, and the socket lies where only the owner can enter."""
    url = postgres.start(folder)
    assert asyncio.run(execute(url, "SHOW listen_addresses")) == ""
    socket_folder = Path(url.partition("host=")[2])
    assert socket_folder.stat().st_mode & 0o077 == 0


def test_removing_leaves_nothing(folder: Path) -> None:
    """Server, data and whatever lay elsewhere are gone; removing again does nothing."""
    postgres.start(folder)
    places = [(folder / "home").resolve(), (folder / "home" / "socket").resolve()]
    server = psutil.Process(postgres.pid(folder))
    postgres.remove(folder)
    assert not any(place.exists() for place in places)
    assert list(folder.iterdir()) == []
    with suppress(psutil.TimeoutExpired):
        server.wait(10)
    # Where nobody collects the dead, as in some containers, its entry stays.
    assert not server.is_running() or server.status() == psutil.STATUS_ZOMBIE
    postgres.remove(folder)


def test_a_start_that_fails_shows_the_log(folder: Path) -> None:
    """The error carries what Postgres itself says."""
    postgres.start(folder)
    postgres.stop(folder)
    with pytest.raises(postgres.PostgresError, match="no_such_setting"):
        postgres.start(folder, {"no_such_setting": "1"})
