"""Webhooks to shops: how an endpoint and a delivery may stand, what an answer means, and when to try again."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

ALL_EVENTS: Final = "*"
"""Instead of the types it hears: an endpoint hears of everything, also of types that there are not yet."""

RETRY_PAUSES: Final = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""What is waited after each failed try, as the Standard Webhooks specification recommends: three days in all."""
JITTER: Final = 0.1
"""By how much of itself a pause may be longer, so that those who failed together do not come back together."""
LONGEST_WISH: Final = timedelta(hours=24)
"""A receiver that asks to be left alone for longer is asked again after this."""

MOST_ENDPOINTS: Final = 50
MOST_SECRETS: Final = 2

_BUSY = frozenset({429, 503})
_GONE = 410


class EndpointState(StrEnum):
    """How an endpoint stands."""

    ENABLED = "enabled"
    DISABLED = "disabled"
    """Nothing is sent to it until somebody enables it again."""
    REMOVED = "removed"
    """Disabled for good; what was sent to it stays on record."""


class DisabledBecause(StrEnum):
    """Why an endpoint is not enabled."""

    FAILING = "failing"
    """It has taken nothing for days."""
    GONE = "gone"
    """It answered 410: it wants nothing any more."""
    BY_HAND = "by_hand"
    """The shop asked for it."""


class DeliveryState(StrEnum):
    """What became of the delivery of one event to one endpoint."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    """Every try has failed."""
    ENDPOINT_DISABLED = "endpoint_disabled"
    """It was not over when the endpoint was disabled."""


class Verdict(StrEnum):
    """What an answer says."""

    TAKEN = "taken"
    NOT_TAKEN = "not_taken"
    GONE = "gone"


@dataclass(frozen=True)
class DeliveryCommand:
    """What a delivery's workflow starts with. `scheduled`: try by the schedule; else only when somebody asks for it."""

    delivery_id: str
    scheduled: bool = True


def workflow_id_of(delivery_id: str) -> str:
    """The id of the one workflow that delivers it."""
    return f"webhook/{delivery_id}"


def delivery_id_of(endpoint_id: str, event_id: str) -> str:
    """The id of this event's delivery to this endpoint: always the same, whoever plans it."""
    digest = hashlib.sha256(f"{endpoint_id}\0{event_id}".encode()).hexdigest()
    return f"whd_{digest[:24]}"


def verdict_of(status: int | None) -> Verdict:
    """What the HTTP status means; None is no answer. A redirect is not followed, and takes nothing."""
    if status is not None and 200 <= status < 300:
        return Verdict.TAKEN
    return Verdict.GONE if status == _GONE else Verdict.NOT_TAKEN


def heeded(planned: datetime | None, now: datetime, status: int | None, retry_after: int | None) -> datetime | None:
    """When to try again: as planned, or later where a busy receiver wishes it, within bounds. None: never.

    Never sooner than planned: a receiver that asks for seconds would use up in a minute the tries meant for days.
    """
    if planned is None or retry_after is None or status not in _BUSY:
        return planned
    return max(planned, now + min(timedelta(seconds=retry_after), LONGEST_WISH))
