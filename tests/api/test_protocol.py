"""Connections that are slow, endless or no HTTP at all do not stay."""

import json
import time

import pytest

from api.intake import BODY_SECONDS
from api.protocol import BoundedProtocol

from .conftest import Api
from .raw import answer_to


def problem(answer: bytes) -> tuple[int, str]:
    """Status and code of a raw answer."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    assert b"connection: close" in head.lower()
    return int(head.split()[1]), json.loads(body)["code"]


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: "])
async def test_a_slow_head_is_given_up(api: Api, monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    """Headers that are not complete in time, or never begin, are answered 408 and the connection is closed."""
    monkeypatch.setattr("api.protocol.HEAD_SECONDS", 0.2)
    assert problem(await answer_to(api.url, sent)) == (408, "head_too_slow")


async def test_the_second_request_of_a_connection_has_its_own_time(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection kept open after an answer waits for the next head as it did for the first."""
    monkeypatch.setattr("api.protocol.HEAD_SECONDS", 0.2)
    answer = await answer_to(api.url, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HT")
    first, _, second = answer.partition(b'{"status":"ok"}')
    assert first.startswith(b"HTTP/1.1 200")
    assert problem(second) == (408, "head_too_slow")


async def test_endless_headers_end(api: Api) -> None:
    """Headers beyond 256 kB are answered 431, not collected."""
    answer = await answer_to(api.url, b"GET /healthz HTTP/1.1\r\n", b"X-More: " + b"x" * 8000 + b"\r\n", repeat=100)
    assert problem(answer) == (431, "head_too_large")


async def test_trailers_are_not_collected(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """What follows a chunked body is read by nobody, so it is kept nowhere; the request is answered as without it."""
    kept: list[int] = []
    seen = BoundedProtocol.on_message_complete

    def counted(protocol: BoundedProtocol) -> None:
        kept.append(len(protocol.headers))
        seen(protocol)

    monkeypatch.setattr(BoundedProtocol, "on_message_complete", counted)
    head = b"POST /webhooks/nobody HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = await answer_to(api.url, head + b"2\r\n{}\r\n0\r\n" + b"X-More: y\r\n" * 500 + b"\r\n")
    assert problem(answer) == (404, "gateway_not_found")
    assert kept == [3]


async def test_an_endless_trailer_ends(api: Api) -> None:
    """One trailer that goes on for ever is not gathered until the body's time is over: the connection is closed."""
    head = b"POST /webhooks/stripe HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX-More: "
    started = time.monotonic()
    assert await answer_to(api.url, head, b"y" * 65_536, repeat=200) == b""
    assert time.monotonic() - started < BODY_SECONDS / 2


async def test_a_connection_may_carry_much_in_many_requests(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound is one message's, not the connection's."""
    monkeypatch.setattr("api.protocol.LARGEST_MESSAGE", 20_000)
    for _ in range(10):
        assert (await api.create(metadata={"note": "x" * 500})).status_code == 201
        assert (await api.stranger.post("/webhooks/nobody", content=b" " * 15_000)).status_code == 404


@pytest.mark.parametrize(
    "sent", [b"\x16\x03\x01\x02\x00\r\n\r\n", b"NONSENSE\r\n\r\n", b"GET \xff HTTP/1.1\r\nHost: x\r\n\r\n"]
)
async def test_what_is_no_http_is_refused(api: Api, sent: bytes) -> None:
    """Bytes that are no request get a problem document as well."""
    assert problem(await answer_to(api.url, sent)) == (400, "malformed_request")


@pytest.mark.parametrize("host", [b"[", b"[::1", b"a b", b"\xff", b"x:99999999", b"x" * 60_000])
@pytest.mark.parametrize(
    "path", [b"/v1/checkouts", b"/healthz", b"/openapi.json", b"/nowhere/", b"//", b"/%", b"/?%=%"]
)
async def test_a_host_that_makes_no_sense_breaks_nothing(api: Api, host: bytes, path: bytes) -> None:
    """The Host header is the client's to invent; no address is built from it."""
    secret = api.secret.encode()
    head = b"GET " + path + b" HTTP/1.1\r\nHost: " + host + b"\r\nAuthorization: Bearer " + secret
    status = int((await answer_to(api.url, head + b"\r\nConnection: close\r\n\r\n")).split()[1])
    assert status < 500


async def test_a_long_work_is_not_cut(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time for the head ends with the head: an answer may take longer."""
    monkeypatch.setattr("api.protocol.HEAD_SECONDS", 0.6)
    api.sagas.pause = 1
    assert (await api.create()).status_code == 201
