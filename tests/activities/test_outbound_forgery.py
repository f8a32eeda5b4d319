"""A stranger's URL never becomes a call to this machine or its network: a canary listens, and hears nothing."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpcore
import pytest

from activities.outbound import Outbound, UnreachableError
from domain.outbound import ForbiddenUrlError, check_url
from tests.activities.hostile_urls import HOSTILE, HOSTILE_IN_DEVELOPMENT
from tests.activities.receivers import PLAIN_OK, Names, Server, Wires, saying, server

PUBLIC = "93.184.215.14"
TIMEOUT = 15.0
# Reading the world's authorities once for every URL here would take most of the time; no call gets as far as TLS.
NO_TRUST = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@pytest.fixture
async def canary() -> AsyncIterator[Server]:
    """A server on this machine that nobody may reach; it answers, so that a call that got through would not hide."""
    async with server(saying(PLAIN_OK), hosts=("127.0.0.1", "::1")) as seen:
        yield seen


@asynccontextmanager
async def outbound(development: bool = False, **parts: object) -> AsyncIterator[Outbound]:
    """What is tested."""
    client = Outbound(development, TIMEOUT, trust=NO_TRUST, **parts)  # type: ignore[arg-type]
    yield client
    await client.aclose()


async def test_the_canary_hears_those_who_reach_it(canary: Server) -> None:
    """Development may call this machine: the same canary that hears nothing below does hear."""
    async with outbound(development=True) as client:
        for host in ("127.0.0.1", "localhost", "[::1]"):
            assert (await client.post(f"http://{host}:{canary.port}/", {}, b"x")).status == 200
    assert canary.connections == 3


@pytest.mark.parametrize("odd", ["2130706433", "127.1", "0x7f.1", "0177.0.0.1", "0"])
def test_odd_forms_are_dangerous(odd: str) -> None:
    """The system's resolver takes these for this machine: were they let through, they would reach it."""
    assert socket.getaddrinfo(odd, 443)[0][4][0] in ("127.0.0.1", "0.0.0.0")  # noqa: S104


@pytest.mark.parametrize("form", HOSTILE)
async def test_hostile_urls_are_refused(form: str, canary: Server) -> None:
    """Refused when an endpoint is made and again at the call, with no connection and no question to a name server."""
    url = form.replace("{port}", str(canary.port))
    names, wires = Names([["127.0.0.1"]]), Wires()
    with pytest.raises(ForbiddenUrlError) as refused:
        check_url(url, development=False)
    assert refused.value.reason_code
    assert refused.value.message == str(refused.value)
    async with outbound(resolve=names, network=wires) as client:
        with pytest.raises(ForbiddenUrlError):
            await client.post(url, {}, b"x")
    assert (canary.connections, names.asked, wires.connected) == (0, [], [])


@pytest.mark.parametrize("form", HOSTILE_IN_DEVELOPMENT)
async def test_hostile_urls_are_refused_in_development(form: str, canary: Server) -> None:
    """Development opens plain http and this machine's plain names, not the odd forms and not the other networks."""
    url = form.replace("{port}", str(canary.port))
    async with outbound(development=True) as client:
        with pytest.raises(ForbiddenUrlError):
            await client.post(url, {}, b"x")
    assert canary.connections == 0


@pytest.mark.parametrize(
    "inward",
    [
        ["127.0.0.1"],
        ["::1"],
        ["0.0.0.0"],  # noqa: S104
        ["::"],
        ["10.1.2.3"],
        ["169.254.169.254"],
        ["100.100.100.200"],
        ["::ffff:127.0.0.1"],
        ["64:ff9b::7f00:1"],
        ["fe80::1%lo"],
        ["not an address"],
        [PUBLIC, "127.0.0.1"],
        ["127.0.0.1", PUBLIC],
        [PUBLIC, PUBLIC, PUBLIC, PUBLIC, "fd00::1"],
    ],
)
async def test_a_name_that_leads_inward_is_not_called(inward: list[str], canary: Server) -> None:
    """Also not when only one of its addresses does, and not at the good ones."""
    wires = Wires(public=frozenset((PUBLIC,)))
    async with outbound(resolve=Names([inward]), network=wires) as client:
        with pytest.raises(UnreachableError) as refused:
            await client.post(f"https://hooks.example:{canary.port}/", {}, b"x")
    assert refused.value.code == "refused_address"
    assert (canary.connections, wires.connected) == (0, [])
    # Nobody learns from us what our name servers know.
    assert inward[-1] not in str(refused.value)


