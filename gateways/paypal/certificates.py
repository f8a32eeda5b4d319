"""The certificates that PayPal signs webhooks with: fetched from PayPal alone, vouched for by trusted roots, kept."""

import re
import warnings
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from urllib.parse import urlsplit

import httpx
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509 import (
    AuthorityInformationAccess,
    Certificate,
    DNSName,
    ExtensionNotFound,
    SubjectAlternativeName,
    load_der_x509_certificate,
    load_pem_x509_certificates,
)
from cryptography.x509.oid import AuthorityInformationAccessOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from domain.errors import GatewayError, GatewayUnreachableError, WebhookNotAuthenticError
from gateways.http import HttpConnection
from gateways.paypal.flights import SharedFlights
from gateways.paypal.options import LIVE_HOSTS, TEST_HOSTS, PayPalOptions

_LIVE_NAMES = ("messageverificationcerts.paypal.com",)
_TEST_NAMES = (*_LIVE_NAMES, "messageverificationcerts.sandbox.paypal.com")
_FOLDER = "/v1/notifications/certs/"
_FILE = re.compile(r"[A-Za-z0-9_-]{1,128}")
# DigiCert issues PayPal's certificates. What comes from there needs no trust: without a root above it is of no use.
_ISSUERS = "http://cacerts.digicert.com"
_ISSUERS_FILE = re.compile(r"[A-Za-z0-9_-]{1,100}\.crt")
_LONGEST_URL = 500
_LARGEST_CHAIN = 64 * 1024
_MOST_IN_CHAIN = 10
_MOST_KEPT = 16
# A receiver of webhooks answers soon or PayPal gives up on the delivery.
_LONGEST_FETCH_SECONDS = 5.0
# Whoever names ever new addresses gets no more of our connections than this; PayPal comes again.
_FETCHES_AT_ONCE = 8


@dataclass(frozen=True)
class Signer:
    """A signer's key, and how long its certificate and those that vouch for it are good."""

    key: rsa.RSAPublicKey
    good_from: datetime
    good_until: datetime


class Certificates:
    """The signers of one account's webhooks, by the address of their certificate."""

    def __init__(self, options: PayPalOptions) -> None:
        self._options = options
        self._names = _LIVE_NAMES if options.live else _TEST_NAMES
        self._places = _places(options)
        timeout = min(_LONGEST_FETCH_SECONDS, options.timeout_seconds)
        self._origins = {origin: HttpConnection("PayPal", origin, timeout) for origin, _ in self._places}
        self._issuers = HttpConnection("DigiCert", _ISSUERS, timeout)
        self._kept: OrderedDict[str, Signer] = OrderedDict()
        self._flights: SharedFlights[Signer] = SharedFlights()

    async def signer(self, url: str, now: datetime) -> Signer:
        """The signer whose certificate is at this address, if it is trusted at this time.

        Raises WebhookNotAuthenticError, and GatewayUnreachableError when PayPal does not hand it out now.
        """
        origin, path = self._place(url)
        kept = self._kept.get(url)
        if kept is None or not kept.good_from <= now <= kept.good_until:
            fetched_now = self._flights.under_way
            if url not in fetched_now and len(fetched_now) >= _FETCHES_AT_ONCE:
                raise GatewayUnreachableError("too many certificates are being fetched already")
            kept = await self._flights.join(url, lambda: self._fetched(origin, path, now))
            self._kept[url] = kept
            while len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
        return kept

    async def close(self) -> None:
        """Close the connections of the running loop."""
        await self._flights.close()
        for connection in (*self._origins.values(), self._issuers):
            await connection.close()

    def _place(self, url: str) -> tuple[str, str]:
        """Where to fetch it: one of the places that are PayPal's, compared as plain text so that no reading differs."""
        if len(url) <= _LONGEST_URL and url.isascii():
            for origin, folder in self._places:
                name = url.removeprefix(origin + folder)
                if name != url and _FILE.fullmatch(name):
                    return origin, folder + name
        raise WebhookNotAuthenticError("the certificate is said to be where PayPal keeps none")

    async def _fetched(self, origin: str, path: str, now: datetime) -> Signer:
        body = await _content(self._origins[origin], path)
        try:
            chain = load_pem_x509_certificates(body)[:_MOST_IN_CHAIN]
            signer = self._trusted(chain, now)
            if signer is None and (file := _issuers_file(chain[-1])) is not None:
                # PayPal need not hand out more than the signer's own; whoever issued it says where theirs is.
                chain.append(load_der_x509_certificate(await _content(self._issuers, file)))
                signer = self._trusted(chain, now)
        except ValueError:
            raise WebhookNotAuthenticError("what is said to be a certificate is none") from None
        if signer is None:
            message = "no trusted root vouches for the signer's certificate and name at this time"
            raise WebhookNotAuthenticError(message)
        return signer

    def _trusted(self, chain: Sequence[Certificate], now: datetime) -> Signer | None:
        leaf, *between = chain
        # The library takes a time without a zone for UTC.
        policy = PolicyBuilder().store(self._roots).time(now.astimezone(UTC).replace(tzinfo=None))
        # A wildcard is good enough for a server; who signs for PayPal is named in full.
        for name in set(self._names) & _dns_names(leaf):
            try:
                vouched = policy.build_server_verifier(DNSName(name)).verify(leaf, between)
            except VerificationError:
                continue
            key = leaf.public_key()
            if isinstance(key, rsa.RSAPublicKey):
                starts, ends = zip(*((c.not_valid_before_utc, c.not_valid_after_utc) for c in vouched), strict=True)
                return Signer(key, max(starts), min(ends))
        return None

    @cached_property
    def _roots(self) -> Store:
        if self._options.webhook_roots is not None:
            return Store(load_pem_x509_certificates(self._options.webhook_roots))
        return Store(_public_roots())


