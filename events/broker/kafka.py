"""Kafka's protocol: a topic for each channel, keyed by subject, and a committed offset for each group.

Several processes of one group share the partitions, so that the order holds for each subject. A topic is made with a
few partitions unless somebody has made it before. A newcomer gets its share at once, and the work on a message of that
share ends: shortly, or cut off.

The producer is not Kafka's idempotent one, which not every broker that speaks the protocol knows: one batch is on its
way to a partition at a time, so nothing overtakes, and what is stored twice after a lost answer has the same id.
"""

import asyncio
import logging
import ssl
from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any
from urllib.parse import unquote, urlsplit

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition  # type: ignore[import-untyped]
from aiokafka.admin import AIOKafkaAdminClient, NewTopic  # type: ignore[import-untyped]
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code  # type: ignore[import-untyped]
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage
from faststream.kafka.security import parse_security
from faststream.security import SASLPlaintext

from events.broker.connection import Connection
from events.broker.contract import EVENTS, Channel, Message, channel_to, dead_letters_of
from events.broker.listening import CALL_SECONDS, START_SECONDS, Listening, message_from, text_headers, undecoded

PARTITIONS = 6
COPIES = 3
"""On so many brokers, or as many as there are; whoever wants something else makes the topics first."""
_SESSION = timedelta(seconds=10)
_DAY_MS = 24 * 60 * 60 * 1000
# What another process of the group waits for the end of work on a message that may become its own.
_GRACE_SECONDS = 5.0
logger = logging.getLogger(__name__)

_DOWN = (KafkaError, OSError, TimeoutError)


def build(url: str, subscribers: Sequence[str], prefix: str) -> "Kafka":
    """The broker at this address."""
    return Kafka(url, subscribers, prefix)


class _HandingOver(ConsumerRebalanceListener):  # type: ignore[misc]
    """Before partitions go to another process the work in hand ends."""

    def __init__(self, listening: Listening) -> None:
        self._listening = listening

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Finish soon, or cut off: whoever has the partition next begins with the message in hand."""
        await self._listening.let_go(_GRACE_SECONDS)

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Nothing: reading goes on at what is committed."""


