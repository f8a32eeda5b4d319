"""Adyen's refusals, as the wire carries them.

AdyenError
├── kept: the request was validated, so its answer belongs to the idempotency key (422)
└── not kept: unreadable requests, credentials, limits and key conflicts; the same key may still be used
"""

from typing import Any

from sandbox.answers import Answer, Headers, encode
from sandbox.ids import CAPITALS_AND_DIGITS, random_text
from sandbox.refusal import RefusalError

TRANSIENT: Headers = ((b"transient-error", b"true"),)


def new_reference() -> str:
    """A pspReference: sixteen letters and digits that no other payment or request has."""
    return random_text(16, CAPITALS_AND_DIGITS)


class AdyenError(RefusalError):
    """One refusal: the HTTP status, Adyen's own code and words, and the category the code belongs to."""

    def __init__(
        self, status: int, code: str, message: str, kind: str, *, kept: bool = False, traced: bool = True,
        headers: Headers = (),
    ) -> None:  # fmt: skip
        super().__init__(message)
        self.kept = kept
        body: dict[str, Any] = {"status": status, "errorCode": code, "message": message, "errorType": kind}
        if traced:
            body["pspReference"] = new_reference()
        self._answer = Answer(status, encode(body), headers)

    def answer(self) -> Answer:
        """The refusal as it is sent."""
        return self._answer


def unauthorized() -> AdyenError:
    """No key, or one that does not fit."""
    return AdyenError(401, "000", "HTTP Status Response - Unauthorized", "security", traced=False)


def invalid_merchant_account() -> AdyenError:
    """An account these credentials may not use."""
    return AdyenError(403, "901", "Invalid Merchant Account", "security")


def unknown_url() -> AdyenError:
    """A path Adyen does not have, or this sandbox does not play."""
    return AdyenError(404, "000", "Not Found", "validation", traced=False)


def unreadable(message: str) -> AdyenError:
    """A body that is not JSON, or whose structure is not the one asked for."""
    return AdyenError(400, "702", message, "validation", traced=False)


def invalid(code: str, message: str) -> AdyenError:
    """A request that can be read but not be meant."""
    return AdyenError(422, code, message, "validation", kept=True)


def missing_field(name: str) -> AdyenError:
    """A field without which nothing can be done."""
    code = "100" if name == "amount" else "130"
    kind = "object" if name == "amount" else "field"
    return invalid(code, f"Required {kind} '{name}' is not provided.")


def no_such_payment() -> AdyenError:
    """A modification of a payment that this account does not have."""
    return invalid("167", "Original pspReference required for this operation")


def key_in_use() -> AdyenError:
    """Another request with this idempotency key is still being worked on: the same key may be sent again later."""
    message = "request already processed or in progress"
    return AdyenError(409, "704", message, "validation", traced=False, headers=TRANSIENT)


def key_reused() -> AdyenError:
    """An idempotency key that was used for something else: sending it again will not help."""
    return AdyenError(422, "704", "request already processed or in progress", "validation", traced=False)


def failure(status: int) -> Answer:
    """Something broke inside, or there is too much to do."""
    code, message = {
        429: ("00_500", "too many requests"),
        503: ("703", "required resource temporarily unavailable"),
    }.get(status, ("701", "server could not process request"))
    headers = TRANSIENT if status == 503 else ()
    return AdyenError(status, code, message, "internal", headers=headers).answer()
