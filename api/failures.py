"""Turns whatever goes wrong below the routes into a problem document: no stack trace, no input, nothing unanswered."""

import logging
import re
import secrets
import traceback
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.documents import name_of
from api.problems import TITLES, FieldError, Problem, unavailable
from ledger.contract import StoreUnavailableError

_log = logging.getLogger(__name__)
_CODES = {400: "malformed_body", 404: "not_found", 405: "method_not_allowed"}
_MOST_ERRORS = 50

# Where pydantic speaks of Python, or does not say what would be right.
_WORDS = {
    "extra_forbidden": "is not known here",
    "missing": "must be given",
    "model_attributes_type": "must be an object",
    "model_type": "must be an object",
    "dict_type": "must be an object",
}

# JSON answers are never pages, are private, and are not to be guessed at.
_HEADERS = [
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
]
_PAGES = re.compile("/docs.*|/asyncapi")


def install(app: FastAPI) -> None:
    """Answer every error of this application as a problem document, and put security headers on every answer."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(HTTPException, _http_exception)
    app.add_exception_handler(RequestValidationError, _does_not_fit)
    app.add_exception_handler(StoreUnavailableError, _database_down)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_middleware(LastResort)


async def _problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response()


async def _http_exception(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = _CODES.get(error.status_code, "request_refused")
    return Problem(error.status_code, code, f"{TITLES[code]}.", headers=error.headers).response()


async def _does_not_fit(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = tuple(_field_error(fault) for fault in error.errors()[:_MOST_ERRORS])
    detail = "; ".join(f"{e.field}: {e.message}" for e in errors[:3])
    return Problem(422, "validation_failed", detail, errors=errors).response()


def _field_error(fault: dict[str, Any]) -> FieldError:
    """pydantic's finding without the value it is about."""
    location = [part for part in fault["loc"][1:] if part != "[key]"]
    message = _WORDS.get(fault["type"]) or str(fault["msg"]).removeprefix("Value error, ")
    return FieldError(name_of(location), message)


async def _database_down(_request: Request, error: Exception) -> Response:
    _log.error("the database is unavailable: %s", type(error.__cause__ or error).__name__)
    return unavailable("database_down", "The database cannot be reached; try again.").response()


async def _gone(_request: Request, _error: Exception) -> Response:
    return Problem(400, "malformed_body", "The body ended before it was complete.").response()


class LastResort:
    """The outermost layer: an error nobody foresaw becomes a 500 with a request id, which the log has too.

    The log gets the error's type and where it happened, never its text, which may repeat what a customer sent.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False
        headers = _HEADERS[3:] if _PAGES.fullmatch(scope["path"]) else _HEADERS

        async def sending(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [*message["headers"], *headers]
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception as error:  # noqa: BLE001 - This is where whatever remains is caught.
            request_id = "req_" + secrets.token_hex(12)
            _log.error("%s: %s\n%s", request_id, type(error).__name__, _where(error))
            if not started:
                detail = f"The request failed for a reason of ours; tell us {request_id}."
                await Problem(500, "internal_error", detail, request_id=request_id).response()(scope, receive, sending)


def _where(error: BaseException) -> str:
    parts = []
    cause: BaseException | None = error
    while cause is not None:
        parts.append(f"{type(cause).__name__} at\n" + "".join(traceback.format_tb(cause.__traceback__)))
        cause = cause.__cause__
    return "caused by ".join(parts)
