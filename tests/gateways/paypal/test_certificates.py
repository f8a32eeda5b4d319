"""Who may sign: certificates from PayPal's own places, in PayPal's name, vouched for by a trusted root, now."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from domain.errors import GatewayUnreachableError, WebhookNotAuthenticError
from gateways.paypal import certificates
from gateways.paypal.adapter import PayPalGateway
from gateways.paypal.certificates import Certificates, _public_roots
from tests.gateways.paypal.authority import (
    BODY,
    LIVE_NAME,
    NOW,
    TEST_NAME,
    Made,
    between,
    chain,
    headers,
    leaf,
    made,
    root,
    rsa_key,
)
from tests.gateways.paypal.conftest import NoEvidence, options_for
from tests.gateways.paypal.examples import ORDER_ID
from tests.gateways.paypal.hooked import FILE, Receiver
from tests.gateways.scripted import CUT, SILENCE, ScriptedServer, answer, scripted_server

LIVE = "https://api-m.paypal.com"


@pytest.fixture
async def receiver(scripted: ScriptedServer) -> AsyncIterator[Receiver]:
    """Somebody who trusts the tests' root."""
    made = Receiver(scripted)
    yield made
    await made.gateway.close()


SOON, PAST = NOW + timedelta(days=1), NOW - timedelta(days=1)
OTHER_ROOT = made("Another Root", None, key=rsa_key(4), authority=True)
NAMESAKE_ROOT = made("Trusted Root", None, key=rsa_key(4), authority=True)
UNTRUSTED: dict[str, tuple[Made, ...]] = {
    "self-signed": (made(TEST_NAME, None, key=rsa_key(3)),),
    "of another root": (made(TEST_NAME, OTHER_ROOT, key=rsa_key(3)), OTHER_ROOT),
    "of a root with the same name": (made(TEST_NAME, NAMESAKE_ROOT, key=rsa_key(3)), NAMESAKE_ROOT),
    "expired": (made(TEST_NAME, between(), key=rsa_key(3), ends=PAST), between()),
    "not yet": (made(TEST_NAME, between(), key=rsa_key(3), starts=SOON), between()),
    "expired in between": (
        made(TEST_NAME, made("Between", root(), key=rsa_key(2), authority=True, ends=PAST), key=rsa_key(3)),
        made("Between", root(), key=rsa_key(2), authority=True, ends=PAST),
    ),
    "another name": (made("www.paypal.com", between(), key=rsa_key(3)), between()),
    "a look-alike name": (made(f"{TEST_NAME}.example.com", between(), key=rsa_key(3)), between()),
    "a wildcard": (made("*.sandbox.paypal.com", between(), key=rsa_key(3)), between()),
    "between left out": (leaf(),),
    "in the wrong order": (between(), leaf()),
    "by one who may not vouch": (made(TEST_NAME, leaf(), key=rsa_key(3)), leaf(), between()),
    "the authority itself": (root(),),
}


@pytest.mark.parametrize("shown", UNTRUSTED.values(), ids=UNTRUSTED.keys())
async def test_who_is_not_trusted(receiver: Receiver, shown: tuple[Made, ...]) -> None:
    """A certificate without an unbroken, timely chain to a trusted root, or in another name, signs nothing."""
    receiver.server.tell(answer(200, chain(*shown).decode()))
    with pytest.raises(WebhookNotAuthenticError):
        await receiver.parse(given=headers(BODY, receiver.url, key=shown[0].key))


def binary(said: Made) -> bytes:
    """The answer with an issuer's certificate, as issuers hand theirs out."""
    der = said.certificate.public_bytes(Encoding.DER)
    return b"HTTP/1.1 200 OK\r\nContent-Length: " + str(len(der)).encode() + b"\r\n\r\n" + der


@pytest.fixture
async def issuers(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ScriptedServer]:
    """The place where issuers keep their own certificates."""
    async with scripted_server() as server:
        monkeypatch.setattr(certificates, "_ISSUERS", server.url)
        yield server


