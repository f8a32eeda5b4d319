"""The API under /v1: understand a request, let a fault strike, run the call under its idempotency key, answer."""

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

from starlette.types import Receive, Scope, Send

from sandbox import faults as f
from sandbox.faults import Fault
from sandbox.stripe import answers, expansion, params, routes, search
from sandbox.stripe.answers import Answer
from sandbox.stripe.authentication import is_publishable, key_of
from sandbox.stripe.call import Call
from sandbox.stripe.errors import StripeError, invalid, server_error, too_many_requests, unknown_url
from sandbox.stripe.gateway import Gateway, Origin
from sandbox.stripe.ids import random_text
from sandbox.stripe.keys import Stored, fingerprint
from sandbox.stripe.shapes import API_VERSION
from sandbox.wire import Hanging, drip, reset

_logger = logging.getLogger(__name__)
_LARGEST_BODY = 262_144
_DEFAULT_SLOWNESS = 5.0


@dataclass(frozen=True, slots=True)
class Request:
    """A call that was understood, with where it goes and what it is kept under."""

    route: routes.Route
    call: Call
    endpoint: str
    key: str | None
    expand: list[list[str]]


class Api:
    """Stripe's API as an ASGI application."""

    def __init__(self, gateway: Gateway, hanging: Hanging, public_url: str | None) -> None:
        self._gateway = gateway
        self._hanging = hanging
        self._public_url = public_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        request_id = f"req_{random_text(14)}"
        extra = _common_headers(headers, request_id)
        body = await _read(receive)
        if body is None:
            return
        try:
            request = self._understand(scope, headers, body, request_id)
        except StripeError as error:
            await answers.finish(send, answers.refusal(error).with_headers(extra))
            return
        fault = self._strike(request)
        answer = await self._answer(request, fault)
        await self._reply(answer and answer.with_headers(extra), fault, scope, receive, send)

    def _understand(self, scope: Scope, headers: dict[str, str], body: bytes, request_id: str) -> Request:
        method, path = scope["method"], scope["path"]
        found = routes.find(method, path.removeprefix("/v1/"))
        key = key_of(headers.get("authorization"))
        publishable = is_publishable(key, allowed=found is not None and found[0].publishable)
        if found is None:
            raise unknown_url(method, path)
        if len(body) > _LARGEST_BODY:
            raise StripeError(413, {"message": "Request too large.", "type": "invalid_request_error"}, kept=False)
        route, ids = found
        raw = scope["query_string"] if method == "GET" else body
        try:
            given = params.parse(raw.decode())
        except UnicodeDecodeError as error:
            raise invalid("The request is not valid UTF-8.") from error
        idempotency_key = headers.get("idempotency-key") if method == "POST" else None
        if idempotency_key is not None and self._gateway.keys.too_long(idempotency_key):
            raise invalid("Idempotency keys can have up to 255 characters.")
        expand = expansion.check(given.get("expand"), route.kind, in_list=route.in_list)
        base_url = self._public_url or f"{scope['scheme']}://{headers.get('host', 'localhost')}"
        origin = Origin(request_id, idempotency_key, base_url)
        return Request(route, Call(ids, given, origin, publishable), f"{method} {path}", idempotency_key, expand)

    def _strike(self, request: Request) -> Fault | None:
        watch = self._gateway.faults
        if not watch.watching(request.route.operation):
            return None
        return watch.strike(request.route.operation, self._metadata(request))

    def _metadata(self, request: Request) -> dict[str, str]:
        """The metadata a call is about: its payment's, and what it brings itself."""
        given = request.call.params
        metadata: dict[str, str] = {}
        about = request.call.ids[0] if request.call.ids else given.get("payment_intent") or given.get("charge")
        if isinstance(about, str) and (row := self._gateway.store.row(about)) is not None:
            metadata.update(self._gateway.metadata_of(row["payment"]))
        if isinstance(given.get("metadata"), dict):
            metadata.update(given["metadata"])
        if request.route.operation == "payment_intents.search":
            metadata.update(_searched(given.get("query")))
        return metadata

    async def _answer(self, request: Request, fault: Fault | None) -> Answer | None:
        """What the call answers, or None where a fault keeps it from being carried out and answered."""
        kind = None if fault is None else fault.kind
        if fault is not None and kind in f.BEFORE:
            return _instead(fault)
        if fault is not None and kind == "slow":
            return await self._slowly(request, fault.seconds or _DEFAULT_SLOWNESS)
        answer = self._carry_out(request, fault)
        if kind == "error_500_after":
            return answers.refusal(server_error())
        return answer.tampered(kind) if kind in f.TAMPERING and kind is not None else answer

    async def _slowly(self, request: Request, seconds: float) -> Answer:
        """Work on a call for a while; its key is in use meanwhile."""
        try:
            if request.key is not None:
                self._gateway.keys.recall(request.key, request.endpoint, fingerprint(request.call.params))
                self._gateway.keys.hold(request.key)
        except StripeError as error:
            return answers.refusal(error)
        try:
            await asyncio.sleep(seconds)
        finally:
            if request.key is not None:
                self._gateway.keys.let_go(request.key)
        return self._carry_out(request, None)

    def _carry_out(self, request: Request, fault: Fault | None) -> Answer:
        """Run a call once per key: the first answer is kept, and is the answer to every repetition."""
        key, params_hash = request.key, fingerprint(request.call.params) if request.key is not None else ""
        try:
            stored = None if key is None else self._gateway.keys.recall(key, request.endpoint, params_hash)
        except StripeError as error:
            return answers.refusal(error)
        if stored is not None:
            return _replayed(stored)
        try:
            with self._gateway.transaction():
                answer, kept = self._run(request, fault)
                if key is not None and kept:
                    request_id = request.call.origin.request_id or ""
                    self._gateway.keys.keep(
                        key, request.endpoint, params_hash, Stored(answer.status, answer.body, request_id)
                    )
        except Exception:
            _logger.exception("%s failed", request.endpoint)
            return answers.refusal(server_error())
        return answer

    def _run(self, request: Request, fault: Fault | None) -> tuple[Answer, bool]:
        stored_500 = fault is not None and fault.kind == "stored_500"
        if fault is not None and stored_500 and not fault.executed:
            return answers.refusal(server_error(retry=False)), True
        try:
            body = request.route.handler(self._gateway, request.call)
            body = expansion.apply(self._gateway, body, request.expand)
            answer, kept = Answer(200, answers.encode(body)), True
        except StripeError as error:
            answer, kept = answers.refusal(error), error.kept
        return (answers.refusal(server_error(retry=False)), True) if stored_500 else (answer, kept)

    async def _reply(
        self, answer: Answer | None, fault: Fault | None, scope: Scope, receive: Receive, send: Send
    ) -> None:
        kind = "" if fault is None else fault.kind
        if answer is None or kind in ("timeout_after", "reset_after"):
            await (reset(scope, receive) if kind.startswith("reset") else self._hanging.hang(scope, receive))
        elif fault is not None and kind == "slow_drip":
            await answers.start(send, answer)
            await drip(send, answer.body, fault.seconds or _DEFAULT_SLOWNESS)
        else:
            await answers.finish(send, answer)


