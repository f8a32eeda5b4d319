"""What streams may cost, and what ends them: places, silence, slow readers, lost connections, revoked keys, the end."""

import asyncio
import itertools
import json
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from api.auth import Authenticator
from api.following import Following, Pace
from ledger import listener
from ledger.contract import StoreUnavailableError
from ledger.engine import connect, create_engine, dsn
from ledger.keys import ApiKeys

from .conftest import Api, bearer, serving
from .streaming import eventually, reading
from .test_command_line import NEW_KEY, run, served
from .test_stream import made, remark


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """A pool of this test's own."""
    pool = create_engine(database_url)
    yield pool
    await pool.dispose()


@asynccontextmanager
async def streaming(url: str, following: Following, **parts: Any) -> AsyncIterator[Api]:
    """An API whose streams have this pace."""
    async with serving(url, following=following, **parts) as api:
        yield api


class Deaf(Following):
    """One that the database tells nothing."""

    def _told(self, checkout_id: str | None) -> None:
        """Hear nothing."""


async def test_only_so_many_streams(database_url: str, engine: AsyncEngine) -> None:
    """One more is told to come back, and a place that was left is free again."""
    following = Following(engine, most=2)
    async with streaming(database_url, following) as api:
        checkout_id = await made(api)
        async with reading(api.client, checkout_id) as one:
            async with reading(api.client, checkout_id):
                refused = await api.client.get(f"/v1/checkouts/{checkout_id}/stream")
                assert (refused.status_code, refused.json()["code"]) == (503, "too_many_streams")
                assert int(refused.headers["retry-after"]) > 0
                # Nobody loses a stream by it.
                await remark(api, checkout_id)
                await one.events(3)
            await eventually(lambda: following.streams == 1)
            async with reading(api.client, checkout_id) as another:
                await another.events(3)


async def test_it_shows_that_it_lives(database_url: str, engine: AsyncEngine) -> None:
    """Where nothing happens a comment comes now and then, which is no event."""
    following = Following(engine, Pace(ping=0.1))
    async with streaming(database_url, following) as api, reading(api.client, await made(api)) as reader:
        await eventually(lambda: len(reader.comments) >= 3)
        assert set(reader.comments) == {"ping"}
        assert len(reader.told) == 2


async def test_without_a_word_from_the_database_it_looks(database_url: str, engine: AsyncEngine) -> None:
    """A notification that never comes delays a row, and no more."""
    async with streaming(database_url, Deaf(engine, Pace(look=0.4))) as api:
        checkout_id = await made(api)
        async with reading(api.client, checkout_id) as reader:
            await reader.events(2)
            await remark(api, checkout_id)
            assert len(await reader.events(3)) == 3
    deaf = Deaf(engine, Pace(look=60))
    async with streaming(database_url, deaf) as api, reading(api.client, checkout_id) as reader:
        await reader.events(3)
        await remark(api, checkout_id)
        with pytest.raises(TimeoutError):
            await reader.events(4, within=1)


