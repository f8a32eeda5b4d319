"""Adyen's notifications: only what Adyen signed is taken, item by item, and only as a hint."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import Adyen.util
import pytest

from domain.errors import WebhookNotAuthenticError
from gateways.adyen.adapter import AdyenGateway
from gateways.adyen.options import AdyenOptions
from gateways.contract import WebhookEvent
from tests.gateways.adyen.examples import KeptBodies
from tests.gateways.adyen.notices import (
    ACCOUNT,
    CHECKOUT,
    LINK_ID,
    NEW,
    OLD,
    PAYMENT,
    START,
    Item,
    body,
    document,
    done,
    item,
    parse,
    refused,
    signature,
    signed,
)


def test_an_authentic_delivery_is_read() -> None:
    """A notification that Adyen signed becomes a hint with ids, time and mode; its id is made of signed fields only."""
    assert parse(body(item())) == [
        WebhookEvent(
            event_id=f"{PAYMENT}:AUTHORISATION:true",
            type="AUTHORISATION",
            payment_id=LINK_ID,
            reference=CHECKOUT,
            occurred_at=START,
            live=False,
            relevant=True,
        )
    ]


@pytest.mark.parametrize("one", [item(), done("CAPTURE", "capture:1"), refused(item(), "Refused"), done("EXPIRE")])
def test_the_official_sdk_signs_what_is_accepted(one: Item) -> None:
    """The signature that Adyen's own library makes is the one that is asked for, also where references have colons."""
    theirs = Adyen.util.generate_notification_sig({"originalReference": "", **one}, NEW).decode()
    assert theirs == signature(one)
    one["additionalData"]["hmacSignature"] = theirs
    assert parse(json.dumps(document(one)).encode())[0].relevant


async def test_the_adapter_takes_what_is_signed() -> None:
    """The account's own keys and name are the ones that count; neither headers nor the time play a part."""
    gateway = AdyenGateway(AdyenOptions("AQE-key", ACCOUNT, (NEW,), "http://127.0.0.1:9", live=False), KeptBodies())
    long_after = datetime(2031, 1, 1, tzinfo=UTC)
    assert [event.reference for event in await gateway.parse_webhook(body(item()), {}, long_after)] == [CHECKOUT]
    with pytest.raises(WebhookNotAuthenticError):
        await gateway.parse_webhook(body(item(), key=OLD), {}, long_after)
    await gateway.close()


def test_rotation() -> None:
    """While a key is rotated out both are good, mixed within a batch too; afterwards only the new one."""
    mixed = json.dumps(document(signed(item(), OLD), signed(done("CAPTURE", "capture:1"), NEW))).encode()
    assert len(parse(mixed)) == 2
    assert parse(body(item(), key=OLD))
    for delivered in (mixed, body(item(), key=OLD)):
        with pytest.raises(WebhookNotAuthenticError):
            parse(delivered, (NEW,))


def test_a_batch_is_several_events() -> None:
    """Items about several checkouts become one event each; an item that stands in it twice is one."""
    other = item(merchantReference="chk_2", pspReference="PSPOTHER", data={"paymentLinkId": "PL2"})
    events = parse(body(item(), other, done("CAPTURE", "capture:1"), item()))
    assert [(event.reference, event.payment_id, event.type) for event in events] == [
        (CHECKOUT, LINK_ID, "AUTHORISATION"),
        ("chk_2", "PL2", "AUTHORISATION"),
        (CHECKOUT, LINK_ID, "CAPTURE"),
    ]
    assert len({event.event_id for event in events}) == 3


@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_bad_item_refuses_the_whole_batch(place: int) -> None:
    """A delivery in which any item is not Adyen's is not Adyen's."""
    items = [signed(item()), signed(done("CAPTURE", "capture:1")), signed(done("REFUND", "refund:1"))]
    items[place] = {**items[place], "success": "false"}
    with pytest.raises(WebhookNotAuthenticError):
        parse(json.dumps(document(*items)).encode())


