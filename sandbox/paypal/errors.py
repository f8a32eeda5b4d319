"""PayPal's refusals, as the wire carries them.

None is kept under a PayPal-Request-Id: PayPal keeps what a call made, and a refused call made nothing.
"""

from typing import Any

from sandbox.answers import Answer, Headers, encode
from sandbox.ids import random_text
from sandbox.refusal import RefusalError
from sandbox.store import Json

_DOCUMENTED_AT = "https://developer.paypal.com/api/rest/reference/orders/v2/errors/#"
_HEXADECIMAL = "0123456789abcdef"
_NAMES = {
    400: ("INVALID_REQUEST", "Request is not well-formed, syntactically incorrect, or violates schema."),
    401: (
        "AUTHENTICATION_FAILURE",
        "Authentication failed due to missing authorization header, or invalid authentication credentials.",
    ),
    404: ("RESOURCE_NOT_FOUND", "The specified resource does not exist."),
    409: ("RESOURCE_CONFLICT", "The server has detected a conflict while processing this request."),
    413: ("REQUEST_ENTITY_TOO_LARGE", "The request is larger than the server takes."),
    415: ("UNSUPPORTED_MEDIA_TYPE", "The server does not support the request payload's media type."),
    422: (
        "UNPROCESSABLE_ENTITY",
        "The requested action could not be performed, semantically incorrect, or failed business validation.",
    ),
    429: ("RATE_LIMIT_REACHED", "Too many requests. Blocked due to rate limiting."),
    500: ("INTERNAL_SERVER_ERROR", "An internal server error occurred."),
    503: ("SERVICE_UNAVAILABLE", "Service Unavailable."),
}
_SAID = {
    "ACTION_DOES_NOT_MATCH_INTENT": "The order was created with another intent.",
    "AUTHORIZATION_ALREADY_CAPTURED": "Authorization has previously been captured.",
    "AUTHORIZATION_EXPIRED": "An expired authorization cannot be captured.",
    "AUTHORIZATION_VOIDED": "A voided authorization cannot be captured or reauthorized.",
    "CAPTURE_FULLY_REFUNDED": "The capture has already been fully refunded",
    "INSTRUMENT_DECLINED": (
        "The instrument presented  was either declined by the processor or bank, or it can't be used for this payment."
    ),
    "INVALID_RESOURCE_ID": "Specified resource ID does not exist. Please check the resource ID and try again.",
    "MAX_CAPTURE_AMOUNT_EXCEEDED": "Capture amount exceeds allowable limit.",
    "ORDER_ALREADY_AUTHORIZED": "Order already authorized.",
    "ORDER_ALREADY_CAPTURED": "Order already captured.",
    "ORDER_NOT_APPROVED": "Payer has not yet approved the Order for payment.",
    "PAYER_ACTION_REQUIRED": "Transaction cannot complete successfully, instruct the buyer to return to PayPal.",
    "PENDING_CAPTURE": "Cannot initiate a refund as the capture is pending.",
    "PREVIOUSLY_CAPTURED": "Authorization has been previously captured and hence cannot be voided.",
    "PREVIOUSLY_VOIDED": "Authorization has been previously voided and hence cannot be voided again.",
    "PREVIOUS_REQUEST_IN_PROGRESS": "A previous request on this resource is currently in progress.",
    "REFUND_AMOUNT_EXCEEDED": (
        "The refund amount must be less than or equal to the capture amount that has not yet been refunded."
    ),
    "REFUND_NOT_PERMITTED_DUE_TO_CHARGEBACK": (
        "Refunds are not allowed on this capture due to a chargeback on the card or bank. Please contact the payee to"
        " resolve the chargeback."
    ),
    "TRANSACTION_DISPUTED": (
        "Partial refunds cannot be offered at this time because there is an open case on this transaction. Visit the"
        " PayPal Resolution Center to review this case."
    ),
    "TRANSACTION_REFUSED": "The request was refused.",
}


class PayPalError(RefusalError):
    """One refusal: an HTTP status and its body."""

    def __init__(self, status: int, body: Json, headers: Headers = ()) -> None:
        super().__init__(body.get("message") or body.get("error_description"))
        self.status = status
        self.body = body
        self.headers = headers

    def answer(self) -> Answer:
        """The refusal as it is sent; its debug id is in the body and in a header."""
        debug_id = debug_text()
        body = {**self.body, "debug_id": debug_id} if "name" in self.body else self.body
        return Answer(self.status, encode(body), (*self.headers, (b"paypal-debug-id", debug_id.encode())))


def debug_text() -> str:
    """What PayPal's support asks for."""
    return random_text(13, _HEXADECIMAL)


def refusal(status: int, detail: Json | None = None, *links: Json) -> PayPalError:
    """An error of a status, with its usual name, at most one detail and the links that come with it."""
    name, message = _NAMES[status]
    body: Json = {"name": name, "message": message}
    if detail is not None:
        body["details"] = [detail]
    about = detail["issue"] if detail is not None else name
    documented = {"href": f"{_DOCUMENTED_AT}{about}", "rel": "information_link", "method": "GET"}
    return PayPalError(status, {**body, "links": [documented, *links]})


def invalid(field: str, issue: str, value: Any = None, location: str = "body") -> PayPalError:
    """A field that is missing or malformed."""
    detail: Json = {"field": field, "location": location, "issue": issue, "description": _describe(issue)}
    return refusal(400, detail if value is None else {**detail, "value": str(value)})


def unprocessable(issue: str, field: str | None = None, value: str | None = None, *links: Json) -> PayPalError:
    """A call that is well formed but not possible."""
    detail: Json = {"issue": issue, "description": _describe(issue)}
    if field is not None:
        detail |= {"field": field, "location": "body", "value": value}
    return refusal(422, detail, *links)


def missing() -> PayPalError:
    """An object that does not exist in this account, or no longer does."""
    return refusal(404, {"issue": "INVALID_RESOURCE_ID", "description": _describe("INVALID_RESOURCE_ID")})


def in_progress() -> PayPalError:
    """Another request with this PayPal-Request-Id is still being worked on."""
    issue = "PREVIOUS_REQUEST_IN_PROGRESS"
    return refusal(409, {"issue": issue, "description": _describe(issue)})


def bad_token() -> PayPalError:
    """A bearer token that was never given out, or has expired."""
    body = {"error": "invalid_token", "error_description": "The token passed in was not found in the system"}
    return PayPalError(401, body, ((b"www-authenticate", b'Bearer realm="UnknownServer"'),))


def bad_client() -> PayPalError:
    """A client id and secret that do not fit."""
    body = {"error": "invalid_client", "error_description": "Client Authentication failed"}
    return PayPalError(401, body, ((b"www-authenticate", b'Basic realm="Sandbox"'),))


def _describe(issue: str) -> str:
    return _SAID.get(issue) or issue.replace("_", " ").capitalize()
