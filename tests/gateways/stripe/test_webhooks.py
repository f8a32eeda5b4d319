"""Stripe's webhooks: only what Stripe signed just now is taken, and only as a hint."""

import json
from datetime import timedelta

import pytest
import stripe

from domain.errors import WebhookNotAuthenticError
from gateways.contract import WebhookEvent
from gateways.stripe.adapter import StripeGateway
from gateways.stripe.options import StripeOptions
from tests.gateways.stripe.deliveries import BODY, NEW, NOW, OLD, SECOND, event, header, parse, signature


def test_an_authentic_delivery_is_read() -> None:
    """A delivery that Stripe signed becomes a hint with ids, time and mode."""
    assert parse(BODY, header(BODY)) == WebhookEvent(
        event_id="evt_1",
        type="payment_intent.succeeded",
        payment_id="pi_1",
        reference="chk_1",
        occurred_at=NOW - timedelta(seconds=2),
        live=False,
        relevant=True,
    )


async def test_the_official_sdk_signs_what_is_accepted() -> None:
    """The header that Stripe's own library makes is accepted through the adapter."""
    gateway = StripeGateway(StripeOptions("sk_test_1", (NEW,), "http://127.0.0.1:9", live=False))
    signed = stripe.WebhookSignature.generate_signature_header(BODY.decode(), NEW, SECOND)
    (parsed,) = await gateway.parse_webhook(BODY, {"stripe-signature": signed}, NOW)
    assert parsed.event_id == "evt_1"


def test_rotation() -> None:
    """While a secret is rotated out both are good, alone and together; afterwards only the new one."""
    both = f"t={SECOND},v1={signature(BODY, OLD)},v1={signature(BODY, NEW)}"
    for good in (header(BODY, OLD), header(BODY, NEW), both):
        assert parse(BODY, good).event_id == "evt_1"
    assert parse(BODY, both, (NEW,)).event_id == "evt_1"
    with pytest.raises(WebhookNotAuthenticError):
        parse(BODY, header(BODY, OLD), (NEW,))


@pytest.mark.parametrize("seconds", [-300, -1, 0, 1, 300])
def test_five_minutes_both_ways(seconds: int) -> None:
    """A clock that differs by up to 300 s either way is no reason to refuse."""
    assert parse(BODY, header(BODY, at=str(SECOND + seconds))).event_id == "evt_1"


TIMES = {
    "301 s old": str(SECOND - 301),
    "301 s ahead": str(SECOND + 301),
    "31 years ahead": str(SECOND + 31 * 31_557_600),
    "negative": f"-{SECOND}",
    "a float": f"{SECOND}.0",
    "with a sign": f"+{SECOND}",
    "with an underscore": f"{str(SECOND)[:4]}_{str(SECOND)[4:]}",
    "with a space": f" {SECOND}",
    "empty": "",
    "five thousand digits": "9" * 5000,
    "in other digits": "".join(chr(0x660 + int(digit)) for digit in str(SECOND)),
}


@pytest.mark.parametrize("at", TIMES.values(), ids=TIMES.keys())
def test_a_wrong_time_is_refused(at: str) -> None:
    """A signature that is right for a time that is wrong, or that is no plain count of seconds, proves nothing."""
    with pytest.raises(WebhookNotAuthenticError):
        parse(BODY, header(BODY, at=at))


GOOD = signature(BODY)
HEADERS = {
    "none": None,
    "empty": "",
    "blank": " ",
    "v0 only": f"t={SECOND},v0={GOOD}",
    "no time": f"v1={GOOD}",
    "no signature": f"t={SECOND}",
    "wrong secret": header(BODY, "whsec_other"),
    "empty secret": header(BODY, ""),
    "blank secret": header(BODY, " "),
    "truncated": f"t={SECOND},v1={GOOD[:-1]}",
    "prolonged": f"t={SECOND},v1={GOOD}0",
    "upper-case": f"t={SECOND},v1={GOOD.upper()}",
    "non-ASCII": f"t={SECOND},v1={GOOD[:-1]}\xe9",
    "non-ASCII beside a good one": f"t={SECOND},v1={GOOD},v1=\xe9",
    "lone surrogate": f"t={SECOND},v1={GOOD},x=\ud800",
    "two times": f"t={SECOND},t={SECOND},v1={GOOD}",
    "two different times": f"t={SECOND},t={SECOND + 1},v1={GOOD}",
    "ten thousand signatures": f"t={SECOND}" + f",v1={GOOD}" * 10_000,
    "33 items": f"t={SECOND},v1={GOOD}" + ",v0=1" * 31,
    "64 kB": f"t={SECOND},v1={GOOD},x=" + "a" * 65_536,
    "no separator": "t" * 40,
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS.keys())
def test_a_wrong_header_is_refused(header: str | None) -> None:
    """A header that is missing, malformed, oversized or signed with anything but an active secret is refused."""
    with pytest.raises(WebhookNotAuthenticError):
        parse(BODY, header)


def test_a_blank_secret_never_verifies() -> None:
    """Were a blank secret configured, what anybody can sign with it would still be refused."""
    for blank in ("", " "):
        with pytest.raises(WebhookNotAuthenticError):
            parse(BODY, header(BODY, blank), (blank,))


def test_without_secrets_nothing_is_authentic() -> None:
    """An account without webhook secrets takes no delivery."""
    with pytest.raises(WebhookNotAuthenticError):
        parse(BODY, header(BODY), ())


BODIES = {
    "re-serialised": json.dumps(event(), separators=(",", ":")).encode(),
    "members in another order": json.dumps(event(), sort_keys=True).encode(),
    "with a BOM": b"\xef\xbb\xbf" + BODY,
    "with CRLF": BODY + b"\r\n",
    "empty": b"",
    "amount changed": BODY.replace(b"4200", b"4201"),
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_other_bytes_are_refused(body: bytes) -> None:
    """The signature holds for the bytes that Stripe sent and for no others that mean the same."""
    with pytest.raises(WebhookNotAuthenticError):
        parse(body, header(BODY))


def test_no_refusal_names_a_secret_or_the_body() -> None:
    """What a refusal says goes to logs: neither secrets nor signatures nor bodies are in it."""
    for bad in (*HEADERS.values(), header(BODY)):
        with pytest.raises(WebhookNotAuthenticError) as refused:
            parse(BODY + b" ", bad)
        said = repr(refused.value)
        assert not [word for word in (OLD, NEW, GOOD, "chk_1") if word in said]
