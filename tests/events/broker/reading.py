"""What the brokers' tests send, and who reads it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from urllib.parse import urlsplit

from events.broker.contract import Broker, Channel, Message, Take
from events.broker.kafka import Kafka
from events.broker.nats import Nats
from events.broker.rabbit import Rabbit
from events.broker.redis import Redis
from tests.events.servers import Server
from tests.workflows.support import eventually

GROUPS = ("first", "second")
SHORT = timedelta(seconds=3)


def message(number: int, key: str = "chk_1", topic: str = "payment.succeeded") -> Message:
    """The message of this number."""
    return Message(f"{key}:{number}", key, topic, f'{{"number":{number}}}'.encode(), (("why", "because"),))


def content(received: Message) -> tuple[str, str, bytes, str]:
    """What has to arrive as it was sent; drivers add headers of their own."""
    return received.key, received.topic, received.body, dict(received.headers)["why"]


class Reader:
    """Remembers what it took; `fails` says for which ids it raises, and how often."""

    def __init__(self, **fails: int) -> None:
        self.took: list[Message] = []
        self.fails = dict(fails)
        self.at_once = self.most_at_once = 0
        self.seconds = 0.0
        self.begun = 0
        self.spans: list[tuple[float, float, str]] = []
        """From when to when it had each message in hand."""

    async def take(self, received: Message) -> None:
        """Take one message."""
        self.at_once += 1
        self.begun += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            await asyncio.sleep(self.seconds)
            if self.fails.get(received.id.partition(":")[2], 0):
                self.fails[received.id.partition(":")[2]] -= 1
                raise ValueError("not this time")
            self.took.append(received)
        finally:
            self.spans.append((began, clock(), received.id))
            self.at_once -= 1

    @property
    def ids(self) -> list[str]:
        """Whatever it took, in order."""
        return [one.id for one in self.took]

    def of(self, key: str) -> list[str]:
        """What it took of one key, each once."""
        return list(dict.fromkeys(one.id for one in self.took if one.key == key))


Listens = tuple[Channel, str, Take]


def impatient(url: str, prefix: str) -> Broker:
    """The broker at this address, which takes a process for dead after `SHORT`."""
    match urlsplit(url).scheme:
        case "nats":
            return Nats(url, prefix, ack_wait=SHORT)
        case "kafka":
            return Kafka(url, GROUPS, prefix, session=SHORT)
        case "redis":
            return Redis(url, prefix, lease=SHORT)
        case _:
            # RabbitMQ sees at once that a connection is gone.
            return Rabbit(url, GROUPS, prefix)


@asynccontextmanager
async def running(server: Server, prefix: str, *listens: Listens) -> AsyncIterator[Broker]:
    """A connection that listens, as a process of its own would have it."""
    broker = impatient(server.url, prefix)
    for channel, group, take in listens:
        broker.listen(channel, group, take)
    await broker.start()
    try:
        yield broker
    finally:
        await broker.close()


async def until(reader: Reader, enough: Callable[[Reader], bool], patience: float = 60) -> None:
    """Wait until the reader has enough."""

    async def look() -> Reader:
        return reader

    await eventually(look, enough, patience)
