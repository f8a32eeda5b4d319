"""Sending again: events of the books, and dead letters, each to one subscriber alone."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from secrets import token_hex

from sqlalchemy.ext.asyncio import AsyncEngine

from events.broker.contract import Broker, Channel, Message, channel_to, dead_letters_of
from events.outbox import event_of
from events.subscribers.consuming import WHY
from events.subscribers.registry import builder
from events.wire import to_message
from ledger.consumed import Consumption
from ledger.outbox_store import Outbox

READER = "replay"
"""The group as which dead letters are read."""
SHOWN = "shown"
"""The header of a dead letter that was put back: who it was shown to."""
_PATIENCE_SECONDS = 30.0
"""Somebody else may be sending the same dead letters again, so that fewer come than there were."""
_ACKNOWLEDGED_SECONDS = 0.5


@dataclass(frozen=True)
class DeadLetter:
    """What a subscriber could not work on, and why."""

    id: str
    topic: str
    why: str


async def forget(engine: AsyncEngine, name: str, since: datetime) -> datetime:
    """Let the subscriber forget what came of events, from the beginning of that UTC day on; answers that moment."""
    start = datetime.combine(since.astimezone(UTC).date(), time(), UTC)
    async with builder(name)() as subscriber:
        # In this order: what it does meanwhile it does once more, and what is sent again never finds old work done.
        await subscriber.forget(start)
        await Consumption(engine).forget(name, start)
    return start


async def send_again(outbox: Outbox, broker: Broker, name: str, since: datetime, until: datetime | None = None) -> int:
    """Send the events of the books since then to one subscriber, in their order; how many.

    It passes over those that it is done with.
    """
    sent = 0
    async for row in outbox.since(since, until=until):
        await broker.publish(channel_to(name), to_message(event_of(row)))
        sent += 1
    return sent


async def dead_letters(connect: Callable[[], Broker], name: str, again: bool) -> Sequence[DeadLetter]:
    """What lies with the subscriber's dead letters when this is called. Raises BrokerDownError.

    With `again` each is sent to the subscriber, and lies there no more; without, it is put back behind the others: no
    broker shows a message without handing it out.
    """
    reader, sender = connect(), connect()
    looking = _Looking(sender, channel_to(name) if again else dead_letters_of(name), again)
    reader.listen(dead_letters_of(name), READER, looking.take)
    found: list[DeadLetter] = []
    try:
        await sender.start()
        looking.left = total = await sender.waiting(dead_letters_of(name), READER)
        if total:
            await reader.start()
        with suppress(TimeoutError):
            while len(found) < total:
                found.append(await asyncio.wait_for(looking.found.get(), _PATIENCE_SECONDS))
        # The last one is acknowledged just after it was found.
        await asyncio.sleep(_ACKNOWLEDGED_SECONDS)
    finally:
        await reader.close()
        await sender.close()
    return found


@dataclass
class _Looking:
    """Takes as many dead letters as there were at the beginning; what comes besides is left where it is."""

    sender: Broker
    to: Channel
    again: bool
    left: int = 0
    found: asyncio.Queue[DeadLetter] = field(default_factory=asyncio.Queue)
    _me: str = field(default_factory=lambda: token_hex(8))

    async def take(self, message: Message) -> None:
        """Pass one on, or put it back."""
        if not self.left:
            await asyncio.Event().wait()
        headers = dict(message.headers)
        why, shown_to = headers.get(WHY, ""), headers.pop(SHOWN, None)
        if self.again:
            headers.pop(WHY, None)
        else:
            headers[SHOWN] = self._me
        passed = Message(message.id, message.key, message.topic, message.body, tuple(headers.items()))
        await self.sender.publish(self.to, passed)
        # Where there are several queues, what was put back into one may come before what lies in another.
        if shown_to != self._me:
            self.left -= 1
            self.found.put_nowait(DeadLetter(message.id, message.topic, why))
