"""PayPal's JSON, made of the sandbox's own records."""

from sandbox.ids import CAPITALS_AND_DIGITS, random_text
from sandbox.paypal.gateway import AUTHORIZATION, CAPTURE, REFUND, Gateway
from sandbox.paypal.money import money
from sandbox.store import Filter, Json

_PAYER_ID = "QYR5Z8XDVJNXQ"
_PAYER_EMAIL = "payer@example.com"
_PAYER_NAME = {"given_name": "Sam", "surname": "Payer"}
_MERCHANT_EMAIL = "shop@example.com"
_UNIT_NAMES = ("reference_id", "description", "custom_id", "invoice_id", "soft_descriptor")
PAYER_ID = _PAYER_ID
"""The id of the one person who pays here."""


def link(href: str, rel: str, method: str = "GET") -> Json:
    """One HATEOAS link."""
    return {"href": href, "rel": rel, "method": method}


def order(gateway: Gateway, record: Json, api_url: str, *, whole: bool = True) -> Json:
    """An order; the short form has what happened, not what was asked for."""
    body: Json = {"id": record["id"], "status": record["status"]}
    if whole:
        body["intent"] = record["intent"]
    if record["source"] or record["payer"]:
        body["payment_source"] = {"paypal": _wallet() if record["payer"] else {}}
    if record["payer"]:
        body["payer"] = {
            "name": dict(_PAYER_NAME),
            "email_address": _PAYER_EMAIL,
            "payer_id": _PAYER_ID,
            "address": {"country_code": "US"},
        }
    payments = _payments(gateway, record, api_url)
    if whole or payments:
        body["purchase_units"] = [_unit(gateway, record, payments, whole=whole)]
    if whole:
        body |= {"create_time": record["created"], "update_time": record["updated"]}
    return {**body, "links": _order_links(record, api_url)}


def _wallet() -> Json:
    return {
        "email_address": _PAYER_EMAIL,
        "account_id": _PAYER_ID,
        "account_status": "VERIFIED",
        "name": dict(_PAYER_NAME),
        "address": {"country_code": "US"},
    }


def _unit(gateway: Gateway, record: Json, payments: Json, *, whole: bool) -> Json:
    given = record["unit"]
    unit: Json = {"reference_id": given["reference_id"]}
    if whole:
        unit["amount"] = money(record["amount"], record["currency"])
        unit["payee"] = _payee(gateway)
        unit |= {name: given[name] for name in _UNIT_NAMES if name in given}
    return {**unit, "payments": payments} if payments else unit


def _payments(gateway: Gateway, record: Json, api_url: str) -> Json:
    """What was authorized, captured and refunded, in the order it happened."""
    found: Json = {}
    kinds = (
        (AUTHORIZATION, "authorizations", authorization),
        (CAPTURE, "captures", capture),
        (REFUND, "refunds", refund),
    )
    for kind, name, shape in kinds:
        parts = list(gateway.store.bodies(Filter(kind, payment=record["id"])))[::-1]
        if parts:
            found[name] = [shape(gateway, record, part, api_url, alone=False) for part in parts]
    return found


def _order_links(record: Json, api_url: str) -> list[Json]:
    me = f"{api_url}/v2/checkout/orders/{record['id']}"
    links = [link(me, "self")]
    if record["status"] in ("CREATED", "PAYER_ACTION_REQUIRED"):
        links.append(link(record["page"], "payer-action" if record["source"] else "approve"))
    if record["status"] in ("CREATED", "APPROVED"):
        verb = record["intent"].lower()
        links.append(link(f"{me}/{verb}", verb, "POST"))
    return links


def authorization(gateway: Gateway, record: Json, part: Json, api_url: str, *, alone: bool = True) -> Json:
    """A hold; inside its order it does not name the order and the payee again."""
    me = f"{api_url}/v2/payments/authorizations/{part['id']}"
    links = [link(me, "self")]
    if part["status"] in ("CREATED", "PARTIALLY_CAPTURED"):
        links += [link(f"{me}/{verb}", verb, "POST") for verb in ("capture", "void", "reauthorize")]
    return {
        "id": part["id"],
        "status": part["status"],
        "amount": money(part["amount"], record["currency"]),
        **_names(record, part),
        "seller_protection": {"status": "NOT_ELIGIBLE"},
        "expiration_time": part["expires"],
        **(_relations(gateway, record, {}) if alone else {}),
        "create_time": part["created"],
        "update_time": part["updated"],
        "links": [*links, _up(record, api_url)],
    }


