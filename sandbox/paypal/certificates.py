"""The certificates webhooks are signed with: a root, an intermediate, and a leaf in PayPal's own DNS name."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DNS_NAME = "messageverificationcerts.paypal.com"
_YEARS = timedelta(days=3650)
_Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True)
class _Signer:
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate


class Certificates:
    """Made once and kept in the data folder, so that a receiver's trust in the root outlives a restart."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "paypal-ca.pem"
        self._chain, key = folder / "paypal-chain.pem", folder / "paypal-key.pem"
        if not (self.root.exists() and self._chain.exists() and key.exists()):
            _make(self.root, self._chain, key)
        loaded = serialization.load_pem_private_key(key.read_bytes(), None)
        assert isinstance(loaded, rsa.RSAPrivateKey)
        self._key = loaded
        self.chain = self._chain.read_bytes()
        leaf = x509.load_pem_x509_certificate(self.chain)
        self.id = f"CERT-{leaf.fingerprint(hashes.SHA256()).hex()[:16]}"
        """What the certificate is called in PAYPAL-CERT-URL."""

    def sign(self, message: bytes) -> bytes:
        """An RSA signature over SHA-256, as SHA256withRSA has it."""
        return sign(self._key, message)


def sign(key: rsa.RSAPrivateKey, message: bytes) -> bytes:
    """A signature with any key."""
    return key.sign(message, padding.PKCS1v15(), hashes.SHA256())


def new_key() -> rsa.RSAPrivateKey:
    """A key that signs webhooks."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _make(root_file: Path, chain_file: Path, key_file: Path) -> None:
    root = _authority("Sandbox Payments Root", None)
    middle = _authority("Sandbox Payments Intermediate", root)
    key = new_key()
    leaf = _leaf(key, middle)
    pem = serialization.Encoding.PEM
    root_file.write_bytes(root.certificate.public_bytes(pem))
    chain_file.write_bytes(leaf.public_bytes(pem) + middle.certificate.public_bytes(pem))
    key_file.touch(mode=0o600)
    key_file.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )


def _authority(name: str, issuer: _Signer | None) -> _Signer:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = _begin(subject, key, issuer)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    builder = builder.add_extension(_usage(authority=True), critical=True)
    return _Signer(key, builder.sign(key if issuer is None else issuer.key, hashes.SHA256()))


def _leaf(key: rsa.RSAPrivateKey, issuer: _Signer) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _DNS_NAME)])
    builder = _begin(subject, key, issuer)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(authority=False), critical=True)
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(_DNS_NAME)]), critical=False)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    return builder.sign(issuer.key, hashes.SHA256())


def _begin(subject: x509.Name, key: _Key, issuer: _Signer | None) -> x509.CertificateBuilder:
    """What every certificate has: names, validity, and the ids of its own and its issuer's key."""
    now = datetime.now(UTC)
    signer = key.public_key() if issuer is None else issuer.key.public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _YEARS)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer), critical=False)
    )


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
