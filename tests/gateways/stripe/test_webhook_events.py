"""What is taken from an authentic delivery, and which bodies are refused although their signature is good."""

from typing import Any

import pytest

from domain.errors import WebhookNotAuthenticError
from gateways.stripe.webhooks import WEBHOOK_EVENTS
from tests.gateways.stripe.deliveries import BODY, SECOND, event, header, parse, parse_signed

HOSTILE = {
    "deep JSON": b'{"a":' * 30_000 + b"1" + b"}" * 30_000,
    "deep lists": b"[" * 60_000,
    "NaN": BODY.replace(b"4200", b"NaN"),
    "Infinity": BODY.replace(b"4200", b"-Infinity"),
    "1e400": BODY.replace(b"4200", b"1e400"),
    "five thousand digits": BODY.replace(b"4200", b"9" * 5000),
    "duplicate keys": BODY[:-1] + b',"id":"evt_2"}',
    "duplicate keys within": BODY.replace(b'"amount": 4200', b'"amount": 4200, "amount": 1'),
    "a NUL byte": BODY.replace(b"evt_1", b"evt_\x00"),
    "no UTF-8": BODY.replace(b"evt_1", b"evt_\xff"),
    "UTF-16": BODY.decode().encode("utf-16"),
    "a signed BOM": b"\xef\xbb\xbf" + BODY,
    "no JSON": b"hello",
    "half of it": BODY[:100],
    "list": b"[]",
    "string": b'"evt_1"',
    "number": b"1",
    "null": b"null",
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_signed_body_that_stripe_would_not_write_is_refused(body: bytes) -> None:
    """A good signature does not make a body safe to read: whatever is no strict JSON object is refused."""
    with pytest.raises(WebhookNotAuthenticError):
        parse_signed(body)


def without(name: str) -> dict[str, Any]:
    """The event with one member left out."""
    return {member: value for member, value in event().items() if member != name}


SHAPES: dict[str, Any] = {
    **{f"no {name}": without(name) for name in ("id", "object", "type", "created", "data", "livemode")},
    "id a number": event(id=1),
    "id empty": event(id=""),
    "id with a NUL": event(id="evt_\x00"),
    "id a lone surrogate": event(id="evt_\ud800"),
    "id of 300 letters": event(id="e" * 300),
    "id with a line break": event(id="evt_1\n"),
    "type a list": event(type=["payment_intent.succeeded"]),
    "created true": event(created=True),
    "created a string": event(created=str(SECOND)),
    "created a float": event(created=SECOND + 0.5),
    "created huge": event(created=10**18),
    "livemode a string": event(livemode="false"),
    "livemode 0": event(livemode=0),
    "data a list": event(data=[]),
    "no object": event(data={}),
    "object null": event(data={"object": None}),
    "payment without id": event(data={"object": {}}),
    "payment id true": event(data={"object": {"id": True}}),
    "payment id a path": event(data={"object": {"id": "pi_1/../../refunds"}}),
    "thin event": event(object="v2.core.event"),
}


@pytest.mark.parametrize("stated", SHAPES.values(), ids=SHAPES.keys())
def test_a_signed_event_without_its_parts_is_refused(stated: dict[str, Any]) -> None:
    """Ids, type, time and mode are needed in their exact kinds; nothing is guessed or converted."""
    with pytest.raises(WebhookNotAuthenticError):
        parse_signed(stated)


@pytest.mark.parametrize("amount", [4201, -1, 0, True, "4200", 10**30, 1.5, None])
def test_amounts_are_not_read(amount: Any) -> None:
    """A delivery is a hint followed by a look-up, so no amount in it can matter."""
    stated = event()
    stated["data"]["object"]["amount"] = amount
    assert parse_signed(stated) == parse(BODY, header(BODY))


@pytest.mark.parametrize("kind", WEBHOOK_EVENTS)
def test_every_subscribed_event_names_its_payment(kind: str) -> None:
    """All events we subscribe to are relevant and lead to the payment, whichever object they carry."""
    payment = {"id": "pi_7", "metadata": {}}
    part = {"id": "ch_7", "payment_intent": "pi_7", "metadata": None}
    subject = payment if kind.startswith("payment_intent.") else part
    parsed = parse_signed(event(type=kind, data={"object": subject}))
    assert (parsed.payment_id, parsed.relevant, parsed.reference) == ("pi_7", True, None)


@pytest.mark.parametrize("kind", [kind for kind in WEBHOOK_EVENTS if ".dispute." in kind])
def test_events_of_disputes_name_both(kind: str) -> None:
    """What happens to a dispute leads to it and to its payment; one of a charge without a payment is not ours."""
    dispute = {"id": "du_7", "payment_intent": "pi_7", "metadata": {}}
    parsed = parse_signed(event(type=kind, data={"object": dispute}))
    assert (parsed.dispute_id, parsed.payment_id, parsed.relevant) == ("du_7", "pi_7", True)
    foreign = parse_signed(event(type=kind, data={"object": {**dispute, "payment_intent": None}}))
    assert (foreign.dispute_id, foreign.payment_id, foreign.relevant) == ("du_7", None, False)
    with pytest.raises(WebhookNotAuthenticError):
        parse_signed(event(type=kind, data={"object": {**dispute, "id": None}}))


def test_other_events_are_not_relevant() -> None:
    """Events that we did not ask for, or of charges without a payment, are authentic and change nothing."""
    unknown = parse_signed(event(type="payment_intent.created"))
    customer = parse_signed(event(type="customer.created", data={"object": {"id": "cus_1"}}))
    charge = parse_signed(event(type="charge.refunded", data={"object": {"id": "ch_1", "payment_intent": None}}))
    assert [e.relevant for e in (unknown, customer, charge)] == [False, False, False]
    assert [e.payment_id for e in (unknown, customer, charge)] == ["pi_1", None, None]


def test_live_mode_is_told() -> None:
    """Whether real money moved is told, so that the receiver can set it against its own account."""
    assert parse_signed(event(livemode=True)).live is True


@pytest.mark.parametrize("reference", [1, True, ["chk_1"], "", "chk\x00", "chk\ud800", "c" * 300])
def test_a_strange_reference_is_none(reference: Any) -> None:
    """Metadata is written by people too: a reference that cannot be ours is left out, the delivery is kept."""
    stated = event(data={"object": {"id": "pi_1", "metadata": {"checkout_id": reference}}})
    parsed = parse_signed(stated)
    assert (parsed.event_id, parsed.reference) == ("evt_1", None)
