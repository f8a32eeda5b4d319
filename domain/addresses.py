"""Which network addresses a stranger may have us connect to: those of the public internet, by lists kept here.

The interpreter's own `is_global` has changed its mind between patch releases; what money depends on does not change
with the interpreter. The lists follow IANA's special-purpose address registries (RFC 6890 and its successors).
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address

_FORBIDDEN_IPV4 = tuple(
    (IPv4Network(network), what)
    for network, what in (
        ("0.0.0.0/8", "unspecified"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "carrier-grade NAT"),  # Among them 100.100.100.200, a cloud's metadata.
        ("127.0.0.0/8", "loopback"),
        (
            "168.63.129.16/32",
            "metadata",
        ),  # Public by its number, but it is the host under a machine of Azure.
        ("169.254.0.0/16", "link-local"),  # Among them 169.254.169.254, most clouds' metadata.
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved"),
        ("192.0.2.0/24", "documentation"),
        ("192.31.196.0/24", "reserved"),
        ("192.52.193.0/24", "reserved"),
        ("192.88.99.0/24", "reserved"),
        ("192.168.0.0/16", "private"),
        ("192.175.48.0/24", "reserved"),
        ("198.18.0.0/15", "benchmarking"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),  # Among them the broadcast address.
    )
)
_GLOBAL_IPV6 = IPv6Network("2000::/3")
_FORBIDDEN_IPV6 = tuple(
    (IPv6Network(network), what)
    for network, what in (
        # Only to name what it is: nothing outside 2000::/3 is allowed anyway.
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("::ffff:0:0/96", "an IPv4 address in disguise"),
        ("::/96", "an IPv4 address in disguise"),
        ("64:ff9b:1::/48", "an IPv4 address in disguise"),
        ("fc00::/7", "private"),  # Among them fd00:ec2::254, a cloud's metadata.
        ("fe80::/10", "link-local"),
        ("ff00::/8", "multicast"),
        # Within 2000::/3.
        ("2001::/32", "an IPv4 address in disguise"),  # Teredo
        ("2001:2::/48", "benchmarking"),
        ("2001::/23", "reserved"),
        ("2001:db8::/32", "documentation"),
        ("2002::/16", "an IPv4 address in disguise"),  # 6to4
        ("2620:4f:8000::/48", "reserved"),
        ("3fff::/20", "documentation"),
    )
)
# Where a network has IPv6 only, every name of the IPv4 internet resolves to addresses of this prefix (RFC 6052).
_NAT64 = IPv6Network("64:ff9b::/96")


def why_forbidden(text: str, development: bool) -> str | None:
    """What is wrong with connecting to this address, or None; in development this machine may be connected to."""
    try:
        address = ip_address(text)
    except ValueError:
        return "no address"
    if isinstance(address, IPv4Address):
        return None if development and address.is_loopback else _why_ipv4(address)
    if address.scope_id is not None:
        return "bound to an interface"
    return None if development and address == IPv6Address("::1") else _why_ipv6(address)


def _why_ipv4(address: IPv4Address) -> str | None:
    return next((what for network, what in _FORBIDDEN_IPV4 if address in network), None)


def _why_ipv6(address: IPv6Address) -> str | None:
    if address in _NAT64:
        return _why_ipv4(IPv4Address(int(address) & 0xFFFFFFFF))
    listed = next((what for network, what in _FORBIDDEN_IPV6 if address in network), None)
    return listed or (None if address in _GLOBAL_IPV6 else "reserved")
