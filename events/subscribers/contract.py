"""What a subscriber is: a name, the events it wants, and what it does with one."""

from datetime import datetime
from typing import Protocol

from domain.errors import PaysagaError
from domain.timeline import EventType
from events.contract import Event


class PoisonError(PaysagaError):
    """This event can never be worked on: it goes to the dead letters at once, and the next one is due."""


class TryLaterError(PaysagaError):
    """Something that is needed is down or slow: the same event is tried again, with growing pauses, for ever."""


class Subscriber(Protocol):
    """Acts on events. The same event may come twice: `handle` is asked again only where it was not finished."""

    @property
    def name(self) -> str:
        """What it is called at the broker and on the books of consumed events; never changed."""

    @property
    def wanted(self) -> frozenset[EventType]:
        """The types it acts on; the others are passed over."""

    async def handle(self, event: Event) -> None:
        """Act. Raises PoisonError or TryLaterError; any other error is tried a few times and then counts as poison."""

    async def forget(self, since: datetime) -> None:
        """Undo what it keeps of events from then on, before they are all sent again. What left the house stays sent."""
