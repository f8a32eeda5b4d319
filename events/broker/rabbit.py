"""RabbitMQ: one topic exchange, a durable queue for each group with a single active consumer.

One process of a group works and the others take over when it is gone, so that the order holds for the whole channel.
A queue gets what is published once it is there, so the queues of the known groups are declared before the first event.
The server takes a message back that is in hand for longer than its `consumer_timeout`: for our queues a day from 3.12
on, and half an hour before that unless the server is told otherwise. Longer work is cut off, and begins again.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import aio_pika.exceptions
import aiormq.exceptions
from faststream import AckPolicy
from faststream.rabbit import Channel as Lane
from faststream.rabbit import ExchangeType, QueueType, RabbitBroker, RabbitExchange, RabbitMessage, RabbitQueue

from events.broker.connection import Connection
from events.broker.contract import EVENTS, Channel, Message, channel_to
from events.broker.listening import CALL_SECONDS, START_SECONDS, Listening, message_from, text_headers, undecoded

_DAY_MS = 24 * 60 * 60 * 1000
_DOWN = (
    aio_pika.exceptions.AMQPError,
    aiormq.exceptions.AMQPError,
    aio_pika.exceptions.CONNECTION_EXCEPTIONS[0],
    OSError,
    RuntimeError,
    TimeoutError,
)


def build(url: str, subscribers: Sequence[str], prefix: str) -> "Rabbit":
    """The broker at this address."""
    return Rabbit(url, subscribers, prefix)


class Rabbit(Connection[RabbitBroker]):
    """See `Broker`. `waiting` leaves out the one message that another process has in hand: AMQP does not tell of it."""

    NAME = "RabbitMQ"

    def __init__(self, url: str, subscribers: Sequence[str], prefix: str) -> None:
        super().__init__()
        self._url, self._subscribers, self._prefix = url, subscribers, prefix
        self._exchange = RabbitExchange(prefix, type=ExchangeType.TOPIC, durable=True)
        self._there: set[str] = set()

    async def start(self) -> None:
        """See `Broker`."""
        self._broker = self._built()
        try:
            async with asyncio.timeout(START_SECONDS):
                # What is listened to comes first: FastStream reads a queue on the lane on which it was declared.
                await self._broker.start()
                for name in self._subscribers:
                    await self._declare(EVENTS, name)
                    await self._declare(channel_to(name), name)
        except _DOWN as error:
            await self._give_up()
            raise self._silent(error) from None

    def _built(self) -> RabbitBroker:
        broker = RabbitBroker(
            self._url,
            timeout=5,
            reconnect_interval=1,
            default_channel=Lane(publisher_confirms=True, on_return_raises=True),
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
        try:
            async with asyncio.timeout(CALL_SECONDS):
                if channel != EVENTS:
                    await self._declare(channel, "")
                await self._running.publish(
                    message.body,
                    exchange=self._exchange,
                    routing_key=self._routing(channel, message.topic),
                    # An event that no queue takes would be gone without a word.
                    mandatory=channel != EVENTS or bool(self._subscribers),
                    persist=True,
                    message_id=message.id,
                    headers={**text_headers(message)},
                )
        except _DOWN as error:
            raise self._untaken(error) from None

    def _subscribe(self, broker: RabbitBroker, listening: Listening) -> None:
        async def handle(received: RabbitMessage) -> None:
            try:
                done = await listening.work(message_from(received.headers, received.body))
            except asyncio.CancelledError:
                # Also where the server has taken the message back: the driver ends what came on a lane with the lane.
                with suppress(*_DOWN):
                    await received.nack(requeue=True)
                raise
            if done:
                await received.ack()

        queue = self._queue(listening.channel, listening.group)
        # A lane of its own: the server closes it where it takes a message back, and what is published must not suffer.
        lane = Lane(prefetch_count=1)
        broker.subscriber(queue, self._exchange, channel=lane, ack_policy=AckPolicy.MANUAL, no_reply=True)(handle)

    async def waiting(self, channel: Channel, group: str) -> int:
        """See `Broker`."""
        try:
            async with asyncio.timeout(CALL_SECONDS):
                await self._declare(channel, group)
                queue = await self._running.declare_queue(self._queue(channel, group))
                # Past the robust channel, which answers with the count of when it first declared the queue.
                wire = await queue.channel.get_underlay_channel()
                ready = (await wire.queue_declare(queue.name, passive=True)).message_count or 0
        except _DOWN as error:
            raise self._silent(error) from None
        return ready + sum(one.busy for one in self._listening if (one.channel, one.group) == (channel, group))

    async def _declare(self, channel: Channel, group: str) -> None:
        """Make sure that the queue is there and bound; once for each connection that this process has made."""
        queue = self._queue(channel, group)
        if queue.name in self._there:
            return
        exchange = await self._running.declare_exchange(self._exchange)
        declared = await self._running.declare_queue(queue)
        await declared.bind(exchange, routing_key=self._routing(channel, "#"))
        self._there.add(queue.name)

    async def _give_up(self) -> None:
        broker, self._broker = self._broker, None
        self._there.clear()
        if broker is not None:
            with suppress(*_DOWN):
                async with asyncio.timeout(CALL_SECONDS):
                    await broker.stop()

    def _queue(self, channel: Channel, group: str) -> RabbitQueue:
        """What is for one subscriber has one queue, whoever reads it: it must be there before the first message is."""
        name = f"{self._prefix}.{channel.name}" + (f".{group}" if channel == EVENTS else "")
        waits: Any = {"x-single-active-consumer": True, "x-consumer-timeout": _DAY_MS}
        return RabbitQueue(
            name,
            # Not a quorum queue: that one gives up on a message that has come twenty times.
            QueueType.CLASSIC,
            durable=True,
            arguments=waits,
            routing_key=self._routing(channel, "#"),
        )

    def _routing(self, channel: Channel, topic: str) -> str:
        return channel.name + (f".{topic}" if channel == EVENTS else "")
