"""The API under /paypal: what PayPal's calls mean, and what its answers look like."""

import json
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl

from sandbox.answers import Answer, Headers, encode
from sandbox.calls import Api as AnyApi
from sandbox.calls import Message
from sandbox.keys import Stored, fingerprint
from sandbox.paypal import forms, routes
from sandbox.paypal.call import Call
from sandbox.paypal.errors import PayPalError, debug_text, in_progress, invalid, missing, refusal
from sandbox.paypal.gateway import Gateway, Origin, names_of
from sandbox.paypal.lies import lie
from sandbox.store import Json

_LONGEST_KEY = 108


@dataclass(frozen=True, slots=True)
class Request:
    """A call that was understood, with what its answer is kept under: a PayPal-Request-Id counts per operation."""

    route: routes.Route
    call: Call
    key: str | None

    @property
    def operation(self) -> str:
        """The operation's name, as faults know it."""
        return self.route.operation


class Api(AnyApi[Request, Gateway]):
    """PayPal's API as an ASGI application."""

    def new_request_id(self) -> str:
        """A debug id."""
        return debug_text()

    def common_headers(self, message: Message) -> Headers:
        """Nothing: the debug id belongs to each answer, because an error repeats it in its body."""
        return ()

    def understand(self, message: Message) -> Request:
        """Authenticate and parse a request."""
        found = routes.find(message.method, message.path.removeprefix("/paypal/"))
        authorization = message.headers.get("authorization")
        if found is None or found[0] is not routes.TOKEN:
            self.gateway.tokens.check(authorization)
        if found is None:
            raise missing()
        if message.too_large:
            raise refusal(413)
        route, ids = found
        body = _form(message) if route is routes.TOKEN else _body(message, route)
        request_id = message.headers.get("paypal-request-id") if route.again is not None else None
        if request_id is not None and not 1 <= len(request_id) <= _LONGEST_KEY:
            raise invalid("PayPal-Request-Id", "INVALID_STRING_LENGTH", request_id, "header")
        whole = "return=representation" in message.headers.get("prefer", "")
        query = dict(parse_qsl(message.query.decode("latin-1"), keep_blank_values=True))
        origin = Origin(request_id, f"{message.address}/paypal", f"{message.base_url}/paypal")
        call = Call(ids, body, query, origin, whole, authorization)
        return Request(route, call, None if request_id is None else f"{route.operation} {request_id}")

    def metadata(self, request: Request) -> dict[str, str]:
        """What the caller has named the payment that a call is about."""
        call = request.call
        if call.ids and (row := self.gateway.store.row(call.ids[0])) is not None:
            return self.gateway.metadata_of(row["payment"])
        units = call.body.get("purchase_units")
        unit = units[0] if isinstance(units, list) and units else None
        return names_of(unit) if isinstance(unit, dict) else {}

    def recall(self, request: Request) -> Answer | None:
        """What an earlier call with this PayPal-Request-Id made, as it is by now; the body is not compared."""
        if request.key is None:
            return None
        if self.gateway.keys.in_use(request.key):
            raise in_progress()
        stored = self.gateway.keys.recall(request.key)
        if stored is None:
            return None
        if stored.status >= 500:
            return Answer(stored.status, stored.body)
        assert request.route.again is not None
        return _answer(200, request.route.again(self.gateway, request.call, stored.reference))

    def execute(self, request: Request) -> Answer:
        """Run the call's handler."""
        return _answer(request.route.status, request.route.handler(self.gateway, request.call))

    def keep(self, request: Request, answer: Answer) -> None:
        """Remember what the call made."""
        assert request.key is not None
        made = request.call.ids[0] if request.call.ids else ""
        if answer.status < 400 and answer.body:
            made = json.loads(answer.body)["id"]
        stored = Stored(request.operation, fingerprint(request.call.body), answer.status, answer.body, made)
        self.gateway.keys.keep(request.key, stored, request.route.keeps)

    def failure(self, status: int, *, stored: bool = False) -> Answer:
        """An error that is not the caller's fault."""
        return refusal(status).answer()

    def tampered(self, answer: Answer, kind: str) -> Answer:
        """The same answer lying about its money."""
        if answer.status >= 300 or not answer.body:
            return answer
        return replace(answer, body=encode(lie(json.loads(answer.body), kind)))


def _answer(status: int, body: Json | None) -> Answer:
    debug = ((b"paypal-debug-id", debug_text().encode()),)
    return Answer(204, b"", debug) if body is None else Answer(status, encode(body), debug)


def _form(message: Message) -> Json:
    given = dict(parse_qsl(message.body.decode("latin-1")))
    if given.get("grant_type") != "client_credentials":
        said = {"error": "unsupported_grant_type", "error_description": "Grant Type is NULL or not supported"}
        raise PayPalError(400, said)
    return dict(given)


def _body(message: Message, route: routes.Route) -> Json:
    """The JSON of a request; calls without parameters may come without any."""
    if message.method != "POST" or not route.takes_body:
        return {}
    content_type = message.headers.get("content-type", "")
    if route.takes_form:
        return forms.document(content_type, message.body)
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise refusal(415)
    try:
        found: Any = json.loads(message.body) if message.body.strip() else {}
    except (ValueError, RecursionError) as error:
        raise invalid("/", "MALFORMED_REQUEST_JSON") from error
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise invalid("/", "MALFORMED_REQUEST_JSON")
    return found
