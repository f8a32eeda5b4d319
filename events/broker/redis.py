"""Redis Streams: a stream for each channel, a consumer group for each group.

Redis would give two processes of a group different messages of one subject, so they take turns: one of them works, the
others take over when it is gone, and the order holds for the whole channel. Whether a message is on disk is a matter of
the server's settings (`appendonly yes`, and `appendfsync always` for the last of them).
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

from faststream import AckPolicy
from faststream.redis import RedisBroker, RedisStreamMessage, StreamSub
from redis.exceptions import RedisError, ResponseError

from events.broker.connection import Connection
from events.broker.contract import Channel, Message
from events.broker.listening import CALL_SECONDS, START_SECONDS, Listening, message_from, text_headers, undecoded
from events.broker.turns import Turn

KEPT = 1_000_000
"""About how many messages a stream keeps."""
_LEASE = timedelta(seconds=30)
_POLL_SECONDS = 1.0
logger = logging.getLogger(__name__)

_DOWN = (RedisError, OSError, TimeoutError)


def build(url: str, subscribers: Sequence[str], prefix: str) -> "Redis":
    """The broker at this address. A stream keeps everything for groups that come later: it need not know them."""
    return Redis(url, prefix)


class Redis(Connection[RedisBroker]):
    """See `Broker`. `lease`: how long the turn stays that of a dead process."""

    NAME = "Redis"

    def __init__(self, url: str, prefix: str, lease: timedelta = _LEASE) -> None:
        super().__init__()
        self._url, self._prefix, self._lease = url, prefix, lease
        self._following: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """See `Broker`."""
        self._broker = RedisBroker(
            self._url,
            socket_connect_timeout=5,
            # Every call here has its own time-out. The driver's uses `wait_for`, which in Python 3.11 forgets now and
            # then that it was cancelled: a reader would go on whose turn is over.
            socket_timeout=None,
            graceful_timeout=None,
            logger=None,  # type: ignore[arg-type] # as the other brokers of FastStream have it
            apply_types=False,
            decoder=undecoded,
        )
        try:
            async with asyncio.timeout(START_SECONDS):
                client = await self._broker.connect()
                await client.ping()
                for listening in self._listening:
                    await self._make_group(listening.channel, listening.group)
                await self._broker.start()
        except _DOWN as error:
            await self._give_up()
            raise self._silent(error) from None
        self._following = [asyncio.create_task(self._follow(self._broker, one)) for one in self._listening]

    async def publish(self, channel: Channel, message: Message) -> None:
        """See `Broker`."""
        try:
            async with asyncio.timeout(CALL_SECONDS):
                stream = self._stream(channel)
                await self._running.publish(message.body, stream=stream, headers=text_headers(message), maxlen=KEPT)
        except _DOWN as error:
            raise self._untaken(error) from None

    async def _follow(self, broker: RedisBroker, listening: Listening) -> None:
        """Wait for the turn of this process and read, again and again."""
        name = f"{self._stream(listening.channel)}:{listening.group}:turn"
        while True:
            try:
                # Again each time: a server that has lost everything has lost the group as well.
                await self._make_group(listening.channel, listening.group)
                async with Turn(await broker.connect(), name, self._lease).ours():
                    await self._read(broker, listening)
            except _DOWN as error:
                why = type(error).__name__
                logger.warning("%s is not read for %s: %s", listening.channel.name, listening.group, why)
                await asyncio.sleep(1)

    async def _read(self, broker: RedisBroker, listening: Listening) -> None:
        """First what the process before had in hand and never acknowledged, then what is new."""
        left = self._subscriber(broker, listening, min_idle_time=0)
        new = self._subscriber(broker, listening)
        try:
            await left.start()
            while (received := await self._next(left)) is not None:
                await self._work(listening, received)
            await new.start()
            while True:
                if (received := await self._next(new)) is not None:
                    await self._work(listening, received)
        finally:
            await left.stop()
            await new.stop()

    @staticmethod
    async def _next(subscriber: Any) -> RedisStreamMessage | None:
        async with asyncio.timeout(_POLL_SECONDS + CALL_SECONDS):
            received: RedisStreamMessage | None = await subscriber.get_one(timeout=_POLL_SECONDS)
            return received

    async def _work(self, listening: Listening, received: RedisStreamMessage) -> None:
        if not await listening.work(message_from(received.headers, received.body)):
            return
        while True:
            try:
                async with asyncio.timeout(CALL_SECONDS):
                    await received.ack()
            except _DOWN:
                # Not acknowledged it would come again only with the next turn, after its successors.
                await asyncio.sleep(1)
            else:
                return

    async def waiting(self, channel: Channel, group: str) -> int:
        """See `Broker`."""
        try:
            async with asyncio.timeout(CALL_SECONDS):
                await self._make_group(channel, group)
                client = await self._running.connect()
                groups = await client.xinfo_groups(self._stream(channel))
        except _DOWN as error:
            raise self._silent(error) from None
        (found,) = (one for one in groups if one["name"] in (group, group.encode()))
        # A server that cannot tell how much is unread tells nothing; it is not more than everything.
        unread = await client.xlen(self._stream(channel)) if found["lag"] is None else found["lag"]
        return int(unread) + int(found["pending"])

    async def _make_group(self, channel: Channel, group: str) -> None:
        """A group begins with the oldest that there is."""
        client = await self._running.connect()
        try:
            await client.xgroup_create(self._stream(channel), group, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    async def _give_up(self) -> None:
        broker, self._broker = self._broker, None
        for task in self._following:
            task.cancel()
        await asyncio.gather(*self._following, return_exceptions=True)
        self._following = []
        if broker is not None:
            with suppress(*_DOWN):
                async with asyncio.timeout(CALL_SECONDS):
                    await broker.stop()

    def _subscriber(self, broker: RedisBroker, listening: Listening, min_idle_time: int | None = None) -> Any:
        # One name for whichever process has the turn: what one of them left behind is the next one's.
        where = StreamSub(
            self._stream(listening.channel),
            group=listening.group,
            consumer=listening.group,
            max_records=1,
            min_idle_time=min_idle_time,
        )
        return broker.subscriber(stream=where, ack_policy=AckPolicy.MANUAL, no_reply=True, persistent=False)

    def _stream(self, channel: Channel) -> str:
        return f"{self._prefix}:{channel.name}"
