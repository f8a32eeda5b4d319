"""Stripe's test cards for each way to pay."""

from collections.abc import Mapping

MEANS: Mapping[str, tuple[str, str]] = {
    "good": ("approve", "pm_card_visa"),
    "declined_soft": ("decline", "pm_card_chargeDeclinedInsufficientFunds"),
    "declined_hard": ("decline", "pm_card_chargeDeclinedFraudulent"),
    "challenged": ("approve", "pm_card_authenticationRequired"),
    "refund_pending": ("approve", "pm_card_pendingRefund"),
    "refund_fails": ("approve", "pm_card_refundFail"),
}
"""The button on the sandbox's page, and the payment method."""
