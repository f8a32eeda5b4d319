"""A dispute: the customer asks the bank, or the gateway, for the money back; it is answered, and won or lost."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.money import Money
from domain.saga import GatewayAccount, SagaPolicy


class DisputeState(StrEnum):
    """Where a dispute stands, in words that are the same for every gateway."""

    INQUIRY = "inquiry"
    """A question before a chargeback: no money is withdrawn yet, and a refund answers it."""
    NEEDS_RESPONSE = "needs_response"
    """The money is withdrawn, or about to be; evidence is awaited."""
    UNDER_REVIEW = "under_review"
    """Answered; bank or gateway decide."""
    WON = "won"
    """Decided for us, or closed without a chargeback: what was withdrawn comes back."""
    LOST = "lost"
    """Decided for the customer, accepted by us, or never answered."""


OPEN = frozenset({DisputeState.INQUIRY, DisputeState.NEEDS_RESPONSE, DisputeState.UNDER_REVIEW})
"""Nothing is decided yet."""
BLOCKS_REFUNDS = frozenset({DisputeState.NEEDS_RESPONSE, DisputeState.UNDER_REVIEW})
"""The money is with the bank: a refund beside it would pay twice."""


@dataclass(frozen=True)
class DisputeSnapshot:
    """One dispute as the gateway states it at one moment, amounts in our minor units.

    `amount` is what is disputed, `withdrawn` what the gateway has taken from us for it and not given back by now (fees
    are not part of it). `payment_id` and `reference` (our checkout's id) are None where the gateway does not name them;
    at least one of them is there. `reason` is the gateway's own word. `respond_by`: no evidence is taken after it.
    """

    gateway: str
    dispute_id: str
    payment_id: str | None
    reference: str | None
    amount: Money
    withdrawn: Money
    state: DisputeState
    reason: str
    live: bool
    respond_by: datetime | None = None


@dataclass(frozen=True)
class DisputeCommand:
    """What a dispute's workflow starts with: no personal data. `seen` is what was known of it then."""

    dispute_id: str
    checkout_id: str
    seen: DisputeSnapshot
    account: GatewayAccount
    policy: SagaPolicy


@dataclass(frozen=True)
class DisputeEvidence:
    """What the shop says for itself. It may hold personal data: it goes from Postgres to the gateway, nowhere else."""

    explanation: str
    product_description: str | None = None
    tracking_carrier: str | None = None
    tracking_number: str | None = None
    customer_communication: str | None = None
    refund_policy: str | None = None


def may_follow(current: DisputeState | None, seen: DisputeState) -> bool:
    """Whether a dispute can go there. What is decided may be decided otherwise later, and is never open again."""
    if current is None or current is seen:
        return True
    if seen is DisputeState.INQUIRY:
        return False
    return current in OPEN or seen not in OPEN


def is_reopened(current: DisputeSnapshot | None, seen: DisputeSnapshot, ever_withdrawn: bool) -> bool:
    """Whether a closed inquiry has become a chargeback all the same.

    Money is out now and never was before, so this cannot be an old look at a chargeback that was won.
    """
    closed = current is not None and current.state is DisputeState.WON and not ever_withdrawn
    return closed and seen.state in BLOCKS_REFUNDS and seen.withdrawn.minor > 0


def dispute_id_of(gateway: str, gateway_dispute_id: str) -> str:
    """Our id of a gateway's dispute: always the same, so that whoever hears of it first names it as all others do."""
    digest = hashlib.sha256(f"{gateway}\0{gateway_dispute_id}".encode()).hexdigest()
    return f"dsp_{digest[:24]}"