async def test_a_certificate_that_comes_alone(issuers: ScriptedServer, scripted: ScriptedServer) -> None:
    """Where PayPal hands out the signer's own only, the one above it is fetched from its issuer, once."""
    receiver = Receiver(scripted)
    alone = made(TEST_NAME, between(), key=rsa_key(3), issued_at=f"{issuers.url}/Between.crt")
    receiver.server.tell(answer(200, alone.pem.decode()))
    issuers.tell(binary(between()))
    assert (await receiver.parse()).payment_id == ORDER_ID
    assert (await receiver.parse()).payment_id == ORDER_ID
    assert [request.split(" ")[1] for request in issuers.requests] == ["/Between.crt"]
    await receiver.gateway.close()


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (binary(OTHER_ROOT), WebhookNotAuthenticError),
        (answer(200, "<html>"), WebhookNotAuthenticError),
        (answer(404, ""), WebhookNotAuthenticError),
        (answer(302, "", {"Location": "/"}), WebhookNotAuthenticError),
        (answer(503, ""), GatewayUnreachableError),
        (SILENCE, GatewayUnreachableError),
    ],
    ids=["somebody else's", "a page", "404", "a redirect", "503", "silence"],
)
async def test_what_an_issuer_says_is_worth_nothing_without_a_root(
    issuers: ScriptedServer, scripted: ScriptedServer, said: bytes, error: type[Exception]
) -> None:
    """A certificate from the issuer's place helps only if a trusted root vouches for it."""
    receiver = Receiver(scripted)
    alone = made(TEST_NAME, between(), key=rsa_key(3), issued_at=f"{issuers.url}/Between.crt")
    receiver.server.tell(answer(200, alone.pem.decode()))
    issuers.tell(said)
    with pytest.raises(error):
        await receiver.parse()
    await receiver.gateway.close()


@pytest.mark.parametrize(
    "place", ["/a/Between.crt", "/Between.crt?x", "/../x.crt", ":1/Between.crt", ".example.com/B.crt"]
)
async def test_no_other_issuer_is_asked(issuers: ScriptedServer, scripted: ScriptedServer, place: str) -> None:
    """A certificate that names any other place for its issuer's leads nowhere."""
    receiver = Receiver(scripted)
    alone = made(TEST_NAME, between(), key=rsa_key(3), issued_at=issuers.url + place)
    receiver.server.tell(answer(200, alone.pem.decode()))
    issuers.tell(binary(between()))
    with pytest.raises(WebhookNotAuthenticError):
        await receiver.parse()
    assert issuers.requests == []
    await receiver.gateway.close()


async def test_another_kind_of_key_is_refused(receiver: Receiver) -> None:
    """PayPal signs with RSA; a key of another kind is not PayPal's, whoever vouches for it."""
    key = ec.generate_private_key(ec.SECP256R1())
    receiver.server.tell(answer(200, chain(made(TEST_NAME, between(), key=key), between()).decode()))
    with pytest.raises(WebhookNotAuthenticError):
        await receiver.parse(given=headers(BODY, receiver.url, key=key))


@pytest.mark.parametrize("name", [LIVE_NAME, TEST_NAME])
async def test_both_names_sign_for_a_test_account(receiver: Receiver, name: str) -> None:
    """PayPal's test environment has a name of its own, which no live account takes."""
    receiver.server.tell(answer(200, chain(made(name, between(), key=rsa_key(3)), between()).decode()))
    assert (await receiver.parse()).payment_id == ORDER_ID


async def test_a_public_root_does_not_vouch_for_a_sandbox(scripted: ScriptedServer) -> None:
    """Without roots of its own an account trusts the public ones, and none of those knows the tests' signer."""
    gateway = PayPalGateway(options_for(scripted.url), NoEvidence())
    scripted.tell(answer(200, chain().decode()))
    with pytest.raises(WebhookNotAuthenticError, match="no trusted root"):
        await gateway.parse_webhook(BODY, headers(BODY, scripted.url + FILE), NOW)
    await gateway.close()


