"""Refunds: made at once, pending for a while, or failing after they looked done."""

from sandbox.books import Movement
from sandbox.store import Filter, Json
from sandbox.stripe import chargebacks, shapes
from sandbox.stripe import params as p
from sandbox.stripe.call import Call
from sandbox.stripe.cards import METHODS
from sandbox.stripe.currencies import check_step, readable
from sandbox.stripe.errors import invalid, refused
from sandbox.stripe.gateway import Gateway, Origin
from sandbox.stripe.lists import LIST_CHECKS, listed

SETTLE_REFUND, FAIL_REFUND = "settle_refund", "fail_refund"
_SOON, _DAYS_LATER = 600, 5 * 86_400

_CREATE = {
    "amount": p.amount,
    "charge": p.text,
    "expand": p.words,
    "metadata": p.metadata,
    "payment_intent": p.text,
    "reason": p.one_of("duplicate", "fraudulent", "requested_by_customer"),
}
_LIST = {**LIST_CHECKS, "payment_intent": p.text, "charge": p.text}


def create(gateway: Gateway, call: Call) -> Json:
    """Give money back, in whole or in part."""
    params = p.check(call.params, _CREATE)
    charge = _charge_to_refund(gateway, params)
    chargebacks.refuse_refund(gateway, charge)
    left = charge["amount_captured"] - charge["amount_refunded"] - chargebacks.lost(gateway, charge)
    amount = params.get("amount", left)
    if charge["refunded"] or left == 0:
        raise refused(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    if amount > left:
        currency = charge["currency"]
        message = (
            f"Refund amount ({readable(amount, currency)}) is greater than unrefunded amount on charge"
            f" ({readable(left, currency)})"
        )
        raise refused(message, "amount")
    check_step(amount, charge["currency"], "amount")
    refund = shapes.refund(charge, amount, params, gateway.clock.stamp())
    _make(gateway, charge, refund, call.origin)
    return refund


def _charge_to_refund(gateway: Gateway, params: Json) -> Json:
    given = [name for name in ("payment_intent", "charge") if name in params]
    if not given:
        raise invalid("One of the following params should be provided for this request: payment_intent or charge.")
    if given == ["payment_intent", "charge"]:
        raise invalid("You cannot send both payment_intent and charge.", "charge")
    if given == ["charge"]:
        charge = gateway.find("charge", params["charge"], "charge")
        if charge["status"] != "succeeded" or not charge["amount_captured"]:
            raise refused(f"Charge {charge['id']} is not captured, so it cannot be refunded.", "charge")
        return charge
    intent = gateway.find("payment_intent", params["payment_intent"], "payment_intent")
    if not intent["amount_received"]:
        message = f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund."
        raise refused(message, "payment_intent")
    return gateway.find("charge", intent["latest_charge"])


def _make(gateway: Gateway, charge: Json, refund: Json, origin: Origin) -> None:
    row = gateway.store.row(charge["payment_method"])
    behaviour = METHODS[row["label"]].refund if row is not None else "succeeds"
    refund["status"] = "pending" if behaviour == "pends" else "succeeded"
    _shift(charge, refund["amount"])
    intent = gateway.find("payment_intent", charge["payment_intent"])
    gateway.book("refund", intent, charge["id"], refund["amount"], origin, refund["id"])
    gateway.save(charge)
    gateway.save(refund, label=charge["id"])
    if behaviour != "succeeds":
        pends = behaviour == "pends"
        at = gateway.clock.now() + (_SOON if pends else _DAYS_LATER)
        gateway.store.schedule(refund["id"], SETTLE_REFUND if pends else FAIL_REFUND, at)
    gateway.emit("refund.created", refund, origin)
    gateway.emit("charge.refunded", charge, origin)
    chargebacks.answer_inquiries(gateway, charge, origin)


def _shift(charge: Json, amount: int) -> None:
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["captured"] and charge["amount_refunded"] == charge["amount_captured"]


def settle(gateway: Gateway, refund: Json, origin: Origin) -> None:
    """A pending refund reaches the customer."""
    refund["status"] = "succeeded"
    gateway.save(refund)
    _tell_update(gateway, refund, "pending", origin)


def fail(gateway: Gateway, refund: Json, origin: Origin, reason: str = "expired_or_canceled_card") -> None:
    """The customer's bank sends a refund back: the money is the merchant's again."""
    before = refund["status"]
    refund.update(status="failed", failure_reason=reason)
    _take_back(gateway, refund, "refund_failure", origin)
    gateway.emit("refund.failed", refund, origin)
    _tell_update(gateway, refund, before, origin)


def _take_back(gateway: Gateway, refund: Json, movement: Movement, origin: Origin) -> None:
    charge = gateway.find("charge", refund["charge"])
    intent = gateway.find("payment_intent", refund["payment_intent"])
    _shift(charge, -refund["amount"])
    gateway.book(movement, intent, charge["id"], refund["amount"], origin, refund["id"])
    gateway.save(charge)
    gateway.save(refund)


def _tell_update(gateway: Gateway, refund: Json, before: str, origin: Origin) -> None:
    previous = {"status": before}
    gateway.emit("refund.updated", refund, origin, previous)
    gateway.emit("charge.refund.updated", refund, origin, previous)


def cancel(gateway: Gateway, call: Call) -> Json:
    """Stop a refund that has not reached the customer."""
    p.check(call.params, {"expand": p.words})
    refund = gateway.find("refund", call.ids[0])
    if refund["status"] != "pending":
        raise refused(f"This refund cannot be canceled because it has a status of {refund['status']}.")
    refund["status"] = "canceled"
    _take_back(gateway, refund, "refund_cancellation", call.origin)
    _tell_update(gateway, refund, "pending", call.origin)
    return refund


def retrieve(gateway: Gateway, call: Call) -> Json:
    """Read a refund."""
    p.check(call.params, {"expand": p.words})
    return gateway.find("refund", call.ids[0])


def list_all(gateway: Gateway, call: Call) -> Json:
    """Refunds, newest first."""
    params = p.check(call.params, _LIST)
    narrow = Filter("refund", payment=params.get("payment_intent"), label=params.get("charge"))
    return listed(gateway, narrow, params, "/v1/refunds")
