"""What each answer of PayPal's that is no success means.

| PayPal says                                          | we say                                                        |
|------------------------------------------------------|---------------------------------------------------------------|
| nothing in time, or the connection is cut            | OutcomeUnknownError                                           |
| refused connection, no token to be had               | GatewayUnreachableError: nothing was asked                    |
| 5xx, an answer that is none of PayPal's              | OutcomeUnknownError; no failure is kept under a request id    |
| 409, a request in progress, 429                      | GatewayBusyError                                              |
| 401 with a new token, 403, an account out of order   | GatewayMisconfiguredError                                     |
| a request id that was used for another request       | GatewayRefusedError                                           |
| 422 or 400 that names an issue                       | RefusalError, which the adapter answers as `Declined`         |
| any other 4xx of PayPal's                            | RefusalError, which the adapter raises as GatewayRefusedError |
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from domain.errors import (
    GatewayBusyError,
    GatewayError,
    GatewayMisconfiguredError,
    GatewayRefusedError,
    OutcomeUnknownError,
)
from domain.payment import Decline
from gateways.http import HttpAnswer
from gateways.paypal import declines
from gateways.refusal import Refusal, RefusalError

Scrub = Callable[[str], str]

MISSING = "RESOURCE_NOT_FOUND"
PAYER_ACTION_REQUIRED = "PAYER_ACTION_REQUIRED"

_IN_PROGRESS = frozenset({"PREVIOUS_REQUEST_IN_PROGRESS", "ORDER_COMPLETION_IN_PROGRESS"})
_OTHER_REQUEST = frozenset({"DUPLICATE_REQUEST_ID", "PAYPAL_REQUEST_ID_REUSED", "INVALID_REQUEST_ID"})
# PayPal answers these with a 422 although only a change of the account's or the app's settings helps.
_ACCOUNT_ISSUES = frozenset(
    {
        "AUTH_CAPTURE_NOT_ENABLED",
        "CONSENT_NEEDED",
        "INVALID_ACCOUNT_STATUS",
        "PAYEE_ACCOUNT_INVALID",
        "PAYEE_ACCOUNT_LOCKED_OR_CLOSED",
        "PAYEE_ACCOUNT_NOT_VERIFIED",
        "PAYEE_ACCOUNT_RESTRICTED",
        "PERMISSION_DENIED",
    }
)
_WORD = re.compile(r"[A-Za-z0-9_.-]{1,100}")
# Links that lead the payer back to PayPal to choose again.
_PAYER_LINKS = ("redirect", "payer-action")


def read_error(answer: HttpAnswer, scrub: Scrub) -> GatewayError | RefusalError:
    """The domain's error for an answer that is no success, or the refusal it stands for; it holds no secret."""
    document = answer.document()
    issue, reason = _issue(document, scrub)
    said = scrub(_describe(answer, issue, reason))
    if answer.status == 429:
        return GatewayBusyError(said, answer.retry_after())
    # A proxy's page says nothing about what PayPal did; neither does PayPal's own failure.
    if answer.status >= 500 or issue is None:
        return OutcomeUnknownError(said)
    if answer.status == 409 or issue in _IN_PROGRESS:
        return GatewayBusyError(said, answer.retry_after())
    if answer.status in (401, 403) or issue in _ACCOUNT_ISSUES:
        return GatewayMisconfiguredError(said)
    if issue in _OTHER_REQUEST:
        return GatewayRefusedError(issue, said)
    if 400 <= answer.status < 500:
        return RefusalError(_refusal(answer.status, document, issue, scrub(reason or "PayPal gave no reason")))
    return OutcomeUnknownError(said)


def _refusal(status: int, document: Mapping[str, Any], issue: str, message: str) -> Refusal:
    named = bool(_details(document))
    decline: Decline | None = None
    if status == 422 or issue in declines.DECLINES:
        decline = declines.decline(issue, message)
    elif status == 400 and named:
        decline = declines.invalid_request(issue, message)
    code = MISSING if status == 404 else issue
    return Refusal(code, message, None if status == 404 else decline, payer_url=_payer_url(document))


def _issue(document: Mapping[str, Any], scrub: Scrub) -> tuple[str | None, str | None]:
    """PayPal's word for what is wrong and its sentence; the word is None for what is no error of PayPal's."""
    details = _details(document)
    first = details[0] if details else {}
    words = (first.get("issue"), document.get("name"), document.get("error"))
    issue = next((word for word in words if isinstance(word, str) and _WORD.fullmatch(scrub(word))), None)
    texts = (first.get("description"), document.get("message"), document.get("error_description"))
    return issue, next((text for text in texts if isinstance(text, str) and text), None)


def _details(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    details = document.get("details")
    return [detail for detail in details if isinstance(detail, Mapping)] if isinstance(details, list) else []


def _payer_url(document: Mapping[str, Any]) -> str | None:
    links = document.get("links")
    for link in links if isinstance(links, list) else ():
        if isinstance(link, Mapping) and link.get("rel") in _PAYER_LINKS:
            href = link.get("href")
            if isinstance(href, str) and href.startswith(("https://", "http://")):
                return href
    return None


def _describe(answer: HttpAnswer, issue: str | None, reason: str | None) -> str:
    """What happened in one line: the status, PayPal's word and sentence, and its id for people who ask PayPal."""
    debug = answer.headers.get("paypal-debug-id", "")
    trace = f", debug id {debug}" if _WORD.fullmatch(debug) else ""
    return f"PayPal: {issue or 'no answer of its own'} (HTTP {answer.status}{trace}): {reason or 'no message'}"
