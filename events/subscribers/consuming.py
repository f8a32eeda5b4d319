"""One subscriber's way through its events: in place and in order, each until it is dealt with.

Nothing overtakes: while one event waits for something that is down, its successors wait behind it, and all that grows
is this subscriber's own lag. Only what can never be worked on is put aside, as a dead letter.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from domain.errors import BooksError
from events.broker.contract import Broker, Message, dead_letters_of
from events.contract import Event, UnreadableEventError
from events.subscribers.contract import PoisonError, Subscriber, TryLaterError
from events.subscribers.meter import Outcome, SubscriberMeter
from events.wire import from_message
from ledger.consumed import Consumption
from ledger.contract import StoreUnavailableError

logger = logging.getLogger(__name__)

WHY = "why"
"""The header in which a dead letter says why it is one."""
TRIES = 5
"""How often an event is tried whose failure nobody has foreseen."""
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 30.0

Sleep = Callable[[float], Awaitable[None]]


@dataclass
class Consumer:
    """Takes the subscriber's messages one at a time."""

    subscriber: Subscriber
    consumption: Consumption
    broker: Broker
    meter: SubscriberMeter
    sleep: Sleep = asyncio.sleep
    _idle: asyncio.Event = field(default_factory=asyncio.Event)
    _ending: bool = False

    def __post_init__(self) -> None:
        self._idle.set()

    async def finish(self, seconds: float) -> None:
        """Begin nothing more, and wait so long for what is in hand."""
        self._ending = True
        with suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), seconds)

    async def take(self, message: Message) -> None:
        """Deal with one message. Raises where it cannot, at the end or without a broker: then it comes again."""
        if self._ending:
            raise asyncio.CancelledError
        self._idle.clear()
        try:
            await self._take(message)
        finally:
            self._idle.set()

    async def _take(self, message: Message) -> None:
        try:
            event = from_message(message)
        except UnreadableEventError as error:
            await self._bury(message, str(error))
            return
        if event.type not in self.subscriber.wanted:
            return
        with self.meter.in_hand(event.time):
            why = await self._worked_on(event)
        if why is not None:
            await self._bury(message, why)

    async def _worked_on(self, event: Event) -> str | None:
        """Try until the event is dealt with; why it never will be, None when it is."""
        pause, failures = FIRST_PAUSE, 0
        while True:
            try:
                self.meter.count(await self._work(event))
            except PoisonError as error:
                return str(error)
            except (TryLaterError, StoreUnavailableError, BooksError) as error:
                self._waits(event, error, first=pause == FIRST_PAUSE)
            except Exception as error:
                failures += 1
                logger.exception("%s failed on %s (%s)", self.subscriber.name, event.id, event.type)
                if failures == TRIES:
                    return f"{type(error).__name__} in each of {TRIES} tries"
            else:
                return None
            self.meter.count(Outcome.TRIED_AGAIN)
            if self._ending:
                raise asyncio.CancelledError
            await self.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _work(self, event: Event) -> Outcome:
        name = self.subscriber.name
        if await self.consumption.has(name, event.id):
            return Outcome.REPEATED
        await self.subscriber.handle(event)
        await self.consumption.mark(name, event.id, event.time)
        return Outcome.HANDLED

    def _waits(self, event: Event, error: Exception, first: bool) -> None:
        level = logging.WARNING if first else logging.DEBUG
        logger.log(level, "%s waits with %s (%s): %s", self.subscriber.name, event.id, event.type, error)

    async def _bury(self, message: Message, why: str) -> None:
        """Put the message aside, whole, with the reason."""
        logger.error("%s cannot work on %s: %s", self.subscriber.name, message.id or "a message without id", why)
        kept = tuple((name, value) for name, value in message.headers if name != WHY)
        said = " ".join(why.split())[:500].encode("ascii", "replace").decode()
        dead = Message(message.id, message.key, message.topic, message.body, (*kept, (WHY, said)))
        await self.broker.publish(dead_letters_of(self.subscriber.name), dead)
        self.meter.count(Outcome.BURIED)
