"""From a gateway's event to a row of the inbox: the same whether a webhook brought it or the gateway's list has it."""

import logging
from datetime import datetime

from gateways.contract import Gateway, WebhookEvent
from ledger.contract import Delivery, EventSource

_log = logging.getLogger(__name__)


def delivery_of(
    gateway: Gateway,
    event: WebhookEvent,
    body: bytes,
    headers: dict[str, str],
    now: datetime,
    source: EventSource = EventSource.WEBHOOK,
) -> Delivery:
    """What the inbox keeps of an authentic event. `headers`: those that are worth keeping."""
    ours = event.live is gateway.capabilities.live
    if not ours:
        # Kept as evidence, acted on by nobody: test money must never settle a real order, nor the other way round.
        _log.warning("%s sent event %s of the other mode (live: %s)", gateway.name, event.event_id, event.live)
    return Delivery(
        gateway=gateway.name,
        event_id=event.event_id,
        type=event.type,
        payment_id=event.payment_id,
        reference=event.reference,
        live=event.live,
        relevant=event.relevant and ours,
        body=body,
        headers=headers,
        received_at=now,
        dispute_id=event.dispute_id,
        source=source,
    )


def is_storable(event: WebhookEvent) -> bool:
    """Whether its ids can be kept: no text column holds a NUL or half a character."""
    texts = (event.event_id, event.type, event.payment_id or "", event.reference or "", event.dispute_id or "")
    return not any(character == "\x00" or "\ud800" <= character <= "\udfff" for text in texts for character in text)
