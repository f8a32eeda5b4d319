"""Servers on this machine that answer as a stranger's would, a name service, and certificates."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import httpcore
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
PLAIN_OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@dataclass
class Server:
    """What a server saw: connections, requests as they came, and the names asked for in TLS."""

    port: int = 0
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)
    closed: asyncio.Event = field(default_factory=asyncio.Event)


def saying(answer: bytes) -> Behaviour:
    """Send these bytes and close."""

    async def behave(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()

    return behave


@asynccontextmanager
async def server(
    behaviour: Behaviour, identity: ssl.SSLContext | None = None, hosts: Sequence[str] = ("127.0.0.1",)
) -> AsyncIterator[Server]:
    """A server that reads a whole request, then behaves so."""
    seen = Server()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.connections += 1
        try:
            seen.requests.append(await _request(reader))
            await behaviour(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            writer.close()
            seen.closed.set()

    if identity is not None:
        identity.sni_callback = lambda _, name, __: seen.names.append(name)
    first = await asyncio.start_server(serve, hosts[0], 0, ssl=identity)
    seen.port = first.sockets[0].getsockname()[1]
    servers = [first, *[await asyncio.start_server(serve, host, seen.port, ssl=identity) for host in hosts[1:]]]
    try:
        yield seen
    finally:
        for each in servers:
            each.close()


async def _request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return head + await reader.readexactly(int(lengths[0].partition(b":")[2]) if lengths else 0)


@dataclass
class Names:
    """A name service: each question takes the next answer, and the last one stays."""

    answers: list[list[str]]
    asked: list[str] = field(default_factory=list)

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """Answer, and remember the question."""
        self.asked.append(host)
        return self.answers[min(len(self.asked), len(self.answers)) - 1]


@dataclass
class Wires(httpcore.AnyIOBackend):
    """A network on which addresses of the internet end at this machine; it keeps a list of what was connected to."""

    public: frozenset[str] = frozenset()
    connected: list[str] = field(default_factory=list)

    async def connect_tcp(self, host: str, port: int, **options: object) -> httpcore.AsyncNetworkStream:
        """Connect, or go nowhere."""
        self.connected.append(host)
        return await super().connect_tcp("127.0.0.1" if host in self.public else host, port, **options)


@dataclass(frozen=True)
class Authority:
    """An authority that signs certificates for servers."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def made(cls) -> "Authority":
        """A new one."""
        key = ec.generate_private_key(ec.SECP256R1())
        return cls(_signed("an authority", key, "an authority", key, authority=True), key)

    def trust(self) -> ssl.SSLContext:
        """What a client has that trusts this authority and no other."""
        pem = self.certificate.public_bytes(serialization.Encoding.PEM).decode()
        return ssl.create_default_context(cadata=pem)

    def identity(self, folder: Path, name: str, *, days: int = 1) -> ssl.SSLContext:
        """A server's certificate for this name; with days below zero it is over."""
        key = ec.generate_private_key(ec.SECP256R1())
        return _context(folder, _signed(name, key, "an authority", self.key, days=days), key)


def self_signed(folder: Path, name: str) -> ssl.SSLContext:
    """A certificate that only its server vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    return _context(folder, _signed(name, key, name, key), key)


def _context(folder: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> ssl.SSLContext:
    file = folder / "identity.pem"
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def _signed(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    signer: ec.EllipticCurvePrivateKey,
    *,
    authority: bool = False,
    days: int = 1,
) -> x509.Certificate:
    now = datetime.now(UTC)
    names = [x509.IPAddress(ip_address(name)) if name[0].isdigit() else x509.DNSName(name.replace(" ", "-"))]
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=30))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(signer, hashes.SHA256())
    )
