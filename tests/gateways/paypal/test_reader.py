"""Looking payments up: in full, and the right one for a reference."""

import json
import logging
from typing import Any

import pytest

from domain.errors import OutcomeUnknownError
from domain.payment import PaymentStatus
from gateways.paypal.adapter import PayPalGateway
from tests.gateways.paypal.conftest import NoEvidence
from tests.gateways.paypal.examples import (
    APPROVED,
    CAPTURED,
    CREATED,
    ORDER_ID,
    authorization,
    capture,
    order,
    refund,
    refused,
)
from tests.gateways.scripted import ScriptedServer, answer

OTHER_ID = "8EF62912BJ345678X"


def without(stated: dict[str, Any], *names: str) -> dict[str, Any]:
    """The same object with less in it."""
    return {name: value for name, value in stated.items() if name not in names}


async def test_a_refund_without_reference_is_read_in_full(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """Within its order a refund may lack what we told PayPal about it: by itself it has it."""
    brief = without(refund(), "custom_id")
    stated = order("COMPLETED", {"captures": [capture("REFUNDED")], "refunds": [brief]})
    scripted.tell(answer(200, stated), answer(200, refund()))
    payment = await gateway.lookup(ORDER_ID)
    assert payment is not None
    assert [r.reference for r in payment.refunds] == ["chk_1:refund:1"]
    assert scripted.requests[1].startswith("GET /v2/payments/refunds/1JU08902781691411 ")


async def test_a_hold_without_its_end_is_read_in_full(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """The end of a hold decides when it must be captured or released, so it is asked for where it is missing."""
    stated = order("COMPLETED", {"authorizations": [without(authorization(), "expiration_time")]})
    scripted.tell(answer(200, stated), answer(200, authorization()))
    payment = await gateway.lookup(ORDER_ID)
    assert payment is not None
    assert payment.authorized_until is not None
    assert scripted.requests[1].startswith("GET /v2/payments/authorizations/0VF52814937998046 ")


@pytest.mark.parametrize("said", [refused(404, "INVALID_RESOURCE_ID"), refused(500), answer(200, {})])
async def test_a_part_that_cannot_be_read_leaves_the_whole_unknown(
    gateway: PayPalGateway, scripted: ScriptedServer, said: bytes
) -> None:
    """A payment is not told without knowing whose its refunds are."""
    stated = order("COMPLETED", {"captures": [capture("REFUNDED")], "refunds": [without(refund(), "custom_id")]})
    scripted.tell(answer(200, stated), said)
    with pytest.raises(OutcomeUnknownError):
        await gateway.lookup(ORDER_ID)


async def test_ids_that_lead_elsewhere_are_not_followed(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """An id that is no id is none of this account's orders, and none of an order's parts."""
    scripted.tell(answer(200, CREATED))
    for odd in ("", "../../v1/identity", "A?fields=x", "A/capture", "é", "A" * 65):
        assert await gateway.lookup(odd) is None
    assert scripted.requests == []
    bent = without(refund(id="../x"), "custom_id")
    scripted.tell(answer(200, order("COMPLETED", {"captures": [capture("REFUNDED")], "refunds": [bent]})))
    with pytest.raises(OutcomeUnknownError):
        await gateway.lookup(ORDER_ID)
    assert len(scripted.requests) == 1


def delivery(order_id: str, kind: str = "CHECKOUT.ORDER.APPROVED") -> bytes:
    """The body of a delivery that names an order."""
    related = {"supplementary_data": {"related_ids": {"order_id": order_id}}}
    resource = {"id": order_id} if kind.startswith("CHECKOUT") else {"id": "3C679366HH908993F", **related}
    return json.dumps({"id": "WH-1", "event_type": kind, "resource": resource}).encode()


async def test_find_reads_what_deliveries_named(
    gateway: PayPalGateway, scripted: ScriptedServer, evidence: NoEvidence
) -> None:
    """Each order is read once, however many deliveries named it; nothing in them is believed."""
    evidence.bodies += [delivery(ORDER_ID), delivery(ORDER_ID, "PAYMENT.CAPTURE.COMPLETED"), b"{", b"[]", b'{"id":1}']
    scripted.tell(answer(200, CAPTURED))
    payment = await gateway.find("chk_1")
    assert payment is not None
    assert (payment.payment_id, payment.status) == (ORDER_ID, PaymentStatus.CAPTURED)
    assert len(scripted.requests) == 1


async def test_find_believes_the_order_alone(
    gateway: PayPalGateway, scripted: ScriptedServer, evidence: NoEvidence
) -> None:
    """A delivery that names somebody else's order, or none that there is, leads to nothing."""
    assert await gateway.find("chk_1") is None
    evidence.bodies.append(delivery(ORDER_ID))
    for said in (refused(404, "INVALID_RESOURCE_ID"), answer(200, order(purchase_units=stranger()))):
        scripted.tell(said)
        assert await gateway.find("chk_1") is None
    scripted.tell(refused(500))
    with pytest.raises(OutcomeUnknownError):
        await gateway.find("chk_1")


async def test_of_several_orders_the_one_with_money_is_found(
    gateway: PayPalGateway, scripted: ScriptedServer, evidence: NoEvidence, caplog: pytest.LogCaptureFixture
) -> None:
    """When a forgotten key opened a second order, the one that took money counts, and somebody is told."""
    evidence.bodies += [delivery(ORDER_ID), delivery(OTHER_ID)]
    scripted.tell(answer(200, CAPTURED), answer(200, {**APPROVED, "id": OTHER_ID}))
    with caplog.at_level(logging.ERROR):
        payment = await gateway.find("chk_1")
    assert payment is not None
    assert payment.payment_id == ORDER_ID
    assert "several PayPal orders carry the reference chk_1" in caplog.text


async def test_no_more_orders_are_read_than_there_can_be(
    gateway: PayPalGateway, scripted: ScriptedServer, evidence: NoEvidence
) -> None:
    """Whoever forges deliveries makes no look-up into a thousand, nor hides the order that was named first."""
    evidence.bodies += [delivery(f"ORDER{number}") for number in range(1000)]
    scripted.tell(answer(200, {**CAPTURED, "id": "ORDER0"}), refused(404, "INVALID_RESOURCE_ID"))
    payment = await gateway.find("chk_1")
    assert payment is not None
    assert payment.payment_id == "ORDER0"
    assert len(scripted.requests) == 10


def stranger() -> list[dict[str, Any]]:
    """The unit of somebody else's order."""
    return [{**CREATED["purchase_units"][0], "custom_id": "chk_2"}]
