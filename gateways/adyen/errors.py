"""What each of Adyen's answers that is no success means.

| Adyen says                                  | we say                                                        |
|---------------------------------------------|---------------------------------------------------------------|
| time-out or cut connection                  | OutcomeUnknownError                                           |
| refused connection, nothing sent            | GatewayUnreachableError                                       |
| 5xx, an answer that is none of Adyen's      | OutcomeUnknownError                                           |
| 429, 409, `transient-error` (key in flight) | GatewayBusyError                                              |
| 401, 403, type security or configuration    | GatewayMisconfiguredError                                     |
| key reused with another request             | GatewayRefusedError                                           |
| 4xx about an amount or a currency           | RefusalError, which the adapter answers as `Declined`         |
| any other 4xx                               | RefusalError, which the adapter raises as GatewayRefusedError |

A 5xx is never said to have spent its key: what was asked for may still be told of by a notification, so that a look-up
which shows nothing yet would be no reason to ask again under another key.
"""

from typing import Any

from domain.errors import (
    GatewayBusyError,
    GatewayError,
    GatewayMisconfiguredError,
    GatewayRefusedError,
    OutcomeUnknownError,
)
from gateways.adyen import declines
from gateways.adyen.scrub import scrubbed
from gateways.http import HttpAnswer
from gateways.refusal import Refusal, RefusalError

TRANSIENT_HEADER = "transient-error"

# docs.adyen.com/development-resources/error-codes: what is wrong with an amount or its currency.
_AMOUNT_CODES = frozenset({"100", "137", "138"})
_KEY_IN_USE = "704"
_ACCOUNT_TYPES = frozenset({"security", "configuration"})
_NOT_FOUND = "not found"


def read_error(answer: HttpAnswer) -> GatewayError | RefusalError:
    """The domain's error for an answer that is no success, or the refusal it stands for; no text holds a secret."""
    words = answer.document()
    code, kind = _text(words, "errorCode"), _text(words, "errorType")
    said = _describe(answer.status, words)
    if answer.status == 429:
        return GatewayBusyError(said, answer.retry_after())
    # Only Adyen's own words tell what became of a request; those of a proxy say nothing.
    if not code or not 400 <= answer.status < 600:
        return GatewayMisconfiguredError(said) if answer.status in (401, 403) else OutcomeUnknownError(said)
    if answer.status in (401, 403) or kind in _ACCOUNT_TYPES:
        return GatewayMisconfiguredError(said)
    if answer.status >= 500:
        return OutcomeUnknownError(said)
    if answer.status == 409 or answer.headers.get(TRANSIENT_HEADER, "").strip().lower() == "true":
        return GatewayBusyError(said, answer.retry_after())
    return _refusal(answer.status, code, _text(words, "message"), said)


def _refusal(status: int, code: str, message: str, said: str) -> GatewayError | RefusalError:
    if code == _KEY_IN_USE:
        return GatewayRefusedError("idempotency_key_reused", said)
    if code in _AMOUNT_CODES:
        decline = declines.invalid_request(code, message)
        return RefusalError(Refusal(decline.gateway_code, decline.message, decline))
    missing = status == 404 or message.strip().rstrip(".").casefold() == _NOT_FOUND
    return RefusalError(Refusal(scrubbed(code)[:100], scrubbed(message) or "Adyen gave no reason", missing=missing))


def _describe(status: int, words: dict[str, Any]) -> str:
    """What happened in one line: the status, Adyen's code, its reference of the request and its message."""
    code, reference = _text(words, "errorCode"), _text(words, "pspReference")
    details = [f"HTTP {status}", *([f"error {code}"] if code else []), *([f"request {reference}"] if reference else [])]
    return scrubbed(f"Adyen: {', '.join(details)}: {_text(words, 'message') or 'no message'}")


def _text(words: dict[str, Any], name: str) -> str:
    value = words.get(name)
    return value if isinstance(value, str) else ""
