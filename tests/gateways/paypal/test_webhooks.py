"""PayPal's webhooks: only what PayPal signed lately is taken, and only as a hint."""

import base64
import json
import struct
import zlib
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from domain.errors import WebhookNotAuthenticError
from domain.money import Money
from domain.payment import PaymentStatus
from gateways.contract import WebhookEvent
from tests.gateways.paypal.authority import BODY, NOW, TRANSMISSION, event, headers, leaf, rsa_key, signature, stamp
from tests.gateways.paypal.conftest import WEBHOOK
from tests.gateways.paypal.examples import CREATED, ORDER_ID, TOKEN
from tests.gateways.paypal.hooked import Receiver
from tests.gateways.scripted import ScriptedServer, answer

URL = "http://replaced-by-the-receivers"


@pytest.fixture
async def receiver(scripted: ScriptedServer) -> AsyncIterator[Receiver]:
    """Somebody who trusts the tests' root."""
    made = Receiver(scripted)
    yield made
    await made.gateway.close()


async def test_an_authentic_delivery_is_read(receiver: Receiver) -> None:
    """A delivery that PayPal signed becomes a hint: its own id, its type, the order it is about, our reference."""
    assert await receiver.parse() == WebhookEvent(
        event_id="WH-58D329510W468432D-8HN650336L201105X",
        type="PAYMENT.CAPTURE.COMPLETED",
        payment_id=ORDER_ID,
        reference="chk_1",
        occurred_at=NOW - timedelta(seconds=3),
        live=False,
        relevant=True,
    )


@pytest.mark.parametrize("ago", [timedelta(0), timedelta(days=3), timedelta(seconds=-300), timedelta(minutes=10)])
async def test_repetitions_of_three_days_are_taken(receiver: Receiver, ago: timedelta) -> None:
    """PayPal repeats a delivery for three days; a clock may be five minutes behind."""
    event = await receiver.parse(given=headers(BODY, receiver.url, time=stamp(NOW - ago)))
    assert event.payment_id == ORDER_ID


@pytest.mark.parametrize("time", ["2026-11-22T12:00:00.123Z", "2026-11-22T12:00:00+00:00"])
async def test_other_spellings_of_the_time(receiver: Receiver, time: str) -> None:
    """Fractions of a second and another name of the zone are as good; the bytes that were signed count."""
    assert (await receiver.parse(given=headers(BODY, receiver.url, time=time))).payment_id == ORDER_ID


TIMES = {
    "four days old": stamp(NOW - timedelta(days=4)),
    "301 s ahead": stamp(NOW + timedelta(seconds=301)),
    "31 years ahead": stamp(NOW + timedelta(days=31 * 365)),
    "no zone": "2026-11-22T12:00:00",
    "another zone": "2026-11-22T13:00:00+01:00",
    "a count of seconds": "1795348800",
    "a day": "2026-11-22",
    "no such day": "2026-02-30T12:00:00Z",
    "with a space": " 2026-11-22T12:00:00Z",
    "with a line break": "2026-11-22T12:00:00Z\n",
    "in other digits": "٢٠٢٦-11-22T12:00:00Z",
    "empty": "",
    "very long": "2026-11-22T12:00:00." + "0" * 5000 + "Z",
}


@pytest.mark.parametrize("time", TIMES.values(), ids=TIMES.keys())
async def test_a_wrong_time_is_refused(receiver: Receiver, time: str) -> None:
    """A signature that is right for a time that is wrong, or that is no plain time, proves nothing."""
    with receiver.nothing_fetched(), pytest.raises(WebhookNotAuthenticError):
        await receiver.parse(given=headers(BODY, receiver.url, time=time))


GOOD = headers(BODY, URL)["paypal-transmission-sig"]
WRONG: dict[str, dict[str, Any]] = {
    "no signature": {"transmission_sig": None},
    "empty signature": {"transmission_sig": ""},
    "truncated signature": {"transmission_sig": GOOD[:-8]},
    "prolonged signature": {"transmission_sig": GOOD + "AAAA"},
    "signature in hex": {"transmission_sig": base64.b64decode(GOOD).hex()},
    "signature in the other base64": {"transmission_sig": "-_" * 172},
    "64 kB of signature": {"transmission_sig": "A" * 65_536},
    "non-ASCII signature": {"transmission_sig": GOOD[:-3] + "\xe9=="},
    "a lone surrogate": {"transmission_sig": GOOD[:-3] + "\ud800=="},
    "two signatures": {"transmission_sig": f"{GOOD},{GOOD}"},
    "somebody else's signature": {"key": rsa_key(9)},
    "another webhook": {"webhook_id": "0AB12345CD678901E"},
    "no transmission": {"transmission_id": None},
    "another transmission": {"transmission_id": "69cd13f0-d67a-11e5-baa3-778b53f4ae56"},
    "transmission with a bar": {"transmission_id": f"{TRANSMISSION}|x"},
    "no time": {"transmission_time": None},
    "another time": {"transmission_time": stamp(NOW - timedelta(seconds=1))},
    "no algorithm": {"auth_algo": None},
    "a weaker algorithm": {"auth_algo": "SHA1withRSA"},
    "no algorithm at all": {"auth_algo": "none"},
    "no certificate": {"cert_url": None},
    "empty certificate": {"cert_url": ""},
}


@pytest.mark.parametrize("changes", WRONG.values(), ids=WRONG.keys())
async def test_a_wrong_header_is_refused(receiver: Receiver, changes: dict[str, Any]) -> None:
    """A header that is missing, malformed, oversized, or signed by anybody else is refused."""
    with pytest.raises(WebhookNotAuthenticError):
        await receiver.parse(given=headers(BODY, receiver.url, **changes))
    assert (await receiver.parse()).payment_id == ORDER_ID


