"""What every gateway adapter does, in our words: requests in, an answer or an error out.

An adapter makes one HTTP attempt per call and never retries by itself: the durable retries are Temporal's. It raises

- OutcomeUnknownError when the call may have happened (time-out, reset, 5xx); KeySpentError, a kind of it, when the same
  key will only bring the same failure again (never from a look-up, which carries no key),
- GatewayBusyError when it did not and the gateway asks to come back, GatewayUnreachableError when no connection was
  made and so nothing was sent,
- GatewayRefusedError when the request itself is wrong and can never work,
- GatewayMisconfiguredError for credentials and account settings,
- AmountDoesNotFitError, before any call, for an amount that the gateway cannot move exactly.

A decline is a value (`Declined`), not an exception.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from domain.checkout import CaptureMode
from domain.currency import CurrencyRule
from domain.dispute import DisputeEvidence, DisputeSnapshot
from domain.money import Money
from domain.outcomes import Answer
from domain.payment import PaymentSnapshot


class Verb(StrEnum):
    """The operations that change something at a gateway; each call of one carries an idempotency key."""

    CREATE = "create"
    AUTHORIZE = "authorize"
    CAPTURE = "capture"
    VOID = "void"
    REFUND = "refund"
    REAUTHORIZE = "reauthorize"
    SUBMIT_EVIDENCE = "submit_evidence"
    ACCEPT_DISPUTE = "accept_dispute"


class Modifications(StrEnum):
    """When the end of a capture, void or refund is known."""

    SYNCHRONOUS = "synchronous"
    """The answer tells it, unless it says pending."""
    BY_WEBHOOK = "by_webhook"
    """The answer says no more than that it was received."""


class WebhookAuthentication(StrEnum):
    """What proves that a delivery is the gateway's, and how much of it that covers."""

    HMAC_BODY = "hmac_body"
    """A shared secret over the whole body."""
    HMAC_FIELDS = "hmac_fields"
    """A shared secret over some fields; only those may be believed."""
    CERTIFICATE_CHECKSUM = "certificate_checksum"
    """A certificate over a checksum of the body, which can be met by another body: only a look-up may be believed."""


@dataclass(frozen=True)
class Capabilities:
    """What a gateway can do, as data: the workflows decide by this, never by a name.

    `key_lifetime`: how long the gateway keeps an idempotency key; an older key is never sent again, the object is
    looked up instead. `hold_lifetime`: how long an authorization lasts. `merchant_account`: ours as the gateway's
    answers name it, None where they do not. `void_before_authorization`: whether a payment that the customer has not
    paid can be made unpayable; where not, it takes money only by our own capture. `lookup_by_reference`: whether `find`
    sees every payment, also one whose creation was not answered. `payable_for`: after which time the gateway itself
    lets an unpaid payment lapse, None where it never does. `several_captures`: a hold can be taken in several parts,
    where the customer's bank goes along. `reauthorize_after`: how long after it was made a hold can be made anew, once;
    None where it cannot. `answers_disputes`: which of our answers to a dispute the gateway takes from a program.
    `lists_events`: whether `list_events` shows what its webhooks told.
    """

    live: bool
    key_lifetime: Mapping[Verb, timedelta]
    hold_lifetime: timedelta
    currencies: Mapping[str, CurrencyRule]
    capture_modes: frozenset[CaptureMode]
    partial_capture: bool
    several_captures: bool
    void_before_authorization: bool
    modifications: Modifications
    webhook_authentication: WebhookAuthentication
    lookup_by_reference: bool
    merchant_account: str | None = None
    payable_for: timedelta | None = None
    reauthorize_after: timedelta | None = None
    answers_disputes: frozenset[Verb] = frozenset()
    lists_events: bool = False


@dataclass(frozen=True)
class CreatePayment:
    """Open a payment. `key` is the idempotency key, `reference` our checkout id; `hold`: authorize only."""

    key: str
    reference: str
    order_id: str
    amount: Money
    hold: bool
    return_url: str | None = None


@dataclass(frozen=True)
class AuthorizePayment:
    """Hold the money of a payment that the customer has approved."""

    key: str
    payment_id: str
    amount: Money


@dataclass(frozen=True)
class CapturePayment:
    """Take what is held, or what the customer has approved and nobody holds.

    `final`: no further capture follows, and whatever of the hold is left is released. `total`: what is captured in all
    once this is done, None for the first capture; a payment that has as much captured already needs nothing more.
    """

    key: str
    payment_id: str
    amount: Money
    final: bool = True
    total: Money | None = None

    @property
    def captured_after(self) -> Money:
        """What is captured in all once this is done."""
        return self.amount if self.total is None else self.total


@dataclass(frozen=True)
class VoidPayment:
    """End a payment that has taken nothing: release its hold, or make it unpayable."""

    key: str
    payment_id: str


@dataclass(frozen=True)
class RefundPayment:
    """Give back `amount` of what was captured. The key is the refund's reference at the gateway too."""

    key: str
    payment_id: str
    amount: Money


@dataclass(frozen=True)
class ReauthorizePayment:
    """Make a hold anew, over `amount`, before the gateway stops honouring it."""

    key: str
    payment_id: str
    amount: Money


@dataclass(frozen=True)
class SubmitEvidence:
    """Answer a dispute."""

    key: str
    dispute_id: str
    evidence: DisputeEvidence


