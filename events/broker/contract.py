"""What is asked of a broker, whichever it is."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from domain.errors import PaysagaError


class BrokerDownError(PaysagaError):
    """The broker does not answer, or has not taken the message for good; it may have it all the same."""


@dataclass(frozen=True)
class Channel:
    """A named stream of messages that are kept for a time, so that each group of readers reads all of it."""

    name: str


EVENTS = Channel("events")
"""What everybody may hear."""


def channel_to(subscriber: str) -> Channel:
    """What is sent again to one subscriber alone."""
    return Channel(f"to.{subscriber}")


def dead_letters_of(subscriber: str) -> Channel:
    """What one subscriber cannot work on; a person looks at it, and sends it again."""
    return Channel(f"dead.{subscriber}")


@dataclass(frozen=True)
class Message:
    """What is carried. Messages of one `key` keep their order; `topic` lets a reader choose where the broker can.

    `id` is the same for the same message sent twice; brokers that can drop the second.
    """

    id: str
    key: str
    topic: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


Take = Callable[[Message], Awaitable[None]]
"""Works on one message. It is done when this returns, and comes again, before its successors, when this raises."""


class Broker(Protocol):
    """A connection to one broker.

    `listen` comes before `start`. A group gets every message of a channel at least once, one at a time and in order
    for each key, from the oldest that the broker still has; what it had taken and not finished when it died comes
    again. `take` may last for hours: meanwhile the message is nobody else's.
    """

    async def start(self) -> None:
        """Connect, declare what has to be there, begin to listen. Raises BrokerDownError within ten seconds."""

    async def publish(self, channel: Channel, message: Message) -> None:
        """Hand over one message: it is on the broker's disk when this returns. Raises BrokerDownError in ten seconds.

        After a broker that was down the next call finds it again.
        """

    def listen(self, channel: Channel, group: str, take: Take) -> None:
        """Give each message of the channel to `take`, as the group of this name."""

    async def waiting(self, channel: Channel, group: str) -> int:
        """How many messages of the channel the group has not finished. Raises BrokerDownError."""

    async def close(self) -> None:
        """Stop listening, let work in hand come again later, and disconnect."""
