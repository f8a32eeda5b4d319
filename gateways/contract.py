"""What every gateway adapter does, in our words: requests in, an answer or an error out.

An adapter makes one HTTP attempt per call and never retries by itself: the durable retries are Temporal's. It raises

- OutcomeUnknownError when the call may have happened (time-out, reset, 5xx); KeySpentError, a kind of it, when the same
  key will only bring the same failure again (never from a look-up, which carries no key),
- GatewayBusyError when it did not and the gateway asks to come back,
- GatewayRefusedError when the request itself is wrong and can never work,
- GatewayMisconfiguredError for credentials and account settings,
- AmountDoesNotFitError, before any call, for an amount that the gateway cannot move exactly.

A decline is a value (`Declined`), not an exception.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from domain.currency import CurrencyRule
from domain.money import Money
from domain.outcomes import Answer
from domain.payment import PaymentSnapshot


class Verb(StrEnum):
    """The operations that move or hold money; each call of one carries an idempotency key."""

    CREATE = "create"
    CAPTURE = "capture"
    VOID = "void"
    REFUND = "refund"


@dataclass(frozen=True)
class Capabilities:
    """What a gateway can do, as data: the workflows decide by this, never by a name.

    `key_lifetime`: how long the gateway keeps an idempotency key; an older key is never sent again, the object is
    looked up instead. `hold_lifetime`: how long an authorization lasts.
    """

    live: bool
    key_lifetime: Mapping[Verb, timedelta]
    hold_lifetime: timedelta
    currencies: Mapping[str, CurrencyRule]


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
class CapturePayment:
    """Take what is held."""

    key: str
    payment_id: str
    amount: Money


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
class WebhookEvent:
    """An authentic delivery's hint that something happened to one payment; it is followed by a look-up.

    `payment_id` is None for events that concern no payment, `relevant` False for those that change nothing for us.
    """

    event_id: str
    type: str
    payment_id: str | None
    reference: str | None
    occurred_at: datetime
    live: bool
    relevant: bool


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

    async def capture(self, request: CapturePayment) -> Answer:
        """Take what is held: Completed with the payment, Pending, or Declined."""
        ...

    async def void(self, request: VoidPayment) -> Answer:
        """End a payment that took nothing: Completed if canceled or paid after all, else Pending or Declined."""
        ...

    async def refund(self, request: RefundPayment) -> Answer:
        """Give money back: Completed or Pending with the refund, Declined when the gateway will not."""
        ...

    async def lookup(self, payment_id: str) -> PaymentSnapshot | None:
        """The payment with its refunds as the gateway states it now; None when it has no such payment."""
        ...

    async def find(self, reference: str) -> PaymentSnapshot | None:
        """The payment with this reference; None when the gateway shows none (it may lag: see the adapter)."""
        ...

    def parse_webhook(self, body: bytes, headers: Mapping[str, str], now: datetime) -> list[WebhookEvent]:
        """Authenticate raw bytes; header names are in lower case. Raises WebhookNotAuthenticError for any doubt."""
        ...

    async def close(self) -> None:
        """Give back connections."""
        ...
