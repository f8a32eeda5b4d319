"""The authorizations, captures and refunds calls."""

from sandbox.paypal import disputes, fields, movements, shapes
from sandbox.paypal.call import Call
from sandbox.paypal.errors import unprocessable
from sandbox.paypal.funding import FUNDINGS
from sandbox.paypal.gateway import AUTHORIZATION, CAPTURE, ORDER, REFUND, Gateway
from sandbox.paypal.money import parse
from sandbox.store import Json

_OVER_PERCENT = 115
_OVER_USD = 7_500
_REFUNDABLE_SECONDS = 180 * 86_400
_OPEN = ("CREATED", "PARTIALLY_CAPTURED")
_SHAPES = {AUTHORIZATION: shapes.authorization, CAPTURE: shapes.capture, REFUND: shapes.refund}


def _read(gateway: Gateway, call: Call, kind: str, record_id: str) -> Json:
    record = gateway.find(kind, record_id)
    order = gateway.find(ORDER, record["order"])
    return _SHAPES[kind](gateway, order, record, call.origin.api_url)


def _answer(gateway: Gateway, call: Call, kind: str, record_id: str) -> Json:
    body = _read(gateway, call, kind, record_id)
    return body if call.whole else shapes.short(body)


def authorization(gateway: Gateway, call: Call) -> Json:
    """Read a hold."""
    return _read(gateway, call, AUTHORIZATION, call.ids[0])


def captured(gateway: Gateway, call: Call) -> Json:
    """Read a capture."""
    return _read(gateway, call, CAPTURE, call.ids[0])


def refunded(gateway: Gateway, call: Call) -> Json:
    """Read a refund."""
    return _read(gateway, call, REFUND, call.ids[0])


def capture(gateway: Gateway, call: Call) -> Json:
    """Take money out of a hold, in whole, in part, or a little more."""
    hold = gateway.find(AUTHORIZATION, call.ids[0])
    order = gateway.find(ORDER, hold["order"])
    names = fields.texts(call.body, "", {"invoice_id": 127})
    final = fields.boolean(call.body, "final_capture", "", default=False)
    _check_open(hold)
    amount = movements.left_of(hold)
    if call.body.get("amount") is not None:
        amount, currency = parse(call.body["amount"], "/amount")
        if currency != order["currency"]:
            raise unprocessable("AUTH_CAPTURE_CURRENCY_MISMATCH")
    if hold["captured"] + amount > _most(hold["amount"] - hold["let_go"], order["currency"]):
        raise unprocessable("MAX_CAPTURE_AMOUNT_EXCEEDED")
    if gateway.clock.now() > hold["honored_until"] and not FUNDINGS[order["funding"]].outlives_honor:
        raise unprocessable("PAYER_CANNOT_PAY")
    taken = movements.take(gateway, order, amount, call.origin, hold=hold, final=final, names=names)
    return _answer(gateway, call, CAPTURE, taken["id"])


def _check_open(hold: Json) -> None:
    if hold["status"] == "VOIDED":
        raise unprocessable("AUTHORIZATION_VOIDED")
    if hold["status"] == "CAPTURED":
        raise unprocessable("AUTHORIZATION_ALREADY_CAPTURED")
    if hold["successor"] is not None:
        raise unprocessable("AUTHORIZATION_EXPIRED")


def _most(amount: int, currency: str) -> int:
    """A little more than was authorized may be taken; the bound in dollars is only known here for dollars."""
    most = amount * _OVER_PERCENT // 100
    return min(most, amount + _OVER_USD) if currency == "USD" else most


def capture_again(gateway: Gateway, call: Call, capture_id: str) -> Json:
    """How a capture is by now."""
    return _answer(gateway, call, CAPTURE, capture_id)


def void(gateway: Gateway, call: Call) -> Json | None:
    """Let go of a hold, and of the one that replaced it."""
    hold = gateway.find(AUTHORIZATION, call.ids[0])
    if hold["parent"] is not None:
        raise unprocessable("CANNOT_BE_VOIDED")
    current = hold if hold["successor"] is None else gateway.find(AUTHORIZATION, hold["successor"])
    if current["status"] not in _OPEN:
        raise unprocessable("PREVIOUSLY_VOIDED" if current["status"] == "VOIDED" else "PREVIOUSLY_CAPTURED")
    movements.release(gateway, gateway.find(ORDER, hold["order"]), current, call.origin)
    return void_again(gateway, call, hold["id"])


