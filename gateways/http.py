"""One HTTP attempt at a gateway that is called without an SDK: bounded in time, and our errors instead of httpx's."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import httpx

from domain.errors import GatewayUnreachableError, OutcomeUnknownError
from gateways.strict_json import read_strictly

LONGEST_WAIT_SECONDS = 3600.0
Files = Mapping[str, tuple[str | None, bytes, str]]
"""The parts of a multipart form: each has a file name, if any, its bytes and their type."""
_LARGEST_ANSWER = 8 * 1024 * 1024
# Raised before a byte of the request has left.
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


@dataclass(frozen=True)
class HttpAnswer:
    """What came back. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def document(self) -> dict[str, Any]:
        """The JSON object in the body, empty for one that is none."""
        try:
            document = read_strictly(self.body)
        except (ValueError, RecursionError):
            return {}
        return document if isinstance(document, dict) else {}

    def retry_after(self) -> float | None:
        """For how many seconds the gateway asks to wait, if it does."""
        try:
            seconds = float(self.headers.get("retry-after", ""))
        except ValueError:
            return None
        return min(seconds, LONGEST_WAIT_SECONDS) if seconds >= 0 else None


class HttpConnection:
    """Calls to one address, each made once. `name` is the gateway's, for people who read errors.

    Connections belong to the event loop they were opened in, so each loop gets a client of its own at its first call.
    """

    def __init__(self, name: str, base: str, timeout_seconds: float) -> None:
        self._name = name
        self._base = base.rstrip("/")
        self._timeout = timeout_seconds
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient] = WeakKeyDictionary()

    async def send(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        json: Any = None,
        data: Mapping[str, str] | None = None,
        files: Files | None = None,
        params: Mapping[str, str] | None = None,
    ) -> HttpAnswer:
        """Make one call, once, and answer whatever status came back; redirects are not followed.

        Raises GatewayUnreachableError when nothing was sent, OutcomeUnknownError when no whole answer came.
        """
        try:
            # httpx's own time-out counts from byte to byte; a server that drips would never reach it.
            async with asyncio.timeout(self._timeout):
                said = await self._client().request(
                    method, self._base + path, headers=dict(headers), json=json, data=data, files=files, params=params
                )
        except TimeoutError:
            raise OutcomeUnknownError(f"{self._name} gave no answer in {self._timeout:g} s") from None
        except _NOT_SENT as error:
            raise GatewayUnreachableError(f"{self._name} cannot be reached: {type(error).__name__}") from None
        # httpx's exceptions hold the request with the credentials in its headers, so none may travel as the cause.
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise OutcomeUnknownError(f"no answer of {self._name}'s: {type(error).__name__}") from None
        if len(said.content) > _LARGEST_ANSWER:
            raise OutcomeUnknownError(f"{self._name}'s answer is larger than any that is known")
        return HttpAnswer(said.status_code, {n.lower(): v for n, v in said.headers.items()}, said.content)

    async def close(self) -> None:
        """Close the connections of the running loop."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()

    def _client(self) -> httpx.AsyncClient:
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            client = self._clients[loop] = httpx.AsyncClient(
                timeout=self._timeout, follow_redirects=False, trust_env=False
            )
        return client
