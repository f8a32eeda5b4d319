"""The orders calls."""

from typing import Any

from sandbox.paypal import fields, movements, shapes
from sandbox.paypal.call import Call
from sandbox.paypal.errors import PayPalError, invalid, unprocessable
from sandbox.paypal.funding import FUNDINGS
from sandbox.paypal.gateway import AUTHORIZATION, CAPTURE, GONE, ORDER, Gateway, new_id
from sandbox.paypal.money import parse
from sandbox.store import Filter, Json

LAPSE_ORDER = "lapse_order"
_LIVES_SECONDS = 3 * 3600
_PAYABLE = ("CREATED", "PAYER_ACTION_REQUIRED", "APPROVED")
_UNIT = {"reference_id": 256, "description": 127, "custom_id": 127, "invoice_id": 127, "soft_descriptor": 22}


def create(gateway: Gateway, call: Call) -> Json:
    """Open an order of one purchase unit; the payer has to approve it."""
    intent = call.body.get("intent")
    if intent not in ("CAPTURE", "AUTHORIZE"):
        raise invalid("/intent", "MISSING_REQUIRED_PARAMETER" if intent is None else "INVALID_PARAMETER_VALUE", intent)
    unit = _only_unit(call.body.get("purchase_units"))
    amount, currency = parse(unit.get("amount"), "/purchase_units/0/amount")
    source = fields.mapping(call.body, "payment_source", "")
    wallet = fields.mapping(source, "paypal", "/payment_source")
    if set(source) - {"paypal"}:
        raise unprocessable("NOT_ENABLED_FOR_CARD_PROCESSING")
    context = fields.mapping(wallet, "experience_context", "/payment_source/paypal")
    context = context or fields.mapping(call.body, "application_context", "")
    order_id = new_id()
    order: Json = {
        "id": order_id,
        "intent": intent,
        "status": "PAYER_ACTION_REQUIRED" if source else "CREATED",
        "amount": amount,
        "currency": currency,
        "unit": {"reference_id": "default", **fields.texts(unit, "/purchase_units/0", _UNIT)},
        "source": bool(source),
        "payer": False,
        "funding": None,
        "return_url": fields.text(context, "return_url", "/experience_context", 4000),
        "cancel_url": fields.text(context, "cancel_url", "/experience_context", 4000),
        "api_url": call.origin.api_url,
        "page": f"{call.origin.pages}/approve/{order_id}",
        "created": gateway.now(),
    }
    gateway.save(ORDER, order, label=order["unit"].get("invoice_id"))
    gateway.store.schedule(order["id"], LAPSE_ORDER, gateway.clock.now() + _LIVES_SECONDS)
    return shapes.order(gateway, order, call.origin.api_url, whole=call.whole)


def _only_unit(units: Any) -> Json:
    if units is None:
        raise invalid("/purchase_units", "MISSING_REQUIRED_PARAMETER")
    if not isinstance(units, list) or len(units) != 1 or not isinstance(units[0], dict):
        raise invalid("/purchase_units", "INVALID_ARRAY_MAX_ITEMS")
    unit: Json = units[0]
    return unit


def retrieve(gateway: Gateway, call: Call) -> Json:
    """Read an order with all that happened to it."""
    return shapes.order(gateway, gateway.find(ORDER, call.ids[0]), call.origin.api_url)


def again(gateway: Gateway, call: Call, order_id: str) -> Json:
    """How an order is by now, for a request that is repeated."""
    return shapes.order(gateway, gateway.find(ORDER, order_id), call.origin.api_url, whole=call.whole)


def authorize(gateway: Gateway, call: Call) -> Json:
    """Hold the money of an approved order."""
    order = _approved(gateway, call, "AUTHORIZE")
    movements.authorize(gateway, order, order["amount"], call.origin)
    return _done(gateway, call, order)


def capture(gateway: Gateway, call: Call) -> Json:
    """Take the money of an approved order."""
    order = _approved(gateway, call, "CAPTURE")
    movements.take(gateway, order, order["amount"], call.origin)
    return _done(gateway, call, order)


def _done(gateway: Gateway, call: Call, order: Json) -> Json:
    order["status"] = "COMPLETED"
    gateway.save(ORDER, order)
    return shapes.order(gateway, order, call.origin.api_url, whole=call.whole)


def _approved(gateway: Gateway, call: Call, intent: str) -> Json:
    """The order, if the payer has approved it for this and has means that work."""
    order = gateway.find(ORDER, call.ids[0])
    if order["intent"] != intent:
        raise unprocessable("ACTION_DOES_NOT_MATCH_INTENT")
    if order["status"] == "COMPLETED":
        raise unprocessable("ORDER_ALREADY_CAPTURED" if intent == "CAPTURE" else "ORDER_ALREADY_AUTHORIZED")
    if order["status"] != "APPROVED":
        raise unprocessable("ORDER_NOT_APPROVED")
    if refused := FUNDINGS[order["funding"]].refused:
        raise _refused(order, refused)
    _check_invoice(gateway, order)
    return order


def _refused(order: Json, issue: str) -> PayPalError:
    """Where other means may work, the error leads back to the page."""
    if not FUNDINGS[order["funding"]].soft:
        return unprocessable(issue)
    rel = "payer-action" if issue == "PAYER_ACTION_REQUIRED" else "redirect"
    return unprocessable(issue, None, None, shapes.link(order["page"], rel))


def _check_invoice(gateway: Gateway, order: Json) -> None:
    """PayPal's default setting blocks a second payment of an invoice."""
    invoice = order["unit"].get("invoice_id")
    if invoice is None:
        return
    others = gateway.store.bodies(Filter(ORDER, label=invoice))
    if any(other["unit"].get("invoice_id") == invoice and _paid(gateway, other["id"]) for other in others):
        raise unprocessable("DUPLICATE_INVOICE_ID")


def _paid(gateway: Gateway, order_id: str) -> bool:
    """Whether an order holds or has taken money; a hold that was let go of and a declined capture do not count."""
    holds = gateway.store.bodies(Filter(AUTHORIZATION, payment=order_id))
    captures = gateway.store.bodies(Filter(CAPTURE, payment=order_id))
    return any(hold["status"] != "VOIDED" for hold in holds) or any(
        capture["status"] != "DECLINED" for capture in captures
    )


def approve(gateway: Gateway, order: Json, funding: str) -> None:
    """The payer agreed to pay with these means; a later approval replaces an earlier one."""
    order.update(status="APPROVED", payer=True, funding=funding)
    gateway.save(ORDER, order)
    gateway.store.schedule(order["id"], LAPSE_ORDER, gateway.clock.now() + _LIVES_SECONDS)
    movements.tell(gateway, order, ORDER, "CHECKOUT.ORDER.APPROVED")


def payable(order: Json) -> bool:
    """Whether the payer may still decide."""
    return order["status"] in _PAYABLE


def lapse(gateway: Gateway, order: Json) -> bool:
    """Three hours without a decision, or three hours approved and not taken: the order is gone."""
    if not payable(order):
        return False
    order["status"] = GONE
    gateway.save(ORDER, order)
    return True
