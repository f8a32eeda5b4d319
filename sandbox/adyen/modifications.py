"""Captures, cancels, refunds and reversals: always received, decided at once, told only by a webhook."""

from typing import Literal, assert_never

from sandbox.adyen import fields as f
from sandbox.adyen import outcomes, shapes
from sandbox.adyen.call import Call
from sandbox.adyen.errors import no_such_payment
from sandbox.adyen.gateway import PAYMENT, AdyenGateway
from sandbox.adyen.holds import refundable
from sandbox.store import Json

Kind = Literal["capture", "cancel", "refund", "reversal"]

_COMMON: dict[str, f.Check] = {
    "applicationInfo": f.anything,
    "merchantAccount": f.text(100),
    "reference": f.text(80),
}
_MONEY: dict[str, f.Check] = {
    **_COMMON,
    "amount": f.amount,
    "enhancedSchemeData": f.anything,
    "lineItems": f.anything,
    "splits": f.anything,
}
_CAPTURE: dict[str, f.Check] = {**_MONEY, "platformChargebackLogic": f.anything, "subMerchants": f.anything}
_REFUND: dict[str, f.Check] = {**_MONEY, "merchantRefundReason": f.text(30), "store": f.text(100)}


def capture(gateway: AdyenGateway, call: Call) -> Json:
    """Ask to take an amount of the hold; what is left of it can still be taken."""
    return _receive(gateway, call, "capture", f.check(call.body, _CAPTURE, "PaymentCaptureRequest", ("amount",)))


def cancel(gateway: AdyenGateway, call: Call) -> Json:
    """Ask to release the hold."""
    return _receive(gateway, call, "cancel", f.check(call.body, _COMMON, "PaymentCancelRequest"))


def refund(gateway: AdyenGateway, call: Call) -> Json:
    """Ask to give back an amount of what was captured."""
    return _receive(gateway, call, "refund", f.check(call.body, _REFUND, "PaymentRefundRequest", ("amount",)))


def reverse(gateway: AdyenGateway, call: Call) -> Json:
    """Ask to release the hold, or to give back all that was captured of it."""
    return _receive(gateway, call, "reversal", f.check(call.body, _COMMON, "PaymentReversalRequest"))


def _receive(gateway: AdyenGateway, call: Call, kind: Kind, given: Json) -> Json:
    """Take a request, decide it, and answer only that it was received."""
    payment = gateway.store.get(PAYMENT, call.about)
    if payment is None or payment["merchantAccount"] != given["merchantAccount"]:
        raise no_such_payment()
    amount = given.get("amount")
    value = _full_amount(payment, kind) if amount is None else amount["value"]
    modification = shapes.modification(payment, kind, value, given.get("reference"), call.origin.key)
    if amount is not None and amount["currency"] != payment["currency"]:
        outcomes.refuse(gateway, payment, modification, "Currency does not match the currency of the payment", amount)
    else:
        _decide(gateway, payment, modification, kind)
    kept = {name: item for name, item in given.items() if name != "applicationInfo"}
    own = {"paymentPspReference": payment["id"], "pspReference": modification["id"], "status": "received"}
    return {**kept, **own}


def _full_amount(payment: Json, kind: Kind) -> int:
    """What a request without an amount is about."""
    taken = payment["captured"] + payment["capturing"]
    return refundable(payment) if kind == "reversal" and taken else int(payment["authorised"])


def _decide(gateway: AdyenGateway, payment: Json, modification: Json, kind: Kind) -> None:
    match kind:
        case "capture":
            outcomes.capture(gateway, payment, modification)
        case "cancel":
            outcomes.cancel(gateway, payment, modification)
        case "refund":
            outcomes.refund(gateway, payment, modification)
        case "reversal":
            outcomes.reverse(gateway, payment, modification)
        case _:
            assert_never(kind)
