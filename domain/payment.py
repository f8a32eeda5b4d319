"""What a gateway says of a payment: snapshots of its objects, in our words and units."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from domain.money import Money


class PaymentStatus(StrEnum):
    """Where a payment stands at the gateway."""

    AWAITING_CUSTOMER = "awaiting_customer"
    """Nothing attempted yet, or the last attempt was declined and another may follow."""
    REQUIRES_ACTION = "requires_action"
    """The customer must act once more (3-D Secure, approval at the gateway)."""
    APPROVED = "approved"
    """The customer has agreed; nothing is held or taken until we authorize or capture it."""
    PROCESSING = "processing"
    """The gateway works on it; it can be neither paid again nor voided now."""
    AUTHORIZED = "authorized"
    CAPTURED = "captured"
    CANCELED = "canceled"
    """Ended at the gateway with nothing taken; a hold, if there was one, is released."""


class RefundStatus(StrEnum):
    """Where a refund stands at the gateway."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class DeclineCode(StrEnum):
    """Why a payment was declined, in words that are the same for every gateway."""

    INSUFFICIENT_FUNDS = "insufficient_funds"
    DO_NOT_HONOR = "do_not_honor"
    EXPIRED_CARD = "expired_card"
    INCORRECT_DETAILS = "incorrect_details"
    AUTHENTICATION_FAILED = "authentication_failed"
    AUTHENTICATION_REQUIRED = "authentication_required"
    FRAUD_SUSPECTED = "fraud_suspected"
    LOST_OR_STOLEN = "lost_or_stolen"
    LIMIT_EXCEEDED = "limit_exceeded"
    NOT_SUPPORTED = "not_supported"
    TRY_AGAIN_LATER = "try_again_later"
    INVALID_REQUEST = "invalid_request"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Decline:
    """A gateway's no. `hard`: another try with the same means cannot succeed. `gateway_code` is its own word for it."""

    code: DeclineCode
    hard: bool
    gateway_code: str
    message: str


@dataclass(frozen=True)
class NextAction:
    """What the customer has to do: `confirm` on the shop's page with `client_secret`, or follow a `redirect` to `url`.

    A `confirm` may carry a `url` too: a page that does the confirming, for shops that have none of their own.
    """

    type: Literal["confirm", "redirect"]
    client_secret: str | None = None
    url: str | None = None


@dataclass(frozen=True)
class RefundSnapshot:
    """One refund as the gateway states it. `reference` is the key under which we asked for it, if we did."""

    refund_id: str
    amount: Money
    status: RefundStatus
    reference: str | None = None
    failure_code: str | None = None


@dataclass(frozen=True)
class PaymentSnapshot:
    """One payment as the gateway states it at one moment, amounts in our minor units.

    `reference` is our checkout id as the gateway keeps it. `amount` is what is to be paid, `captured` what was taken
    in all (refunds do not lower it); while the status is AUTHORIZED, the rest of the amount is still held. `attempt`
    names the latest try, so that one decline is told once. `account` is the merchant account that the gateway names,
    None where it names none. `authorization_id` is the gateway's id of the hold where that is another than the
    payment's, so that a hold that was made anew is known.
    """

    gateway: str
    payment_id: str
    reference: str | None
    status: PaymentStatus
    amount: Money
    captured: Money
    live: bool
    attempt: str | None = None
    decline: Decline | None = None
    next_action: NextAction | None = None
    authorized_until: datetime | None = None
    account: str | None = None
    refunds: tuple[RefundSnapshot, ...] = ()
    authorization_id: str | None = None

    def refunded(self, *statuses: RefundStatus) -> Money:
        """The sum of the refunds in these statuses."""
        total = self.captured.zero()
        for refund in self.refunds:
            if refund.status in statuses:
                total += refund.amount
        return total
