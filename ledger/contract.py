"""The shapes that the stores take and give. Pure: no SQL here."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.case import Case, CaseKind
from domain.checkout import CheckoutRecord, CheckoutStatus
from domain.dispute import DisputeSnapshot, DisputeState
from domain.errors import BooksError
from domain.payment import PaymentSnapshot
from domain.refund import RefundRecord
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


class EventSource(StrEnum):
    """How an event came into the inbox."""

    WEBHOOK = "webhook"
    POLL = "poll"
    """The gateway's own list had it, and no webhook had told of it."""


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
    dispute_id: str | None = None
    source: EventSource = EventSource.WEBHOOK


@dataclass(frozen=True)
class InboxItem:
    """A stored event, claimed for dispatch. `attempts` counts this one; `replays` as it was when it was claimed."""

    id: int
    gateway: str
    event_id: str
    type: str
    payment_id: str | None
    reference: str | None
    received_at: datetime
    attempts: int
    dispute_id: str | None = None
    replays: int = 0


@dataclass(frozen=True)
class InboxFilter:
    """Which stored events a listing or a replay is about; `cursor` is opaque, from the page before."""

    gateway: str | None = None
    outcome: str | None = None
    payment_id: str | None = None
    reference: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    cursor: str | None = None
    limit: int = 50


@dataclass(frozen=True)
class StoredEvent:
    """An event as the inbox has it, without body and headers. `replays` counts how often it was dispatched again."""

    id: int
    gateway: str
    event_id: str
    type: str
    payment_id: str | None
    reference: str | None
    dispute_id: str | None
    source: EventSource
    relevant: bool
    received_at: datetime
    attempts: int
    processed_at: datetime | None
    outcome: str | None
    replays: int


@dataclass(frozen=True)
class InboxPage:
    """One page of stored events, newest first; `next_cursor` is None on the last."""

    data: tuple[StoredEvent, ...]
    next_cursor: str | None


@dataclass(frozen=True)
class Note:
    """What was learnt after a checkout's own workflow had no more say; what the books have is not written twice."""

    cause: str
    at: datetime
    payment: PaymentSnapshot | None = None
    dispute: DisputeSnapshot | None = None


@dataclass(frozen=True)
class DisputeRecord:
    """A dispute with its latest snapshot. `id` is ours; `answered` is the verb of the last answer, if any."""

    id: str
    checkout_id: str
    snapshot: DisputeSnapshot
    opened_at: datetime
    updated_at: datetime
    answered: str | None = None
    answered_at: datetime | None = None

    @property
    def workflow_id(self) -> str:
        """The id of the one workflow that watches over it."""
        return f"dispute/{self.id}"


@dataclass(frozen=True)
class Noted:
    """Where things stand after a note. `news`: whether anything was new."""

    status: CheckoutStatus
    news: bool
    refunds: tuple[RefundRecord, ...] = ()
    dispute: DisputeRecord | None = None


@dataclass(frozen=True)
class DisputeFilter:
    """Which disputes a listing shows, newest first; `cursor` is opaque, from the page before."""

    state: DisputeState | None = None
    gateway: str | None = None
    checkout_id: str | None = None
    open: bool | None = None
    cursor: str | None = None
    limit: int = 50


@dataclass(frozen=True)
class DisputePage:
    """One page of disputes; `next_cursor` is None on the last."""

    data: tuple[DisputeRecord, ...]
    next_cursor: str | None


@dataclass(frozen=True)
class CaseFilter:
    """Which cases a listing shows, oldest first; `open` None shows all. `cursor` is opaque, from the page before."""

    kind: CaseKind | None = None
    checkout_id: str | None = None
    open: bool | None = True
    cursor: str | None = None
    limit: int = 50


@dataclass(frozen=True)
class CasePage:
    """One page of cases; `next_cursor` is None on the last."""

    data: tuple[Case, ...]
    next_cursor: str | None


class RefundRefusedError(BooksError):
    """The books do not have the amount to give back. `code` is a word for programs, `available_minor` what is left.

    `nothing_to_refund`: nothing of it was captured or the sale is not made; `amount_exceeds_available`; `dispute_open`.
    """

    def __init__(self, code: str, message: str, available_minor: int = 0) -> None:
        super().__init__(message)
        self.code, self.available_minor = code, available_minor


class NotSoldError(BooksError):
    """A payment was to be noted before its sale was made: until then the checkout's workflow alone writes its money."""


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
