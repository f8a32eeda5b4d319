"""One call of any gateway: understand it, let a fault strike, run it once under its idempotency key, answer."""

import asyncio
import logging
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from starlette.types import Receive, Scope, Send

from sandbox import answers
from sandbox import faults as f
from sandbox.answers import Answer, Headers
from sandbox.faults import Fault
from sandbox.gateway import Gateway
from sandbox.refusal import RefusalError
from sandbox.wire import Hanging, drip, reset

_logger = logging.getLogger(__name__)
LARGEST_BODY = 262_144
_DEFAULT_SLOWNESS = 5.0


@dataclass(frozen=True, slots=True)
class Message:
    """A request as it came in.

    `base_url` is how a customer's browser reaches this sandbox, `address` how the caller did; `path` is the whole one.
    """

    method: str
    path: str
    query: bytes
    headers: dict[str, str]
    body: bytes
    base_url: str
    address: str
    request_id: str

    @property
    def too_large(self) -> bool:
        """Whether the body was cut off, because no gateway takes so much."""
        return len(self.body) > LARGEST_BODY


class Understood(Protocol):
    """A request that was understood: which operation it is, and the idempotency key that guards it, if one does."""

    @property
    def operation(self) -> str:
        """The operation's name, as faults know it."""
        ...

    @property
    def key(self) -> str | None:
        """What the answer is kept under."""
        ...


R = TypeVar("R", bound=Understood)
G = TypeVar("G", bound=Gateway)


class Api(ABC, Generic[R, G]):
    """A gateway's API as an ASGI application; the gateway says what its calls mean and what its answers look like."""

    def __init__(self, gateway: G, hanging: Hanging, public_url: str | None) -> None:
        self.gateway = gateway
        self._hanging = hanging
        self._public_url = public_url

    @abstractmethod
    def new_request_id(self) -> str:
        """The id of one request, in the gateway's form."""

    @abstractmethod
    def common_headers(self, message: Message) -> Headers:
        """What every answer carries."""

    @abstractmethod
    def understand(self, message: Message) -> R:
        """Authenticate and parse a request, or raise a RefusalError."""

    @abstractmethod
    def metadata(self, request: R) -> dict[str, str]:
        """What a fault's `match` is compared with."""

    @abstractmethod
    def recall(self, request: R) -> Answer | None:
        """The answer of an earlier call with this key; refuses a key in use and one used for something else."""

    @abstractmethod
    def execute(self, request: R) -> Answer:
        """Do what the call asks, inside a transaction; raises a RefusalError."""

    @abstractmethod
    def keep(self, request: R, answer: Answer) -> None:
        """Store the first answer under the call's key, inside the same transaction."""

    @abstractmethod
    def failure(self, status: int, *, stored: bool = False) -> Answer:
        """How the gateway says 500, 503 or 429; `stored` when the key will repeat it."""

    @abstractmethod
    def tampered(self, answer: Answer, kind: str) -> Answer:
        """The same answer lying about its money; errors are left as they are."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        message = await self._read(scope, receive)
        if message is None:
            return
        extra = self.common_headers(message)
        try:
            request = self.understand(message)
        except RefusalError as error:
            await answers.finish(send, error.answer().with_headers(extra))
            return
        fault = self._strike(request)
        answer = await self._answer(request, fault)
        await self._reply(answer and answer.with_headers(extra), fault, scope, receive, send)

    async def _read(self, scope: Scope, receive: Receive) -> Message | None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        body = await _body(receive)
        if body is None:
            return None
        address = f"{scope['scheme']}://{headers.get('host', 'localhost')}"
        base_url = self._public_url or address
        query = scope["query_string"]
        return Message(scope["method"], scope["path"], query, headers, body, base_url, address, self.new_request_id())

    def _strike(self, request: R) -> Fault | None:
        watch, name = self.gateway.faults, self.gateway.name
        if not watch.watching(request.operation, name):
            return None
        return watch.strike(request.operation, name, self.metadata(request))

    async def _answer(self, request: R, fault: Fault | None) -> Answer | None:
        """What the call answers, or None where a fault keeps it from being carried out and answered."""
        if fault is None:
            return self._carry_out(request, None)
        if fault.kind in f.BEFORE:
            return self._instead(fault)
        if fault.kind == "slow":
            return await self._slowly(request, fault.seconds or _DEFAULT_SLOWNESS)
        answer = self._carry_out(request, fault)
        if fault.kind == "error_500_after":
            return self.failure(500)
        return self.tampered(answer, fault.kind) if fault.kind in f.TAMPERING else answer

    def _instead(self, fault: Fault) -> Answer | None:
        """The answer of a fault that keeps the call from being carried out; None where there is none."""
        match fault.kind:
            case "error_500_before":
                return self.failure(500)
            case "unavailable_503":
                return self.failure(503)
            case "html_502":
                return answers.gateway_page()
            case "rate_limit_429":
                wait = () if fault.seconds is None else ((b"retry-after", f"{fault.seconds:g}".encode()),)
                return self.failure(429).with_headers(wait)
            case _:
                return None

    async def _slowly(self, request: R, seconds: float) -> Answer:
        """Work on a call for a while; its key is in use meanwhile."""
        keys = self.gateway.keys
        if request.key is not None:
            try:
                self.recall(request)
            except RefusalError as error:
                return error.answer()
            keys.hold(request.key)
        try:
            await asyncio.sleep(seconds)
        finally:
            if request.key is not None:
                keys.let_go(request.key)
        return self._carry_out(request, None)

    def _carry_out(self, request: R, fault: Fault | None) -> Answer:
        """Run a call once per key: what the first one did is the answer to every repetition."""
        try:
            repeated = self.recall(request) if request.key is not None else None
            if repeated is not None:
                return repeated
            with self.gateway.transaction():
                answer, kept = self._run(request, fault)
                if request.key is not None and kept:
                    self.keep(request, answer)
        except RefusalError as error:
            return error.answer()
        except Exception:
            _logger.exception("%s failed", request.operation)
            return self.failure(500)
        return answer

    def _run(self, request: R, fault: Fault | None) -> tuple[Answer, bool]:
        stored_500 = fault is not None and fault.kind == "stored_500"
        if fault is not None and stored_500 and not fault.executed:
            return self.failure(500, stored=True), True
        try:
            answer, kept = self.execute(request), True
        except RefusalError as error:
            answer, kept = error.answer(), error.kept
        return (self.failure(500, stored=True), True) if stored_500 else (answer, kept)

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


async def _body(receive: Receive) -> bytes | None:
    """The whole body, cut off past what is allowed; None when the client went away."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunk = message.get("body", b"")
        size += len(chunk)
        if size <= LARGEST_BODY + len(chunk):
            chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)
