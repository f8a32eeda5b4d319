"""One HTTP call to a URL that a stranger chose, which must not become a call to anything of ours.

The host is resolved once, each of its addresses is judged, and the connection goes to an address that was judged, never
to a name. What comes back is read within bounds of time and size. Redirects are answers like any other; there are no
proxies, no cookies, no compression, nothing of the environment, and no connection is used twice.
"""

import asyncio
import re
import ssl
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import httpcore
import httpx

from activities.resolving import Resolve, Resolver
from domain.addresses import why_forbidden
from domain.errors import PaysagaError
from domain.outbound import Target, read_url

LONGEST_TEXT: Final = 1024
"""How many bytes of an answer's body are read at most."""
_LARGEST_HEAD = 16 * 1024
_CONNECT_SECONDS = 5.0
# Whoever has sent a status has answered; the rest is for people who look for a fault, and worth no long wait.
_BODY_SECONDS = 2.0
# A name with more addresses is no worse reached by trying some of them.
_ADDRESSES_TRIED = 3
_PIECE = 4096


class UnreachableError(PaysagaError):
    """No answer came. `code` says why in one word: dns, refused_address, connect, tls, timeout, too_large, protocol."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Answered:
    """What came back. `retry_after` is in seconds; `text` is the body's beginning, without control characters."""

    status: int
    retry_after: int | None
    text: str