class Kafka(Connection[KafkaBroker]):
    """See `Broker`. `session`: how long the partitions of a dead process stay its own."""

    NAME = "Kafka"

    def __init__(self, url: str, subscribers: Sequence[str], prefix: str, session: timedelta = _SESSION) -> None:
        super().__init__()
        self._servers, self._security = urlsplit(url).netloc.rpartition("@")[2], _security(url)
        self._subscribers, self._prefix, self._session = subscribers, prefix, session
        self._joining: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """See `Broker`."""
        self._broker = self._built()
        try:
            async with asyncio.timeout(START_SECONDS):
                await self._declare()
                await self._broker.connect()
                await self._broker.start()
        except _DOWN as error:
            await self._give_up()
            raise self._silent(error) from None
        self._joining = [asyncio.create_task(self._join(self._broker, one)) for one in self._listening]

    def _built(self) -> KafkaBroker:
        return KafkaBroker(
            self._servers,
            acks="all",
            request_timeout_ms=int(CALL_SECONDS * 1000),
            security=self._security,
            graceful_timeout=None,
            logger=None,
            apply_types=False,
            decoder=undecoded,
        )

    async def publish(self, channel: Channel, message: Message) -> None:
        """See `Broker`."""
        try:
            async with asyncio.timeout(CALL_SECONDS):
                await self._running.publish(
                    message.body, self._topic(channel), key=message.key.encode(), headers=text_headers(message)
                )
        except _DOWN as error:
            raise self._untaken(error) from None

    async def _join(self, broker: KafkaBroker, listening: Listening) -> None:
        """Become a member of the group, for which the broker may take many seconds; tried until it succeeds."""
        while True:
            subscriber = self._subscriber(broker, listening)
            try:
                await subscriber.start()
            except _DOWN as error:
                logger.warning("cannot join %s: %s", listening.group, type(error).__name__)
                await subscriber.stop()
                await asyncio.sleep(1)
            else:
                return

    def _subscriber(self, broker: KafkaBroker, listening: Listening) -> Any:
        async def handle(received: KafkaMessage) -> None:
            if await listening.work(message_from(received.headers, received.body)):
                await received.ack()

        subscriber = broker.subscriber(
            self._topic(listening.channel),
            group_id=self._group(listening.channel, listening.group),
            listener=_HandingOver(listening),
            session_timeout_ms=int(self._session.total_seconds() * 1000),
            heartbeat_interval_ms=int(self._session.total_seconds() * 1000 / 4),
            auto_offset_reset="earliest",
            # A message may be worked on for as long as something is down; the heartbeats go on meanwhile.
            max_poll_interval_ms=_DAY_MS,
            ack_policy=AckPolicy.MANUAL,
            no_reply=True,
        )
        subscriber(handle)
        return subscriber

    async def waiting(self, channel: Channel, group: str) -> int:
        """See `Broker`."""
        consumer = AIOKafkaConsumer(group_id=self._group(channel, group), enable_auto_commit=False, **self._reaching)
        try:
            async with asyncio.timeout(CALL_SECONDS):
                await consumer.start()
                return await self._unread(consumer, self._topic(channel))
        except _DOWN as error:
            raise self._silent(error) from None
        finally:
            with suppress(*_DOWN):
                await consumer.stop()

    @staticmethod
    async def _unread(consumer: AIOKafkaConsumer, topic: str) -> int:
        """What lies between where the group is and the end; a group that never read is at the beginning."""
        places = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
        consumer.assign(places)
        ends, starts = await consumer.end_offsets(places), await consumer.beginning_offsets(places)
        unread = 0
        for place in places:
            read = await consumer.committed(place)
            unread += ends[place] - (starts[place] if read is None else max(read, starts[place]))
        return unread

    @property
    def _reaching(self) -> dict[str, Any]:
        """For what FastStream does not offer: making topics as they should be, and asking where a group is."""
        return {
            "bootstrap_servers": self._servers,
            "request_timeout_ms": int(CALL_SECONDS * 1000),
            **parse_security(self._security),
        }

    async def _declare(self) -> None:
        """Make the topics that are not there: a reader of a topic that comes later would hear of it late."""
        channels = {EVENTS, *(one.channel for one in self._listening)}
        for name in self._subscribers:
            channels |= {channel_to(name), dead_letters_of(name)}
        admin = AIOKafkaAdminClient(**self._reaching)
        try:
            await admin.start()
            known = set(await admin.list_topics())
            new = [name for name in map(self._topic, sorted(channels, key=lambda one: one.name)) if name not in known]
            if new:
                copies = min(COPIES, len((await admin.describe_cluster())["brokers"]))
                made = await admin.create_topics([NewTopic(name, PARTITIONS, copies) for name in new])
                for _, code, *_ in made.topic_errors:
                    if code and for_code(code) is not TopicAlreadyExistsError:
                        raise for_code(code)
        finally:
            with suppress(*_DOWN):
                await admin.close()

    async def _give_up(self) -> None:
        broker, self._broker = self._broker, None
        for task in self._joining:
            task.cancel()
        await asyncio.gather(*self._joining, return_exceptions=True)
        if broker is not None:
            with suppress(*_DOWN):
                async with asyncio.timeout(CALL_SECONDS):
                    await broker.stop()

    def _topic(self, channel: Channel) -> str:
        return f"{self._prefix}.{channel.name}"

    def _group(self, channel: Channel, group: str) -> str:
        """One for each channel: processes join and leave those of others in vain otherwise."""
        return f"{self._prefix}.{channel.name}.{group}"


def _security(url: str) -> SASLPlaintext | None:
    """With a name and a password, both go over TLS."""
    parts = urlsplit(url)
    if parts.username is None:
        return None
    context = ssl.create_default_context()
    return SASLPlaintext(unquote(parts.username), unquote(parts.password or ""), ssl_context=context)
