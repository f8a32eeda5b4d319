"""What each exception of the Stripe SDK means.

| Stripe says                                  | we say                                                        |
|----------------------------------------------|---------------------------------------------------------------|
| time-out or cut connection                   | OutcomeUnknownError                                           |
| refused connection, nothing sent             | GatewayUnreachableError                                       |
| 5xx, an answer that is none of Stripe's      | OutcomeUnknownError                                           |
| 5xx that will only be replayed               | KeySpentError, an OutcomeUnknownError                         |
| 409 (key in flight), 429                     | GatewayBusyError                                              |
| 401, 403, an account that may not do this    | GatewayMisconfiguredError                                     |
| idempotency key reused with another request  | GatewayRefusedError                                           |
| 402, or 400 that names what is wrong         | RefusalError, which the adapter answers as `Declined`         |
| any other 400 and 404                        | RefusalError, which the adapter raises as GatewayRefusedError |
"""

import httpx
import stripe

from domain.errors import (
    GatewayBusyError,
    GatewayError,
    GatewayMisconfiguredError,
    GatewayRefusedError,
    GatewayUnreachableError,
    KeySpentError,
    OutcomeUnknownError,
)
from gateways.refusal import Refusal, RefusalError
from gateways.stripe import declines
from gateways.stripe.scrub import scrubbed

UNEXPECTED_STATE = "payment_intent_unexpected_state"
MISSING = "resource_missing"

_LONGEST_WAIT_SECONDS = 3600.0
# Stripe answers these with a plain 400 although only a change of keys or account settings helps.
_ACCOUNT_CODES = frozenset(
    {
        "account_invalid",
        "api_key_expired",
        "livemode_mismatch",
        "platform_api_key_expired",
        "secret_key_required",
        "testmode_charges_only",
        "tls_version_unsupported",
    }
)


def read_error(error: stripe.StripeError) -> GatewayError | RefusalError:
    """The domain's error for an SDK exception, or the refusal it stands for; no text of it holds a secret."""
    said = _describe(error)
    match error:
        case stripe.RateLimitError():
            return GatewayBusyError(said, _retry_after(error))
        case stripe.APIConnectionError() if isinstance(error.__cause__, httpx.ConnectError | httpx.ConnectTimeout):
            return GatewayUnreachableError(said)
        case stripe.AuthenticationError() | stripe.PermissionError():
            return GatewayMisconfiguredError(said)
        case stripe.IdempotencyError():
            return GatewayRefusedError("idempotency_error", said)
        case stripe.CardError() | stripe.InvalidRequestError():
            return _refusal(error, said)
        # Only a 409 in Stripe's own words is about the key; one of a proxy says nothing.
        case stripe.APIError() if error.http_status == 409 and error.error is not None:
            return GatewayBusyError(said, _retry_after(error))
        # Stripe keeps the first answer to a key, a 500 too, and says here that it will only replay it.
        case _ if _header(error, "stripe-should-retry") == "false":
            return KeySpentError(said)
        case _:
            return OutcomeUnknownError(said)


def _refusal(error: stripe.CardError | stripe.InvalidRequestError, said: str) -> GatewayError | RefusalError:
    code = scrubbed(error.code or error.param or (MISSING if error.http_status == 404 else "invalid_request_error"))
    message = error.user_message or "Stripe gave no reason"
    if code in _ACCOUNT_CODES:
        return GatewayMisconfiguredError(said)
    if isinstance(error, stripe.CardError):
        words = _error_body(error)
        decline = declines.decline(str(words.get("decline_code") or code), message, _text(words.get("advice_code")))
        return RefusalError(Refusal(code, decline.message, decline))
    if error.http_status == 400 and (error.code or error.param):
        decline = declines.invalid_request(code, message)
        return RefusalError(Refusal(code, decline.message, decline))
    return RefusalError(Refusal(code, scrubbed(message), None))


def _describe(error: stripe.StripeError) -> str:
    """What happened in one line: the SDK's class, the status, Stripe's request id and its message."""
    status = "no answer" if error.http_status is None else f"HTTP {error.http_status}"
    request = f", request {error.request_id}" if error.request_id else ""
    return scrubbed(f"Stripe: {type(error).__name__} ({status}{request}): {error.user_message or 'no message'}")


def _retry_after(error: stripe.StripeError) -> float | None:
    try:
        seconds = float(_header(error, "retry-after") or "")
    except ValueError:
        return None
    return min(seconds, _LONGEST_WAIT_SECONDS) if seconds >= 0 else None


def _header(error: stripe.StripeError, name: str) -> str | None:
    return {key.lower(): value for key, value in (error.headers or {}).items()}.get(name)


def _error_body(error: stripe.StripeError) -> dict[str, object]:
    body = error.json_body
    words = body.get("error") if isinstance(body, dict) else None
    return words if isinstance(words, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
