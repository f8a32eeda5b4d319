"""Handing mails over to a real mail server that takes them, is slow, refuses, drops, or is not there."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from ipaddress import ip_address
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from config.environment import SettingsError
from devstack.ports import HOST, any_free
from events.subscribers.contract import PoisonError, TryLaterError
from events.subscribers.notifications.addresses import recipient
from events.subscribers.notifications.mailer import Mailer, MailServer
from tests.events.subscribers.postbox import Postbox

SHOP, ADA = recipient("mail@shop.example"), recipient("ada@customer.example")


def mail() -> EmailMessage:
    """A mail with words that are not ASCII."""
    message = EmailMessage(policy=SMTP_POLICY)
    message["From"], message["To"], message["Subject"] = SHOP, ADA, "Žluťoučký kůň"
    message.set_content("ö\n.\nwith a line of one dot\n")
    return message


def mailer(port: int, **limits: float) -> Mailer:
    """Hands over to the server at this port."""
    return Mailer(MailServer(HOST, port, tls=False), **limits)


async def test_a_mail_arrives_whole(postbox: Postbox) -> None:
    """Subject and text come as they were; the server is told the sender and the one recipient."""
    await mailer(postbox.port).send(mail(), SHOP, ADA)
    (came,) = postbox.mails()
    assert (came["Subject"], came.get_content().splitlines()) == (mail()["Subject"], mail().get_content().splitlines())
    assert (came["Return-Path"], came["Delivered-To"]) == ("<mail@shop.example>", "ada@customer.example")


async def test_an_address_that_is_not_ascii_arrives(postbox: Postbox) -> None:
    """Where the server can take it."""
    await mailer(postbox.port).send(mail(), SHOP, recipient("jürgen@customer.example"))
    assert postbox.mails()[0]["Delivered-To"] == "jürgen@customer.example"


@pytest.mark.parametrize("code", [421, 450, 451, 452])
async def test_a_server_that_says_later_is_tried_later(postbox: Postbox, code: int) -> None:
    """Greylisting, a full box, too many mails: the same mail goes through afterwards."""
    postbox.told(f"answer {code}")
    with pytest.raises(TryLaterError, match=str(code)) as caught:
        await mailer(postbox.port).send(mail(), SHOP, ADA)
    assert "ada@" not in str(caught.value)
    postbox.told("")
    await mailer(postbox.port).send(mail(), SHOP, ADA)
    assert len(postbox.mails()) == 1


@pytest.mark.parametrize("code", [550, 551, 553, 554])
async def test_a_recipient_that_is_refused_is_poison(postbox: Postbox, code: int) -> None:
    """Nobody has this address: later it will be the same. The complaint has the code and not the address."""
    postbox.told(f"answer {code}")
    with pytest.raises(PoisonError, match=str(code)) as caught:
        await mailer(postbox.port).send(mail(), SHOP, ADA)
    assert "ada@" not in str(caught.value)


async def test_a_server_that_hangs_up_is_tried_later(postbox: Postbox) -> None:
    """The connection ends where its answer should be."""
    postbox.told("drop")
    with pytest.raises(TryLaterError):
        await mailer(postbox.port).send(mail(), SHOP, ADA)
    assert postbox.mails() == []


async def test_a_server_that_is_not_there_is_tried_later() -> None:
    """Nobody listens."""
    with pytest.raises(TryLaterError, match="SMTPConnectError"):
        await mailer(any_free()).send(mail(), SHOP, ADA)


async def test_a_slow_server_is_waited_for_and_a_slower_one_is_not(postbox: Postbox) -> None:
    """Within the limit it only takes time; beyond it is tried later, at each step and over all steps."""
    postbox.told("slow 0.5")
    started = time.monotonic()
    await mailer(postbox.port).send(mail(), SHOP, ADA)
    assert time.monotonic() - started >= 0.5
    assert len(postbox.mails()) == 1
    postbox.told("slow 30")
    for limits in ({"step_seconds": 0.3}, {"mail_seconds": 0.3}):
        started = time.monotonic()
        with pytest.raises(TryLaterError):
            await mailer(postbox.port, **limits).send(mail(), SHOP, ADA)
        assert time.monotonic() - started < 5


async def test_a_server_that_never_greets_is_left(postbox: Postbox) -> None:
    """It takes the connection and says nothing."""
    silent = await asyncio.start_server(lambda _reader, _writer: None, HOST, 0)
    async with silent:
        with pytest.raises(TryLaterError):
            await mailer(silent.sockets[0].getsockname()[1], step_seconds=0.3).send(mail(), SHOP, ADA)


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, Path]:
    """A server's context with a certificate of its own for this name, and the file that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    names = [x509.DNSName(name)] if name != HOST else [x509.IPAddress(ip_address(name))]
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    file, secret = folder / "server.pem", folder / "server.key"
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, secret)
    return context, file


