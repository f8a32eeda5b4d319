"""The shapes that the stores of webhooks to shops take and give. Pure: no SQL here."""

from dataclasses import dataclass
from datetime import datetime

from domain.errors import BooksError
from domain.webhook import DeliveryState, DisabledBecause, EndpointState


@dataclass(frozen=True)
class ActiveSecret:
    """A secret that deliveries are signed with now; `expires_at` None: until another takes its place."""

    secret: str
    created_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True)
class Endpoint:
    """An address of the shop, and the types of events that it hears of. `secrets` are the active ones, newest first."""

    id: str
    url: str
    events: tuple[str, ...]
    state: EndpointState
    created_at: datetime
    updated_at: datetime
    failing_since: datetime | None
    disabled_at: datetime | None
    disabled_reason: DisabledBecause | None
    secrets: tuple[ActiveSecret, ...] = ()


@dataclass(frozen=True)
class EndpointChange:
    """What is to become different; None leaves it as it is."""

    url: str | None = None
    events: tuple[str, ...] | None = None
    enabled: bool | None = None


@dataclass(frozen=True)
class EndpointPage:
    """One page of endpoints, oldest first; `next_cursor` is None on the last."""

    data: tuple[Endpoint, ...]
    next_cursor: str | None


@dataclass(frozen=True)
class OutgoingMessage:
    """An event as it is sent: `body` byte for byte, the same to every endpoint."""

    event_id: str
    type: str
    subject: str
    sequence: int
    occurred_at: datetime
    body: bytes


@dataclass(frozen=True)
class DeliveryRecord:
    """What became of the delivery of one event to one endpoint."""

    id: str
    endpoint_id: str
    event_id: str
    type: str
    subject: str
    sequence: int
    state: DeliveryState
    attempts: int
    created_at: datetime
    next_attempt_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True)
class AttemptRecord:
    """One try: `status` is what was answered, `error` why nothing was; `answer` is the beginning of its body."""

    number: int
    at: datetime
    by_hand: bool
    status: int | None
    error: str | None
    milliseconds: int
    answer: str


@dataclass(frozen=True)
class DeliveryFilter:
    """Which deliveries of an endpoint a listing shows, newest first; `cursor` is opaque, from the page before."""

    endpoint_id: str
    state: DeliveryState | None = None
    type: str | None = None
    cursor: str | None = None
    limit: int = 50


@dataclass(frozen=True)
class DeliveryPage:
    """One page of deliveries; `next_cursor` is None on the last."""

    data: tuple[DeliveryRecord, ...]
    next_cursor: str | None


@dataclass(frozen=True)
class Unstarted:
    """A delivery whose workflow nobody has started."""

    id: str
    endpoint_id: str
    type: str


@dataclass(frozen=True)
class Outgoing:
    """All that one try needs: where to, what, and signed with which secrets, newest first."""

    endpoint_id: str
    endpoint_state: EndpointState
    state: DeliveryState
    url: str
    secrets: tuple[str, ...]
    event_id: str
    body: bytes


@dataclass(frozen=True)
class Tried:
    """One try as it went."""

    delivery_id: str
    at: datetime
    by_hand: bool
    status: int | None
    error: str | None
    milliseconds: int
    answer: str = ""


class TooManyEndpointsError(BooksError):
    """There are as many endpoints as can be."""


class EndpointRemovedError(BooksError):
    """The endpoint was removed: it is never changed again."""


class SecretsActiveError(BooksError):
    """Two secrets are active; the older one ends at `expires_at`."""

    def __init__(self, expires_at: datetime) -> None:
        super().__init__(f"two secrets are active until {expires_at.isoformat()}")
        self.expires_at = expires_at
