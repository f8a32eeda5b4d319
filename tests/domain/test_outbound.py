"""URLs and addresses of strangers: what is let through, and how it is read."""

import pytest

from domain.addresses import why_forbidden
from domain.outbound import ForbiddenUrlError, Target, read_url


@pytest.mark.parametrize(
    ("url", "target", "authority"),
    [
        ("https://hooks.shop.com", Target("https", "hooks.shop.com", 443, "/"), "hooks.shop.com"),
        ("https://hooks.shop.com/a?b=c&d", Target("https", "hooks.shop.com", 443, "/a?b=c&d"), "hooks.shop.com"),
        ("https://hooks.shop.com?b=@c", Target("https", "hooks.shop.com", 443, "/?b=@c"), "hooks.shop.com"),
        ("https://shop.com:443/", Target("https", "shop.com", 443, "/"), "shop.com"),
        ("https://shop.com:8443/", Target("https", "shop.com", 8443, "/"), "shop.com:8443"),
        ("https://xn--mnchen-3ya.de/", Target("https", "xn--mnchen-3ya.de", 443, "/"), "xn--mnchen-3ya.de"),
        ("https://8.8.8.8/", Target("https", "8.8.8.8", 443, "/"), "8.8.8.8"),
        ("https://[2606:4700:0::1111]/", Target("https", "2606:4700::1111", 443, "/"), "[2606:4700::1111]"),
        ("https://1.shop.com/%C3%A4", Target("https", "1.shop.com", 443, "/%C3%A4"), "1.shop.com"),
        ("https://0x7f.com/", Target("https", "0x7f.com", 443, "/"), "0x7f.com"),
    ],
)
def test_plain_urls_are_read(url: str, target: Target, authority: str) -> None:
    """In production and in development alike."""
    for development in (False, True):
        assert read_url(url, development) == target
        assert read_url(url, development).authority == authority


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://127.0.0.1:8000/hook", Target("http", "127.0.0.1", 8000, "/hook")),
        ("http://localhost:8000/", Target("http", "localhost", 8000, "/")),
        ("http://shop.localhost:8000/", Target("http", "shop.localhost", 8000, "/")),
        ("http://[::1]:8000/", Target("http", "::1", 8000, "/")),
        ("http://shop.com/", Target("http", "shop.com", 80, "/")),
    ],
)
def test_development_opens_this_machine(url: str, target: Target) -> None:
    """Plain http, and this machine by its plain names; nothing of that in production."""
    assert read_url(url, development=True) == target
    for form in (url, url.replace("http:", "https:")):
        if form != "https://shop.com/":
            with pytest.raises(ForbiddenUrlError):
                read_url(form, development=False)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://shop.com/", "scheme"),
        ("https://a@shop.com/", "userinfo"),
        ("https://Shop.com/", "host"),
        ("https://127.1/", "host"),
        ("https://shop/", "internal_name"),
        ("https://db.internal/", "internal_name"),
        ("https://10.0.0.1/", "address"),
        ("https://shop.com:25/", "port"),
        ("https://shop.com/#a", "fragment"),
        ("https://shop.com/ a", "characters"),
        ("https://shop.com/" + "a" * 2048, "length"),
    ],
)
def test_the_reason_is_told(url: str, reason: str) -> None:
    """Programs get a word, people a sentence that says what to change."""
    with pytest.raises(ForbiddenUrlError) as error:
        read_url(url, development=False)
    assert error.value.reason_code == reason
    assert len(error.value.message) > 20


@pytest.mark.parametrize(
    ("inside", "outside"),
    [
        ("0.255.255.255", "1.0.0.0"),
        ("10.0.0.0", "9.255.255.255"),
        ("10.255.255.255", "11.0.0.0"),
        ("100.64.0.0", "100.63.255.255"),
        ("100.127.255.255", "100.128.0.0"),
        ("127.255.255.255", "128.0.0.0"),
        ("169.254.0.0", "169.253.255.255"),
        ("172.16.0.0", "172.15.255.255"),
        ("172.31.255.255", "172.32.0.0"),
        ("192.168.255.255", "192.169.0.0"),
        ("198.18.0.0", "198.17.255.255"),
        ("198.19.255.255", "198.20.0.0"),
        ("168.63.129.16", "168.63.129.17"),
        ("224.0.0.0", "223.255.255.255"),
        ("255.255.255.255", "8.8.8.8"),
        ("1fff::1", "2600::1"),
        ("4000::1", "2a00::1"),
        ("2001:1ff::1", "2001:200::1"),
        ("2001:db8::1", "2001:db9::1"),
        ("2002::1", "2003::1"),
        ("3fff:fff::1", "3ffe::1"),
        ("64:ff9b::10.0.0.1", "64:ff9b::8.8.8.8"),
    ],
)
def test_the_lists_end_where_they_should(inside: str, outside: str) -> None:
    """An address within a special block is forbidden, its neighbour of the public internet is not."""
    for development in (False, True):
        assert why_forbidden(outside, development) is None
        if not inside.startswith("127."):
            assert why_forbidden(inside, development)
    assert why_forbidden(inside, development=False)


@pytest.mark.parametrize("here", ["127.0.0.1", "127.8.8.8", "::1"])
def test_development_calls_this_machine(here: str) -> None:
    """Loopback is allowed in development only, and in no disguise."""
    assert why_forbidden(here, development=True) is None
    assert why_forbidden(here, development=False) == "loopback"
    if "." in here:
        for disguised in (f"::ffff:{here}", f"64:ff9b::{here}", f"::{here}"):
            assert why_forbidden(disguised, development=True)