class Taker:
    """Notes for each mail whether it came over TLS and who was logged in."""

    def __init__(self) -> None:
        self.came: list[tuple[bool, bool]] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        """Take it."""
        self.came.append((session.ssl is not None, bool(session.authenticated)))
        return "250 taken"


def _login(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: LoginPassword) -> AuthResult:
    # Not handled: then aiosmtpd itself answers 535.
    return AuthResult(success=(data.login, data.password) == (b"shop", b"p@ss:word"), handled=False)


@asynccontextmanager
async def server_with(taker: Taker, first: ssl.SSLContext | None = None, **options: object) -> AsyncIterator[int]:
    """A mail server with logins; `first`: TLS from the first byte."""

    def made() -> SMTP:
        return SMTP(taker, hostname="mx", authenticator=_login, auth_require_tls=False, **options)

    server = await asyncio.get_running_loop().create_server(made, HOST, 0, ssl=first)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def test_tls_is_used_where_it_is_offered(tmp_path: Path) -> None:
    """STARTTLS with a certificate that fits; one for another name is not spoken to, so that nobody listens."""
    offered, trusted = certificate(tmp_path, HOST)
    trusting, taker = ssl.create_default_context(cafile=str(trusted)), Taker()
    async with server_with(taker, tls_context=offered) as port:
        await Mailer(MailServer(HOST, port, tls=False), trusting).send(mail(), SHOP, ADA)
        assert taker.came == [(True, False)]
        with pytest.raises(TryLaterError):
            await Mailer(MailServer(HOST, port, tls=False), ssl.create_default_context()).send(mail(), SHOP, ADA)
        assert len(taker.came) == 1


async def test_smtps_speaks_tls_from_the_first_byte(tmp_path: Path) -> None:
    """And never falls back to plain words."""
    offered, trusted = certificate(tmp_path, HOST)
    taker = Taker()
    async with server_with(taker, first=offered) as port:
        trusting = ssl.create_default_context(cafile=str(trusted))
        await Mailer(MailServer(HOST, port, tls=True), trusting).send(mail(), SHOP, ADA)
        assert len(taker.came) == 1
    async with server_with(taker) as port:
        with pytest.raises(TryLaterError):
            await Mailer(MailServer(HOST, port, tls=True), step_seconds=1).send(mail(), SHOP, ADA)
    assert len(taker.came) == 1


async def test_it_logs_in_and_a_wrong_password_is_mended_by_a_person(tmp_path: Path) -> None:
    """User and password come out of the address as they were meant; a refused login loses no mail."""
    taker = Taker()
    async with server_with(taker) as port:
        await Mailer(MailServer.at(f"smtp://shop:p%40ss%3Aword@{HOST}:{port}")).send(mail(), SHOP, ADA)
        assert taker.came == [(False, True)]
        with pytest.raises(TryLaterError, match="535") as caught:
            await Mailer(MailServer.at(f"smtp://shop:wrong@{HOST}:{port}")).send(mail(), SHOP, ADA)
        assert "wrong" not in str(caught.value)


async def test_a_password_is_not_sent_in_the_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server elsewhere that offers no TLS, or whose offer somebody hides, does not get to know it."""
    taker = Taker()
    monkeypatch.setattr(MailServer, "is_here", False)
    async with server_with(taker) as port:
        with pytest.raises(TryLaterError, match="no TLS"):
            await Mailer(MailServer.at(f"smtp://shop:p%40ss%3Aword@{HOST}:{port}")).send(mail(), SHOP, ADA)
        await Mailer(MailServer.at(f"smtp://{HOST}:{port}")).send(mail(), SHOP, ADA)
    assert taker.came == [(False, False)]


def test_the_address_of_a_server_says_all() -> None:
    """Ports as usual unless named; half a login and a port that is none are refused."""
    assert MailServer.at("smtp://mx.example") == MailServer("mx.example", 25, tls=False)
    assert MailServer.at("smtps://u:p@mx.example") == MailServer("mx.example", 465, True, "u", "p")
    assert MailServer.at("smtp://mx.example:2525").port == 2525
    assert [MailServer(h, 25, tls=False).is_here for h in ("127.0.0.1", "localhost", "::1", "10.0.0.1", "mx")] == [
        *(True, True, True),
        *(False, False),
    ]
    for wrong in ("smtp://user@mx.example", "smtp://mx.example:99999"):
        with pytest.raises(SettingsError, match="SMTP_URL"):
            MailServer.at(wrong)
