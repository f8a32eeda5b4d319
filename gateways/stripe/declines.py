"""Stripe's decline codes in the words that are the same for every gateway.

Source: docs.stripe.com/declines/codes, docs.stripe.com/error-codes and the failure reasons of refunds.
"""

import logging
from functools import lru_cache

from domain.payment import Decline, DeclineCode
from gateways.stripe.scrub import scrubbed

_log = logging.getLogger(__name__)

_SOFT: dict[DeclineCode, str] = {
    DeclineCode.INSUFFICIENT_FUNDS: "insufficient_funds",
    DeclineCode.DO_NOT_HONOR: (
        "do_not_honor generic_decline card_declined call_issuer no_action_taken declined "
        "payment_method_customer_decline payment_method_provider_decline payment_intent_payment_attempt_failed"
    ),
    # The means is right, what the customer typed was not.
    DeclineCode.INCORRECT_DETAILS: (
        "incorrect_cvc invalid_cvc incorrect_zip incorrect_address incorrect_pin invalid_pin "
        "invalid_expiry_month invalid_expiry_year invalid_expiry_date"
    ),
    DeclineCode.AUTHENTICATION_FAILED: "payment_intent_authentication_failure payment_intent_payment_attempt_expired",
    DeclineCode.AUTHENTICATION_REQUIRED: (
        "authentication_required authentication_not_handled offline_pin_required online_or_offline_pin_required"
    ),
    DeclineCode.LIMIT_EXCEEDED: (
        "card_velocity_exceeded withdrawal_count_limit_exceeded charge_exceeds_source_limit "
        "charge_exceeds_transaction_limit charge_exceeds_weekly_limit"
    ),
    DeclineCode.TRY_AGAIN_LATER: (
        "try_again_later processing_error issuer_not_available reenter_transaction approve_with_id "
        "duplicate_transaction payment_method_provider_timeout card_decline_rate_limit_exceeded"
    ),
    DeclineCode.UNKNOWN: "unknown",
}
_HARD: dict[DeclineCode, str] = {
    DeclineCode.DO_NOT_HONOR: (
        "do_not_try_again revocation_of_all_authorizations revocation_of_authorization stop_payment_order"
    ),
    DeclineCode.EXPIRED_CARD: "expired_card expired_or_canceled_card new_account_information_available",
    DeclineCode.INCORRECT_DETAILS: "incorrect_number invalid_number invalid_account",
    DeclineCode.FRAUD_SUSPECTED: "fraudulent merchant_blacklist security_violation restricted_card",
    DeclineCode.LOST_OR_STOLEN: "lost_card stolen_card pickup_card lost_or_stolen_card",
    DeclineCode.LIMIT_EXCEEDED: "pin_try_exceeded",
    DeclineCode.NOT_SUPPORTED: (
        "card_not_supported currency_not_supported transaction_not_allowed service_not_allowed not_permitted "
        "testmode_decline live_mode_test_card invalid_card_type payment_method_unactivated"
    ),
    DeclineCode.INVALID_REQUEST: (
        "invalid_amount amount_too_small amount_too_large charge_already_refunded capture_charge_authorization_expired "
        "charge_expired_for_capture charge_for_pending_refund_disputed payment_intent_unexpected_state"
    ),
}


def _table() -> dict[str, tuple[DeclineCode, bool]]:
    kinds = ((_SOFT, False), (_HARD, True))
    return {word: (code, hard) for kind, hard in kinds for code, words in kind.items() for word in words.split()}


DECLINES: dict[str, tuple[DeclineCode, bool]] = _table()
"""Stripe's decline or error code → ours, and whether it is hard."""


def decline(gateway_code: str, message: str, advice: str | None = None) -> Decline:
    """Stripe's no in our words; a code that the table lacks is UNKNOWN and soft, and logged the first time.

    `advice` is Stripe's advice_code: the network's own word on whether to try the same card again.
    """
    word = scrubbed(gateway_code)[:100]
    if word not in DECLINES:
        _report_unknown(word)
    code, hard = DECLINES.get(word, (DeclineCode.UNKNOWN, False))
    return Decline(code, hard or advice == "do_not_try_again", word, scrubbed(message))


def invalid_request(gateway_code: str, message: str) -> Decline:
    """Stripe's no to what was asked, whoever pays: hard."""
    return Decline(DeclineCode.INVALID_REQUEST, True, scrubbed(gateway_code)[:100], scrubbed(message))


@lru_cache(maxsize=256)
def _report_unknown(word: str) -> None:
    _log.warning("Stripe declined with a code that the table of declines lacks: %r", word)
