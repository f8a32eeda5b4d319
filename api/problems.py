"""Every error the API answers: RFC 9457 problem details, one type a fact, no stack trace and no input echoed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"

# The title of each type. It is part of the interface: clients match on the code, people read the title.
TITLES: dict[str, str] = {
    "malformed_body": "The body is no JSON document that can be read without doubt",
    "malformed_request": "This is no HTTP request",
    "worker_silent": "No worker has taken it on",
    "not_authentic": "The delivery does not prove that the gateway sent it",
    "unauthorized": "A valid API key is needed",
    "scope_missing": "The API key may not do this",
    "not_found": "There is nothing under this address",
    "checkout_not_found": "There is no such checkout",
    "refund_not_found": "There is no such refund",
    "dispute_not_found": "There is no such dispute",
    "case_not_found": "There is no such case",
    "event_not_found": "There is no such event",
    "gateway_not_found": "There is no such gateway",
    "endpoint_not_found": "There is no such endpoint",
    "delivery_not_found": "There is no such delivery",
    "method_not_allowed": "This address does not take this method",
    "head_too_slow": "The headers did not arrive in time",
    "head_too_large": "The headers are too large",
    "body_too_slow": "The body did not arrive in time",
    "order_conflict": "The order already has another checkout",
    "state_conflict": "The checkout's state does not allow this",
    "part_of_split": "This is one tender of a split checkout",
    "split_checkout": "This is a split checkout",
    "capture_declined": "The gateway did not take the money",
    "nothing_to_refund": "There is nothing to give back",
    "amount_exceeds_available": "There is less to give back",
    "dispute_open": "A dispute is open",
    "dispute_conflict": "The dispute does not allow this answer",
    "answer_declined": "The gateway did not take the answer",
    "case_conflict": "The case does not allow this action",
    "too_many_endpoints": "There are as many endpoints as can be",
    "endpoint_removed": "The endpoint was removed",
    "endpoint_disabled": "The endpoint is disabled",
    "secrets_active": "Two secrets are active",
    "event_not_relevant": "The event changes nothing here",
    "event_ambiguous": "Several gateways have an event of this id",
    "idempotency_key_in_use": "A request with this idempotency key is being worked on",
    "body_too_large": "The body is too large",
    "media_type_unsupported": "The body must be JSON",
    "validation_failed": "The request does not fit",
    "card_number_refused": "The request holds a value shaped like a card number",
    "idempotency_key_invalid": "The idempotency key does not fit",
    "idempotency_key_reused": "The idempotency key was used with another request",
    "internal_error": "Something went wrong here",
    "gateway_unreachable": "The gateway cannot be reached",
    "gateway_unavailable": "No gateway can take it now",
    "database_down": "The database cannot be reached",
    "temporal_down": "Temporal cannot be reached",
    "too_slow": "It took too long",
    "too_many_streams": "There are as many streams as can be",
    "not_ready": "A part is not ready",
    "request_refused": "The request was refused",
}


@dataclass(frozen=True)
class FieldError:
    """What is wrong with one field, by its dotted name."""

    field: str
    message: str


class Problem(Exception):  # noqa: N818 - RFC 9457 calls it a problem; many are no error of ours.
    """An answer that is no success. Raise it anywhere below the API's routes."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: tuple[FieldError, ...] = (),
        headers: Mapping[str, str] | None = None,
        **members: object,
    ) -> None:
        super().__init__(code)
        self.status, self.code, self.detail = status, code, detail
        self.errors, self.members = errors, members
        self.headers = dict(headers or {})

    def document(self) -> dict[str, object]:
        """The members as RFC 9457 names them, `code` (the type's last part) and those of this type."""
        content: dict[str, object] = {
            "type": f"urn:paysaga:problem:{self.code}",
            "title": TITLES[self.code],
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
        }
        if len({error.field for error in self.errors}) == 1:
            content["field"] = self.errors[0].field
        if self.errors:
            content["errors"] = [{"field": e.field, "message": e.message} for e in self.errors]
        return content | self.members

    def body(self) -> bytes:
        """The document as JSON; plain ASCII, so that no text of a client can make it unsendable."""
        return json.dumps(self.document(), separators=(",", ":"), default=str).encode("ascii")

    def response(self) -> Response:
        """The document as an answer."""
        return Response(self.body(), self.status, self.headers, MEDIA_TYPE)


def invalid(field: str, message: str, code: str = "validation_failed", **members: Any) -> Problem:
    """422 because of one field."""
    return Problem(422, code, f"{field}: {message}", errors=(FieldError(field, message),), **members)


def unavailable(code: str, detail: str, retry_after: int = 2) -> Problem:
    """503 because a part is down; the client should come back."""
    return Problem(503, code, detail, headers={"Retry-After": str(retry_after)})
