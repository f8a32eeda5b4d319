"""Our requests: what they say, and that PayPal's own description of its API allows it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from domain.money import Money
from gateways.paypal import requests
from gateways.paypal.adapter import PayPalGateway
from tests.gateways.paypal.examples import (
    APPROVED,
    AUTHORIZE,
    CAPTURE,
    CAPTURED,
    CREATE,
    CREATED,
    HELD,
    REFUND,
    RELEASED,
    VOID,
    authorization,
    capture,
    done,
    refund,
    seen,
)
from tests.gateways.scripted import ScriptedServer, answer

SPECS = Path(__file__).parents[4] / "shared" / "specs"
described = pytest.mark.skipif(not SPECS.exists(), reason="PayPal's API descriptions are not here")
RETURN = "https://shop.example.com/thanks?order=1"


def test_an_order() -> None:
    """Our reference is the order's custom and invoice id, the shop's order its description."""
    assert requests.order(CREATE) == {
        "intent": "CAPTURE",
        "purchase_units": [
            {
                "reference_id": "chk_1",
                "custom_id": "chk_1",
                "invoice_id": "chk_1",
                "description": "Order order-1",
                "amount": {"currency_code": "USD", "value": "10.00"},
            }
        ],
    }


def test_an_order_to_be_held() -> None:
    """What is only to be held is opened with another intent."""
    assert requests.order(replace(CREATE, hold=True))["intent"] == "AUTHORIZE"


def test_an_order_with_a_way_back() -> None:
    """Approved or not, the payer comes back to the shop; PayPal asks for no address to send anything to."""
    source = requests.order(replace(CREATE, return_url=RETURN))["payment_source"]
    assert source == {
        "paypal": {
            "experience_context": {
                "return_url": RETURN,
                "cancel_url": RETURN,
                "user_action": "PAY_NOW",
                "shipping_preference": "NO_SHIPPING",
            }
        }
    }


def test_a_long_order_number_is_cut_where_people_read_it() -> None:
    """PayPal takes 127 letters of description; the references are ours and shorter."""
    unit = requests.order(replace(CREATE, order_id="x" * 300))["purchase_units"][0]
    assert len(unit["description"]) == 127


def test_a_refund() -> None:
    """A refund carries its key, without the colons that PayPal does not state again."""
    assert requests.refund(REFUND.key, REFUND.amount) == {
        "amount": {"currency_code": "USD", "value": "10.00"},
        "custom_id": "chk_1.refund.1",
    }


async def test_every_operation_carries_its_key(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """The key is the request id, and the whole object is asked for, whatever the operation."""
    operations: list[tuple[Any, Any, list[bytes]]] = [
        (gateway.create, CREATE, [done(CREATED)]),
        (gateway.authorize, AUTHORIZE, [seen(APPROVED), done(HELD), seen(HELD)]),
        (gateway.capture, CAPTURE, [seen(APPROVED), done(CAPTURED), seen(CAPTURED)]),
        (gateway.capture, CAPTURE, [seen(HELD), done(capture()), seen(CAPTURED)]),
        (gateway.void, VOID, [seen(HELD), answer(204, ""), seen(RELEASED)]),
        (gateway.refund, REFUND, [seen(CAPTURED), done(refund())]),
    ]
    for operation, request, script in operations:
        scripted.tell(*script)
        await operation(request)
        sent = zip(scripted.received(), scripted.requests, strict=True)
        (headers,) = [headers for (headers, _), request in sent if request.startswith("POST")]
        assert headers["paypal-request-id"] == request.key
        assert headers["prefer"] == "return=representation"
        assert headers["content-type"] == "application/json"


@described
@pytest.mark.parametrize(
    ("api", "schema", "body"),
    [
        ("checkout_orders_v2", "order_request", requests.order(CREATE)),
        ("checkout_orders_v2", "order_request", requests.order(replace(CREATE, hold=True, return_url=RETURN))),
        ("checkout_orders_v2", "order_request", requests.order(replace(CREATE, amount=Money(500, "JPY")))),
        ("payments_payment_v2", "refund_request", requests.refund(REFUND.key, REFUND.amount)),
        (
            "payments_payment_v2",
            "capture_request",
            {"amount": {"currency_code": "USD", "value": "10.00"}, "final_capture": True},
        ),
    ],
)
def test_bodies_are_as_described(api: str, schema: str, body: dict[str, Any]) -> None:
    """What we send fits PayPal's own description."""
    assert complaints(api, schema, body) == []


@described
@pytest.mark.parametrize(
    ("api", "schema", "stated"),
    [
        ("checkout_orders_v2", "order", CREATED),
        ("checkout_orders_v2", "order", HELD),
        ("checkout_orders_v2", "order", CAPTURED),
        ("payments_payment_v2", "authorization-2", authorization()),
        ("payments_payment_v2", "capture-2", capture("PENDING")),
        ("payments_payment_v2", "refund", refund()),
    ],
)
def test_the_tests_own_examples_are_as_described(api: str, schema: str, stated: dict[str, Any]) -> None:
    """The objects that the tests play PayPal with could be PayPal's."""
    assert complaints(api, schema, stated) == []


@described
def test_the_description_can_refuse() -> None:
    """A body that PayPal would not take does not pass for one that it would."""
    body = requests.order(CREATE)
    wrong = [{**body, "intent": "SALE"}, {"intent": "CAPTURE"}, {**body, "purchase_units": [{"amount": {"value": 10}}]}]
    assert [bool(complaints("checkout_orders_v2", "order_request", each)) for each in wrong] == [True] * 3


@described
@pytest.mark.parametrize(
    ("api", "path", "verb"),
    [
        ("checkout_orders_v2", "/v2/checkout/orders", "post"),
        ("checkout_orders_v2", "/v2/checkout/orders/{id}", "get"),
        ("checkout_orders_v2", "/v2/checkout/orders/{id}/authorize", "post"),
        ("checkout_orders_v2", "/v2/checkout/orders/{id}/capture", "post"),
        ("payments_payment_v2", "/v2/payments/authorizations/{authorization_id}", "get"),
        ("payments_payment_v2", "/v2/payments/authorizations/{authorization_id}/capture", "post"),
        ("payments_payment_v2", "/v2/payments/authorizations/{authorization_id}/void", "post"),
        ("payments_payment_v2", "/v2/payments/captures/{capture_id}/refund", "post"),
        ("payments_payment_v2", "/v2/payments/refunds/{refund_id}", "get"),
        ("reporting_transactions_v1", "/v1/reporting/transactions", "get"),
    ],
)
def test_the_calls_exist(api: str, path: str, verb: str) -> None:
    """Every address that the adapter calls is one of PayPal's."""
    assert verb in document(api)["paths"][path]


def document(api: str) -> dict[str, Any]:
    """One of PayPal's API descriptions."""
    read: dict[str, Any] = json.loads((SPECS / f"paypal-{api}.json").read_text())
    return read


def complaints(api: str, schema: str, body: dict[str, Any]) -> list[str]:
    """How a body differs from PayPal's description of it."""
    whole = {"$ref": f"#/components/schemas/{schema}", **document(api)}
    return [f"{error.json_path}: {error.message}" for error in Draft202012Validator(whole).iter_errors(body)]