NO_CERTIFICATE = {
    "404": answer(404, ""),
    "403": answer(403, "<html>"),
    "a redirect": answer(302, "", {"Location": "http://127.0.0.1:1/"}),
    "a redirect with a certificate": answer(301, chain().decode(), {"Location": "http://127.0.0.1:1/"}),
    "a page": answer(200, "<html>"),
    "nothing": answer(200, ""),
    "an endless chain": answer(200, chain().decode() * 50),
    "half a certificate": answer(200, chain().decode()[:500]),
    "a private key": answer(200, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
}


@pytest.mark.parametrize("said", NO_CERTIFICATE.values(), ids=NO_CERTIFICATE.keys())
async def test_what_is_no_certificate_is_refused(receiver: Receiver, said: bytes) -> None:
    """An address at which there is no certificate proves nothing; redirects are not followed."""
    receiver.server.tell(said)
    with pytest.raises(WebhookNotAuthenticError):
        await receiver.parse()
    assert len(receiver.server.requests) == 1


@pytest.mark.parametrize("said", [SILENCE, CUT, answer(500, ""), answer(503, ""), answer(429, "")], ids=str)
async def test_a_certificate_that_cannot_be_had_now(receiver: Receiver, said: bytes) -> None:
    """When PayPal does not hand it out the delivery is neither authentic nor forged: it may come again."""
    receiver.server.tell(said)
    with pytest.raises(GatewayUnreachableError):
        await receiver.parse()
    receiver.server.tell(answer(200, chain().decode()))
    assert (await receiver.parse()).payment_id == ORDER_ID


async def test_a_certificate_is_fetched_once(receiver: Receiver) -> None:
    """However many deliveries come, together or one after the other, the signer's certificate is asked for once."""
    await asyncio.gather(*(receiver.parse() for _ in range(20)))
    await receiver.parse()
    assert len(receiver.server.requests) == 1
    assert receiver.server.requests[0].startswith(f"GET {FILE} ")


async def test_a_kept_certificate_ends_with_its_time(receiver: Receiver) -> None:
    """Once a certificate or one above it has expired it is asked for anew, and refused if nothing has changed."""
    await receiver.parse()
    late = NOW + timedelta(days=31)
    with pytest.raises(WebhookNotAuthenticError):
        await receiver.parse(given=headers(BODY, receiver.url, time=late.strftime("%Y-%m-%dT%H:%M:%SZ")), now=late)
    assert len(receiver.server.requests) == 2


async def test_no_more_certificates_are_kept_than_needed(receiver: Receiver) -> None:
    """Whoever names ever new addresses neither fills the memory nor takes more than a few of our connections."""
    for number in range(20):
        await receiver.parse(given=headers(BODY, f"{receiver.url}{number}"))
    assert len(receiver.gateway._certificates._kept) == 16
    receiver.server.tell(SILENCE)
    flood = [receiver.parse(given=headers(BODY, f"{receiver.url}-{number}")) for number in [*range(30), 0]]
    said = await asyncio.gather(*flood, return_exceptions=True)
    assert {type(each) for each in said} == {GatewayUnreachableError}
    assert len(receiver.server.requests) <= 8
    turned_away = ["too many" in str(each) for each in said]
    assert turned_away == [False] * 8 + [True] * 22 + [False]


def test_the_public_roots_are_those_of_the_calls() -> None:
    """A live account's trust is what every call to PayPal trusts: a good hundred roots, DigiCert's among them."""
    roots = Certificates(options_for(LIVE))._roots
    assert roots is not None
    names = [certificate.subject.rfc4514_string() for certificate in _public_roots()]
    assert len(names) > 100
    assert any("DigiCert" in name for name in names)


def test_the_root_file_is_read_as_it_is_given(tmp_path: Path) -> None:
    """The roots of a sandbox are the certificates in the file, and no others."""
    file = tmp_path / "ca.pem"
    file.write_bytes(chain(root(), OTHER_ROOT))
    assert Certificates(options_for("http://127.0.0.1:1", webhook_roots=file.read_bytes()))._roots is not None
