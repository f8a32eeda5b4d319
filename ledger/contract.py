"""The shapes that the stores take and give. Pure: no SQL here."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.checkout import CheckoutRecord
from domain.states import CheckoutState


class OperationState(StrEnum):
    """How far a money operation came."""

    STARTED = "started"
    """The key is stored; the gateway may or may not have been called."""
    UNKNOWN = "unknown"
    """Called, no trustworthy answer."""
    FINISHED = "finished"
    """Answered; the answer is stored and will be given again."""


@dataclass(frozen=True)
class Operation:
    """One money operation. `fingerprint` is a hash of its request, `answer` the stored answer as JSON text."""

    key: str
    checkout_id: str
    gateway: str
    verb: str
    fingerprint: str
    state: OperationState
    started_at: datetime
    answer: str | None = None


@dataclass(frozen=True)
class PostingRow:
    """A posting as it stands on the books."""

    sequence: int
    transaction_id: str
    kind: str
    reference: str
    account: str
    currency: str
    amount_minor: int
    at: datetime


@dataclass(frozen=True)
class Delivery:
    """A webhook event as received: raw body, the headers that matter, and what the parser found in it."""

    gateway: str
    event_id: str
    type: str
    payment_id: str | None
    reference: str | None
    live: bool
    relevant: bool
    body: bytes
    headers: dict[str, str]
    received_at: datetime


@dataclass(frozen=True)
class InboxItem:
    """A stored event, claimed for dispatch. `attempts` counts this one."""

    id: int
    gateway: str
    event_id: str
    type: str
    payment_id: str | None
    reference: str | None
    received_at: datetime
    attempts: int


@dataclass(frozen=True)
class StoredAnswer:
    """An answer of our own API, kept to be given again byte for byte."""

    status: int
    body: bytes
    content_type: str


class StoreUnavailableError(Exception):
    """Postgres cannot be reached, or the connection broke: whether a write in flight was done is not known."""


class KeyInUseError(Exception):
    """A request with this idempotency key is being worked on."""


class KeyReusedError(Exception):
    """The idempotency key was used with another request."""


@dataclass(frozen=True)
class ApiKey:
    """An API key without its secret, which is stored as a hash only."""

    id: str
    name: str
    scopes: frozenset[str]
    created_at: datetime
    revoked_at: datetime | None = None


@dataclass(frozen=True)
class CheckoutFilter:
    """Which checkouts a listing shows, newest first; `cursor` is opaque, from the page before."""

    state: CheckoutState | None = None
    gateway: str | None = None
    order_id: str | None = None
    stuck: bool | None = None
    cursor: str | None = None
    limit: int = 50


@dataclass(frozen=True)
class Page:
    """One page of checkouts; `next_cursor` is None on the last."""

    data: tuple[CheckoutRecord, ...]
    next_cursor: str | None


@dataclass(frozen=True)
class Breach:
    """The first thing on the books that does not hold: where, and what is wrong."""

    checkout_id: str
    sequence: int | None
    reason: str


@dataclass(frozen=True)
class Verification:
    """What a walk over the books found."""

    checkouts: int
    rows: int
    transactions: int
    breach: Breach | None
