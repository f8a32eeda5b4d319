"""NATS with JetStream: one stream on disk, a durable consumer for each group.

A consumer has one message in the air at a time, so that the order holds for the whole channel, also with several
processes of one group: one of them works, the others take over when it is gone.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import nats.errors
import nats.js.errors
from faststream import AckPolicy
from faststream.nats import JStream, NatsBroker, NatsMessage, PullSub
from nats.aio.client import Client
from nats.js.api import AckPolicy as WireAckPolicy
from nats.js.api import ConsumerConfig, DeliverPolicy, StorageType, StreamConfig

from events.broker.connection import Connection
from events.broker.contract import EVENTS, BrokerDownError, Channel, Message
from events.broker.listening import (
    CALL_SECONDS,
    START_SECONDS,
    Listening,
    message_from,
    quiet,
    text_headers,
    undecoded,
)

KEPT_FOR = timedelta(days=7)
# A message that is sent again within it is stored once: the relay may have been cut off before it knew.
_DUPLICATES = timedelta(minutes=2)
_ACK_WAIT = timedelta(seconds=10)
# This part of it without a word to the server, and the work ends: before the message is given to another process.
_GIVEN_UP = 0.7
_ID = "Nats-Msg-Id"
_DOWN = (nats.errors.Error, nats.js.errors.Error, OSError, TimeoutError)


def build(url: str, subscribers: Sequence[str], prefix: str) -> "Nats":
    """The broker at this address. A stream keeps everything for groups that come later: it need not know them."""
    return Nats(url, prefix)


class Nats(Connection[NatsBroker]):
    """See `Broker`. `ack_wait`: how long a message stays a dead process's own."""

    NAME = "NATS"

    def __init__(self, url: str, prefix: str, ack_wait: timedelta = _ACK_WAIT) -> None:
        super().__init__()
        self._url, self._prefix, self._ack_wait = url, prefix, ack_wait
        self._stream = JStream(prefix.upper(), declare=False)
        self._client: Client | None = None

    async def start(self) -> None:
        """See `Broker`."""
        self._broker = self._built()
        try:
            async with asyncio.timeout(START_SECONDS):
                self._client = await self._broker.connect()
                await self._declare()
                await self._broker.start()
        except _DOWN as error:
            await self._give_up()
            raise self._silent(error) from None

    def _built(self) -> NatsBroker:
        """FastStream's own, with everything that listens; one that could not connect is not used again."""
        broker = NatsBroker(
            self._url,
            connect_timeout=5,
            reconnect_time_wait=1,
            max_reconnect_attempts=-1,
            error_cb=quiet,
            reconnected_cb=self._reconnected,
            graceful_timeout=None,
            logger=None,
            apply_types=False,
            decoder=undecoded,
        )
        for listening in self._listening:
            self._subscribe(broker, listening)
        return broker

    async def publish(self, channel: Channel, message: Message) -> None:
        """See `Broker`."""
        # The same event may be sent to one subscriber again on purpose: there no message is a duplicate.
        headers = text_headers(message) | ({_ID: message.id} if channel == EVENTS else {})
        try:
            async with asyncio.timeout(CALL_SECONDS):
                await self._running.publish(
                    message.body,
                    self._subject(channel, message.topic),
                    headers,
                    stream=self._stream.name,
                    timeout=CALL_SECONDS,
                )
        except nats.js.errors.NoStreamResponseError:
            await self._declare_again()
            raise BrokerDownError("NATS has lost the stream; it is made anew") from None
        except _DOWN as error:
            raise self._untaken(error) from None

    def _subscribe(self, broker: NatsBroker, listening: Listening) -> None:
        async def handle(received: NatsMessage) -> None:
            try:
                async with self._kept(received, listening):
                    done = await listening.work(message_from(received.headers, received.body))
            except asyncio.CancelledError:
                with suppress(*_DOWN):
                    await received.nack()
                raise
            if done:
                await received.ack()

        broker.subscriber(
            self._subject(listening.channel, ">"),
            stream=self._stream,
            durable=self._durable(listening.channel, listening.group),
            config=self._consumer(listening),
            pull_sub=PullSub(batch_size=1, timeout=5),
            ack_policy=AckPolicy.MANUAL,
            no_reply=True,
        )(handle)

    def _consumer(self, listening: Listening) -> ConsumerConfig:
        durable = self._durable(listening.channel, listening.group)
        return ConsumerConfig(
            name=durable,
            durable_name=durable,
            filter_subject=self._subject(listening.channel, ">"),
            deliver_policy=DeliverPolicy.ALL,
            ack_policy=WireAckPolicy.EXPLICIT,
            ack_wait=self._ack_wait.total_seconds(),
            max_ack_pending=1,
            max_deliver=-1,
        )

    async def _reconnected(self) -> None:
        """A server that comes back without its data knows neither the stream nor who reads it."""
        with suppress(*_DOWN):
            async with asyncio.timeout(CALL_SECONDS):
                await self._declare()
                for listening in self._listening:
                    await self._connected.jetstream().add_consumer(self._stream.name, self._consumer(listening))

    async def waiting(self, channel: Channel, group: str) -> int:
        """See `Broker`."""
        try:
            async with asyncio.timeout(CALL_SECONDS):
                jetstream = self._connected.jetstream()
                try:
                    info = await jetstream.consumer_info(self._stream.name, self._durable(channel, group))
                except nats.js.errors.NotFoundError:
                    subject = self._subject(channel, ">")
                    stream = await jetstream.stream_info(self._stream.name, subjects_filter=subject)
                    return sum((stream.state.subjects or {}).values())
        except _DOWN as error:
            raise self._silent(error) from None
        return (info.num_pending or 0) + (info.num_ack_pending or 0)

    @property
    def _connected(self) -> Client:
        if self._client is None:
            raise BrokerDownError("NATS has not been reached yet")
        return self._client

    async def _declare(self) -> None:
        config = StreamConfig(
            name=self._stream.name,
            subjects=[f"{self._prefix}.>"],
            storage=StorageType.FILE,
            max_age=KEPT_FOR.total_seconds(),
            duplicate_window=_DUPLICATES.total_seconds(),
        )
        try:
            await self._connected.jetstream().add_stream(config)
        except nats.js.errors.BadRequestError:
            # It is there with other settings: those of whoever runs the broker hold.
            await self._connected.jetstream().stream_info(self._stream.name)

    async def _declare_again(self) -> None:
        try:
            async with asyncio.timeout(CALL_SECONDS):
                await self._declare()
        except _DOWN as error:
            raise BrokerDownError(f"NATS has lost the stream: {type(error).__name__}") from None

    async def _give_up(self) -> None:
        broker, client = self._broker, self._client
        self._broker = self._client = None
        if client is not None and not client.is_connected:
            # A drain waits for the server, which is gone.
            await client.close()
        if broker is not None:
            with suppress(*_DOWN):
                async with asyncio.timeout(CALL_SECONDS):
                    await broker.stop()

    @asynccontextmanager
    async def _kept(self, received: NatsMessage, listening: Listening) -> AsyncIterator[None]:
        """Tell the server again and again that the message is worked on; one that hears nothing gives it to others."""
        wait, clock = self._ack_wait.total_seconds(), asyncio.get_running_loop().time

        async def tell() -> None:
            told = clock()
            while clock() - told < wait * _GIVEN_UP:
                await asyncio.sleep(wait / 6)
                # Without a connection it would only be put down to be sent later.
                if self._client is not None and self._client.is_connected:
                    with suppress(*_DOWN):
                        await received.in_progress()
                        told = clock()
            await listening.let_go()

        task = asyncio.create_task(tell())
        try:
            yield
        finally:
            task.cancel()

    def _subject(self, channel: Channel, topic: str) -> str:
        return f"{self._prefix}.{channel.name}" + (f".{topic}" if channel == EVENTS else "")

    def _durable(self, channel: Channel, group: str) -> str:
        return f"{channel.name}_{group}".replace(".", "_")
