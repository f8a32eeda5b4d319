"""Takes a request's body in: capped in size, bounded in time, and as JSON without doubt."""

import asyncio
from contextlib import suppress

from starlette.requests import ClientDisconnect, Request

from api.documents import read_document
from api.problems import Problem

LARGEST_BODY = 65_536
BODY_SECONDS = 10.0

# A connection closed with unread bytes is reset, and the reset can overtake the answer. So a little more is read first.
_DRAIN_BYTES = 1_048_576
_DRAIN_SECONDS = 1.0
_CLOSE = {"Connection": "close"}


async def read_body(request: Request) -> bytes:
    """The raw body. Raises Problem: 413 above 64 kB, declared or not; 408 when it is not here within ten seconds."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and (len(declared) > 9 or int(declared) > LARGEST_BODY):
        await _drain(request)
        raise _too_large()
    body, more = bytearray(), True
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while more and len(body) <= LARGEST_BODY:
                part, more = await _part(request)
                body += part
    except TimeoutError:
        detail = f"The body was not complete within {BODY_SECONDS:.0f} seconds."
        raise Problem(408, "body_too_slow", detail, headers=_CLOSE) from None
    if len(body) > LARGEST_BODY:
        if more:
            await _drain(request)
        raise _too_large()
    return bytes(body)


async def _part(request: Request) -> tuple[bytes, bool]:
    message = await request.receive()
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    return message.get("body", b""), message.get("more_body", False)


async def _drain(request: Request) -> None:
    spare, more = _DRAIN_BYTES, True
    with suppress(TimeoutError, ClientDisconnect):
        async with asyncio.timeout(_DRAIN_SECONDS):
            while more and spare > 0:
                part, more = await _part(request)
                spare -= len(part)


def _too_large() -> Problem:
    return Problem(413, "body_too_large", f"The body must not be larger than {LARGEST_BODY} bytes.", headers=_CLOSE)


class StrictRequest(Request):
    """A request whose body is read within limits and whose JSON is read without doubt."""

    async def body(self) -> bytes:
        """The raw body, see `read_body`."""
        if not hasattr(self, "_body"):
            self._body = await read_body(self)
        return self._body

    async def json(self) -> object:
        """The document, see `read_document`. Raises Problem 415 for a body that does not say it is JSON."""
        if not hasattr(self, "_json"):
            self._json = read_document(await self.body())
        return self._json

    async def check_body(self) -> None:
        """Refuse what is no JSON before anything else looks at the request; no body at all is fine."""
        if not await self.body():
            return
        stated = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if stated != "application/json":
            raise Problem(415, "media_type_unsupported", "Send the body as Content-Type: application/json.")
        await self.json()
