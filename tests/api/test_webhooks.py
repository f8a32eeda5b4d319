"""Webhooks over HTTP: what is not proven is not stored, what is answered 200 is."""

import asyncio
import hashlib
import hmac
import json
import secrets
import time
from typing import Any

import httpx
import pytest

from .conftest import OLD_WEBHOOK_SECRET, WEBHOOK_SECRET, Api
from .raw import answer_to


def event(**changes: Any) -> dict[str, Any]:
    """A payment intent's event as Stripe sends it."""
    intent = {"id": f"pi_{secrets.token_hex(8)}", "object": "payment_intent", "metadata": {"checkout_id": "chk_x"}}
    return {
        "id": f"evt_{secrets.token_hex(8)}",
        "object": "event",
        "type": "payment_intent.succeeded",
        "created": int(time.time()),
        "livemode": False,
        "data": {"object": intent},
    } | changes


def signature(body: bytes, secret: str = WEBHOOK_SECRET, at: float | None = None) -> str:
    """The one `v1` that fits."""
    stamp = str(int(time.time() if at is None else at)).encode()
    return hmac.new(secret.encode(), stamp + b"." + body, hashlib.sha256).hexdigest()


def signed(body: bytes, secret: str = WEBHOOK_SECRET, at: float | None = None) -> dict[str, str]:
    """The header Stripe would send."""
    moment = time.time() if at is None else at
    return {"Stripe-Signature": f"t={int(moment)},v1={signature(body, secret, moment)}"}


async def deliver(api: Api, body: bytes, headers: Any) -> httpx.Response:
    """POST it as Stripe does: without an API key."""
    return await api.stranger.post("/webhooks/stripe", content=body, headers=headers)


async def stored(api: Api, sent: dict[str, Any]) -> dict[str, Any] | None:
    """The inbox's row of the event."""
    return await api.services.inbox.get("stripe", str(sent["id"]))


@pytest.mark.parametrize("secret", [WEBHOOK_SECRET, OLD_WEBHOOK_SECRET])
async def test_a_genuine_event_is_stored_as_it_came(api: Api, secret: str) -> None:
    """200 after the commit: raw body, the headers that prove it, and what it is about; with either active secret."""
    sent = event()
    body = json.dumps(sent, indent=2).encode()
    response = await deliver(api, body, signed(body, secret) | {"User-Agent": "Stripe/1.0", "X-Other": "no"})
    assert (response.status_code, response.json()) == (200, {"received": True})
    row = await stored(api, sent)
    assert row is not None
    assert (row["body"], row["type"], row["payment_id"]) == (body, sent["type"], sent["data"]["object"]["id"])
    assert set(row["headers"]) == {"stripe-signature", "user-agent"}
    assert (row["verified"], row["relevant"], row["processed_at"]) == (True, True, None)


FORGED: dict[str, Any] = {
    "no header": lambda b: {},
    "empty": lambda b: {"Stripe-Signature": ""},
    "v0 only": lambda b: {"Stripe-Signature": f"t={int(time.time())},v0={signature(b)}"},
    "wrong secret": lambda b: signed(b, "whsec_wrong"),
    "empty secret": lambda b: signed(b, ""),
    "BOM": lambda b: signed(b"\xef\xbb\xbf" + b),
    "CRLF": lambda b: signed(b + b"\r\n"),
    "re-serialised": lambda b: signed(json.dumps(json.loads(b), separators=(",", ":")).encode()),
    "truncated": lambda b: {"Stripe-Signature": f"t={int(time.time())},v1={signature(b)[:-1]}"},
    "upper case": lambda b: {"Stripe-Signature": f"t={int(time.time())},v1={signature(b).upper()}"},
    "non-ASCII": lambda b: {b"Stripe-Signature": f"t={int(time.time())},v1={signature(b)}".encode() + b"\xe9"},
    "ten thousand v1": lambda b: {"Stripe-Signature": f"t={int(time.time())}" + f",v1={'0' * 64}" * 800},
    "64 kB": lambda b: {"Stripe-Signature": f"t={int(time.time())},v1=" + "0" * 65_536},
    "two t": lambda b: {"Stripe-Signature": f"t=1,{signed(b)['Stripe-Signature']}"},
    "two headers": lambda b: [("Stripe-Signature", signed(b)["Stripe-Signature"])] * 2,
    "negative t": lambda b: {"Stripe-Signature": f"t=-5,v1={signature(b, at=-5)}"},
    "float t": lambda b: {"Stripe-Signature": f"t={time.time()},v1={signature(b)}"},
    "31 years ahead": lambda b: signed(b, at=time.time() + 31 * 365 * 86_400),
    "302 s ahead": lambda b: signed(b, at=time.time() + 302),
    "301 s old": lambda b: signed(b, at=time.time() - 301),
}


@pytest.mark.parametrize("case", FORGED)
async def test_what_is_not_proven_is_not_stored(api: Api, case: str) -> None:
    """Any doubt about the signature is 400, and nothing is written."""
    sent = event()
    body = json.dumps(sent, indent=1).encode()
    response = await deliver(api, body, FORGED[case](body))
    assert (response.status_code, response.json()["code"]) == (400, "not_authentic")
    assert await stored(api, sent) is None