GOOD = signature(item())
SIGNATURES: dict[str, Any] = {
    "none": None,
    "empty": "",
    "blank": " ",
    "another key's": signature(item(), "AB" * 32),
    "of an empty key": base64.b64encode(b"\0" * 32).decode(),
    "of another item": signature(done("CAPTURE", "capture:1")),
    "truncated": GOOD[:-2],
    "prolonged": GOOD + "=",
    "in other letters": GOOD.swapcase(),
    "with a line break": GOOD + "\n",
    "in hexadecimal": base64.b64decode(GOOD).hex(),
    "non-ASCII": GOOD[:-2] + "é=",
    "a number": 1,
    "true": True,
    "a list": [GOOD],
    "64 kB": GOOD * 1500,
}


@pytest.mark.parametrize("wrong", SIGNATURES.values(), ids=SIGNATURES.keys())
def test_a_wrong_signature_is_refused(wrong: Any) -> None:
    """A signature that is missing, malformed, oversized or made with anything but an active key is refused."""
    stated = item(data={} if wrong is None else {"hmacSignature": wrong})
    with pytest.raises(WebhookNotAuthenticError):
        parse(json.dumps(document(stated)).encode())


SIGNED_CHANGES: dict[str, dict[str, Any]] = {
    "pspReference": {"pspReference": "PSPOTHER"},
    "originalReference": {"originalReference": "PSPOTHER"},
    "account": {"merchantAccountCode": "PaysagaPOS"},
    "reference": {"merchantReference": "chk_2"},
    "value": {"amount": {"currency": "USD", "value": 4201}},
    "currency": {"amount": {"currency": "EUR", "value": 4200}},
    "event": {"eventCode": "CAPTURE"},
    "success": {"success": "false"},
}


@pytest.mark.parametrize("change", SIGNED_CHANGES.values(), ids=SIGNED_CHANGES.keys())
def test_a_changed_signed_field_is_refused(change: dict[str, Any]) -> None:
    """Each of the eight fields is under the signature."""
    with pytest.raises(WebhookNotAuthenticError):
        parse(json.dumps(document(signed(item()) | change)).encode())


def test_an_unsigned_field_changed_still_verifies_and_changes_nothing() -> None:
    """What the signature does not cover can be changed by anybody: id, type, checkout and account stay as signed."""
    (before,) = parse(body(item()))
    tampered = signed(item()) | {"reason": "Refused", "paymentMethod": "ideal", "eventDate": "2020-01-01T00:00:00Z"}
    (after,) = parse(json.dumps(document(tampered, live="true")).encode())
    assert (after.event_id, after.type, after.reference, after.relevant) == (
        before.event_id,
        before.type,
        before.reference,
        before.relevant,
    )


SHIFTED: dict[str, dict[str, Any]] = {
    "into the account": {"merchantAccountCode": f"{ACCOUNT}:{CHECKOUT}", "merchantReference": "capture:1"},
    "into the event": {"merchantReference": f"{CHECKOUT}:capture", "eventCode": "1:4200:USD:CAPTURE"},
    "out of the payment": {"originalReference": "", "merchantAccountCode": f"{PAYMENT}:{ACCOUNT}"},
    "into the pspReference": {"pspReference": f"PSPCAPTURE1:{PAYMENT}", "originalReference": ACCOUNT},
    "escaped": {"merchantReference": f"{CHECKOUT}\\:capture\\:1"},
}


@pytest.mark.parametrize("change", SHIFTED.values(), ids=SHIFTED.keys())
def test_the_signed_text_cannot_be_parted_otherwise(change: dict[str, Any]) -> None:
    """Fields are joined by colons and not escaped: what belongs to one of them is never read as another's."""
    with pytest.raises(WebhookNotAuthenticError):
        parse(json.dumps(document(signed(done("CAPTURE", "capture:1")) | change)).encode())


def test_without_keys_nothing_is_authentic() -> None:
    """An account without HMAC keys takes no delivery, and a blank key signs none."""
    for keys in ((), ("",), (" ",)):
        for delivered in (body(item()), body(item(), key="")):
            with pytest.raises(WebhookNotAuthenticError):
                parse(delivered, keys)


def test_no_refusal_names_a_key_or_the_body() -> None:
    """What a refusal says goes to logs: neither keys nor signatures nor references are in it."""
    for wrong in SIGNATURES.values():
        with pytest.raises(WebhookNotAuthenticError) as caught:
            parse(json.dumps(document(item(data={"hmacSignature": wrong}))).encode())
        assert not [word for word in (OLD, NEW, GOOD, CHECKOUT, PAYMENT) if word in repr(caught.value)]
