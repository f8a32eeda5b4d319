"""The API under /v1: what Stripe's calls mean, and what its answers look like."""

import json
from dataclasses import dataclass, replace
from typing import Any

from sandbox.answers import Answer, Headers, encode
from sandbox.calls import Api as AnyApi
from sandbox.calls import Message
from sandbox.ids import random_text
from sandbox.keys import Stored, fingerprint
from sandbox.stripe import expansion, params, routes, search
from sandbox.stripe.authentication import is_publishable, key_of
from sandbox.stripe.call import Call
from sandbox.stripe.errors import (
    StripeError,
    invalid,
    key_in_use,
    key_reused,
    server_error,
    too_large,
    too_many_requests,
    unknown_url,
)
from sandbox.stripe.gateway import Gateway, Origin
from sandbox.stripe.shapes import API_VERSION

_KEY_LIFETIME = 86_400
_LONGEST_KEY = 255


@dataclass(frozen=True, slots=True)
class Request:
    """A call that was understood, with where it goes and what it is kept under."""

    route: routes.Route
    call: Call
    endpoint: str
    key: str | None
    expand: list[list[str]]

    @property
    def operation(self) -> str:
        """The SDK's name of the call."""
        return self.route.operation


class Api(AnyApi[Request, Gateway]):
    """Stripe's API as an ASGI application."""

    def new_request_id(self) -> str:
        """A `req_…`."""
        return f"req_{random_text(14)}"

    def common_headers(self, message: Message) -> Headers:
        """The request's id, the version and the key."""
        version = message.headers.get("stripe-version", API_VERSION)
        found = [(b"request-id", message.request_id.encode()), (b"stripe-version", version.encode("latin-1"))]
        if "idempotency-key" in message.headers:
            found.append((b"idempotency-key", message.headers["idempotency-key"].encode("latin-1")))
        return tuple(found)

    def understand(self, message: Message) -> Request:
        """Authenticate and parse a request."""
        method, path = message.method, message.path
        found = routes.find(method, path.removeprefix("/v1/"))
        key = key_of(message.headers.get("authorization"))
        publishable = is_publishable(key, allowed=found is not None and found[0].publishable)
        if found is None:
            raise unknown_url(method, path)
        if message.too_large:
            raise too_large()
        route, ids = found
        try:
            given = params.parse((message.query if method == "GET" else message.body).decode())
        except UnicodeDecodeError as error:
            raise invalid("The request is not valid UTF-8.") from error
        idempotency_key = message.headers.get("idempotency-key") if method == "POST" else None
        if idempotency_key is not None and len(idempotency_key) > _LONGEST_KEY:
            raise invalid("Idempotency keys can have up to 255 characters.")
        expand = expansion.check(given.get("expand"), route.kind, in_list=route.in_list)
        origin = Origin(message.request_id, idempotency_key, message.base_url)
        return Request(route, Call(ids, given, origin, publishable), f"{method} {path}", idempotency_key, expand)

    def metadata(self, request: Request) -> dict[str, str]:
        """The metadata a call is about: its payment's, and what it brings itself."""
        given = request.call.params
        metadata: dict[str, str] = {}
        about = request.call.ids[0] if request.call.ids else given.get("payment_intent") or given.get("charge")
        if isinstance(about, str) and (row := self.gateway.store.row(about)) is not None:
            metadata.update(self.gateway.metadata_of(row["payment"]))
        if isinstance(given.get("metadata"), dict):
            metadata.update(given["metadata"])
        if request.operation == "payment_intents.search":
            metadata.update(_searched(given.get("query")))
        return metadata

    def recall(self, request: Request) -> Answer | None:
        """The first answer, whatever it was; Stripe refuses other parameters under the same key."""
        key = request.key
        if key is None:
            return None
        if self.gateway.keys.in_use(key):
            raise key_in_use(key)
        stored = self.gateway.keys.recall(key)
        if stored is None:
            return None
        if stored.endpoint != request.endpoint:
            raise key_reused(key, "same endpoint")
        if stored.fingerprint != fingerprint(request.call.params):
            raise key_reused(key, "same parameters")
        return _replayed(stored)

    def execute(self, request: Request) -> Answer:
        """Run the call's handler and expand what was asked for."""
        body = request.route.handler(self.gateway, request.call)
        return Answer(200, encode(expansion.apply(self.gateway, body, request.expand)))

    def keep(self, request: Request, answer: Answer) -> None:
        """Store status and body for 24 hours."""
        assert request.key is not None
        request_id = request.call.origin.request_id or ""
        stored = Stored(request.endpoint, fingerprint(request.call.params), answer.status, answer.body, request_id)
        self.gateway.keys.keep(request.key, stored, _KEY_LIFETIME)

    def failure(self, status: int, *, stored: bool = False) -> Answer:
        """An `api_error`, or the rate limiter's word."""
        if status == 429:
            return too_many_requests().answer()
        return server_error(status, retry=False if stored else None).answer()

    def tampered(self, answer: Answer, kind: str) -> Answer:
        """The same answer lying about its money."""
        if answer.status != 200:
            return answer
        body = json.loads(answer.body)
        for item in body["data"] if body.get("object") in ("list", "search_result") else [body]:
            _lie(item, kind)
        return replace(answer, body=encode(body))


def _lie(item: dict[str, Any], kind: str) -> None:
    if kind == "livemode_true":
        item["livemode"] = True
    elif kind == "other_currency" and "currency" in item:
        item["currency"] = "eur" if item["currency"] != "eur" else "usd"
    elif kind == "amount_off_by_one":
        for name in ("amount", "amount_received", "amount_captured", "amount_capturable"):
            if item.get(name):
                item[name] += 1


def _searched(query: Any) -> dict[str, str]:
    try:
        return {clause.name: clause.value for clause in search.clauses(query) if clause.metadata}
    except (StripeError, TypeError):
        return {}


def _replayed(stored: Stored) -> Answer:
    headers = [(b"idempotent-replayed", b"true"), (b"original-request", stored.reference.encode())]
    if stored.status >= 500 or stored.status == 402:
        headers.append((b"stripe-should-retry", b"false"))
    return Answer(stored.status, stored.body, tuple(headers))
