"""What goes back over the wire."""

import json
from dataclasses import dataclass, replace
from typing import Any

from starlette.types import Send

Headers = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, a body and the headers that come with it."""

    status: int
    body: bytes
    headers: Headers = ()
    content_type: bytes = b"application/json"

    def with_headers(self, headers: Headers) -> "Answer":
        """The same answer with more headers."""
        return replace(self, headers=self.headers + headers)


def encode(body: Any) -> bytes:
    """JSON as it is sent."""
    return json.dumps(body, separators=(",", ":")).encode()


def gateway_page() -> Answer:
    """What a proxy in front of an API says when it cannot reach it."""
    page = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
    return Answer(502, page, content_type=b"text/html")


async def start(send: Send, answer: Answer) -> None:
    """Send the status line and the headers."""
    headers = [*answer.headers]
    if answer.status != 204:
        headers += [(b"content-type", answer.content_type), (b"content-length", str(len(answer.body)).encode())]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})


async def finish(send: Send, answer: Answer) -> None:
    """Send a whole answer."""
    await start(send, answer)
    await send({"type": "http.response.body", "body": answer.body})
