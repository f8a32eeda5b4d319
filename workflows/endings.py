"""Why a checkout ends without a sale, and the state and the event that each reason leads to."""

from domain.checkout import Failure
from domain.payment import Decline
from domain.saga import EndReason
from domain.states import CheckoutState
from domain.timeline import EventType

ENDS: dict[EndReason, tuple[CheckoutState, EventType]] = {
    EndReason.DECLINED: (CheckoutState.DECLINED, EventType.PAYMENT_DECLINED),
    EndReason.EXPIRED: (CheckoutState.EXPIRED, EventType.PAYMENT_EXPIRED),
    EndReason.CANCELED_BY_SHOP: (CheckoutState.CANCELED, EventType.PAYMENT_CANCELED),
    EndReason.CANCELED_AT_GATEWAY: (CheckoutState.CANCELED, EventType.PAYMENT_CANCELED),
    EndReason.CAPTURE_LOST: (CheckoutState.DECLINED, EventType.PAYMENT_DECLINED),
    EndReason.REJECTED_BY_SHOP: (CheckoutState.CANCELED, EventType.PAYMENT_CANCELED),
    EndReason.NOT_CONFIRMED_IN_TIME: (CheckoutState.CANCELED, EventType.PAYMENT_CANCELED),
    EndReason.CANCELED_BY_OPERATOR: (CheckoutState.CANCELED, EventType.PAYMENT_CANCELED),
    EndReason.SPLIT_UNDONE: (CheckoutState.CANCELED, EventType.PAYMENT_CANCELED),
    EndReason.FAILED: (CheckoutState.CANCELED, EventType.PAYMENT_CANCELED),
}
"""Where nothing was taken, or nothing of it is left; money that is taken ends as refunded, whatever the reason."""

FAILURES = {
    EndReason.CANCELED_AT_GATEWAY: Failure(EndReason.CANCELED_AT_GATEWAY, "the payment was ended at the gateway"),
    EndReason.CAPTURE_LOST: Failure(EndReason.CAPTURE_LOST, "the gateway could not keep the money it had taken"),
    EndReason.CANCELED_BY_OPERATOR: Failure(EndReason.CANCELED_BY_OPERATOR, "an operator canceled the checkout"),
    EndReason.SPLIT_UNDONE: Failure(EndReason.SPLIT_UNDONE, "the split checkout came to no sale"),
    EndReason.FAILED: Failure(EndReason.FAILED, "the checkout could not go on"),
    EndReason.LATE_MONEY: Failure(EndReason.LATE_MONEY, "the payment came after the checkout had ended"),
}
"""What is said of a reason that brings no words of its own."""


class NoSaleError(Exception):
    """The story stops without a sale; what was taken by then is given back.

    `tender`: the place of the tender that a split checkout failed by.
    """

    def __init__(
        self, reason: EndReason, cause: str, failure: Failure | None = None, tender: int | None = None
    ) -> None:
        super().__init__(reason)
        self.reason, self.cause, self.failure, self.tender = reason, cause, failure, tender


class MarkedPaidError(Exception):
    """A person has seen that the money is there. `evidence`: the gateway's own id of it."""

    def __init__(self, evidence: str) -> None:
        super().__init__(evidence)
        self.evidence = evidence


def failure_of(decline: Decline) -> Failure:
    """A gateway's no, as the checkout tells it."""
    return Failure(decline.code, decline.message)
