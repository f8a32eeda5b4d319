"""PayPal's issues and its processors' response codes in the words that are the same for every gateway.

Source: the error lists of Orders v2 and Payments v2 in PayPal's OpenAPI descriptions, and
developer.paypal.com/docs/checkout/advanced/processing-response-codes.
"""

import logging
from functools import lru_cache

from domain.payment import Decline, DeclineCode

_log = logging.getLogger(__name__)

# Soft: the payer may choose another means, or the same later, on PayPal's own page.
_SOFT: dict[DeclineCode, str] = {
    DeclineCode.INSUFFICIENT_FUNDS: "5120 REFUND_FAILED_INSUFFICIENT_FUNDS",
    DeclineCode.DO_NOT_HONOR: (
        "INSTRUMENT_DECLINED REDIRECT_PAYER_FOR_ALTERNATE_FUNDING PAYMENT_SOURCE_DECLINED_BY_PROCESSOR "
        "PAYMENT_SOURCE_CANNOT_BE_USED DECLINED FAILED DENIED 0100 0500 0R00 10BR 5100 5170 5190 9530 9540 PPEX"
    ),
    DeclineCode.INCORRECT_DETAILS: (
        "PAYMENT_SOURCE_INFO_CANNOT_BE_VERIFIED INVALID_SECURITY_CODE_LENGTH 00N7 0890 1380 1382 5110 5130 5500 7800 "
        "7900 PCVV"
    ),
    DeclineCode.AUTHENTICATION_FAILED: "7700 7710 PCNR",
    DeclineCode.AUTHENTICATION_REQUIRED: "PAYER_ACTION_REQUIRED 5650",
    DeclineCode.LIMIT_EXCEEDED: "TRANSACTION_LIMIT_EXCEEDED 5710 PPTV",
    DeclineCode.TRY_AGAIN_LATER: (
        "PENDING_CAPTURE REAUTHORIZATION_TOO_SOON TRANSACTION_DISPUTED ECHECK 0800 0960 5200 5920 8000 8100 8110 8220 "
        "9100 9600 PPTE PPTR"
    ),
    DeclineCode.UNKNOWN: "OTHER UNKNOWN",
}
_HARD: dict[DeclineCode, str] = {
    DeclineCode.DO_NOT_HONOR: (
        "PAYER_CANNOT_PAY PAYER_ACCOUNT_LOCKED_OR_CLOSED PAYER_ACCOUNT_RESTRICTED AGREEMENT_ALREADY_CANCELLED "
        "1352 5140 5930 5950 PP06 PPAD PPAE"
    ),
    DeclineCode.EXPIRED_CARD: "CARD_EXPIRED REFERENCED_CARD_EXPIRED TOKEN_EXPIRED 5400",
    DeclineCode.INCORRECT_DETAILS: "0390 1330 5180 6300",
    DeclineCode.FRAUD_SUSPECTED: (
        "TRANSACTION_REFUSED COMPLIANCE_VIOLATION PAYEE_BLOCKED_TRANSACTION TRANSACTION_BLOCKED_BY_PAYEE "
        "DECLINED_DUE_TO_RELATED_TXN 0580 5160 9500 9510"
    ),
    DeclineCode.LOST_OR_STOLEN: "5150 9520",
    DeclineCode.LIMIT_EXCEEDED: (
        "MAX_NUMBER_OF_PAYMENT_ATTEMPTS_EXCEEDED MAX_NUMBER_OF_REFUNDS_EXCEEDED TRANSACTION_RECEIVING_LIMIT_EXCEEDED "
        "5135"
    ),
    DeclineCode.NOT_SUPPORTED: (
        "INVALID_CURRENCY_CODE CURRENCY_NOT_SUPPORTED DOMESTIC_TRANSACTION_REQUIRED CARD_BRAND_NOT_SUPPORTED "
        "PAYMENT_SOURCE_NOT_SUPPORTED PAYMENT_TYPE_NOT_SUPPORTED_FOR_INTENT UNSUPPORTED_INTENT "
        "UNSUPPORTED_INTENT_FOR_PAYMENT_SOURCE 1312 1320 5700 5910 8030"
    ),
    # Our request, or its time, was wrong; whoever pays can do nothing about it.
    DeclineCode.INVALID_REQUEST: (
        "AMOUNT_MISMATCH CANNOT_BE_NEGATIVE CANNOT_BE_ZERO_OR_NEGATIVE DECIMAL_PRECISION DECIMALS_NOT_SUPPORTED "
        "MAX_VALUE_EXCEEDED DUPLICATE_INVOICE_ID ACTION_DOES_NOT_MATCH_INTENT ORDER_NOT_APPROVED ORDER_NOT_HELD "
        "ORDER_NOT_CAPTURED ORDER_ALREADY_CAPTURED ORDER_ALREADY_AUTHORIZED ORDER_COMPLETED_OR_VOIDED ORDER_EXPIRED "
        "ORDER_ENDED AUTHORIZATION_ALREADY_CAPTURED AUTHORIZATION_DENIED AUTHORIZATION_EXPIRED AUTHORIZATION_VOIDED "
        "AUTHORIZATION_AMOUNT_EXCEEDED AUTHORIZATION_CURRENCY_MISMATCH AUTH_CAPTURE_CURRENCY_MISMATCH "
        "AUTH_CURRENCY_MISMATCH REAUTHORIZATION_NOT_SUPPORTED "
        "MAX_AUTHORIZATION_COUNT_EXCEEDED MAX_CAPTURE_AMOUNT_EXCEEDED MAX_CAPTURE_COUNT_EXCEEDED PREVIOUSLY_CAPTURED "
        "PREVIOUSLY_VOIDED CANNOT_BE_VOIDED CAPTURE_FULLY_REFUNDED CURRENCY_MISMATCH REFUND_AMOUNT_EXCEEDED "
        "REFUND_AMOUNT_TOO_LOW REFUND_CAPTURE_CURRENCY_MISMATCH REFUND_NOT_ALLOWED REFUND_IS_RESTRICTED "
        "REFUND_NOT_PERMITTED_DUE_TO_CHARGEBACK REFUND_TIME_LIMIT_EXCEEDED PARTIAL_REFUND_NOT_ALLOWED CANCELLED "
        "1310 1317 1384 1390 1393 5210 5800 5900"
    ),
}
_NEVER_AGAIN = frozenset({"03", "21"})
"""The card networks' advice not to try the same card again."""


