"""What the brokers share: how long a call may take, and the work in hand."""

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Any, TypeVar

from events.broker.contract import Channel, Message, Take

T = TypeVar("T")

START_SECONDS = 9.0
CALL_SECONDS = 8.0
AGAIN_SECONDS = 1.0
"""How long a message rests whose work has failed."""

logger = logging.getLogger(__name__)


@dataclass
class Listening:
    """One channel that one group listens to, and the message that is in hand.

    One at a time, whatever the broker thinks: one that takes a connection for dead sends its message again while the
    work still goes on, and a failed one is tried again here, before any successor is asked for.
    """

    channel: Channel
    group: str
    take: Take
    _one: asyncio.Lock = field(default_factory=asyncio.Lock)
    _work: asyncio.Task[None] | None = None
    _let_go: bool = False
    _closed: bool = False

    async def work(self, message: Message) -> bool:
        """Work on it until that succeeds. False where it was let go before: then it is not done, and comes again.

        Raises CancelledError at the end, ours or that of `take`.
        """
        async with self._one:
            if self._closed:
                raise asyncio.CancelledError
            self._let_go = False
            self._work = asyncio.create_task(self._until_done(message))
            try:
                await self._work
            except asyncio.CancelledError:
                if self._let_go and not self._closed:
                    return False
                raise
            finally:
                self._work = None
            return True

    async def _until_done(self, message: Message) -> None:
        while True:
            try:
                return await self.take(message)
            except Exception:
                logger.exception("%s: a message of %s is tried again", self.group, self.channel.name)
            await asyncio.sleep(AGAIN_SECONDS)

    @property
    def busy(self) -> bool:
        """Whether a message is in hand."""
        return self._one.locked()

    async def let_go(self, grace: float = 0) -> None:
        """Cut off what is in hand, after so many seconds: from then on the broker may give it to another process."""
        work = self._work
        if work is None:
            return
        await asyncio.wait({work}, timeout=grace)
        if not work.done():
            self._let_go = True
            work.cancel()
            await asyncio.wait({work})

    async def end(self) -> None:
        """Cut off what is in hand, and begin nothing more."""
        self._closed = True
        await self.let_go()


async def quiet(_: Exception) -> None:
    """The drivers' own reports name addresses, which may hold a password; ours tell what could not be done."""


async def undecoded(received: T) -> T:
    """What came, as it came: the brokers carry our envelopes as bytes, and those are read elsewhere."""
    return received


def text_headers(message: Message) -> dict[str, str]:
    """Everything about the message but its body, as headers."""
    return {**dict(message.headers), "id": message.id, "key": message.key, "topic": message.topic}


def message_from(headers: dict[str, Any], body: object) -> Message:
    """The message that was sent with `text_headers`; what others have sent has no id, and its body says what it is."""
    said = {
        name: value.decode(errors="replace") if isinstance(value, bytes) else str(value)
        for name, value in headers.items()
    }
    id_, key, topic = (said.pop(name, "") for name in ("id", "key", "topic"))
    return Message(id_, key, topic, body if isinstance(body, bytes) else b"", tuple(sorted(said.items())))
