"""Adyen's refusal reasons in the words that are the same for every gateway.

Source: docs.adyen.com/development-resources/refusal-reasons (the numbers are its refusalReasonCode) and
docs.adyen.com/online-payments/capture/failure-reasons. A notification gives the reason as text, at times with the
number before it. The text is not signed, so it says why, never whether.
"""

import logging
import re
from functools import lru_cache

from domain.payment import Decline, DeclineCode
from gateways.adyen.scrub import scrubbed

_log = logging.getLogger(__name__)

_Reasons = dict[DeclineCode, tuple[str, ...]]

_SOFT: _Reasons = {
    DeclineCode.INSUFFICIENT_FUNDS: ("12 not enough balance",),
    DeclineCode.DO_NOT_HONOR: ("2 refused", "3 referral", "27 declined non generic", "15 cancelled", "declined"),
    # The means is right, what the customer typed was not.
    DeclineCode.INCORRECT_DETAILS: ("17 invalid pin", "24 cvc declined", "32 avs declined"),
    DeclineCode.AUTHENTICATION_FAILED: (
        "11 3d not authenticated",
        "16 shopper cancelled",
        "19 pin validation not possible",
        "39 rreq not received from ds",
        "42 3ds authentication error",
    ),
    DeclineCode.AUTHENTICATION_REQUIRED: (
        "33 card requires online pin",
        "36 mobile pin required",
        "37 contactless fallback",
        "38 authentication required",
        "41 cvm required restart payment",
        "43 online pin required",
    ),
    DeclineCode.LIMIT_EXCEEDED: ("28 withdrawal amount exceeded", "29 withdrawal count exceeded"),
    DeclineCode.TRY_AGAIN_LATER: (
        "4 acquirer error",
        "9 issuer unavailable",
        "21 not submitted",
        "44 try another interface",
        "45 chip downgrade mode",
        "capture failed",
        "capture rejected by card scheme because of a technical issue",
    ),
    DeclineCode.UNKNOWN: ("unknown",),
}
_HARD: _Reasons = {
    DeclineCode.DO_NOT_HONOR: (
        "26 revocation of auth",
        "46 transaction blocked by adyen to prevent excessive retry fees",
    ),
    DeclineCode.EXPIRED_CARD: ("6 expired card",),
    DeclineCode.INCORRECT_DETAILS: ("8 invalid card number",),
    DeclineCode.FRAUD_SUSPECTED: ("14 acquirer fraud", "20 fraud", "22 fraud-cancelled", "31 issuer suspected fraud"),
    # Adyen calls a card blocked that its issuer took back; it is mostly lost or stolen.
    DeclineCode.LOST_OR_STOLEN: ("5 blocked card",),
    DeclineCode.LIMIT_EXCEEDED: ("18 pin tries exceeded",),
    DeclineCode.NOT_SUPPORTED: (
        "10 not supported",
        "23 transaction not permitted",
        "25 restricted card",
        "34 no checking account available on card",
        "35 no savings account available on card",
        "40 current aid is in penalty box",
    ),
    DeclineCode.INVALID_REQUEST: (
        "7 invalid amount",
        "insufficient balance on payment",
        "transaction hasn't been captured, refund not possible",
        "authorisation has expired",
        "payment was already cancelled",
        "payment was already captured",
        "payment was refused",
        "currency does not match the currency of the payment",
        "payment is charged back",
    ),
}
_NUMBERED = re.compile(r"([0-9]{1,3})\s*[:\-]?\s+(.+)")


def _tables() -> tuple[dict[str, tuple[DeclineCode, bool]], dict[str, tuple[DeclineCode, bool]]]:
    texts, numbers = {}, {}
    for kind, hard in ((_SOFT, False), (_HARD, True)):
        for code, reasons in kind.items():
            for reason in reasons:
                number, text = _parted(reason)
                texts[text] = code, hard
                if number is not None:
                    numbers[number] = code, hard
    return texts, numbers


def _parted(reason: str) -> tuple[str | None, str]:
    """The number, if one stands before the text, and the text as the table has it."""
    words = " ".join(reason.split()).casefold().rstrip(".")
    numbered = _NUMBERED.fullmatch(words)
    return (numbered[1], numbered[2]) if numbered else (words if words.isdecimal() else None, words)


DECLINES, NUMBERS = _tables()
"""Adyen's refusal reason in small letters, and its number → our code, and whether it is hard."""


def decline(reason: str) -> Decline:
    """Adyen's no in our words; a reason that the table lacks is UNKNOWN and soft, and logged the first time."""
    said = scrubbed(" ".join(reason.split()))[:100] or "unknown"
    number, text = _parted(said)
    # A number before another text may be the acquirer's own, whose codes mean other things.
    found = DECLINES.get(text) or (NUMBERS.get(text) if number == text else None)
    if found is None:
        _report_unknown(said)
    code, hard = found or (DeclineCode.UNKNOWN, False)
    return Decline(code, hard, said, said)


def invalid_request(gateway_code: str, message: str) -> Decline:
    """Adyen's no to what was asked, whoever pays: hard."""
    return Decline(DeclineCode.INVALID_REQUEST, True, scrubbed(gateway_code)[:100], scrubbed(message))


@lru_cache(maxsize=256)
def _report_unknown(reason: str) -> None:
    _log.warning("Adyen declined with a reason that the table of declines lacks: %r", reason)
