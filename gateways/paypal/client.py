"""Calls to PayPal's API: one attempt each, with the shared token, in a bounded time, and our errors."""

import asyncio
import json
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from domain.errors import GatewayError, GatewayUnreachableError, OutcomeUnknownError
from gateways.http import Files, HttpAnswer, HttpConnection
from gateways.paypal.errors import read_error
from gateways.paypal.options import PayPalOptions
from gateways.paypal.scrub import Scrubber
from gateways.paypal.tokens import Tokens

Object = Mapping[str, Any]


@dataclass
class _Operation:
    """One operation of ours under way: until when its calls may take, and whether PayPal has done what was asked."""

    until: float
    done: bool = False


_operation: ContextVar[_Operation | None] = ContextVar("paypal_operation", default=None)


@dataclass(frozen=True)
class Said:
    """A success: its status, and the object in its body, empty where there is none."""

    status: int
    object: Object


class PayPalConnection:
    """Calls to one PayPal account."""

    def __init__(self, options: PayPalOptions) -> None:
        self._timeout = options.timeout_seconds
        self._scrub = Scrubber(options.client_id, options.client_secret)
        self._http = HttpConnection("PayPal", options.api_base, options.timeout_seconds)
        self._tokens = Tokens(options, self._http, self._scrub)

    @contextmanager
    def one_operation(self) -> Iterator[None]:
        """The calls within share one time limit: reading, doing and reading again take no longer than one call may.

        Once PayPal has done what was asked, nothing that goes wrong with reading it may say that it did not.
        """
        operation = _Operation(asyncio.get_running_loop().time() + self._timeout)
        mark = _operation.set(operation)
        try:
            yield
        except GatewayError as error:
            if operation.done and not isinstance(error, OutcomeUnknownError):
                raise OutcomeUnknownError(f"PayPal did it, and what it made cannot be read: {error}") from None
            raise
        finally:
            _operation.reset(mark)

    async def send(self, path: str, body: Object | None, key: str) -> Said:
        """POST once under this request id. Raises GatewayError, or RefusalError when PayPal refuses the content."""
        headers = {"PayPal-Request-Id": key, "Prefer": "return=representation"}
        return await self._done(self._call("POST", path, headers, body=body))

    async def submit(self, path: str, document: Object, key: str) -> Said:
        """POST a document as the `input` of a multipart form, which some calls take alone. Raises as `send` does."""
        part = (None, json.dumps(document).encode(), "application/json")
        return await self._done(self._call("POST", path, {"PayPal-Request-Id": key}, files={"input": part}))

    async def read(self, path: str, params: Mapping[str, str] | None = None) -> Object:
        """GET once. Raises as `send` does."""
        said = await self._call("GET", path, {}, params=params)
        if not said.object:
            raise OutcomeUnknownError("PayPal's answer is no object")
        return said.object

    async def close(self) -> None:
        """Close the connections of the running loop."""
        await self._tokens.close()
        await self._http.close()

    async def _done(self, call: Coroutine[None, None, Said]) -> Said:
        said = await call
        if operation := _operation.get():
            operation.done = True
        return said

    async def _call(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: Object | None = None,
        files: Files | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Said:
        asked = False

        async def attempt(token: str) -> HttpAnswer:
            nonlocal asked
            asked = True
            named = {"Authorization": f"Bearer {token}", "Accept": "application/json", **headers}
            if method == "POST" and files is None:
                # PayPal wants the type also where nothing is to be said.
                named["Content-Type"] = "application/json"
            return await self._http.send(method, path, headers=named, json=body, files=files, params=params)

        try:
            async with asyncio.timeout_at(self._until()):
                token = await self._tokens.current()
                answer = await attempt(token)
                if answer.status == 401:
                    # A 401 did nothing, so the same call may go out again with a token that PayPal knows.
                    asked = False
                    answer = await attempt(await self._tokens.instead_of(token))
        except TimeoutError:
            if not asked:
                raise GatewayUnreachableError(f"PayPal gave no token in {self._timeout:g} s") from None
            raise OutcomeUnknownError(f"PayPal gave no answer in {self._timeout:g} s") from None
        return self._understood(answer)

    def _understood(self, answer: HttpAnswer) -> Said:
        if answer.status not in (200, 201, 204):
            raise read_error(answer, self._scrub) from None
        document = answer.document()
        if not document and answer.status != 204:
            raise OutcomeUnknownError(f"PayPal's answer is no object (HTTP {answer.status})")
        return Said(answer.status, document)

    def _until(self) -> float:
        operation = _operation.get()
        return operation.until if operation else asyncio.get_running_loop().time() + self._timeout
