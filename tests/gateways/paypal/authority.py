"""Certificates and deliveries made by hand, so that nothing of the code under test is used to make them."""

import base64
import json
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from tests.gateways.paypal.conftest import WEBHOOK
from tests.gateways.paypal.examples import ORDER_ID

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LIVE_NAME = "messageverificationcerts.paypal.com"
TEST_NAME = "messageverificationcerts.sandbox.paypal.com"
TRANSMISSION = "69cd13f0-d67a-11e5-baa3-778b53f4ae55"

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@dataclass(frozen=True)
class Made:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: Key

    @property
    def pem(self) -> bytes:
        """The certificate as text."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)


@cache
def rsa_key(number: int = 0) -> rsa.RSAPrivateKey:
    """A key; the same for the same number, since making one takes time."""
    return rsa.generate_private_key(65537, 2048)


def made(
    name: str,
    issuer: Made | None,
    *,
    key: Key,
    authority: bool = False,
    starts: datetime = NOW - timedelta(days=30),
    ends: datetime = NOW + timedelta(days=30),
    issued_at: str | None = None,
) -> Made:
    """A certificate: of an authority, or of a server with this DNS name. `issued_at`: where the issuer's own is."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer = issuer.key if issuer else key
    usage = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(starts)
        .not_valid_after(ends)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(digital_signature=not authority, key_cert_sign=authority, crl_sign=authority, **usage),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if not authority:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    if issued_at is not None:
        place = x509.AccessDescription(
            AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier(issued_at)
        )
        builder = builder.add_extension(x509.AuthorityInformationAccess([place]), critical=False)
    return Made(builder.sign(signer, hashes.SHA256()), key)


@cache
def root() -> Made:
    """The root that the account trusts."""
    return made("Trusted Root", None, key=rsa_key(1), authority=True)


@cache
def between() -> Made:
    """An authority that the root vouches for."""
    return made("Between", root(), key=rsa_key(2), authority=True)


@cache
def leaf() -> Made:
    """The signer."""
    return made(TEST_NAME, between(), key=rsa_key(3))


def chain(*certificates: Made) -> bytes:
    """The file at PAYPAL-CERT-URL."""
    return b"".join(each.pem for each in certificates or (leaf(), between()))


def event(**changes: Any) -> dict[str, Any]:
    """A delivery's body as PayPal sends it."""
    stated: dict[str, Any] = {
        "id": "WH-58D329510W468432D-8HN650336L201105X",
        "event_version": "1.0",
        "create_time": "2026-11-22T11:59:57.000Z",
        "resource_type": "capture",
        "resource_version": "2.0",
        "event_type": "PAYMENT.CAPTURE.COMPLETED",
        "summary": "Payment completed for $ 10.0 USD",
        "resource": {
            "id": "3C679366HH908993F",
            "status": "COMPLETED",
            "amount": {"currency_code": "USD", "value": "10.00"},
            "custom_id": "chk_1",
            "supplementary_data": {"related_ids": {"order_id": ORDER_ID}},
        },
        "links": [],
    }
    return stated | changes


BODY = json.dumps(event()).encode()


def stamp(at: datetime = NOW) -> str:
    """A time as PayPal writes it."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def headers(
    body: bytes,
    url: str,
    *,
    key: Key | None = None,
    webhook_id: str = WEBHOOK,
    time: str = stamp(),
    **changes: str | None,
) -> dict[str, str]:
    """Good headers for these very bytes; `changes` replaces some, or leaves one out when it is None."""
    signed = f"{TRANSMISSION}|{time}|{webhook_id}|{zlib.crc32(body)}".encode()
    given: dict[str, str | None] = {
        "paypal-auth-algo": "SHA256withRSA",
        "paypal-cert-url": url,
        "paypal-transmission-id": TRANSMISSION,
        "paypal-transmission-time": time,
        "paypal-transmission-sig": signature(signed, key or leaf().key),
        **{f"paypal-{name.replace('_', '-')}": value for name, value in changes.items()},
    }
    return {name: value for name, value in given.items() if value is not None}


def signature(signed: bytes, key: Key) -> str:
    """SHA256withRSA, or what a key of another kind makes."""
    if isinstance(key, rsa.RSAPrivateKey):
        return base64.b64encode(key.sign(signed, padding.PKCS1v15(), hashes.SHA256())).decode()
    return base64.b64encode(key.sign(signed, ec.ECDSA(hashes.SHA256()))).decode()