async def test_no_header_at_all_is_refused(receiver: Receiver) -> None:
    """What comes without proof is nothing."""
    with receiver.nothing_fetched(), pytest.raises(WebhookNotAuthenticError):
        await receiver.parse(given={})


BODIES = {
    "re-serialised": json.dumps(event(), separators=(",", ":")).encode(),
    "members in another order": json.dumps(event(), sort_keys=True).encode(),
    "with a BOM": b"\xef\xbb\xbf" + BODY,
    "with CRLF": BODY + b"\r\n",
    "empty": b"",
    "amount changed": BODY.replace(b"10.00", b"10.01"),
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
async def test_other_bytes_are_refused(receiver: Receiver, body: bytes) -> None:
    """The checksum holds for the bytes that PayPal sent and for none that merely mean the same."""
    with pytest.raises(WebhookNotAuthenticError):
        await receiver.parse(body, headers(BODY, receiver.url))


def forged(captured: bytes, claim: dict[str, Any]) -> bytes:
    """Another valid JSON body with the CRC32 of a captured one: four bytes suffice, found by running it backwards.

    Those four may be any, so a counter is added to the claim until they are harmless within a JSON string.
    """
    table = [next_in_table(number) for number in range(256)]
    for attempt in range(2_000_000):
        head = json.dumps({**claim, "note": f"{attempt}:"}).encode()[:-2]
        patch = meeting(table, zlib.crc32(captured), zlib.crc32(head), b'"}')
        if all(0x20 <= byte < 0x7F and byte not in b'"\\' for byte in patch):
            return head + patch + b'"}'
    raise AssertionError("no such body was found")


def next_in_table(number: int) -> int:
    """One entry of CRC32's table."""
    for _ in range(8):
        number = (number >> 1) ^ (0xEDB88320 if number & 1 else 0)
    return number


def meeting(table: list[int], wanted: int, before: int, after: bytes) -> bytes:
    """The four bytes between what came before (by its checksum) and what comes after that make the whole as wanted."""
    by_top = {entry >> 24: number for number, entry in enumerate(table)}
    register = wanted ^ 0xFFFFFFFF
    for byte in reversed(after):
        number = by_top[register >> 24]
        register = ((register ^ table[number]) << 8) & 0xFFFFFFFF | (number ^ byte)
    # Undone four times more, the low byte is the patch's to choose; then it is read off against what came before.
    numbers = []
    for _ in range(4):
        number = by_top[register >> 24]
        numbers.append(number)
        register = ((register ^ table[number]) << 8) & 0xFFFFFFFF
    register, patch = before ^ 0xFFFFFFFF, bytearray()
    for number in reversed(numbers):
        patch.append((register ^ number) & 0xFF)
        register = (register >> 8) ^ table[number]
    return bytes(patch)


async def test_a_forged_body_says_nothing_that_is_believed(receiver: Receiver) -> None:
    """Whoever saw one delivery can send another body under its signature: it verifies, and only names an order.

    Neither its amount nor its status nor its own idea of live money goes any further: what the look-up shows counts.
    """
    claim = event(
        id="WH-FORGED",
        live=True,
        resource={
            "id": "F0RGEDCAPTURE",
            "status": "COMPLETED",
            "amount": {"currency_code": "USD", "value": "1000000.00"},
            "custom_id": "chk_somebody_elses",
            "supplementary_data": {"related_ids": {"order_id": ORDER_ID}},
        },
    )
    body = forged(BODY, claim)
    assert json.loads(body)["resource"]["amount"]["value"] == "1000000.00"
    assert (zlib.crc32(body), body == BODY) == (zlib.crc32(BODY), False)
    hint = await receiver.parse(body, headers(BODY, receiver.url))
    assert (hint.event_id, hint.payment_id, hint.live) == ("WH-FORGED", ORDER_ID, False)
    # What the hint leads to: the order itself, which took nothing and belongs to whom it always did.
    receiver.server.tell(TOKEN, answer(200, CREATED))
    payment = await receiver.gateway.lookup(hint.payment_id or "")
    assert payment is not None
    assert (payment.status, payment.captured) == (PaymentStatus.AWAITING_CUSTOMER, Money(0, "USD"))
    assert (payment.reference, payment.live) == ("chk_1", False)


async def test_no_refusal_names_the_webhook_or_the_body(receiver: Receiver) -> None:
    """What a refusal says goes to logs: neither ids nor signatures nor bodies are in it."""
    for changes in WRONG.values():
        with pytest.raises(WebhookNotAuthenticError) as refused:
            await receiver.parse(given=headers(BODY, receiver.url, **changes))
        assert not [word for word in (WEBHOOK, GOOD[:20], "chk_1", ORDER_ID) if word in repr(refused.value)]


def test_the_forger_is_able() -> None:
    """The forging above is no trick of one body: any claim meets any checksum."""
    for captured in (b"{}", BODY, b"x" * 1000):
        body = forged(captured, {"claim": struct.pack(">I", len(captured)).hex()})
        assert zlib.crc32(body) == zlib.crc32(captured)
        assert json.loads(body)["claim"]


def test_signatures_are_made_by_hand() -> None:
    """What the tests sign with is RSA over SHA-256, of the size that PayPal's signatures have."""
    assert len(base64.b64decode(signature(b"x", leaf().key))) == 256