def void_again(gateway: Gateway, call: Call, authorization_id: str) -> Json | None:
    """Nothing, or how the hold is by now where that was asked for."""
    return _answer(gateway, call, AUTHORIZATION, authorization_id) if call.whole else None


def reauthorize(gateway: Gateway, call: Call) -> Json:
    """Hold the money anew, once, after the honour period: a hold of its own with a new id."""
    hold = gateway.find(AUTHORIZATION, call.ids[0])
    order = gateway.find(ORDER, hold["order"])
    if hold["parent"] is not None or hold["successor"] is not None:
        raise unprocessable("REAUTHORIZATION_NOT_SUPPORTED")
    _check_open(hold)
    amount = hold["amount"]
    if call.body.get("amount") is not None:
        amount, currency = parse(call.body["amount"], "/amount")
        if currency != order["currency"]:
            raise unprocessable("AUTH_CURRENCY_MISMATCH")
    if amount > _most(hold["amount"], order["currency"]):
        raise unprocessable("MAX_CAPTURE_AMOUNT_EXCEEDED")
    if gateway.clock.now() < hold["honored_until"]:
        raise unprocessable("REAUTHORIZATION_TOO_SOON")
    gateway.book("release", order, hold["id"], movements.left_of(hold), call.origin)
    renewed = movements.authorize(gateway, order, amount, call.origin, parent=hold)
    hold["successor"] = renewed["id"]
    gateway.save(AUTHORIZATION, hold)
    return _answer(gateway, call, AUTHORIZATION, renewed["id"])


def reauthorize_again(gateway: Gateway, call: Call, authorization_id: str) -> Json:
    """How the new hold is by now."""
    return _answer(gateway, call, AUTHORIZATION, authorization_id)


def refund(gateway: Gateway, call: Call) -> Json:
    """Give money of a capture back, in whole or in part."""
    taken = gateway.find(CAPTURE, call.ids[0])
    order = gateway.find(ORDER, taken["order"])
    names = fields.texts(call.body, "", {"invoice_id": 127, "custom_id": 127})
    note = fields.text(call.body, "note_to_payer", "", 255)
    left = taken["amount"] - taken["refunded"] - taken["withdrawn"]
    amount = left
    if call.body.get("amount") is not None:
        amount, currency = parse(call.body["amount"], "/amount")
        if currency != order["currency"]:
            raise unprocessable("REFUND_CAPTURE_CURRENCY_MISMATCH")
    _check_refundable(gateway, taken)
    dispute = disputes.open_on(gateway, taken)
    if dispute is not None:
        _check_undisputed(dispute, amount)
    if left == 0:
        raise unprocessable("CAPTURE_FULLY_REFUNDED")
    if amount > left:
        raise unprocessable("REFUND_AMOUNT_EXCEEDED")
    returned = movements.give_back(gateway, order, taken, amount, call.origin, names, note)
    if dispute is not None:
        disputes.close_by_refund(gateway, dispute)
    return _answer(gateway, call, REFUND, returned["id"])


def _check_undisputed(dispute: Json, amount: int) -> None:
    """An inquiry is answered by a refund of all that it is about; with a chargeback the money is out of reach."""
    if not disputes.is_inquiry(dispute):
        raise unprocessable("REFUND_NOT_PERMITTED_DUE_TO_CHARGEBACK")
    if amount < dispute["amount"]:
        raise unprocessable("TRANSACTION_DISPUTED")


def _check_refundable(gateway: Gateway, taken: Json) -> None:
    if taken["status"] == "PENDING":
        raise unprocessable("PENDING_CAPTURE")
    if taken["status"] == "REFUNDED":
        raise unprocessable("CAPTURE_FULLY_REFUNDED")
    if taken["status"] not in ("COMPLETED", "PARTIALLY_REFUNDED"):
        raise unprocessable("REFUND_NOT_ALLOWED")
    if gateway.clock.now() - taken["began"] > _REFUNDABLE_SECONDS:
        raise unprocessable("REFUND_TIME_LIMIT_EXCEEDED")


def refund_again(gateway: Gateway, call: Call, refund_id: str) -> Json:
    """How a refund is by now."""
    return _answer(gateway, call, REFUND, refund_id)
