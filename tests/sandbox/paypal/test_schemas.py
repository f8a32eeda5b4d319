"""Answers, refusals and events fit PayPal's published OpenAPI schemas."""

import json
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.sandbox.paypal.support import Shop, heard, money, order_body
from tests.sandbox.support import Receiver, eventually

SPECS = Path(__file__).parents[3].parent / "shared" / "specs"
ORDERS, HOLDS, CAPTURES = "/v2/checkout/orders", "/v2/payments/authorizations", "/v2/payments/captures"
WHOLE = {"Prefer": "return=representation"}

pytestmark = pytest.mark.skipif(
    not (SPECS / "paypal-checkout_orders_v2.json").exists(), reason="PayPal's published specifications are not here"
)


@cache
def _spec(name: str) -> dict[str, Any]:
    spec: dict[str, Any] = json.loads((SPECS / f"paypal-{name}.json").read_text())
    return spec


def _fits(name: str, schema: str, body: Any, *known: str) -> None:
    """Check a body against a schema; with `known`, that these are all the fields it names besides."""
    spec = _spec(name)
    assert schema in spec["components"]["schemas"]
    validator = Draft202012Validator({"$ref": f"#/components/schemas/{schema}", "components": spec["components"]})
    errors = [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(body)]
    assert errors == []
    unknown = set(body) - _properties(spec, schema) - set(known)
    assert unknown == set()


def _properties(spec: dict[str, Any], schema: str) -> set[str]:
    """Every field that a schema names, its parts included; a field outside would be an invention of ours."""
    found: set[str] = set()
    pending = [spec["components"]["schemas"][schema]]
    while pending:
        each = pending.pop()
        found |= set(each.get("properties", {}))
        pending += each.get("allOf", [])
        if "$ref" in each:
            pending.append(spec["components"]["schemas"][each["$ref"].rsplit("/", 1)[1]])
    return found


def _refusal(name: str, status: int, body: dict[str, Any], issues: str) -> None:
    """Check a refusal against the schema of its status, and its issue against those the operation may answer."""
    _fits(name, f"error_{status}", body)
    listed = json.dumps(_spec(name)["components"]["schemas"][issues])
    assert f'"enum": ["{body["details"][0]["issue"]}"]' in listed


async def test_orders(own: Shop) -> None:
    """An order fits in every state and in both forms, with the parts of its payment."""
    made = await own.post(ORDERS, order_body(own.checkout), **WHOLE)
    order = made.json()["id"]
    seen = [made.json(), (await own.post(ORDERS, order_body(own.checkout))).json()]
    await own.pay_page(order)
    seen.append(await own.read(f"{ORDERS}/{order}"))
    seen.append((await own.post(f"{ORDERS}/{order}/capture", **WHOLE)).json())
    pending, _ = await own.captured("capture_pending")
    seen.append(await own.read(f"{ORDERS}/{pending}"))
    await own.control("settle")
    refundable, taken = await own.captured("refund_fails")
    await own.post(f"{CAPTURES}/{taken['id']}/refund")
    await own.control("settle")
    seen.append(await own.read(f"{ORDERS}/{refundable}"))
    assert {each["status"] for each in seen} == {"PAYER_ACTION_REQUIRED", "APPROVED", "COMPLETED"}
    for each in seen:
        _fits("checkout_orders_v2", "order", each)
    held, _ = await own.held()
    _fits("checkout_orders_v2", "order_authorize_response", await own.read(f"{ORDERS}/{held}"))


async def test_payments(own: Shop) -> None:
    """Holds, captures and refunds fit in every state."""
    _, hold = await own.held("refund_pending")
    path = f"{HOLDS}/{hold['id']}"
    holds = [await own.read(path)]
    taken = (await own.post(f"{path}/capture", {"amount": money("10.00")}, **WHOLE)).json()
    holds += [await own.read(path), (await own.post(f"{path}/void", **WHOLE)).json()]
    note = {"amount": money("4.00"), "note_to_payer": "sorry", "invoice_id": f"inv-{own.checkout}"}
    refund = (await own.post(f"{CAPTURES}/{taken['id']}/refund", note, **WHOLE)).json()
    captures = [taken, await own.read(f"{CAPTURES}/{taken['id']}")]
    await own.control("settle")
    refunds = [refund, await own.read(f"/v2/payments/refunds/{refund['id']}")]
    assert [each["status"] for each in holds] == ["CREATED", "PARTIALLY_CAPTURED", "VOIDED"]
    assert [each["status"] for each in captures + refunds] == [
        "COMPLETED",
        "PARTIALLY_REFUNDED",
        "PENDING",
        "COMPLETED",
    ]
    schemas = {"authorization-2": holds, "capture-2": captures}
    for schema, bodies in schemas.items():
        for body in bodies:
            _fits("payments_payment_v2", schema, body)
    for body in refunds:
        # The payee of a refund is `payer` in PayPal's newer descriptions and answers; the one at hand is older.
        _fits("payments_payment_v2", "refund", body, "payer")