class Outbound:
    """Calls to URLs of strangers. `timeout` bounds a whole call, in seconds.

    In development, plain http and this machine may be called too. `resolve`, `network` and `trust` are for tests.
    """

    def __init__(
        self,
        development: bool,
        timeout: float,
        resolve: Resolve | None = None,
        network: httpcore.AsyncNetworkBackend | None = None,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self._development, self._timeout = development, timeout
        self._resolver = Resolver()
        self._resolve = resolve or self._resolver.resolve
        self._network = network or httpcore.AnyIOBackend()
        self._trust = trust or httpx.create_ssl_context(trust_env=False)
        self._trust.set_alpn_protocols(["http/1.1"])

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answered:
        """Send the body to the URL, once. Raises ForbiddenUrlError, UnreachableError."""
        target = read_url(url, self._development)
        deadline = asyncio.get_running_loop().time() + self._timeout
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout_at(deadline):
                    stream = _Metered(await self._open(target, stack), _LARGEST_HEAD)
                    response = await _exchange(stream, target, headers, body)
            except TimeoutError:
                raise UnreachableError("timeout", f"no answer within {self._timeout:g} s") from None
            stream.allow(LONGEST_TEXT)
            return await _answered(response, deadline)

    async def aclose(self) -> None:
        """Give back what looks names up; calls under way lose it."""
        self._resolver.close()

    async def _addresses(self, target: Target) -> list[str]:
        """Where the host is. One forbidden address among others is a host that plays games: none is called."""
        try:
            addresses = list(dict.fromkeys(await self._resolve(target.host, target.port)))
        except OSError as error:
            raise UnreachableError("dns", f"{target.host} cannot be resolved: {error}") from error
        if not addresses:
            raise UnreachableError("dns", f"{target.host} has no address")
        for address in addresses:
            why = why_forbidden(address, self._development)
            if why is not None:
                # Which address it is stays here: the message may be shown to who asks what our name servers know.
                raise UnreachableError("refused_address", f"{target.host} is at an address that is not called: {why}")
        return addresses

    async def _open(self, target: Target, stack: AsyncExitStack) -> httpcore.AsyncNetworkStream:
        stream = await self._connect(target, await self._addresses(target))
        stack.push_async_callback(stream.aclose)
        if not target.is_secure:
            return stream
        try:
            # For the name in the URL, whichever address the connection went to.
            return await stream.start_tls(self._trust, server_hostname=target.host)
        except (httpcore.NetworkError, OSError) as error:
            raise UnreachableError("tls", f"no TLS with {target.host}: {error}") from error

    async def _connect(self, target: Target, addresses: Sequence[str]) -> httpcore.AsyncNetworkStream:
        last: Exception | None = None
        for address in addresses[:_ADDRESSES_TRIED]:
            try:
                return await self._network.connect_tcp(address, target.port, timeout=_CONNECT_SECONDS)
            except (httpcore.NetworkError, httpcore.TimeoutException) as error:
                last = error
        raise UnreachableError("connect", f"no connection to {target.authority}: {last}")


class _TooLargeError(Exception):
    """More came than is read."""


class _Metered(httpcore.AsyncNetworkStream):
    """A stream of which no more than so many bytes are read, in however many pieces they come."""

    def __init__(self, stream: httpcore.AsyncNetworkStream, limit: int) -> None:
        self._stream = stream
        self._left = limit

    def allow(self, limit: int) -> None:
        """Let so many bytes more be read from now on."""
        self._left = limit

    # The signatures are httpcore's.
    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        if not self._left:
            raise _TooLargeError
        data = await self._stream.read(min(max_bytes, _PIECE, self._left), timeout)
        self._left -= len(data)
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()


async def _exchange(
    stream: httpcore.AsyncNetworkStream, target: Target, headers: Mapping[str, str], body: bytes
) -> httpcore.Response:
    """Send the request and read the answer's head."""
    origin = httpcore.Origin(target.scheme.encode(), target.host.encode(), target.port)
    url = httpcore.URL(scheme=origin.scheme, host=origin.host, port=origin.port, target=target.path.encode())
    ours = {
        "host": target.authority,
        "content-length": str(len(body)),
        "accept-encoding": "identity",
        "connection": "close",
    }
    request = httpcore.Request("POST", url, headers=[*ours.items(), *headers.items()], content=body)
    try:
        return await httpcore.AsyncHTTP11Connection(origin, stream).handle_async_request(request)
    except _TooLargeError:
        raise UnreachableError("too_large", f"the answer's head is larger than {_LARGEST_HEAD} bytes") from None
    except (httpcore.RemoteProtocolError, httpcore.NetworkError) as error:
        raise UnreachableError("protocol", f"no HTTP/1.1 answer came: {error}") from error


async def _answered(response: httpcore.Response, deadline: float) -> Answered:
    told = {name.lower(): value.decode("latin-1") for name, value in response.headers}
    # We ask for no compression. What comes compressed all the same is not unpacked.
    plain = told.get(b"content-encoding", "identity") == "identity"
    text = _shown(await _beginning(response, deadline)) if plain else ""
    return Answered(response.status, _seconds(told.get(b"retry-after", "")), text)


async def _beginning(response: httpcore.Response, deadline: float) -> bytes:
    """As much of the body as comes in time and is read; how it ends matters to nobody."""
    read = bytearray()
    last = min(deadline, asyncio.get_running_loop().time() + _BODY_SECONDS)
    with suppress(TimeoutError, _TooLargeError, httpcore.RemoteProtocolError, httpcore.NetworkError):
        async with asyncio.timeout_at(last):
            async for piece in response.aiter_stream():
                read += piece
    return bytes(read[:LONGEST_TEXT])


def _shown(body: bytes) -> str:
    """Text that a database and a terminal take: a stranger's control characters are neither stored nor printed."""
    text = body.decode("utf-8", errors="replace")
    return "".join(mark if mark.isprintable() or mark in "\n\t" else "\N{REPLACEMENT CHARACTER}" for mark in text)


def _seconds(retry_after: str) -> int | None:
    """For how long the receiver asks to be left alone: a count of seconds or a date (RFC 9110, 10.2.3)."""
    if re.fullmatch(r"[0-9]{1,9}", retry_after, re.ASCII):
        return int(retry_after)
    try:
        moment = parsedate_to_datetime(retry_after)
        return max(0, round((moment - datetime.now(UTC)).total_seconds()))
    except (ValueError, TypeError, OverflowError):
        # Neither, or a date without a time zone: as if nothing had been said.
        return None