@dataclass(frozen=True)
class AcceptDispute:
    """Let the customer have the disputed money."""

    key: str
    dispute_id: str


@dataclass(frozen=True)
class WebhookEvent:
    """An authentic delivery's hint that something happened to one payment; it is followed by a look-up.

    `payment_id` is None for events that name no payment: where `reference` (our checkout's id) is there, that leads to
    it. `relevant` is False for those that change nothing for us. One about a dispute names that too.
    """

    event_id: str
    type: str
    payment_id: str | None
    reference: str | None
    occurred_at: datetime
    live: bool
    relevant: bool
    dispute_id: str | None = None


@dataclass(frozen=True)
class ListedEvent:
    """An event as the gateway lists it itself; `body` is its JSON, as the webhook's body would have been."""

    event: WebhookEvent
    body: bytes


class TransactionType(StrEnum):
    """What a row of the gateway's own list is."""

    CHARGE = "charge"
    REFUND = "refund"
    REFUND_FAILED = "refund_failed"
    DISPUTE = "dispute"
    """Withdrawn for a dispute."""
    DISPUTE_REVERSED = "dispute_reversed"
    """Given back after a dispute."""
    OTHER = "other"
    """Fees, payouts, reserves: nothing that one of our operations asked for."""


@dataclass(frozen=True)
class GatewayTransaction:
    """One movement of money as the gateway lists it. `amount` is never negative, the type tells the direction.

    `transaction_id` is unique in the gateway's list together with the type. `payment_id` and `reference` are None where
    the gateway does not name them.
    """

    transaction_id: str
    type: TransactionType
    amount: Money
    at: datetime
    payment_id: str | None = None
    reference: str | None = None


class Evidence(Protocol):
    """The authentic deliveries of a gateway that our inbox keeps: raw bodies, oldest first, each once."""

    async def about(self, gateway: str, reference: str) -> Sequence[bytes]:
        """Those with an event that names this reference (a checkout's id)."""
        ...

    async def between(self, gateway: str, since: datetime, until: datetime) -> Sequence[bytes]:
        """Those received in this time, `until` not included."""
        ...


class Gateway(Protocol):
    """One gateway account."""

    @property
    def name(self) -> str:
        """The name under which shops choose it and the books keep it."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        ...

    async def create(self, request: CreatePayment) -> Answer:
        """Open a payment: RequiresAction normally, Declined when the gateway will not have it."""
        ...

    async def authorize(self, request: AuthorizePayment) -> Answer:
        """Hold what the customer approved: Completed with the payment, Pending, RequiresAction, or Declined.

        Where the customer's own confirmation holds the money there is nothing to ask for: the payment is answered as it
        is, Declined while the customer has not confirmed.
        """
        ...

    async def capture(self, request: CapturePayment) -> Answer:
        """Take what is held or approved: Completed with the payment, Pending, RequiresAction, or Declined.

        After one that is not final the payment is AUTHORIZED, with what was taken so far as `captured`. One whose total
        is captured already is Completed, whatever the key.
        """
        ...

    async def reauthorize(self, request: ReauthorizePayment) -> Answer:
        """Make the hold anew: Completed with the payment and its new `authorization_id`, or Declined.

        Without the capability `reauthorize_after` it is always Declined.
        """
        ...

    async def void(self, request: VoidPayment) -> Answer:
        """End a payment that took nothing: Completed if canceled or paid after all, else Pending or Declined.

        Without the capability `void_before_authorization` one that is not held is Declined.
        """
        ...

    async def refund(self, request: RefundPayment) -> Answer:
        """Give money back: Completed or Pending with the refund, Declined when the gateway will not.

        Where the gateway makes several of it, the payment shows all of them. The refund answered is the one that made
        it whole, and it alone carries the key; the others stand for themselves.
        """
        ...

    async def lookup(self, payment_id: str) -> PaymentSnapshot | None:
        """The payment with its refunds as the gateway states it now; None when it has no such payment."""
        ...

    async def find(self, reference: str) -> PaymentSnapshot | None:
        """The payment with this reference; None when the gateway shows none (it may lag: see the adapter)."""
        ...

    async def lookup_dispute(self, dispute_id: str) -> DisputeSnapshot | None:
        """The dispute as the gateway states it now; None when it has no such dispute."""
        ...

    async def submit_evidence(self, request: SubmitEvidence) -> Answer:
        """Answer a dispute: Completed or Pending with the dispute, Declined when the gateway will not take it."""
        ...

    async def accept_dispute(self, request: AcceptDispute) -> Answer:
        """Give a dispute up: Completed or Pending with the dispute, Declined when the gateway will not take it."""
        ...

    async def list_events(self, since: datetime, until: datetime) -> list[ListedEvent]:
        """The events of this time that its webhooks told or should have told, oldest first, those that are relevant.

        Without the capability `lists_events` there are none.
        """
        ...

    async def list_transactions(self, since: datetime, until: datetime) -> list[GatewayTransaction]:
        """The movements of money in this time, oldest first; how late the list may be is told by the adapter."""
        ...

    async def parse_webhook(self, body: bytes, headers: Mapping[str, str], now: datetime) -> list[WebhookEvent]:
        """Authenticate raw bytes; header names are in lower case. Raises WebhookNotAuthenticError for any doubt.

        GatewayUnreachableError where proving it takes something of the gateway's that cannot be had now.
        """
        ...

    async def close(self) -> None:
        """Give back connections."""
        ...