def _places(options: PayPalOptions) -> tuple[tuple[str, str], ...]:
    """Origin and folder of each place that hands out certificates: PayPal's hosts, or the sandbox in their stead."""
    base = urlsplit(options.api_base)
    if options.live:
        hosts = LIVE_HOSTS
    elif base.hostname in TEST_HOSTS:
        hosts = TEST_HOSTS
    else:
        # Over plain http the certificate is as good as the root it was configured with, so the origin may be either.
        return ((f"{base.scheme}://{base.netloc}", base.path.rstrip("/") + _FOLDER),)
    return tuple((f"https://{host}", _FOLDER) for host in sorted(hosts))


async def _content(connection: HttpConnection, path: str) -> bytes:
    """A file with certificates. Raises WebhookNotAuthenticError where none is, GatewayUnreachableError for now."""
    try:
        answer = await connection.send("GET", path, headers={"Accept": "*/*"})
    except GatewayError as error:
        raise GatewayUnreachableError(f"a certificate cannot be fetched: {error}") from None
    if answer.status == 429 or answer.status >= 500:
        raise GatewayUnreachableError(f"a certificate cannot be fetched (HTTP {answer.status})", answer.retry_after())
    if answer.status != 200 or len(answer.body) > _LARGEST_CHAIN:
        raise WebhookNotAuthenticError(f"there is no certificate where it is said to be (HTTP {answer.status})")
    return answer.body


def _issuers_file(certificate: Certificate) -> str | None:
    """Where the issuer of a certificate keeps its own, if that is the one place that PayPal's issuer has for it."""
    try:
        access = certificate.extensions.get_extension_for_class(AuthorityInformationAccess).value
    except ExtensionNotFound:
        return None
    for place in access:
        if place.access_method == AuthorityInformationAccessOID.CA_ISSUERS:
            origin, _, file = str(place.access_location.value).rpartition("/")
            if origin == _ISSUERS and _ISSUERS_FILE.fullmatch(file):
                return f"/{file}"
    return None


def _dns_names(certificate: Certificate) -> set[str]:
    try:
        names = certificate.extensions.get_extension_for_class(SubjectAlternativeName)
    except (ExtensionNotFound, ValueError):
        return set()
    return set(names.value.get_values_for_type(DNSName))


def _public_roots() -> list[Certificate]:
    """The roots that every call to PayPal's API trusts too."""
    with warnings.catch_warnings():
        # An old root has a serial number that is none; it vouches for nothing here and is no news.
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        return [load_der_x509_certificate(root) for root in httpx.create_ssl_context().get_ca_certs(binary_form=True)]
