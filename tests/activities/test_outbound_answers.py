"""What strangers' servers answer, slowly, endlessly or falsely, and what we read of it."""

import asyncio
import gzip
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from activities.outbound import LONGEST_TEXT, Answered, Outbound, UnreachableError
from tests.activities.receivers import (
    PLAIN_OK,
    Behaviour,
    Names,
    saying,
    server,
)


@asynccontextmanager
async def outbound(within: float = 15.0, **parts: object) -> AsyncIterator[Outbound]:
    """What is tested, as in development, so that servers of this machine can be called."""
    client = Outbound(True, within, **parts)  # type: ignore[arg-type]
    yield client
    await client.aclose()


async def answered(behaviour: Behaviour, within: float = 15.0) -> Answered:
    """Call a server that behaves so."""
    async with server(behaviour) as there, outbound(within) as client:
        answer = await client.post(f"http://127.0.0.1:{there.port}/hook", {}, b"{}")
        await asyncio.wait_for(there.closed.wait(), 15)
        return answer


async def failed(behaviour: Behaviour, within: float = 15.0) -> str:
    """The code of what a call to a server that behaves so ends with."""
    with pytest.raises(UnreachableError) as error:
        await answered(behaviour, within)
    return error.value.code


async def test_the_request_is_the_callers() -> None:
    """Method, path with its query, host, headers and body arrive as they were given; the answer comes back."""
    async with server(saying(PLAIN_OK)) as there, outbound() as client:
        url = f"http://127.0.0.1:{there.port}/hooks/a%20b?shop=1&x=%C3%A4"
        answer = await client.post(url, {"webhook-id": "e-1", "content-type": "application/json"}, b'{"a":1}')
    assert answer == Answered(200, None, "ok")
    head, _, body = there.requests[0].partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    assert first == "POST /hooks/a%20b?shop=1&x=%C3%A4 HTTP/1.1"
    assert body == b'{"a":1}'
    headers = {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in lines}
    assert headers == {
        "host": f"127.0.0.1:{there.port}",
        "content-length": "7",
        "content-type": "application/json",
        "webhook-id": "e-1",
        "accept-encoding": "identity",
        "connection": "close",
    }


@pytest.mark.parametrize("status", [200, 204, 400, 404, 410, 429, 500, 503])
async def test_every_status_is_an_answer(status: int) -> None:
    """What a status means is for the caller to say."""
    assert (await answered(saying(f"HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n".encode()))).status == status


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("120", 120), ("0", 0), ("-1", None), ("1.5", None), ("9" * 5000, None), ("soon", None), ("٣", None)],
)
async def test_retry_after_in_seconds(said: str, seconds: int | None) -> None:
    """A whole number of seconds is read; what is none counts as nothing said."""
    head = f"HTTP/1.1 503 Busy\r\nretry-after: {said}\r\ncontent-length: 0\r\n\r\n"
    assert (await answered(saying(head.encode()))).retry_after == seconds


async def test_retry_after_as_a_date() -> None:
    """A date is read as how long it is until then, never below zero."""
    for until, low, high in ((timedelta(minutes=5), 295, 300), (timedelta(minutes=-5), 0, 0)):
        date = format_datetime(datetime.now(UTC) + until, usegmt=True)
        answer = await answered(saying(f"HTTP/1.1 429 X\r\nretry-after: {date}\r\ncontent-length: 0\r\n\r\n".encode()))
        assert answer.retry_after is not None
        assert low <= answer.retry_after <= high


async def test_a_silent_server_is_left() -> None:
    """A server that takes the request and says nothing costs the time-out and no more, and is hung up on."""
    heard = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        assert await reader.read() == b""
        heard.set()

    started = time.monotonic()
    assert await failed(silent, within=0.5) == "timeout"
    assert 0.5 <= time.monotonic() - started < 5
    await asyncio.wait_for(heard.wait(), 10)


async def test_a_head_that_drips_is_left() -> None:
    """A byte now and then does not prolong the time-out."""

    async def drips(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for byte in b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 1000:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.02)

    started = time.monotonic()
    assert await failed(drips, within=0.5) == "timeout"
    assert time.monotonic() - started < 5


async def test_a_body_that_never_ends_costs_little() -> None:
    """The status has come: of the body the beginning is read, then the connection is dropped."""
    sent = 0

    async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + b"a" * 0x10000 + b"\r\n")
            sent += 0x10000
            await writer.drain()

    answer = await answered(endless)
    assert (answer.status, answer.text) == (200, "a" * LONGEST_TEXT)
    # What the sockets' buffers take, which is not what we read.
    assert sent < 16 * 1024 * 1024


async def test_a_body_that_hangs_is_not_waited_for() -> None:
    """A receiver that has said 200 has taken the delivery, whatever becomes of its body."""

    async def hangs(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nbegun")
        await reader.read()

    started = time.monotonic()
    assert await answered(hangs, within=0.5) == Answered(200, None, "begun")
    assert time.monotonic() - started < 1.9


async def test_a_body_that_breaks_is_what_came() -> None:
    """A connection that ends early costs the rest of the text only."""
    cut = b"HTTP/1.1 202 OK\r\ncontent-length: 100\r\n\r\nhalf"
    assert await answered(saying(cut)) == Answered(202, None, "half")


@pytest.mark.parametrize("head", [b"x: " + b"y" * 65536, b"x: y\r\n" * 20000], ids=["one", "many"])
async def test_huge_heads_are_left(head: bytes) -> None:
    """Neither one header nor many make us read without end."""
    assert await failed(saying(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n")) == "too_large"


async def test_interim_answers_without_end_are_left() -> None:
    """A server that goes on announcing its answer is no way around the limit."""
    assert await failed(saying(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 5000)) == "too_large"


async def test_a_compressed_bomb_is_not_unpacked() -> None:
    """Compression that was not asked for is not read as text, and never unpacked."""
    bomb = gzip.compress(b"a" * 50_000_000)
    head = f"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {len(bomb)}\r\n\r\n".encode()
    assert await answered(saying(head + bomb)) == Answered(200, None, "")


async def test_text_holds_nothing_that_harms() -> None:
    """Control characters, broken UTF-8 and NUL come out as replacement characters; ordinary text stays."""
    body = b"caf\xc3\xa9\n\x00\x1b[31m\xff\x7f"
    head = f"HTTP/1.1 400 Bad\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    assert (await answered(saying(head + body))).text == "café\n��[31m��"


@pytest.mark.parametrize("said", [b"", b"SSH-2.0-OpenSSH_9.6\r\n\r\n", b"HTTP/9.9 what\r\n\r\n", b"\x00" * 100])
async def test_what_is_no_http_is_no_answer(said: bytes) -> None:
    """A server of another protocol, or one that hangs up, has taken nothing."""
    assert await failed(saying(said)) == "protocol"


async def test_nobody_there() -> None:
    """A closed port and a name without addresses are told apart."""
    async with server(saying(PLAIN_OK)) as there:
        pass
    async with outbound(resolve=Names([["127.0.0.1"], []])) as client:
        for code in ("connect", "dns"):
            with pytest.raises(UnreachableError) as error:
                await client.post(f"http://hooks.example:{there.port}/", {}, b"x")
            assert error.value.code == code


async def test_a_name_that_does_not_exist() -> None:
    """The system's own resolver says so."""
    async with outbound() as client:
        with pytest.raises(UnreachableError) as error:
            await client.post("https://nowhere.invalid/", {}, b"x")
    assert error.value.code == "dns"