def capture(gateway: Gateway, record: Json, part: Json, api_url: str, *, alone: bool = True) -> Json:
    """Money taken, or on its way; inside its order it does not name the order and the payee again."""
    related = {"authorization_id": part["authorization"]} if part["authorization"] else {}
    me = f"{api_url}/v2/payments/captures/{part['id']}"
    body: Json = {
        "id": part["id"],
        "status": part["status"],
        "amount": money(part["amount"], record["currency"]),
        **_names(record, part),
        "seller_protection": {"status": "NOT_ELIGIBLE"},
        "final_capture": part["final"],
        **(_relations(gateway, record, related) if alone else {}),
        "create_time": part["created"],
        "update_time": part["updated"],
    }
    if part["status"] == "PENDING":
        body["status_details"] = {"reason": "ECHECK"}
    elif part["status"] != "DECLINED":
        body["seller_receivable_breakdown"] = {
            "gross_amount": money(part["amount"], record["currency"]),
            "paypal_fee": money(0, record["currency"]),
            "net_amount": money(part["amount"], record["currency"]),
        }
    up = _up(record, api_url, part["authorization"])
    return {**body, "links": [link(me, "self"), link(f"{me}/refund", "refund", "POST"), up]}


def refund(gateway: Gateway, record: Json, part: Json, api_url: str, *, alone: bool = True) -> Json:
    """Money given back, or on its way back; inside its order it does not name the merchant again."""
    amount = money(part["amount"], record["currency"])
    total = money(part["total"], record["currency"])
    body: Json = {
        "id": part["id"],
        "status": part["status"],
        "amount": amount,
        **_names(record, part),
        "seller_payable_breakdown": {
            "gross_amount": amount,
            "paypal_fee": money(0, record["currency"]),
            "net_amount": amount,
            "total_refunded_amount": total,
        },
        "create_time": part["created"],
        "update_time": part["updated"],
    }
    if alone:
        body["payer"] = _payee(gateway)
    if part["note"] is not None:
        body["note_to_payer"] = part["note"]
    if part["status"] in ("PENDING", "FAILED"):
        body["status_details"] = {"reason": "ECHECK"}
    captured = f"{api_url}/v2/payments/captures/{part['capture']}"
    me = f"{api_url}/v2/payments/refunds/{part['id']}"
    return {**body, "links": [link(me, "self"), link(captured, "up")]}


def short(body: Json) -> Json:
    """What a call answers that did not ask for `return=representation`."""
    return {name: body[name] for name in ("id", "status", "links")}


def event(
    kind: str, resource_type: str, summary: str, resource: Json, created: str, api_url: str, version: str = "2.0"
) -> Json:
    """The envelope that tells of one change."""
    event_id = f"WH-{random_text(17, CAPITALS_AND_DIGITS)}-{random_text(17, CAPITALS_AND_DIGITS)}"
    me = f"{api_url}/v1/notifications/webhooks-events/{event_id}"
    return {
        "id": event_id,
        "event_version": "1.0",
        "create_time": created,
        "resource_type": resource_type,
        "resource_version": version,
        "event_type": kind,
        "summary": summary,
        "resource": resource,
        "links": [link(me, "self")],
    }


def _names(record: Json, part: Json) -> Json:
    names = {**record["unit"], **part["names"]}
    return {name: names[name] for name in ("custom_id", "invoice_id") if name in names}


def _relations(gateway: Gateway, record: Json, more: Json) -> Json:
    return {
        "supplementary_data": {"related_ids": {"order_id": record["id"], **more}},
        "payee": _payee(gateway),
    }


def _payee(gateway: Gateway) -> Json:
    return {"email_address": _MERCHANT_EMAIL, "merchant_id": gateway.merchant_id}


def _up(record: Json, api_url: str, authorization_id: str | None = None) -> Json:
    above = f"payments/authorizations/{authorization_id}" if authorization_id else f"checkout/orders/{record['id']}"
    return link(f"{api_url}/v2/{above}", "up")
