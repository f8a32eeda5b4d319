"""What is taken from an authentic delivery, and which bodies are refused although their signature is good."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from domain.errors import WebhookNotAuthenticError
from gateways.contract import WebhookEvent
from gateways.paypal.webhooks import WEBHOOK_EVENTS
from tests.gateways.paypal.authority import BODY, NOW, event, headers
from tests.gateways.paypal.examples import ORDER_ID
from tests.gateways.paypal.hooked import Receiver
from tests.gateways.scripted import ScriptedServer


@pytest.fixture
async def receiver(scripted: ScriptedServer) -> AsyncIterator[Receiver]:
    """Somebody who trusts the tests' root."""
    made = Receiver(scripted)
    yield made
    await made.gateway.close()


async def parse(receiver: Receiver, stated: Any) -> WebhookEvent:
    """The event of a delivery with a good signature, whatever it says."""
    body = stated if isinstance(stated, bytes) else json.dumps(stated).encode()
    return await receiver.parse(body, headers(body, receiver.url))


HOSTILE = {
    "deep JSON": b'{"a":' * 30_000 + b"1" + b"}" * 30_000,
    "deep lists": b"[" * 60_000,
    "NaN": BODY.replace(b'"10.00"', b"NaN"),
    "Infinity": BODY.replace(b'"10.00"', b"-Infinity"),
    "1e400": BODY.replace(b'"10.00"', b"1e400"),
    "five thousand digits": BODY.replace(b'"10.00"', b"9" * 5000),
    "duplicate keys": BODY[:-1] + b',"id":"WH-2"}',
    "duplicate keys within": BODY.replace(b'"custom_id"', b'"custom_id": "chk_2", "custom_id"'),
    "a NUL byte": BODY.replace(b"WH-58", b"WH-\x00"),
    "no UTF-8": BODY.replace(b"WH-58", b"WH-\xff"),
    "UTF-16": BODY.decode().encode("utf-16"),
    "a signed BOM": b"\xef\xbb\xbf" + BODY,
    "no JSON": b"hello",
    "half of it": BODY[:100],
    "list": b"[]",
    "string": b'"WH-1"',
    "number": b"1",
    "null": b"null",
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
async def test_a_signed_body_that_paypal_would_not_write_is_refused(receiver: Receiver, body: bytes) -> None:
    """A good signature does not make a body safe to read: whatever is no strict JSON object is refused."""
    with pytest.raises(WebhookNotAuthenticError):
        await parse(receiver, body)


def without(name: str) -> dict[str, Any]:
    """The event with one member left out."""
    return {member: value for member, value in event().items() if member != name}


SHAPES: dict[str, Any] = {
    **{f"no {name}": without(name) for name in ("id", "event_type", "resource")},
    "id a number": event(id=1),
    "id empty": event(id=""),
    "id with a NUL": event(id="WH-\x00"),
    "id a lone surrogate": event(id="WH-\ud800"),
    "id of 300 letters": event(id="W" * 300),
    "id with a line break": event(id="WH-1\n"),
    "type a list": event(event_type=["PAYMENT.CAPTURE.COMPLETED"]),
    "type with a space": event(event_type="PAYMENT CAPTURE"),
    "resource a list": event(resource=[]),
    "resource null": event(resource=None),
    "relations a list": event(resource={"supplementary_data": [1]}),
    "relations a text": event(resource={"supplementary_data": {"related_ids": "x"}}),
}


@pytest.mark.parametrize("stated", SHAPES.values(), ids=SHAPES.keys())
async def test_a_signed_event_without_its_parts_is_refused(receiver: Receiver, stated: dict[str, Any]) -> None:
    """Id, type and resource are needed in their exact kinds; nothing is guessed or converted."""
    with pytest.raises(WebhookNotAuthenticError):
        await parse(receiver, stated)


DISPUTED = tuple(kind for kind in WEBHOOK_EVENTS if kind.startswith("CUSTOMER.DISPUTE."))


@pytest.mark.parametrize("kind", [kind for kind in WEBHOOK_EVENTS if kind not in DISPUTED])
async def test_every_subscribed_event_names_its_payment(receiver: Receiver, kind: str) -> None:
    """All events we subscribe to are relevant and lead to the order, whichever object they carry."""
    orders: dict[str, Any] = {"id": ORDER_ID, "purchase_units": [{"custom_id": "chk_1"}]}
    reversed_approval = {"order_id": ORDER_ID, "purchase_units": [{"custom_id": "chk_1"}]}
    part = {"id": "X", "custom_id": "chk_1", "supplementary_data": {"related_ids": {"order_id": ORDER_ID}}}
    is_order = kind.startswith("CHECKOUT.ORDER.")
    resource = orders if is_order else reversed_approval if kind.startswith("CHECKOUT.") else part
    parsed = await parse(receiver, event(event_type=kind, resource=resource))
    assert (parsed.payment_id, parsed.relevant, parsed.reference) == (ORDER_ID, True, "chk_1")


@pytest.mark.parametrize("kind", ["PAYMENT.CAPTURE.REFUNDED", "PAYMENT.REFUND.PENDING", "PAYMENT.REFUND.FAILED"])
async def test_a_refunds_event_leads_by_its_key(receiver: Receiver, kind: str) -> None:
    """A refund names no order; the checkout's id is the first part of its key, or stands there alone."""
    for custom in ("chk_1.refund.1", "chk_1"):
        parsed = await parse(receiver, event(event_type=kind, resource={"id": "R", "custom_id": custom}))
        assert (parsed.payment_id, parsed.reference, parsed.relevant) == (None, "chk_1", True)


@pytest.mark.parametrize("kind", DISPUTED)
async def test_an_event_about_a_dispute_names_it(receiver: Receiver, kind: str) -> None:
    """The dispute is named, and the checkout where its transaction tells it; the order is not known from it."""
    transactions = [{"seller_transaction_id": "3C679366HH908993F", "custom": "chk_1"}]
    named = {"dispute_id": "PP-R-ABC-10065656", "disputed_transactions": transactions}
    parsed = await parse(receiver, event(event_type=kind, resource=named))
    assert (parsed.dispute_id, parsed.reference, parsed.payment_id) == ("PP-R-ABC-10065656", "chk_1", None)
    bare = await parse(receiver, event(event_type=kind, resource={"dispute_id": "PP-D-1"}))
    assert (bare.dispute_id, bare.reference, bare.relevant) == ("PP-D-1", None, True)
    for odd in (None, 1, "", "../PP", "P" * 40, ["PP-D-1"]):
        lost = await parse(receiver, event(event_type=kind, resource={"dispute_id": odd}))
        assert (lost.dispute_id, lost.relevant) == (None, False)


async def test_an_event_happened_when_it_says(receiver: Receiver) -> None:
    """The event's own time counts, as PayPal's list states it; without one it is when the delivery was sent."""
    assert (await receiver.parse()).occurred_at == NOW - timedelta(seconds=3)
    for odd in (None, "soon", "2026-11-22T11:59:57"):
        assert (await parse(receiver, event(create_time=odd))).occurred_at == NOW


async def test_other_events_are_not_relevant(receiver: Receiver) -> None:
    """Events that we did not ask for, or that lead to nothing of ours, are authentic and change nothing."""
    kinds = ("CHECKOUT.ORDER.PROCESSED", "CUSTOMER.DISPUTE.CREATED", "BILLING.SUBSCRIPTION.CREATED")
    parsed = [await parse(receiver, event(event_type=kind, resource={"id": ORDER_ID})) for kind in kinds]
    lost = await parse(receiver, event(resource={"id": "3C679366HH908993F"}))
    assert [e.relevant for e in (*parsed, lost)] == [False] * 4
    assert [e.payment_id for e in (*parsed, lost)] == [ORDER_ID, None, None, None]


@pytest.mark.parametrize("amount", [{"value": "1.00"}, {"value": -1}, "10", True, None, {"value": "1" * 400}])
async def test_amounts_are_not_read(receiver: Receiver, amount: Any) -> None:
    """A delivery is a hint followed by a look-up, so no amount in it can matter."""
    stated = event()
    stated["resource"]["amount"] = amount
    assert await parse(receiver, stated) == await receiver.parse()


@pytest.mark.parametrize("named", [1, True, ["A"], "", "a b", "../x", "A" * 40, None, "lower"])
async def test_a_strange_order_is_none(receiver: Receiver, named: Any) -> None:
    """An order id that PayPal would not give leads nowhere; the delivery is kept."""
    resource = {"id": "X", "custom_id": "chk_1", "supplementary_data": {"related_ids": {"order_id": named}}}
    parsed = await parse(receiver, event(resource=resource))
    assert (parsed.payment_id, parsed.reference) == (None, "chk_1")


@pytest.mark.parametrize("reference", [1, True, ["chk_1"], "", "chk\x00", "chk\ud800", "c" * 300, "chk 1"])
async def test_a_strange_reference_is_none(receiver: Receiver, reference: Any) -> None:
    """A custom id is written by people too: one that cannot be ours is left out, the delivery is kept."""
    stated = event()
    stated["resource"]["custom_id"] = reference
    parsed = await parse(receiver, stated)
    assert (parsed.payment_id, parsed.reference) == (ORDER_ID, None)
