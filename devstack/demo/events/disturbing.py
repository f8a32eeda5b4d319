"""What goes wrong around the checkouts while they run, and must not slow them: no broker, nobody who writes mails."""

import asyncio
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from devstack import eventing
from devstack.demo.claims import Claim, claim
from devstack.demo.events.mails import Mail
from devstack.stack import Stack

NOTIFICATIONS = "notifications"
_BEFORE_SECONDS, _AWAY_SECONDS = 2.0, 8.0


@dataclass(frozen=True)
class Absence:
    """When a part was killed, and when it was there again."""

    since: datetime
    until: datetime

    def covers(self, moment: datetime) -> bool:
        """Whether it was away then."""
        return self.since <= moment <= self.until

    @property
    def seconds(self) -> float:
        """How long it was away."""
        return (self.until - self.since).total_seconds()


class Disturbing:
    """Kills and restarts parts of the stack, and remembers when. A part that does not run at all is let alone."""

    def __init__(self, stack: Stack, say: Callable[[str], None]) -> None:
        self._stack, self._say = stack, say
        self._killed: datetime | None = None
        self.without_mails: Absence | None = None
        self.without_broker: Absence | None = None

    def silence(self) -> None:
        """Kill notifications."""
        if NOTIFICATIONS in self._stack.pids:
            self._stack.kill(NOTIFICATIONS)
            self._killed = datetime.now(UTC)
            self._say(f"{NOTIFICATIONS} killed (SIGKILL): nobody writes mails now")

    async def speak(self) -> None:
        """Start notifications again."""
        if self._killed is not None:
            began = datetime.now(UTC)
            await self._stack.start_part(NOTIFICATIONS)
            self.without_mails, self._killed = Absence(self._killed, began), None

    async def take_the_broker(self) -> None:
        """Kill the broker a moment from now, and start it again a while later."""
        if eventing.BROKER not in self._stack.pids:
            return
        await asyncio.sleep(_BEFORE_SECONDS)
        self._stack.kill(eventing.BROKER)
        killed = datetime.now(UTC)
        self._say("nats, the broker, killed (SIGKILL): events wait in the outbox now")
        await asyncio.sleep(_AWAY_SECONDS)
        began = datetime.now(UTC)
        await self._stack.start_part(eventing.BROKER)
        self.without_broker = Absence(killed, began)

    def claims(self, ends: Collection[datetime], mails: Iterable[Mail]) -> Iterable[Claim]:
        """Checkouts came to their ends meanwhile, and the mails later. `ends` are the moments of all those ends."""
        if (away := self.without_broker) is not None:
            ended = sum(map(away.covers, ends))
            trouble = [] if ended else ["no checkout came to its end meanwhile"]
            yield claim("without the broker checkouts go on", f"{ended} ended in its {away.seconds:.0f} s", trouble)
        if (away := self.without_mails) is not None:
            ended, all_mails = sum(map(away.covers, ends)), list(mails)
            # What the mail server had in its hands in the moment of the crash was sent before it.
            trouble = [f"{mail.event} was sent meanwhile" for mail in all_mails if away.covers(mail.taken_at)]
            trouble += [] if ended else ["no checkout came to its end meanwhile"]
            late = sum(mail.taken_at > away.until for mail in all_mails)
            found = f"{ended} ended in its {away.seconds:.0f} s, {late} mails came afterwards"
            yield claim(f"without {NOTIFICATIONS} checkouts go on", found, trouble)
