"""Whose turn it is among the processes of a group, kept in Redis, whose streams know no single reader."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

from redis.asyncio import Redis as Client
from redis.exceptions import RedisError

# Only whoever has the turn may keep it or give it back: it may have passed to another meanwhile.
_KEEP = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('pexpire', KEYS[1], ARGV[2]) end return 0"
_GIVE_BACK = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"
# This part of the lease without the server's word that it goes on, and it is over here: before it is over there.
_GIVEN_UP = 0.7


class Turn:
    """A lease: it ends with the process that has it, after `lease` if that died without a word."""

    def __init__(self, client: Client, name: str, lease: timedelta) -> None:
        self._client, self._name, self._lease = client, name, lease
        self._mine = secrets.token_hex(8)

    @asynccontextmanager
    async def ours(self) -> AsyncIterator[None]:
        """Wait for the turn and keep it. Raises TimeoutError inside where it may pass to another process."""
        await self._wait()
        keeping: asyncio.Task[None] | None = None
        try:
            async with asyncio.timeout(self._seconds * _GIVEN_UP) as limit:
                keeping = asyncio.create_task(self._keep(limit))
                yield
        finally:
            if keeping is not None:
                keeping.cancel()
            with suppress(RedisError, OSError, TimeoutError):
                async with asyncio.timeout(1):
                    await self._client.eval(_GIVE_BACK, 1, self._name, self._mine)

    async def _wait(self) -> None:
        while True:
            if await self._client.set(self._name, self._mine, nx=True, px=self._lease):
                return
            await asyncio.sleep(self._seconds / 6)

    async def _keep(self, limit: asyncio.Timeout) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(self._seconds / 6)
            asked = clock()
            with suppress(RedisError, OSError, TimeoutError):
                async with asyncio.timeout(self._seconds / 3):
                    kept = await self._client.eval(_KEEP, 1, self._name, self._mine, int(self._seconds * 1000))
                limit.reschedule(asked + self._seconds * _GIVEN_UP if kept else asked)

    @property
    def _seconds(self) -> float:
        return self._lease.total_seconds()
