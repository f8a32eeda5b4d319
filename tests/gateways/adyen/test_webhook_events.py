"""What is taken from an authentic delivery, and which bodies are refused although their signatures are good."""

import json
from pathlib import Path
from typing import Any

import pytest

from domain.errors import WebhookNotAuthenticError
from gateways.adyen.webhooks import DISPUTE_EVENTS, WEBHOOK_EVENTS
from tests.gateways.adyen.notices import ACCOUNT, CHECKOUT, LINK_ID, Item, body, document, done, item, parse, signed

SPEC = Path(__file__).parents[3].parent / "shared" / "specs" / "adyen-Webhooks-v1.json"
BODY = body(item())
HOSTILE = {
    "empty": b"",
    "deep JSON": b'{"a":' * 30_000 + b"1" + b"}" * 30_000,
    "deep lists": b"[" * 60_000,
    "NaN": BODY.replace(b"4200", b"NaN"),
    "Infinity": BODY.replace(b"4200", b"-Infinity"),
    "1e400": BODY.replace(b"4200", b"1e400"),
    "five thousand digits": BODY.replace(b"4200", b"9" * 5000),
    "duplicate keys": BODY[:-1] + b',"live":"true"}',
    "duplicate keys within": BODY.replace(b'"success": "true"', b'"success": "false", "success": "true"'),
    "no UTF-8": BODY.replace(b"visa", b"vis\xff"),
    "UTF-16": BODY.decode().encode("utf-16"),
    "a BOM": b"\xef\xbb\xbf" + BODY,
    "no JSON": b"hello",
    "half of it": BODY[:100],
    "list": b"[]",
    "string": b'"notificationItems"',
    "number": b"1",
    "null": b"null",
    "over a megabyte": BODY[:-1] + b" " * 1024 * 1024 + b"}",
}