async def test_a_name_that_changes_its_mind_is_asked_once(canary: Server) -> None:
    """DNS rebinding: public when judged, loopback a moment later. The connection goes to what was judged."""

    class Nowhere(httpcore.AnyIOBackend):
        connected: list[str] = []  # noqa: RUF012

        async def connect_tcp(self, host: str, port: int, **_: object) -> httpcore.AsyncNetworkStream:
            self.connected.append(host)
            raise httpcore.ConnectError

    names, network = Names([[PUBLIC], ["127.0.0.1"]]), Nowhere()
    async with outbound(resolve=names, network=network) as client:
        with pytest.raises(UnreachableError) as first:
            await client.post(f"https://hooks.example:{canary.port}/", {}, b"x")
        assert (first.value.code, names.asked, network.connected) == ("connect", ["hooks.example"], [PUBLIC])
        # By its next call the name leads inward, and what was judged before counts for nothing.
        with pytest.raises(UnreachableError) as second:
            await client.post(f"https://hooks.example:{canary.port}/", {}, b"x")
    assert (second.value.code, len(names.asked), network.connected) == ("refused_address", 2, [PUBLIC])
    assert canary.connections == 0


async def test_the_network_is_given_addresses_only(canary: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing below looks the name up a second time."""
    asked: list[object] = []
    real = socket.getaddrinfo

    def listening(host: object, *args: object, **options: object) -> object:
        asked.append(host)
        return real(host, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", listening)
    async with outbound(development=True, resolve=Names([["127.0.0.1"]])) as client:
        await client.post(f"http://hooks.example:{canary.port}/", {}, b"x")
    assert canary.connections == 1
    assert "hooks.example" not in asked


async def test_redirects_are_not_followed(canary: Server) -> None:
    """A redirect to this machine, or anywhere, is an answer that delivered nothing."""
    for status in (301, 302, 303, 307, 308):
        head = f"HTTP/1.1 {status} Elsewhere\r\nlocation: http://127.0.0.1:{canary.port}/\r\ncontent-length: 0\r\n\r\n"
        async with server(saying(head.encode())) as redirecting, outbound(development=True) as client:
            answer = await client.post(f"http://127.0.0.1:{redirecting.port}/", {}, b"x")
            assert (answer.status, redirecting.connections) == (status, 1)
    assert canary.connections == 0


async def test_no_proxy_and_no_cookie(canary: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment's proxies are not asked, and what one answer sets the next request does not send."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{canary.port}")
    answer = b"HTTP/1.1 200 OK\r\nset-cookie: tracked=1\r\ncontent-length: 0\r\n\r\n"
    async with server(saying(answer)) as receiver, outbound(development=True) as client:
        for _ in range(2):
            await client.post(f"http://127.0.0.1:{receiver.port}/", {}, b"x")
    assert canary.connections == 0
    assert receiver.connections == 2
    assert b"cookie" not in receiver.requests[1].lower()


async def test_slow_names_hold_up_nobody_else(monkeypatch: pytest.MonkeyPatch, canary: Server) -> None:
    """Names whose servers do not answer end as unreachable, and keep no thread that the rest of the process needs."""
    released = asyncio.Event()
    loop = asyncio.get_running_loop()
    real = socket.getaddrinfo

    def slow(host: object, *args: object, **options: object) -> object:
        if "slow" in str(host):
            asyncio.run_coroutine_threadsafe(released.wait(), loop).result(30)
        return real(host, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    client = Outbound(True, 0.5)
    calls = [asyncio.create_task(client.post(f"http://slow{n}.example/", {}, b"x")) for n in range(24)]
    try:
        await asyncio.wait_for(loop.getaddrinfo("127.0.0.1", canary.port), 10)
        ended = await asyncio.gather(*calls, return_exceptions=True)
    finally:
        released.set()
        await client.aclose()
    assert {getattr(each, "code", each) for each in ended} == {"timeout"}
