"""The problems that a route may answer, as the API's description shows them."""

from typing import Any

from api.views import ProblemView

_MEANINGS = {
    400: "The body is no JSON document",
    401: "No valid API key",
    403: "The API key lacks the scope",
    404: "No such checkout",
    408: "The body did not arrive within ten seconds",
    409: "In conflict with what is on the books, or with a request that is being worked on",
    413: "The body is larger than 64 kB",
    415: "The body is not sent as application/json",
    422: "A field does not fit, or holds a card number",
    503: "A part is down; come back after Retry-After seconds",
}


def problems(*statuses: int, not_found: str = _MEANINGS[404]) -> dict[int | str, dict[str, Any]]:
    """These statuses with what they mean; `not_found` says what 404 is about where it is no checkout."""
    told = _MEANINGS | {404: not_found}
    return {status: {"model": ProblemView, "description": told[status]} for status in statuses}