async def test_a_lost_connection_loses_no_row(fresh_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows written while nobody listened are told once the connection to Postgres is back."""
    back = asyncio.Event()
    back.set()

    async def when_it_is_back(pool: AsyncEngine) -> Any:
        await back.wait()
        return await connect(pool)

    monkeypatch.setattr(listener, "connect", when_it_is_back)
    engine = create_engine(fresh_database_url)
    async with streaming(fresh_database_url, Following(engine, Pace(look=60))) as api:
        checkout_id = await made(api)
        async with reading(api.client, checkout_id) as reader:
            # What is told of a row proves that somebody listens.
            await remark(api, checkout_id)
            await reader.events(3)
            back.clear()
            assert await hang_up(fresh_database_url) == 1
            await remark(api, checkout_id)
            await asyncio.sleep(0.3)
            assert len(reader.told) == 3
            back.set()
            await reader.events(4)
            await remark(api, checkout_id)
            await reader.events(5)
    await engine.dispose()


async def hang_up(database_url: str) -> int:
    """End the connections that listen for rows; how many there were."""
    connection = await asyncpg.connect(dsn(database_url))
    try:
        return len(
            await connection.fetch(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND query ILIKE 'LISTEN%timeline%' AND pid <> pg_backend_pid()"
            )
        )
    finally:
        await connection.close()


async def test_one_connection_listens_for_all(fresh_database_url: str) -> None:
    """However many streams there are, of however many checkouts; none before the first stream."""
    engine = create_engine(fresh_database_url)
    async with streaming(fresh_database_url, Following(engine, Pace(look=60))) as api:
        checkouts = [await made(api) for _ in range(3)]
        assert await hang_up(fresh_database_url) == 0
        async with (
            reading(api.client, checkouts[0]) as one,
            reading(api.client, checkouts[1]) as two,
            reading(api.client, checkouts[2]) as three,
        ):
            await remark(api, checkouts[0])
            await asyncio.gather(one.events(3), two.events(2), three.events(2))
            assert await hang_up(fresh_database_url) == 1
    await engine.dispose()


async def test_a_revoked_key_ends_its_streams(database_url: str, engine: AsyncEngine) -> None:
    """At the next check of the key; others' streams go on."""
    keys, ticks = ApiKeys(engine), itertools.count(0, 60)
    authenticator = Authenticator(keys, clock=lambda: float(next(ticks)))
    following = Following(engine, Pace(look=0.1, check=0.3))
    async with streaming(database_url, following, authenticator=authenticator) as api:
        checkout_id = await made(api)
        key, secret = await keys.create("short-lived", ["read"])
        async with (
            reading(api.client, checkout_id) as other,
            reading(api.stranger, checkout_id, headers=bearer(secret)) as reader,
        ):
            await reader.events(2)
            await asyncio.sleep(0.8)
            assert not reader.ended.is_set()
            await keys.revoke(key.id)
            await reader.end()
            assert not other.ended.is_set()


async def test_a_reader_that_does_not_read(
    database_url: str, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds a place for a bounded time, and no more of the timeline in memory than is read at once."""
    following = Following(engine, Pace(patience=0.5))
    async with streaming(database_url, following) as api:
        checkout_id = await made(api)
        for _ in range(10):
            await remark(api, checkout_id, 100, "y" * 8000)
        books, reads = api.services.books, []
        whole = books.rows_after

        async def counting(*arguments: Any) -> Any:
            reads.append(arguments)
            return await whole(*arguments)

        monkeypatch.setattr(books, "rows_after", counting)
        with silent_reader(api, checkout_id):
            await eventually(lambda: following.streams == 1)
            await eventually(lambda: following.streams == 0)
        # Eight megabytes are there to be read.
        assert 1 <= len(reads) <= 6


def silent_reader(api: Api, checkout_id: str) -> socket.socket:
    """A connection that asks for a stream and takes next to nothing of it."""
    place = urlsplit(api.url)
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    line.connect((place.hostname, place.port))
    request = (
        f"GET /v1/checkouts/{checkout_id}/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.secret}\r\n\r\n"
    )
    line.sendall(request.encode())
    return line


async def test_streams_outlive_the_database(
    database_url: str, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read that fails is made again; the stream goes on."""
    async with streaming(database_url, Following(engine, Pace(look=0.1))) as api:
        checkout_id = await made(api)

        async def down(*_: Any) -> Any:
            raise StoreUnavailableError

        async with reading(api.client, checkout_id) as reader:
            await reader.events(2)
            with monkeypatch.context() as outage:
                outage.setattr(api.services.books, "rows_after", down)
                await remark(api, checkout_id)
                await asyncio.sleep(0.4)
                assert (len(reader.told), reader.ended.is_set()) == (2, False)
            await reader.events(3)


async def test_the_server_can_end_while_streams_are_open(api: Api, database_url: str) -> None:
    """SIGTERM ends every stream as it should end, and the process within its ten seconds."""
    checkout_id = await made(api)
    secret = json.loads((await run("api.keys", *NEW_KEY, DATABASE_URL=database_url))[1])["secret"]
    async with (
        served(database_url) as (process, url),
        httpx.AsyncClient(base_url=url, headers=bearer(secret), timeout=30) as client,
    ):
        async with reading(client, checkout_id) as one, reading(client, checkout_id) as two:
            await asyncio.gather(one.events(2), two.events(2))
            process.send_signal(signal.SIGTERM)
            await asyncio.gather(one.end(), two.end())
        _, errors = await asyncio.wait_for(process.communicate(), 30)
        # The server complains of what it had to cut off.
        assert (process.returncode in (0, -signal.SIGTERM), errors) == (True, b"")
