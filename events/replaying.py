"""Sending again: events of the books, and dead letters, each to one subscriber alone."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time

from sqlalchemy.ext.asyncio import AsyncEngine

from events.broker.contract import Broker, Message, channel_to, dead_letters_of
from events.outbox import event_of
from events.subscribers.consuming import WHY
from events.subscribers.registry import builder
from events.wire import to_message
from ledger.consumed import Consumption
from ledger.outbox_store import Outbox

READER = "replay"
"""The group as which dead letters are read."""
_LOOK_SECONDS = 0.2


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
        await subscriber.forget(start)
    await Consumption(engine).forget(name, start)
    return start


async def send_again(outbox: Outbox, broker: Broker, name: str, since: datetime, until: datetime | None = None) -> int:
    """Send the events of the books from `since` on to one subscriber, in order; how many. What it has done it passes
    over.
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
    found: list[DeadLetter] = []
    dead, reader, sender = dead_letters_of(name), connect(), connect()
    to, total, read = channel_to(name) if again else dead, 0, asyncio.Event()

    async def take(message: Message) -> None:
        if read.is_set():
            # One of those put back; the end cuts this off, and it stays where it is.
            await asyncio.Event().wait()
        headers = dict(message.headers)
        why = headers.pop(WHY, "") if again else headers.get(WHY, "")
        await sender.publish(to, Message(message.id, message.key, message.topic, message.body, tuple(headers.items())))
        found.append(DeadLetter(message.id, message.topic, why))
        if len(found) >= total:
            read.set()

    reader.listen(dead, READER, take)
    try:
        await sender.start()
        total = await sender.waiting(dead, READER)
        if total:
            await reader.start()
            await read.wait()
            # The last one is acknowledged just after it was found.
            await asyncio.sleep(_LOOK_SECONDS)
    finally:
        await reader.close()
        await sender.close()
    return found
