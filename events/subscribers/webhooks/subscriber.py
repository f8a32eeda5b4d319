"""What this subscriber does with an event: a delivery is planned for every endpoint that is to hear of it.

It sends nothing itself. Whoever waits for a slow receiver would keep all the others waiting behind it.
"""

import re
from datetime import datetime

from domain.timeline import EventType
from events.contract import Event
from events.subscribers.contract import PoisonError
from events.wire import to_message
from ledger.webhook_contract import OutgoingMessage
from ledger.webhook_deliveries import WebhookDeliveries

# The id goes into a header and is signed with dots around it: one of ours has none, and nothing a header cannot hold.
_ID = re.compile(r"[A-Za-z0-9_]{1,80}:[0-9]{1,10}", re.ASCII)


class Webhooks:
    """Waits for a database that is down as every subscriber does."""

    name = "webhooks"
    wanted = frozenset(EventType)

    def __init__(self, deliveries: WebhookDeliveries) -> None:
        self._deliveries = deliveries

    async def handle(self, event: Event) -> None:
        """Plan its deliveries; planned twice, there is one of each."""
        if not _ID.fullmatch(event.id) or event.id.rpartition(":")[0] != event.subject:
            raise PoisonError("the event's id is not of the kind that ours are")
        message = OutgoingMessage(
            event_id=event.id,
            type=event.type,
            subject=event.subject,
            sequence=event.sequence,
            occurred_at=event.time,
            body=to_message(event).body,
        )
        await self._deliveries.plan(message)

    async def forget(self, since: datetime) -> None:
        """Nothing: what was planned stays planned, so events that come again lead to no second delivery."""