async def test_refusals(shop: Shop) -> None:
    """Refusals fit, and each issue is one that PayPal lists for the operation."""
    order = await shop.open()
    early = await shop.post(f"{ORDERS}/{order}/capture")
    _refusal("checkout_orders_v2", 422, early.json(), "orders.capture-422")
    declined = await shop.approved(funding="declined")
    said = await shop.post(f"{ORDERS}/{declined}/capture")
    _refusal("checkout_orders_v2", 422, said.json(), "orders.capture-422")
    wrong = await shop.post(ORDERS, order_body(shop.checkout, value="1.50", currency="JPY"))
    _fits("checkout_orders_v2", "error_422", wrong.json())
    _refusal("payments_payment_v2", 404, (await shop.client.get(f"{CAPTURES}/X")).json(), "404")
    _, hold = await shop.held()
    beyond = await shop.post(f"{HOLDS}/{hold['id']}/capture", {"amount": money("99.00")})
    _refusal("payments_payment_v2", 422, beyond.json(), "422")
    await shop.post(f"{HOLDS}/{hold['id']}/void")
    twice = await shop.post(f"{HOLDS}/{hold['id']}/void")
    _refusal("payments_payment_v2", 422, twice.json(), "authorizations.void-422")
    _, taken = await shop.captured()
    much = await shop.post(f"{CAPTURES}/{taken['id']}/refund", {"amount": money("99.00")})
    _refusal("payments_payment_v2", 422, much.json(), "captures.refund-422")
    empty = await shop.post(ORDERS, {})
    _fits("checkout_orders_v2", "error_400", empty.json())


@pytest.mark.parametrize(("kind", "status"), [("error_500_before", 500), ("unavailable_503", 503)])
async def test_outages(shop: Shop, kind: str, status: int) -> None:
    """What PayPal says when it is broken fits as well."""
    await shop.fault("paypal.orders.create", kind)
    answer = await shop.post(ORDERS, order_body(shop.checkout))
    _fits("checkout_orders_v2", f"error_{status}", answer.json())


async def test_events_and_endpoints(shop: Shop, receiver: Receiver, webhook: str) -> None:
    """Events and webhook endpoints fit; the resource in an event is the object that can be read."""
    order, _ = await shop.captured()
    await eventually(lambda: len(heard(receiver, order)) == 2)
    for one in heard(receiver, order):
        _fits("notifications_webhooks_v1", "event", one.event)
    resources = {one.event["resource_type"]: one.event["resource"] for one in heard(receiver, order)}
    _fits("checkout_orders_v2", "order", resources["checkout-order"])
    _fits("payments_payment_v2", "capture-2", resources["capture"])
    _fits("notifications_webhooks_v1", "webhook", await shop.read(f"/v1/notifications/webhooks/{webhook}"))


async def test_disputes(shop: Shop, receiver: Receiver, webhook: str) -> None:
    """Disputes fit in every state, their answers and refusals too, and their events carry the same."""
    seen: list[dict[str, Any]] = []
    for kind in ("inquiry", "chargeback"):
        order, _ = await shop.captured()
        dispute = await shop.dispute(order, kind)
        seen.append(await shop.disputed(dispute))
    evidence = {"evidences": [{"evidence_type": "OTHER", "notes": "It was delivered."}]}
    _fits("customer_disputes_v1", "subsequent_action", (await shop.evidence(dispute, evidence)).json())
    seen.append(await shop.disputed(dispute))
    _fits("customer_disputes_v1", "error_422", (await shop.evidence(dispute, evidence)).json())
    accepted = await shop.post(f"/v1/customer/disputes/{dispute}/accept-claim", {"accept_claim_type": "REFUND"})
    _fits("customer_disputes_v1", "subsequent_action", accepted.json())
    seen.append(await shop.disputed(dispute))
    assert [each["status"] for each in seen] == [*["WAITING_FOR_SELLER_RESPONSE"] * 2, "UNDER_REVIEW", "RESOLVED"]
    for each in seen:
        _fits("customer_disputes_v1", "dispute", each)
    await eventually(lambda: len(heard(receiver, dispute)) == 3)
    for one in heard(receiver, dispute):
        _fits("notifications_webhooks_v1", "event", one.event)
        _fits("customer_disputes_v1", "dispute", one.event["resource"])
    _fits("notifications_webhooks_v1", "EventList", await shop.read("/v1/notifications/webhooks-events"))
    missing = (await shop.client.get("/v1/customer/disputes/PP-R-XXX-1")).json()
    _fits("customer_disputes_v1", "error_404", missing)


async def test_refusals_around_disputes(shop: Shop) -> None:
    """What a dispute or a hold made anew keeps from happening is refused with an issue that PayPal lists."""
    order, taken = await shop.captured()
    await shop.dispute(order, "inquiry")
    some = await shop.post(f"{CAPTURES}/{taken['id']}/refund", {"amount": money("1.00")})
    _refusal("payments_payment_v2", 422, some.json(), "captures.refund-422")
    order, taken = await shop.captured()
    await shop.dispute(order)
    beside = await shop.post(f"{CAPTURES}/{taken['id']}/refund")
    _refusal("payments_payment_v2", 422, beside.json(), "captures.refund-422")


async def test_report(own: Shop) -> None:
    """The report fits once it has something to tell."""
    await own.captured()
    await own.wait(4 * 3600)
    window = {"start_date": "2020-01-01T00:00:00Z", "end_date": "2020-01-01T00:00:00Z"}
    empty = await own.client.get("/v1/reporting/transactions", params=window)
    assert empty.json()["transaction_details"] == []
    known_until = datetime.fromisoformat(empty.json()["last_refreshed_datetime"])
    window = {"start_date": (known_until - timedelta(days=1)).isoformat(), "end_date": known_until.isoformat()}
    said = (await own.client.get("/v1/reporting/transactions", params=window)).json()
    assert len(said["transaction_details"]) == 1
    _fits("reporting_transactions_v1", "search_response", said)