@pytest.mark.parametrize("delivered", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_body_that_adyen_would_not_write_is_refused(delivered: bytes) -> None:
    """A good signature within does not make a body safe to read: whatever is no strict delivery is refused."""
    with pytest.raises(WebhookNotAuthenticError):
        parse(delivered)


DOCUMENTS: dict[str, Any] = {
    "no items": {"live": "false"},
    "empty items": {"live": "false", "notificationItems": []},
    "items an object": {"live": "false", "notificationItems": {"NotificationRequestItem": signed(item())}},
    "an item null": {"live": "false", "notificationItems": [None]},
    "an item without its wrapper": {"live": "false", "notificationItems": [signed(item())]},
    "a wrapped list": {"live": "false", "notificationItems": [{"NotificationRequestItem": []}]},
    "501 items": document(*([signed(item())] * 501)),
    "no live": {"notificationItems": document(signed(item()))["notificationItems"]},
    "live true": document(signed(item()), live=True),
    "live another word": document(signed(item()), live="yes"),
}


@pytest.mark.parametrize("stated", DOCUMENTS.values(), ids=DOCUMENTS.keys())
def test_a_delivery_of_another_shape_is_refused(stated: dict[str, Any]) -> None:
    """Nothing is guessed of a delivery that is built otherwise than Adyen's."""
    with pytest.raises(WebhookNotAuthenticError):
        parse(json.dumps(stated).encode())


def without(name: str) -> Item:
    """A signed item with one member left out afterwards."""
    return {member: value for member, value in signed(item()).items() if member != name}


ITEMS: dict[str, Any] = {
    **{
        f"no {name}": without(name)
        for name in ("pspReference", "merchantAccountCode", "amount", "eventCode", "success", "eventDate")
    },
    "no reference": without("merchantReference"),
    "additionalData a list": {**item(), "additionalData": []},
    "psp a number": signed(item(pspReference=1)),
    "psp empty": signed(item(pspReference="")),
    "psp with a NUL": signed(item(pspReference="PSP\x00")),
    "psp with a line break": signed(item(pspReference="PSP\n")),
    "psp of 300 letters": signed(item(pspReference="P" * 300)),
    "reference a list": signed(item(merchantReference=["chk_1"])),
    "reference of 2000 letters": signed(item(merchantReference="c" * 2000)),
    "value a string": signed(item(amount={"currency": "USD", "value": "4200"})),
    "value true": signed(item(amount={"currency": "USD", "value": True})),
    "value a float": signed(item(amount={"currency": "USD", "value": 4200.0})),
    "currency in small letters": signed(item(amount={"currency": "usd", "value": 4200})),
    "currency a number": signed(item(amount={"currency": 840, "value": 4200})),
    "amount a number": {**signed(item()), "amount": 4200},
    "success true": signed(item(success=True)),
    "success in capitals": signed(item(success="TRUE")),
    "code a list": signed(item(eventCode=["CAPTURE"])),
    "date a number": signed(item(eventDate=1763812800)),
    "date no date": signed(item(eventDate="yesterday")),
    "date without a zone": signed(item(eventDate="2026-11-22T13:00:00")),
}


@pytest.mark.parametrize("stated", ITEMS.values(), ids=ITEMS.keys())
def test_an_item_without_its_parts_is_refused(stated: Item) -> None:
    """Ids, amount, event, success and time are needed in their exact kinds, signed or not; nothing is converted."""
    with pytest.raises(WebhookNotAuthenticError):
        parse(json.dumps(document(stated)).encode())


def test_a_lone_surrogate_is_refused() -> None:
    """Text that no UTF-8 can hold is no reference."""
    delivered = json.dumps(document(signed(item()))).replace(CHECKOUT, "chk_\\ud800").encode()
    with pytest.raises(WebhookNotAuthenticError):
        parse(delivered)


@pytest.mark.parametrize("code", WEBHOOK_EVENTS)
def test_events_that_matter(code: str) -> None:
    """Every event that a payment is understood from leads to its checkout, also where it names only our key."""
    (event,) = parse(body(done(code, "refund:1", psp="PSP1")))
    assert (event.event_id, event.relevant, event.reference) == (f"PSP1:{code}:true", True, CHECKOUT)


@pytest.mark.parametrize("code", ["ISSUER_COMMENTS", "NOTIFICATION_OF_FRAUD", "OFFER_CLOSED", "INVENTED_TOMORROW"])
def test_events_that_do_not_matter_are_taken(code: str) -> None:
    """What Adyen tells beyond that is authentic and irrelevant; refusing it would stop everything behind it."""
    (event,) = parse(body(item(code)))
    assert (event.type, event.relevant, event.reference) == (code, False, CHECKOUT)


@pytest.mark.parametrize("amount", [4201, 0, -1, 10**15])
def test_amounts_are_not_believed_here(amount: int) -> None:
    """An event is a hint: what it says of money is read later, against the link."""
    assert parse(body(item(amount={"currency": "JPY", "value": amount})))[0].relevant


@pytest.mark.parametrize("link", [None, 1, "", "pl_1", "PL1/../x", "PL" + "A" * 100, "https://test.adyen.link/PL1"])
def test_a_link_id_of_another_form_is_left_out(link: Any) -> None:
    """The link's id is not signed: it is taken only where it looks like one, and the reference leads on its own."""
    (event,) = parse(body(item(data={"paymentLinkId": link})))
    assert (event.payment_id, event.reference) == (None, CHECKOUT)


def test_another_accounts_events_are_kept_and_irrelevant() -> None:
    """One key may serve several merchant accounts of a company: the others' payments are not ours."""
    (event,) = parse(body(item(merchantAccountCode="SomebodyElse")))
    assert (event.relevant, event.payment_id, event.reference) == (False, None, CHECKOUT)


@pytest.mark.parametrize("reference", ["", ":capture:1", "Bestellung 1", "größe", "chk_1\n", "c" * 300, None], ids=repr)
def test_references_that_are_none_of_ours(reference: str | None) -> None:
    """A shop's other systems may name their payments as they like: authentic, irrelevant, and no reference of ours."""
    stated = item(merchantReference=reference or "")
    if reference is None:
        del stated["additionalData"]
        stated = signed(stated)
        del stated["merchantReference"]
        delivered = json.dumps(document(stated)).encode()
    else:
        delivered = body(stated)
    (event,) = parse(delivered)
    assert (event.relevant, event.reference, event.payment_id) == (False, None, None)


def test_a_live_delivery_says_so() -> None:
    """The mode is passed on as the delivery states it."""
    assert parse(body(item(), live="true"))[0].live


@pytest.mark.skipif(not SPEC.exists(), reason="Adyen's published webhooks are not here")
@pytest.mark.parametrize("code", WEBHOOK_EVENTS)
def test_published_notifications_are_read(code: str) -> None:
    """Adyen's own example of each event is read, once it is signed and given to our account; some have none."""
    description = json.loads(SPEC.read_text())
    assert f"/{code}" in description["webhooks"]
    example = description["components"]["examples"].get(f"post-{code}-{code.lower()}")
    if example is None:
        assert code in DISPUTE_EVENTS[-7:]
        return
    published = example["value"]
    (stated,) = (wrapped["NotificationRequestItem"] for wrapped in published["notificationItems"])
    (event,) = parse(body({**stated, "merchantAccountCode": ACCOUNT}, live=published["live"]))
    assert (event.type, event.reference, event.relevant) == (code, stated["merchantReference"], True)
    dispute = f"{stated['merchantReference']}:{stated['pspReference']}" if code in DISPUTE_EVENTS else None
    assert event.dispute_id == dispute
    assert event.payment_id in (None, LINK_ID)
