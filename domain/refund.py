"""A refund that the shop asks for after the sale: all or a part of what was captured, as often as something is left."""

from dataclasses import dataclass
from datetime import datetime

from domain.checkout import Failure
from domain.money import Money
from domain.payment import RefundStatus
from domain.saga import GatewayAccount, SagaPolicy

PREFIX = "rfd_"


@dataclass(frozen=True)
class Refund:
    """What the shop asked for, which never changes. Its amount is reserved from `created_at` until it has failed."""

    id: str
    checkout_id: str
    amount: Money
    reason: str | None
    created_at: datetime

    @property
    def workflow_id(self) -> str:
        """The id of the one workflow that carries it out."""
        return f"refund/{self.id}"


@dataclass(frozen=True)
class RefundRecord:
    """A refund and where it stands. `gateway_refund_id` is None until the gateway has taken it on."""

    refund: Refund
    status: RefundStatus
    updated_at: datetime
    gateway_refund_id: str | None = None
    failure: Failure | None = None


@dataclass(frozen=True)
class RefundCommand:
    """What a refund's workflow starts with: no personal data."""

    refund_id: str
    checkout_id: str
    payment_id: str
    amount: Money
    account: GatewayAccount
    policy: SagaPolicy

    def key(self, number: int) -> str:
        """The key of the operation's nth attempt, which the gateway keeps as the refund's reference.

        Like every reference of ours it begins with the checkout's id, by which a gateway's word is found again; it
        stays within the 64 characters that the strictest gateway takes.
        """
        return f"{self.checkout_id}:{self.refund_id}:{number}"


def refund_of(reference: str | None) -> str | None:
    """The id of the refund that a gateway's refund with this reference carries out; None when it is not the shop's."""
    return next((part for part in (reference or "").split(":") if part.startswith(PREFIX)), None)
