"""A broker in memory, for what no real one does on demand: stopping at a given message, or in the middle of one."""

import asyncio
from collections.abc import Callable

from events.broker.contract import BrokerDownError, Channel, Message, Take


class MemoryBroker:
    """Keeps what is published. `up` says whether it answers; `before` may act on, or refuse, each message."""

    def __init__(self) -> None:
        self.up = True
        self.started = 0
        self.asked = 0
        self.taken: list[Message] = []
        self.before: Callable[[Message], object] = lambda message: None
        self.gate = asyncio.Event()
        self.gate.set()
        self.arrived = asyncio.Event()

    async def start(self) -> None:
        """Connect."""
        self.started += 1
        self._answer()

    async def publish(self, channel: Channel, message: Message) -> None:
        """Take one message, once the gate is open."""
        assert channel.name == "events"
        self.arrived.set()
        await self.gate.wait()
        await asyncio.sleep(0)  # As with a real one, others are on their way at the same time.
        self._answer()
        self.before(message)
        self.taken.append(message)

    def listen(self, channel: Channel, group: str, take: Take) -> None:
        """Nobody listens here."""
        raise NotImplementedError

    async def waiting(self, channel: Channel, group: str) -> int:
        """As if nobody had read anything."""
        self.asked += 1
        self._answer()
        return len(self.taken)

    async def close(self) -> None:
        """Nothing to let go."""

    def ids(self) -> list[str]:
        """The ids of what was taken, in order."""
        return [message.id for message in self.taken]

    def _answer(self) -> None:
        if not self.up:
            raise BrokerDownError("nobody answers")