def _table() -> dict[str, tuple[DeclineCode, bool]]:
    kinds = ((_SOFT, False), (_HARD, True))
    return {word: (code, hard) for kind, hard in kinds for code, words in kind.items() for word in words.split()}


DECLINES: dict[str, tuple[DeclineCode, bool]] = _table()
"""PayPal's issue, status or response code → ours, and whether it is hard."""


def decline(gateway_code: str, message: str, advice: str | None = None) -> Decline:
    """PayPal's no in our words; a code that the table lacks is UNKNOWN and soft, and logged the first time.

    `advice` is PayPal's payment_advice_code: the network's own word on whether to try the same card again.
    """
    word = gateway_code[:100]
    if word not in DECLINES:
        _report_unknown(word)
    code, hard = DECLINES.get(word, (DeclineCode.UNKNOWN, False))
    return Decline(code, hard or advice in _NEVER_AGAIN, word, message)


def invalid_request(gateway_code: str, message: str) -> Decline:
    """PayPal's no to what was asked, whoever pays: hard."""
    return Decline(DeclineCode.INVALID_REQUEST, True, gateway_code[:100], message)


@lru_cache(maxsize=256)
def _report_unknown(word: str) -> None:
    _log.warning("PayPal declined with a code that the table of declines lacks: %r", word)