def _searched(query: Any) -> dict[str, str]:
    try:
        return {clause.name: clause.value for clause in search.clauses(query) if clause.metadata}
    except (StripeError, TypeError):
        return {}


def _instead(fault: Fault) -> Answer | None:
    """The answer of a fault that keeps the call from being carried out; None where there is none."""
    match fault.kind:
        case "error_500_before":
            return answers.refusal(server_error())
        case "unavailable_503":
            return answers.refusal(server_error(503))
        case "html_502":
            return answers.gateway_page()
        case "rate_limit_429":
            wait = () if fault.seconds is None else ((b"retry-after", f"{fault.seconds:g}".encode()),)
            return answers.refusal(too_many_requests()).with_headers(wait)
        case _:
            return None


def _replayed(stored: Stored) -> Answer:
    headers = [(b"idempotent-replayed", b"true"), (b"original-request", stored.request_id.encode())]
    if stored.status >= 500 or stored.status == 402:
        headers.append((b"stripe-should-retry", b"false"))
    return Answer(stored.status, stored.body, tuple(headers))


def _common_headers(headers: dict[str, str], request_id: str) -> answers.Headers:
    version = headers.get("stripe-version", API_VERSION)
    found = [(b"request-id", request_id.encode()), (b"stripe-version", version.encode("latin-1"))]
    if "idempotency-key" in headers:
        found.append((b"idempotency-key", headers["idempotency-key"].encode("latin-1")))
    return tuple(found)


async def _read(receive: Receive) -> bytes | None:
    """The whole body, cut off past what is allowed; None when the client went away."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunk = message.get("body", b"")
        size += len(chunk)
        if size <= _LARGEST_BODY + len(chunk):
            chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)
