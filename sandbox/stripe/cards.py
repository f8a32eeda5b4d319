"""Stripe's test payment methods and what each of them does."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Decline:
    """Why an issuer said no, in Stripe's words."""

    code: str
    message: str
    decline_code: str | None = None
    advice_code: str | None = None
    network_decline_code: str | None = None


@dataclass(frozen=True, slots=True)
class TestMethod:
    """One payment method: what a payment with it does, at once and later."""

    label: str
    brand: str = "visa"
    last4: str = "4242"
    decline: Decline | None = None
    authentication: bool = False
    refund: str = "succeeds"
    bank: bool = False
    dispute: Literal["fraudulent", "product_not_received", "inquiry"] | None = None
    multicapture: bool = True


_DECLINED = Decline("card_declined", "Your card was declined.", "generic_decline", "try_again_later", "01")
_FUNDS = Decline("card_declined", "Your card has insufficient funds.", "insufficient_funds", "try_again_later", "51")
_FRAUD = Decline("card_declined", "Your card was declined.", "fraudulent", "do_not_try_again", "59")
_LOST = Decline("card_declined", "Your card was declined.", "lost_card", "do_not_try_again", "41")
_EXPIRED = Decline("expired_card", "Your card has expired.", None, "do_not_try_again", "54")
_CVC = Decline("incorrect_cvc", "Your card's security code is incorrect.", None, "confirm_card_data", "N7")
_BROKEN = Decline("processing_error", "An error occurred while processing your card.", None, "try_again_later", "96")
_BANK = Decline("payment_intent_payment_attempt_failed", "The bank account has insufficient funds.", None)

UNAUTHENTICATED = Decline(
    "payment_intent_authentication_failure",
    "The payment method did not pass authentication. Provide another one to attempt this payment again.",
)

METHODS: dict[str, TestMethod] = {
    "pm_card_visa": TestMethod("Visa, succeeds"),
    "pm_card_mastercard": TestMethod("Mastercard, succeeds", "mastercard", "4444"),
    "pm_card_chargeDeclined": TestMethod("Declined", "visa", "0002", _DECLINED),
    "pm_card_visa_chargeDeclined": TestMethod("Declined (Visa)", "visa", "0002", _DECLINED),
    "pm_card_chargeDeclinedInsufficientFunds": TestMethod("Declined: insufficient funds", "visa", "9995", _FUNDS),
    "pm_card_visa_chargeDeclinedInsufficientFunds": TestMethod("Declined: insufficient funds", "visa", "9995", _FUNDS),
    "pm_card_chargeDeclinedFraudulent": TestMethod("Declined: fraudulent", "visa", "0019", _FRAUD),
    "pm_card_visa_chargeDeclinedLostCard": TestMethod("Declined: lost card", "visa", "9987", _LOST),
    "pm_card_chargeDeclinedExpiredCard": TestMethod("Declined: expired card", "visa", "0069", _EXPIRED),
    "pm_card_chargeDeclinedIncorrectCvc": TestMethod("Declined: wrong security code", "visa", "0127", _CVC),
    "pm_card_chargeDeclinedProcessingError": TestMethod("Declined: processing error", "visa", "0119", _BROKEN),
    "pm_card_authenticationRequired": TestMethod("3D Secure required", "visa", "3184", authentication=True),
    "pm_card_threeDSecure2Required": TestMethod("3D Secure 2 required", "visa", "3220", authentication=True),
    # Stripe allows several captures with JCB in a few countries only, and this account is in none of them.
    "pm_card_jcb": TestMethod("JCB, succeeds, one capture only", "jcb", "0505", multicapture=False),
    "pm_card_createDispute": TestMethod("Succeeds, then disputed: fraudulent", "visa", "0259", dispute="fraudulent"),
    "pm_card_createDisputeProductNotReceived": TestMethod(
        "Succeeds, then disputed: not received", "visa", "2685", dispute="product_not_received"
    ),
    "pm_card_createDisputeInquiry": TestMethod("Succeeds, then inquired", "visa", "1976", dispute="inquiry"),
    "pm_card_pendingRefund": TestMethod("Succeeds, refunds stay pending at first", "visa", "7726", refund="pends"),
    "pm_card_refundFail": TestMethod("Succeeds, refunds fail later", "visa", "5126", refund="fails"),
    "pm_usBankAccount_success": TestMethod("Bank debit, settles later", "bank", "6789", bank=True),
    "pm_usBankAccount_insufficientFunds": TestMethod("Bank debit, fails later", "bank", "2227", _BANK, bank=True),
}
