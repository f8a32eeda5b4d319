"""A checkout: what the shop asked for, which never changes, and where it stands, which the workflow alone writes."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.money import Money
from domain.payment import NextAction
from domain.states import CheckoutState

SPLIT = "split"
"""Stands where a gateway's name stands, for a checkout whose tenders are at gateways and which is at none."""


class CaptureMode(StrEnum):
    """When the money is taken."""

    AUTOMATIC = "automatic"
    """As soon as the customer has paid."""
    ON_CONFIRM = "on_confirm"
    """Held first, taken when the shop confirms the order."""


class HoldPolicy(StrEnum):
    """What to do with a hold that is about to lapse while the shop has not said what to do with it."""

    CANCEL = "cancel"
    CAPTURE = "capture"
    REAUTHORIZE = "reauthorize"
    """Hold it anew where the gateway can, once; after that, and where it cannot, cancel."""


@dataclass(frozen=True)
class Checkout:
    """What the shop asked for. `confirm_within_seconds` is None where the shop need not confirm.

    `metadata` is the shop's own and is neither read nor sent to a gateway. `email` stays in Postgres: it enters
    neither Temporal nor a log. `gateway` is the one that is tried first; where the rules chose it, `route` says why and
    `alternatives` are tried after it, in this order, while nothing has happened yet. A checkout that is one tender of a
    split one names that as `parent_id` and its place there, from 1, as `leg`.
    """

    id: str
    order_id: str
    amount: Money
    gateway: str
    capture: CaptureMode
    confirm_within_seconds: int | None
    created_at: datetime
    expires_at: datetime
    return_url: str | None = None
    email: str | None = None
    metadata: dict[str, str] | None = None
    alternatives: tuple[str, ...] = ()
    route: str | None = None
    parent_id: str | None = None
    leg: int | None = None
    on_hold_expiry: HoldPolicy = HoldPolicy.CANCEL

    @property
    def is_split(self) -> bool:
        """Whether it is paid by tenders, each a checkout of its own."""
        return self.gateway == SPLIT

    @property
    def workflow_id(self) -> str:
        """The id of the one workflow that writes this checkout's state."""
        return f"checkout/{self.id}"


@dataclass(frozen=True)
class Failure:
    """Why it did not go as wished: a code for programs, a sentence for people."""

    code: str
    message: str


@dataclass(frozen=True)
class CheckoutStatus:
    """Where a checkout stands. `captured_minor` and `refunded_minor` are totals; a refund counts once it is final.

    `gateway` is where the payment is, None while that is the checkout's own. `stuck`: a person should look.
    `waiting_for`: a short phrase, None when nothing is awaited.
    """

    state: CheckoutState
    payment_id: str | None = None
    captured_minor: int = 0
    refunded_minor: int = 0
    next_action: NextAction | None = None
    failure: Failure | None = None
    stuck: bool = False
    waiting_for: str | None = None
    gateway: str | None = None


@dataclass(frozen=True)
class CheckoutRecord:
    """A checkout with its latest status; `sequence` is that of the timeline's last row."""

    checkout: Checkout
    status: CheckoutStatus
    sequence: int
    updated_at: datetime

    @property
    def gateway(self) -> str:
        """Where the payment is now; another than the checkout began with after a failover."""
        return self.status.gateway or self.checkout.gateway
