"""Asking the gateways for the events that their webhooks should have told, and clearing what is kept long enough."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.deliveries import delivery_of, is_storable
from activities.failures import failure
from activities.guard import LOOK_UP, GatewayGuard
from activities.payments import utc_now
from domain.errors import PaysagaError
from gateways.contract import Gateway, ListedEvent
from ledger.contract import EventSource
from ledger.idempotency import IdempotencyKeys
from ledger.inbox import Inbox
from ledger.marks import PollMarks

logger = logging.getLogger(__name__)

# A webhook takes a moment. What is younger is left to it, or the share that only the list had would be told too large.
GRACE = timedelta(minutes=1)
# The gateways' lists are not written in order: an event may show up behind the mark.
OVERLAP = timedelta(minutes=15)
# After a long outage the list is read in parts, each of which moves the mark.
WINDOW = timedelta(hours=6)
KEYS_KEPT = timedelta(days=30)


@dataclass(frozen=True)
class Listed:
    """What one part of a gateway's list had: `healed` of them no webhook had told. `behind`: there is more to read."""

    listed: int
    healed: int
    until: datetime
    behind: bool


@dataclass
class EventActivities:
    """The inbox's other door. Its `inbox` has to be started."""

    gateways: Mapping[str, Gateway]
    inbox: Inbox
    marks: PollMarks
    guard: GatewayGuard
    idempotency: IdempotencyKeys
    clock: Callable[[], datetime] = utc_now

    @activity.defn
    async def list_events(self, gateway_name: str) -> Listed:
        """Read the list from the mark on, store what the inbox does not have, then move the mark."""
        gateway = self.gateways.get(gateway_name)
        if gateway is None or not gateway.capabilities.lists_events:
            message = f"no gateway {gateway_name} with a list of events is configured here"
            raise ApplicationError(message, type="NoSuchList", non_retryable=True)
        newest = self.clock() - GRACE
        mark = await self.marks.read(gateway_name) or newest
        until = min(mark + WINDOW, newest)
        try:
            async with self.guard.call(gateway_name, LOOK_UP):
                events = await gateway.list_events(mark - OVERLAP, until)
            healed = await self._store(gateway, events)
        except PaysagaError as error:
            raise failure(error) from error
        await self.marks.move(gateway_name, until)
        if healed:
            logger.warning("%s: %d of %d events up to %s came by no webhook", gateway_name, healed, len(events), until)
        return Listed(len(events), healed, until, behind=until < newest)

    async def _store(self, gateway: Gateway, events: list[ListedEvent]) -> int:
        """How many of them were new."""
        storable = [listed for listed in events if is_storable(listed.event)]
        known = await self.inbox.known(gateway.name, [listed.event.event_id for listed in storable])
        healed = 0
        for listed in storable:
            if listed.event.event_id not in known:
                now = self.clock()
                delivery = delivery_of(gateway, listed.event, listed.body, {}, now, EventSource.POLL)
                # A webhook may have been faster after all, which the inbox finds out.
                healed += await self.inbox.store(delivery) and delivery.relevant
        return healed

    @activity.defn
    async def prune_keys(self) -> int:
        """Forget the idempotency keys of our own API that nobody can mean any more. Answers how many."""
        return await self.idempotency.prune(KEYS_KEPT)
