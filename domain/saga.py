"""The saga's vocabulary: what it is told to do, what it learns, and why it may end."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.checkout import CaptureMode, Checkout
from domain.money import Money
from domain.payment import PaymentSnapshot


@dataclass(frozen=True)
class SagaPolicy:
    """How patient the saga is, in seconds; see the settings of the same names."""

    poll_after_seconds: float = 60
    poll_at_most_seconds: float = 900
    stuck_after_seconds: float = 120


@dataclass(frozen=True)
class CheckoutCommand:
    """What a checkout's workflow starts with: no personal data. `live`: whether real money is meant."""

    checkout_id: str
    order_id: str
    amount: Money
    gateway: str
    capture: CaptureMode
    confirm_within_seconds: int | None
    expires_at: datetime
    live: bool
    return_url: str | None = None
    policy: SagaPolicy = SagaPolicy()

    @classmethod
    def of(cls, checkout: Checkout, live: bool, policy: SagaPolicy) -> "CheckoutCommand":
        """The command that starts this checkout's workflow."""
        return cls(
            checkout.id,
            checkout.order_id,
            checkout.amount,
            checkout.gateway,
            checkout.capture,
            checkout.confirm_within_seconds,
            checkout.expires_at,
            live,
            checkout.return_url,
            policy,
        )


@dataclass(frozen=True)
class Fact:
    """What a gateway was seen to say, and by what we learnt it: `webhook:<event id>`, `poll`, `timer` or `api`."""

    payment: PaymentSnapshot
    cause: str


class EndReason(StrEnum):
    """Why a checkout ends without a sale. What was taken by then is given back."""

    DECLINED = "declined"
    EXPIRED = "expired"
    CANCELED_BY_SHOP = "canceled_by_shop"
    CANCELED_AT_GATEWAY = "canceled_at_gateway"
    REJECTED_BY_SHOP = "rejected_by_shop"
    NOT_CONFIRMED_IN_TIME = "not_confirmed_in_time"
    CANCELED_BY_OPERATOR = "canceled_by_operator"
    FAILED = "failed"
    LATE_MONEY = "late_money"


def contradiction(command: CheckoutCommand, payment: PaymentSnapshot, payment_id: str | None) -> str | None:
    """How the gateway's payment differs from what was asked, in a sentence; None when it does not.

    `payment_id` is that of the payment this saga opened, None while it is not known.
    """
    if payment_id not in (None, payment.payment_id):
        return f"payment {payment.payment_id} is not {payment_id}, which this checkout opened"
    if payment.reference not in (None, command.checkout_id):
        return f"the gateway's payment {payment.payment_id} belongs to {payment.reference}"
    if payment.live is not command.live:
        return f"the payment is in {'live' if payment.live else 'test'} mode, asked was the other"
    if payment.amount != command.amount:
        return f"the payment is over {payment.amount}, asked was {command.amount}"
    if payment.captured.minor not in (0, command.amount.minor) or payment.captured.currency != command.amount.currency:
        return f"captured was {payment.captured}, asked was {command.amount}"
    return None
