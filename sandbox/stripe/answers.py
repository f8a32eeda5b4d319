"""What goes back over the wire."""

import json
from dataclasses import dataclass, replace
from typing import Any

from starlette.types import Send

from sandbox.stripe.errors import StripeError

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

    def tampered(self, kind: str) -> "Answer":
        """The same answer lying about its money; errors are left as they are."""
        if self.status != 200:
            return self
        body = json.loads(self.body)
        for item in body["data"] if body.get("object") in ("list", "search_result") else [body]:
            _lie(item, kind)
        return replace(self, body=encode(body))


def encode(body: Any) -> bytes:
    """JSON as it is sent."""
    return json.dumps(body, separators=(",", ":")).encode()


def refusal(error: StripeError) -> Answer:
    """An error as it is sent."""
    retry = () if error.retry is None else ((b"stripe-should-retry", b"true" if error.retry else b"false"),)
    return Answer(error.status, encode({"error": error.error}), retry)


def gateway_page() -> Answer:
    """What a proxy in front of an API says when it cannot reach it."""
    page = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
    return Answer(502, page, content_type=b"text/html")


async def start(send: Send, answer: Answer) -> None:
    """Send the status line and the headers."""
    headers = [
        (b"content-type", answer.content_type),
        (b"content-length", str(len(answer.body)).encode()),
        *answer.headers,
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})


async def finish(send: Send, answer: Answer) -> None:
    """Send a whole answer."""
    await start(send, answer)
    await send({"type": "http.response.body", "body": answer.body})


def _lie(item: dict[str, Any], kind: str) -> None:
    if kind == "livemode_true":
        item["livemode"] = True
    elif kind == "other_currency" and "currency" in item:
        item["currency"] = "eur" if item["currency"] != "eur" else "usd"
    elif kind == "amount_off_by_one":
        for name in ("amount", "amount_received", "amount_captured", "amount_capturable"):
            if item.get(name):
                item[name] += 1
