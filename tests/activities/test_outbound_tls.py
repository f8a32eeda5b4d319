"""TLS to strangers' servers: for the name in the URL, at an address that was judged, or nothing is sent."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from activities.outbound import Answered, Outbound, UnreachableError
from tests.activities.receivers import PLAIN_OK, Authority, Names, Server, Wires, saying, self_signed, server
from tests.activities.test_outbound_answers import outbound

PUBLIC = ("93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c")


@pytest.fixture(scope="module")
def authority() -> Authority:
    """Who signs the certificates here."""
    return Authority.made()


@asynccontextmanager
async def secured(identity: ssl.SSLContext) -> AsyncIterator[Server]:
    """A server with this identity."""
    async with server(saying(PLAIN_OK), identity) as there:
        yield there


async def test_a_call_as_in_production(authority: Authority, tmp_path: Path) -> None:
    """https to a public address: TLS for the name in the URL, at the address that was judged."""
    wires = Wires(public=frozenset(PUBLIC))
    async with secured(authority.identity(tmp_path, "hooks.example")) as there:
        client = Outbound(False, 15.0, Names([list(PUBLIC)]), wires, authority.trust())
        answer = await client.post(f"https://hooks.example:{there.port}/", {}, b"x")
        await client.aclose()
    assert answer == Answered(200, None, "ok")
    assert (there.names, wires.connected) == (["hooks.example"], [PUBLIC[0]])
    assert f"host: hooks.example:{there.port}".encode() in there.requests[0].lower()


async def test_the_next_address_is_tried(authority: Authority, tmp_path: Path) -> None:
    """A host of which one address is down is reached at its other one; no more than three are tried."""
    wires = Wires(public=frozenset((PUBLIC[0],)))
    async with secured(authority.identity(tmp_path, "hooks.example")) as there:
        for answers, tried in ((["127.0.0.9", PUBLIC[0]], 2), ([f"127.0.0.{n}" for n in range(2, 9)], 3)):
            wires.connected.clear()
            client = Outbound(True, 15.0, Names([answers]), wires, authority.trust())
            if PUBLIC[0] in answers:
                assert (await client.post(f"https://hooks.example:{there.port}/", {}, b"x")).status == 200
            else:
                with pytest.raises(UnreachableError):
                    await client.post(f"https://hooks.example:{there.port}/", {}, b"x")
            await client.aclose()
            assert len(wires.connected) == tried


async def refusal(identity: ssl.SSLContext, trust: ssl.SSLContext | None, addresses: Sequence[str]) -> str:
    """How a call to hooks.example ends at a server with this identity, and that it got no request."""
    async with secured(identity) as there:
        client = Outbound(True, 15.0, Names([list(addresses)]), trust=trust)
        with pytest.raises(UnreachableError) as error:
            await client.post(f"https://hooks.example:{there.port}/", {"webhook-signature": "v1,x"}, b"secret")
        await client.aclose()
    assert there.requests == []
    return error.value.code


async def test_a_certificate_for_another_name(authority: Authority, tmp_path: Path) -> None:
    """Also one for the very address that the connection goes to: the name in the URL is what counts."""
    for name in ("other.example", "127.0.0.1"):
        assert await refusal(authority.identity(tmp_path, name), authority.trust(), ["127.0.0.1"]) == "tls"


async def test_a_certificate_that_is_over(authority: Authority, tmp_path: Path) -> None:
    """An expired certificate proves nothing."""
    assert (
        await refusal(authority.identity(tmp_path, "hooks.example", days=-1), authority.trust(), ["127.0.0.1"]) == "tls"
    )


async def test_a_certificate_that_nobody_vouches_for(authority: Authority, tmp_path: Path) -> None:
    """Neither one signed by itself nor one of an authority that the world does not know."""
    assert await refusal(self_signed(tmp_path, "hooks.example"), authority.trust(), ["127.0.0.1"]) == "tls"
    assert await refusal(authority.identity(tmp_path, "hooks.example"), None, ["127.0.0.1"]) == "tls"


async def test_a_server_without_tls() -> None:
    """Nothing is sent to a server that answers https with plain text."""
    heard = bytearray()

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
        heard.extend(await reader.read())
        writer.close()

    there = await asyncio.start_server(plain, "127.0.0.1", 0)
    async with there, outbound() as client:
        with pytest.raises(UnreachableError) as error:
            await client.post(f"https://127.0.0.1:{there.sockets[0].getsockname()[1]}/", {}, b"secret")
    assert error.value.code == "tls"
    assert b"secret" not in heard


async def test_a_handshake_that_hangs_is_hung_up_on() -> None:
    """A server that never answers to TLS costs the time-out, and no connection stays open with it."""
    left = asyncio.Event()

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        left.set()
        writer.close()

    there = await asyncio.start_server(mute, "127.0.0.1", 0)
    async with there, outbound(0.5) as client:
        with pytest.raises(UnreachableError) as error:
            await client.post(f"https://127.0.0.1:{there.sockets[0].getsockname()[1]}/", {}, b"x")
        assert error.value.code == "timeout"
        await asyncio.wait_for(left.wait(), 10)