async def test_ten_thousand_signatures_are_not_hashed(api: Api) -> None:
    """A header of ten thousand signatures is refused, by us or by the server, and costs next to nothing."""
    body = json.dumps(event()).encode()
    started = time.perf_counter()
    response = await deliver(api, body, {"Stripe-Signature": f"t={int(time.time())}" + f",v1={'0' * 64}" * 10_000})
    assert 400 <= response.status_code < 500
    assert time.perf_counter() - started < 5


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'{"id":"evt_1"}',
        b"[" * 30_000,
        b'{"id":"evt_1","object":"event","type":"x","created":NaN,"livemode":false,"data":{"object":{}}}',
        b'{"id":"evt_1","id":"evt_2","object":"event","type":"x","created":1,"livemode":false,"data":{"object":{}}}',
        b'{"id":"evt_\\u0000","object":"event","type":"x","created":1,"livemode":false,"data":{"object":{}}}',
        b'{"id":"evt_\\ud800","object":"event","type":"x","created":1,"livemode":false,"data":{"object":{}}}',
        b'{"id":true,"object":"event","type":"x","created":1,"livemode":false,"data":{"object":{}}}',
        b"\xff\xfe",
    ],
)
async def test_a_signed_body_that_cannot_be_read_is_refused(api: Api, body: bytes) -> None:
    """A good signature over nonsense is still 400, never 500."""
    assert (await deliver(api, body, signed(body))).status_code == 400


async def test_the_same_event_a_hundred_times_is_stored_once(api: Api) -> None:
    """Repeated deliveries, also at once and with another body under the same id, leave the first as it is."""
    sent = event()
    body = json.dumps(sent).encode()
    first = await deliver(api, body, signed(body))
    other = json.dumps(sent | {"created": 1}).encode()
    responses = await asyncio.gather(*(deliver(api, b, signed(b)) for b in [body] * 98 + [other]))
    assert {r.status_code for r in [first, *responses]} == {200}
    row = await stored(api, sent)
    assert row is not None
    assert row["body"] == body


async def test_events_of_the_other_mode_are_kept_and_not_acted_on(api: Api) -> None:
    """A live event at a test account is evidence, not news."""
    sent = event(livemode=True)
    body = json.dumps(sent).encode()
    assert (await deliver(api, body, signed(body))).status_code == 200
    row = await stored(api, sent)
    assert row is not None
    assert (row["live"], row["relevant"]) == (True, False)


async def test_unknown_event_types_are_acknowledged(api: Api) -> None:
    """What we do not act on is kept too, so that the gateway stops sending it."""
    sent = event(type="customer.created")
    body = json.dumps(sent).encode()
    assert (await deliver(api, body, signed(body))).status_code == 200
    row = await stored(api, sent)
    assert row is not None
    assert row["relevant"] is False


@pytest.mark.parametrize("gateway", ["nobody", "Stripe", "%00", "a" * 5000, "stripe%2F"])
async def test_an_unknown_gateway_is_not_found(api: Api, gateway: str) -> None:
    """404, whatever the name."""
    response = await api.client.post(f"/webhooks/{gateway}", content=b"{}")
    assert (response.status_code, response.headers["content-type"]) == (404, "application/problem+json")


@pytest.mark.parametrize("size", [65_537, 500_000, 5_000_000])
async def test_a_large_body_is_refused(api: Api, size: int) -> None:
    """Over 64 kB is 413 and nothing is stored, whether the size is declared or not."""
    body = b" " * size

    async def chunks() -> Any:
        for start in range(0, size, 65_536):
            yield body[start : start + 65_536]

    if size < 1_000_000:
        assert (await deliver(api, body, signed(body))).status_code == 413
        assert (await deliver(api, chunks(), signed(body))).status_code == 413  # type: ignore[arg-type]
    else:
        head = f"POST /webhooks/stripe HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n"
        assert (await answer_to(api.url, head.encode())).startswith(b"HTTP/1.1 413")


async def test_the_largest_body_is_taken(api: Api) -> None:
    """64 kB exactly is fine."""
    sent = event()
    body = json.dumps(sent).encode()
    body += b" " * (65_536 - len(body))
    assert (await deliver(api, body, signed(body))).status_code == 200


async def test_endless_chunks_end(api: Api) -> None:
    """A body that never ends is answered 413 and the connection is closed."""
    head = b"POST /webhooks/stripe HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = await answer_to(api.url, head, b"8000\r\n" + b"x" * 0x8000 + b"\r\n", repeat=64)
    assert answer.startswith(b"HTTP/1.1 413")


async def test_a_slow_body_is_given_up(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body that is not here in time is 408, and the connection is closed."""
    monkeypatch.setattr("api.intake.BODY_SECONDS", 0.3)
    head = b"POST /webhooks/stripe HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{"
    answer = await answer_to(api.url, head)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"connection: close" in answer.lower()
