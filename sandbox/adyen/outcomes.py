"""What becomes of a modification, at once or later, and the webhook that tells it.

A card decides whether a capture or refund that Adyen has accepted is told at once, told only when it is settled, or
told at once and taken back days later.
"""

from sandbox.adyen import shapes
from sandbox.adyen.cards import CARDS, Later
from sandbox.adyen.disputes import answer_by_refund, charged_back, open_dispute
from sandbox.adyen.gateway import AdyenGateway
from sandbox.adyen.holds import capturable, let_go, refundable, release
from sandbox.disputes import Wanted
from sandbox.store import Json

SETTLE, FAIL = "settle_modification", "fail_modification"
_SETTLES_AFTER, _FAILS_AFTER = 600, 3 * 86_400

# The two reasons that Adyen publishes; the others say in this sandbox's words what Adyen's would.
_TOO_MUCH = "Insufficient balance on payment"
_NOT_CAPTURED = "Transaction hasn't been captured, refund not possible"
_OVER = {
    "refused": "Payment was refused",
    "cancelled": "Payment was already cancelled",
    "expired": "Authorisation has expired",
}
_ALREADY_CAPTURED = "Payment was already captured"
_CHARGED_BACK = "Payment is charged back"

_EVENTS = {"capture": "CAPTURE", "cancel": "CANCELLATION", "refund": "REFUND", "reversal": "CANCEL_OR_REFUND"}
_CAPTURE_REJECTED = "Capture rejected by card scheme because of a technical issue"
_REFUND_REJECTED = "Refund Failed"


def capture(gateway: AdyenGateway, payment: Json, modification: Json) -> None:
    """Take an amount of the hold."""
    if payment["state"] != "authorised":
        refuse(gateway, payment, modification, _OVER[payment["state"]])
    elif modification["amount"] > capturable(payment) or _taken_once(gateway, payment):
        refuse(gateway, payment, modification, _TOO_MUCH)
    else:
        payment["capturing"] += modification["amount"]
        _accept(gateway, payment, modification, CARDS[payment["card"]].capture)


def _taken_once(gateway: AdyenGateway, payment: Json) -> bool:
    """Whether there has been the one capture that an account has without Adyen's multiple partial captures."""
    taken = payment["captured"] + payment["capturing"]
    return bool(taken) and not gateway.takes_several_captures(payment)


def cancel(gateway: AdyenGateway, payment: Json, modification: Json) -> None:
    """Release what is left of the hold."""
    if payment["state"] != "authorised":
        refuse(gateway, payment, modification, _OVER[payment["state"]])
    elif capturable(payment) == 0:
        refuse(gateway, payment, modification, _ALREADY_CAPTURED)
    else:
        release(gateway, payment, "cancelled", modification["key"])
        modification["state"] = "done"
        _tell(gateway, payment, modification, action="cancel")


def refund(gateway: AdyenGateway, payment: Json, modification: Json) -> None:
    """Give back an amount of what was captured."""
    if payment["captured"] == 0:
        refuse(gateway, payment, modification, _NOT_CAPTURED)
    elif charged_back(gateway, payment):
        refuse(gateway, payment, modification, _CHARGED_BACK)
    elif not 0 < modification["amount"] <= refundable(payment):
        refuse(gateway, payment, modification, _TOO_MUCH)
    else:
        payment["refunding"] += modification["amount"]
        _accept(gateway, payment, modification, CARDS[payment["card"]].refund)


def reverse(gateway: AdyenGateway, payment: Json, modification: Json) -> None:
    """Release the hold where nothing was captured; otherwise give back all that was."""
    taken = payment["captured"] + payment["capturing"]
    (refund if taken else cancel)(gateway, payment, modification)


def _accept(gateway: AdyenGateway, payment: Json, modification: Json, later: Later) -> None:
    gateway.save_payment(payment)
    if later == "pends":
        modification["state"] = "pending"
        gateway.save_modification(modification)
        gateway.store.schedule(modification["id"], SETTLE, gateway.clock.now() + _SETTLES_AFTER)
        return
    _complete(gateway, payment, modification)
    if later == "fails":
        gateway.store.schedule(modification["id"], FAIL, gateway.clock.now() + _FAILS_AFTER)


def _complete(gateway: AdyenGateway, payment: Json, modification: Json) -> None:
    """The money moves."""
    value, taking = modification["amount"], modification["kind"] == "capture"
    waiting, done = ("capturing", "captured") if taking else ("refunding", "refunded")
    payment[waiting] -= value
    payment[done] += value
    gateway.book("capture" if taking else "refund", payment, modification["id"], value, modification["key"])
    if taking and not gateway.takes_several_captures(payment):
        let_go(gateway, payment, modification["key"])
    gateway.save_payment(payment)
    modification["state"] = "done"
    _tell(gateway, payment, modification, action="refund")
    if taking:
        _dispute(gateway, payment)
    else:
        answer_by_refund(gateway, payment)


def _dispute(gateway: AdyenGateway, payment: Json) -> None:
    """Some customers dispute what they paid as soon as it is taken."""
    kind = CARDS[payment["card"]].dispute
    if kind is not None:
        open_dispute(gateway, payment, Wanted(kind))


def settle(gateway: AdyenGateway, modification: Json) -> bool:
    """What was accepted a while ago is carried out and told."""
    if modification["state"] != "pending":
        return False
    _complete(gateway, gateway.payment(modification["payment"]), modification)
    return True


def fail(gateway: AdyenGateway, modification: Json) -> bool:
    """The card scheme rejects what had looked done: the money moves back, unless it has been given back since."""
    payment, value = gateway.payment(modification["payment"]), modification["amount"]
    taking = modification["kind"] == "capture"
    if modification["state"] != "done" or (taking and value > refundable(payment)):
        return False
    payment["captured" if taking else "refunded"] -= value
    gateway.save_payment(payment)
    gateway.book("capture_failure" if taking else "refund_failure", payment, modification["id"], value, None)
    modification["state"] = "failed"
    gateway.save_modification(modification)
    fields = shapes.about_modification(payment, value, modification["id"], modification["reference"])
    event, reason = ("CAPTURE_FAILED", _CAPTURE_REJECTED) if taking else ("REFUND_FAILED", _REFUND_REJECTED)
    gateway.notify(event, payment, fields, reason=reason)
    return True


def refuse(gateway: AdyenGateway, payment: Json, modification: Json, reason: str, amount: Json | None = None) -> None:
    """What was asked for is not possible; only the webhook says so. `amount` is one in another currency."""
    modification["state"] = "refused"
    _tell(gateway, payment, modification, reason=reason, amount=amount)


def _tell(
    gateway: AdyenGateway, payment: Json, modification: Json, *, reason: str = "", action: str = "",
    amount: Json | None = None,
) -> None:  # fmt: skip
    gateway.save_modification(modification)
    data: Json = {"paymentLinkId": payment["link"]}
    if modification["kind"] == "reversal" and action:
        data["modification.action"] = action
    fields = shapes.about_modification(payment, modification["amount"], modification["id"], modification["reference"])
    if amount is not None:
        fields["amount"] = amount
    event = _EVENTS[modification["kind"]]
    gateway.notify(event, payment, {**fields, "additionalData": data}, reason=reason, success=not reason)
