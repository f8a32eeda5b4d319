"""URLs that strangers chose: what of them we agree to call, read in one way only.

Nothing is normalised. Two readers of one odd URL may see two hosts, and forgery lives in between; so a URL is either
written plainly or refused, and the parts read here are those that the connection is made with.
"""

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from domain.addresses import why_forbidden
from domain.errors import PaysagaError

_LONGEST_URL = 2048
_LONGEST_HOST = 253
_PLAIN = re.compile(r"[!$&-;=?-Z_a-z~\[\]#%]+", re.ASCII)
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_PARTS = re.compile(r"(?P<scheme>[^:/?#]*)://(?P<authority>[^/?#]*)(?P<target>[^#]*)", re.ASCII)
_AUTHORITY = re.compile(r"(?P<host>\[[^\[\]]*\]|[^:\[\]]*)(?::(?P<port>[^:]*))?", re.ASCII)
_PORT = re.compile(r"[1-9][0-9]{0,4}", re.ASCII)
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)", re.ASCII)
# What the C library's inet_aton takes for a part of an address: 0x7f.1 and 2130706433 are loopback to it.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_DEFAULT_PORTS = {"https": 443, "http": 80}
# Names that no public name server answers, but one of the machine's own network may.
_INWARD = ("localhost", "localdomain", "local", "internal", "intranet", "private", "corp", "home", "lan", "arpa")
# Ports from 1024 on where something else than HTTP is known to listen; browsers refuse the same (Fetch, "bad ports").
_OTHER_PROTOCOLS = frozenset(
    (1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080)
)


class ForbiddenUrlError(PaysagaError):
    """We do not call this URL. `reason_code` is one word for programs, `message` is for whoever chose it."""

    def __init__(self, reason_code: str, message: str) -> None:
        super().__init__(message)
        self.reason_code, self.message = reason_code, message


@dataclass(frozen=True)
class Target:
    """A URL taken apart. `host` is a name or an address without brackets; `path` has the query with it."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def is_secure(self) -> bool:
        """Whether it is called over TLS."""
        return self.scheme == "https"

    @property
    def authority(self) -> str:
        """What the Host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def check_url(url: str, development: bool) -> None:
    """Raise ForbiddenUrlError unless the URL is one that we call. Its host's addresses are judged at each call."""
    read_url(url, development)


def read_url(url: str, development: bool) -> Target:
    """The parts of a URL that we call. Raises ForbiddenUrlError."""
    parts = _parts(url)
    scheme, authority = parts["scheme"], parts["authority"]
    if scheme not in (_DEFAULT_PORTS if development else ("https",)):
        wanted = "https:// or http://" if development else "https://"
        raise ForbiddenUrlError("scheme", f"the URL must begin with {wanted}, in small letters")
    if "@" in authority:
        raise ForbiddenUrlError("userinfo", "the URL must hold no user name and no password")
    if "%" in authority:
        raise ForbiddenUrlError("host", "the host must be written plainly, without % escapes")
    split = _AUTHORITY.fullmatch(authority)
    if split is None:
        raise ForbiddenUrlError("host", "the URL's host cannot be read")
    host = _host(split["host"], development)
    port = _DEFAULT_PORTS[scheme] if split["port"] is None else _port(split["port"])
    target = parts["target"]
    return Target(scheme, host, port, target if target.startswith("/") else f"/{target}")


def _parts(url: str) -> re.Match[str]:
    if len(url) > _LONGEST_URL:
        raise ForbiddenUrlError("length", f"the URL is longer than {_LONGEST_URL} characters")
    if not _PLAIN.fullmatch(url) or _BROKEN_ESCAPE.search(url):
        raise ForbiddenUrlError("characters", "the URL holds characters that have to be escaped, or a broken escape")
    if "#" in url:
        raise ForbiddenUrlError("fragment", "the URL must have no #fragment")
    parts = _PARTS.fullmatch(url)
    if parts is None:
        raise ForbiddenUrlError("scheme", "this is no absolute URL")
    return parts


def _host(text: str, development: bool) -> str:
    if not text:
        raise ForbiddenUrlError("host", "the URL has no host")
    if text.startswith("[") and ":" in text:
        return _literal(text[1:-1], development)
    labels = text.split(".")
    if len(text) > _LONGEST_HOST or not all(_LABEL.fullmatch(label) for label in labels):
        raise ForbiddenUrlError(
            "host", "the host must be a name of small letters, digits and hyphens, parted by single dots"
        )
    if _NUMBER.fullmatch(labels[-1]):
        return _literal(text, development)
    if labels[-1] == "localhost" and development:
        return text
    if len(labels) == 1 or labels[-1] in _INWARD:
        raise ForbiddenUrlError("internal_name", f"{text} is a name of a network's own, not of the internet")
    return text


def _literal(text: str, development: bool) -> str:
    try:
        address = IPv6Address(text) if ":" in text else IPv4Address(text)
    except AddressValueError:
        raise ForbiddenUrlError("host", "the host looks like an IP address, but is not written as one") from None
    why = why_forbidden(str(address), development)
    if why is not None:
        raise ForbiddenUrlError("address", f"{text} is not an address of the public internet ({why})")
    return str(address)


def _port(text: str) -> int:
    port = int(text) if _PORT.fullmatch(text) else 0
    # Below 1024 only the web's own two: nothing we send may speak to mail servers and the like in our name.
    if not (port in _DEFAULT_PORTS.values() or 1024 <= port <= 65535) or port in _OTHER_PROTOCOLS:
        raise ForbiddenUrlError("port", f"port {text or '(empty)'} is not one that we call: 443, or from 1024 on")
    return port
