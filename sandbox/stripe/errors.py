"""Stripe's refusals, as the wire carries them.

StripeError
├── kept: the call had begun, so its answer belongs to the idempotency key
└── not kept: authentication, validation, limits and key conflicts; the same key may still be used
"""

from typing import Any

from sandbox.answers import Answer, encode
from sandbox.refusal import RefusalError

_DOCS = "https://stripe.com/docs/error-codes/"


class StripeError(RefusalError):
    """One refusal: an HTTP status and the `error` object. `kept` says whether an idempotency key stores it."""

    def __init__(self, status: int, error: dict[str, Any], *, kept: bool, retry: bool | None = None) -> None:
        super().__init__(error.get("message"))
        self.status = status
        self.error = error
        self.kept = kept
        self.retry = retry

    def answer(self) -> Answer:
        """The refusal as it is sent."""
        retry = () if self.retry is None else ((b"stripe-should-retry", b"true" if self.retry else b"false"),)
        return Answer(self.status, encode({"error": self.error}), retry)


def _error(kind: str, message: str, code: str | None = None, param: str | None = None) -> dict[str, Any]:
    error: dict[str, Any] = {"message": message, "type": kind}
    if code is not None:
        error["code"] = code
        error["doc_url"] = _DOCS + code.replace("_", "-")
    if param is not None:
        error["param"] = param
    return error


def invalid(message: str, param: str | None = None, code: str | None = None) -> StripeError:
    """A parameter that cannot be: refused before anything begins."""
    return StripeError(400, _error("invalid_request_error", message, code, param), kept=False)


def refused(message: str, param: str | None = None, code: str | None = None) -> StripeError:
    """A call that is well formed but not possible for this object."""
    return StripeError(400, _error("invalid_request_error", message, code, param), kept=True)


def missing(kind: str, object_id: str, param: str, status: int = 404) -> StripeError:
    """An object that does not exist in this account."""
    message = f"No such {kind}: '{object_id}'"
    return StripeError(status, _error("invalid_request_error", message, "resource_missing", param), kept=True)


def too_large() -> StripeError:
    """More than any call of Stripe's carries."""
    return StripeError(413, _error("invalid_request_error", "Request too large."), kept=False)


def unknown_url(method: str, path: str) -> StripeError:
    """A path Stripe does not have, or this sandbox does not play."""
    return StripeError(
        404, _error("invalid_request_error", f"Unrecognized request URL ({method}: {path})."), kept=False
    )


def unauthorized(message: str) -> StripeError:
    """No key, or one that does not fit."""
    return StripeError(401, _error("invalid_request_error", message), kept=False)


def forbidden(message: str) -> StripeError:
    """A key that is good, but not for this."""
    return StripeError(403, _error("invalid_request_error", message, "secret_key_required"), kept=False)


def unexpected_state(intent: dict[str, Any], verb: str, allowed: tuple[str, ...]) -> StripeError:
    """A PaymentIntent that is elsewhere in its life; the error carries it, so the caller can see where."""
    message = (
        f"This PaymentIntent could not be {verb} because it has a status of {intent['status']}."
        f" Only a PaymentIntent with one of the following statuses may be {verb}: {', '.join(allowed)}."
    )
    error = _error("invalid_request_error", message, "payment_intent_unexpected_state")
    return StripeError(400, {**error, "payment_intent": intent}, kept=True)


def card_declined(intent: dict[str, Any]) -> StripeError:
    """The issuer said no: the intent's last_payment_error, with the intent itself."""
    return StripeError(402, {**intent["last_payment_error"], "payment_intent": intent}, kept=True, retry=False)


def key_reused(key: str, difference: str) -> StripeError:
    """An idempotency key that was used for something else."""
    message = f"Keys for idempotent requests can only be used with the {difference} they were first used with: '{key}'."
    return StripeError(400, _error("idempotency_error", message), kept=False)


def key_in_use(key: str) -> StripeError:
    """Another request with this idempotency key is still being worked on."""
    message = f"There is currently another in-progress request using this idempotency key: {key}"
    error = _error("invalid_request_error", message, "idempotency_key_in_use")
    return StripeError(409, error, kept=False, retry=True)


def too_many_requests() -> StripeError:
    """The rate limiter: no code, as Stripe sends it."""
    return StripeError(429, _error("invalid_request_error", "Too many requests; slow down."), kept=False)


def server_error(status: int = 500, *, retry: bool | None = None) -> StripeError:
    """Something broke inside."""
    return StripeError(status, _error("api_error", "An unknown error occurred."), kept=True, retry=retry)
