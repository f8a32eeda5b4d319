"""Redis Streams: a stream for each channel, a consumer group for each group.

One process of a group at a time: Redis would give two of them different messages of one subject. Whether a message is
on disk is the server's matter (`appendonly yes`, and `appendfsync always` for the last of them).
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from faststream import AckPolicy
from faststream.redis import RedisBroker, RedisStreamMessage, StreamSub
from redis.exceptions import RedisError, ResponseError

from events.broker.contract import BrokerDownError, Channel, Message, Take
from events.broker.listening import CALL_SECONDS, START_SECONDS, Listening, message_from, text_headers, undecoded

KEPT = 1_000_000
"""About how many messages a stream keeps."""
_POLL_MS = 1000
_DOWN = (RedisError, OSError, TimeoutError)


def build(url: str, subscribers: Sequence[str], prefix: str) -> "Redis":
    """The broker at this address. A stream keeps everything for groups that come later: it need not know them."""
    return Redis(url, prefix)


class Redis:
    """See `Broker`."""

    def __init__(self, url: str, prefix: str) -> None:
        self._url, self._prefix = url, prefix
        self._listening: list[Listening] = []
        self._broker: RedisBroker | None = None
        self._following: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """See `Broker`."""
        self._broker = RedisBroker(
            self._url,
            socket_connect_timeout=5,
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
            raise BrokerDownError(f"Redis does not answer: {type(error).__name__}") from None
        self._following = [asyncio.create_task(self._follow(self._broker, one)) for one in self._listening]

    async def publish(self, channel: Channel, message: Message) -> None:
        """See `Broker`."""
        try:
            async with asyncio.timeout(CALL_SECONDS):
                stream = self._stream(channel)
                await self._running.publish(message.body, stream=stream, headers=text_headers(message), maxlen=KEPT)
        except _DOWN as error:
            raise BrokerDownError(f"Redis has not taken the message: {type(error).__name__}") from None

    def listen(self, channel: Channel, group: str, take: Take) -> None:
        """See `Broker`."""
        self._listening.append(Listening(channel, group, take))

    async def _follow(self, broker: RedisBroker, listening: Listening) -> None:
        """First what a process before had in hand and never acknowledged, then what is new."""
        while True:
            try:
                await self._left_behind(broker, listening)
            except _DOWN:
                await asyncio.sleep(1)
            else:
                break
        new = broker.subscriber(stream=self._sub(listening), ack_policy=AckPolicy.MANUAL, no_reply=True)

        async def handle(received: RedisStreamMessage) -> None:
            await self._work(listening, received)

        new(handle)
        await new.start()

    async def _left_behind(self, broker: RedisBroker, listening: Listening) -> None:
        left = self._sub(listening, min_idle_time=0)
        pending = broker.subscriber(stream=left, ack_policy=AckPolicy.MANUAL, no_reply=True)
        await pending.start()
        try:
            while (received := await pending.get_one(timeout=0.1)) is not None:
                await self._work(listening, received)
        finally:
            await pending.stop()

    async def _work(self, listening: Listening, received: RedisStreamMessage) -> None:
        await listening.work(message_from(received.headers, received.body))
        while True:
            try:
                await received.ack()
            except _DOWN:
                # Not acknowledged it would come again only with the next start of this process, after its successors.
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
            raise BrokerDownError(f"Redis does not answer: {type(error).__name__}") from None
        (found,) = (one for one in groups if one["name"] in (group, group.encode()))
        return int(found["lag"] or 0) + int(found["pending"])

    async def close(self) -> None:
        """See `Broker`."""
        for listening in self._listening:
            await listening.end()
        await self._give_up()

    @property
    def _running(self) -> RedisBroker:
        if self._broker is None:
            raise BrokerDownError("Redis has not been reached yet")
        return self._broker

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

    def _sub(self, listening: Listening, min_idle_time: int | None = None) -> StreamSub:
        return StreamSub(
            self._stream(listening.channel),
            group=listening.group,
            consumer=listening.group,
            max_records=1,
            min_idle_time=min_idle_time,
            polling_interval=_POLL_MS,
        )

    def _stream(self, channel: Channel) -> str:
        return f"{self._prefix}:{channel.name}"
