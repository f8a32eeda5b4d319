"""One subscriber's way through its events: in place and in order, each until it is dealt with.

Nothing overtakes: while one event waits for something that is down, its successors wait behind it, and all that grows
is this subscriber's own lag. Only what can never be worked on is put aside, as a dead letter.
"""

import asyncio
import logging
import traceback
from contextlib import suppress
from dataclasses import dataclass, field

from events.broker.contract import Broker, BrokerDownError, Message, dead_letters_of
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


class _CutOffError(Exception):
    """The process ends before the message is dealt with."""


@dataclass(frozen=True)
class Pauses:
    """Seconds between two tries: the first, then twice as long each time, up to the longest."""

    first: float = 0.2
    longest: float = 30.0

    def after(self, pause: float) -> float:
        """The pause that follows this one."""
        return min(2 * pause, self.longest)


@dataclass
class Consumer:
    """Takes the subscriber's messages one at a time, also when they come from two channels at once."""

    subscriber: Subscriber
    consumption: Consumption
    broker: Broker
    meter: SubscriberMeter
    pauses: Pauses = Pauses()
    _one: asyncio.Lock = field(default_factory=asyncio.Lock)
    _ending: asyncio.Event = field(default_factory=asyncio.Event)

    async def finish(self, seconds: float) -> None:
        """Begin nothing more, and wait so long for what is in hand; what has to pause is broken off."""
        self._ending.set()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._one.acquire(), seconds)

    async def take(self, message: Message) -> None:
        """Deal with one message; it is dealt with when this returns."""
        with suppress(_CutOffError):
            async with self._one:
                if not self._ending.is_set():
                    await self._take(message)
                    return
        # The broker, when it is closed, cuts this off and keeps the message.
        await asyncio.Event().wait()

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
        pause, failures, waits = self.pauses.first, 0, False
        while True:
            try:
                self.meter.count(await self._work(event))
            except PoisonError as error:
                return str(error)
            except (TryLaterError, StoreUnavailableError) as error:
                level = logging.DEBUG if waits else logging.WARNING
                logger.log(level, "%s waits with %s (%s): %s", self.subscriber.name, event.id, event.type, error)
                waits = True
            except Exception as error:  # noqa: BLE001 - One event's fault must not hold up all others for ever.
                failures += 1
                self._unforeseen(event, error)
                if failures == TRIES:
                    return f"{type(error).__name__} in each of {TRIES} tries"
            else:
                return None
            self.meter.count(Outcome.TRIED_AGAIN)
            pause = await self._paused(pause)

    async def _work(self, event: Event) -> Outcome:
        name = self.subscriber.name
        if await self.consumption.has(name, event.id):
            return Outcome.REPEATED
        await self.subscriber.handle(event)
        await self.consumption.mark(name, event.id, event.time)
        return Outcome.HANDLED

    def _unforeseen(self, event: Event, error: Exception) -> None:
        """Say where it failed, without the error's own words: they may repeat what the event holds."""
        where = "".join(traceback.format_tb(error.__traceback__))
        what = type(error).__name__
        logger.error("%s failed on %s (%s): %s at\n%s", self.subscriber.name, event.id, event.type, what, where)

    async def _bury(self, message: Message, why: str) -> None:
        """Put the message aside, whole, with the reason."""
        logger.error("%s cannot work on %s: %s", self.subscriber.name, message.id or "a message without id", why)
        kept = tuple((name, value) for name, value in message.headers if name != WHY)
        said = " ".join(why.split())[:500].encode("ascii", "replace").decode()
        dead = Message(message.id, message.key, message.topic, message.body, (*kept, (WHY, said)))
        pause = self.pauses.first
        while True:
            try:
                await self.broker.publish(dead_letters_of(self.subscriber.name), dead)
            except BrokerDownError as error:
                logger.warning("%s cannot put %s aside yet: %s", self.subscriber.name, message.id, error)
                pause = await self._paused(pause)
            else:
                self.meter.count(Outcome.BURIED)
                return

    async def _paused(self, seconds: float) -> float:
        """Wait, unless the process ends; the next pause."""
        try:
            await asyncio.wait_for(self._ending.wait(), seconds)
        except TimeoutError:
            return self.pauses.after(seconds)
        raise _CutOffError
