"""How a payment's money moves: holds, captures, releases, refunds, and what is told of each."""

from sandbox.disputes import Wanted
from sandbox.paypal import disputes, shapes
from sandbox.paypal.funding import FUNDINGS
from sandbox.paypal.gateway import AUTHORIZATION, CAPTURE, ORDER, REFUND, Gateway, Origin, moment, new_id
from sandbox.paypal.money import readable
from sandbox.store import Json

LAPSE_HOLD, SETTLE_CAPTURE, SETTLE_REFUND, FAIL_REFUND = "lapse_hold", "settle_capture", "settle_refund", "fail_refund"
HONOR_SECONDS = 3 * 86_400
HOLD_SECONDS = 29 * 86_400
_LATER = 600
_RESOURCE = {ORDER: "checkout-order", AUTHORIZATION: "authorization", CAPTURE: "capture", REFUND: "refund"}
_SHAPES = {AUTHORIZATION: shapes.authorization, CAPTURE: shapes.capture, REFUND: shapes.refund}


def tell(gateway: Gateway, order: Json, kind: str, event_type: str, part: Json | None = None) -> None:
    """Send an event about an order, or about a part of its payment."""
    api_url = order["api_url"]
    if part is None:
        resource, amount = shapes.order(gateway, order, api_url), order["amount"]
    else:
        resource, amount = _SHAPES[kind](gateway, order, part, api_url), part["amount"]
    said = event_type.replace(".", " ").capitalize()
    summary = f"{said}: {readable(amount, order['currency'])}"
    event = shapes.event(event_type, _RESOURCE[kind], summary, resource, gateway.now(), api_url)
    gateway.emit(event_type, event, order["id"])


def authorize(gateway: Gateway, order: Json, amount: int, origin: Origin, parent: Json | None = None) -> Json:
    """Hold an amount of the payer's money; a hold made anew ends when the one that it stems from would have."""
    now = gateway.clock.now()
    until = now + HOLD_SECONDS if parent is None else parent["until"]
    hold: Json = {
        "id": new_id(),
        "order": order["id"],
        "amount": amount,
        "captured": 0,
        "let_go": 0,
        "status": "CREATED",
        "names": {},
        "parent": None if parent is None else parent["id"],
        "successor": None,
        "honored_until": now + HONOR_SECONDS,
        "began": now,
        "until": until,
        "expires": moment(until),
        "created": gateway.now(),
    }
    gateway.save(AUTHORIZATION, hold)
    gateway.book("authorization", order, hold["id"], amount, origin)
    gateway.store.schedule(hold["id"], LAPSE_HOLD, until)
    tell(gateway, order, AUTHORIZATION, "PAYMENT.AUTHORIZATION.CREATED", hold)
    return hold


def left_of(hold: Json) -> int:
    """How much of a hold was neither captured nor let go of."""
    left: int = hold["amount"] - hold["captured"] - hold["let_go"]
    return left


def release(gateway: Gateway, order: Json, hold: Json, origin: Origin) -> None:
    """Let go of what is left of a hold: the caller voided it, or it is 29 days old."""
    left = left_of(hold)
    hold["status"] = "VOIDED"
    if left > 0:
        gateway.book("release", order, hold["id"], left, origin)
    gateway.save(AUTHORIZATION, hold)
    if hold["parent"] is not None:
        # What it stems from was released when it was made, and is over with it.
        original = gateway.find(AUTHORIZATION, hold["parent"])
        original["status"] = "VOIDED"
        gateway.save(AUTHORIZATION, original)
    tell(gateway, order, AUTHORIZATION, "PAYMENT.AUTHORIZATION.VOIDED", hold)


def take(
    gateway: Gateway, order: Json, amount: int, origin: Origin, *, hold: Json | None = None, final: bool = True,
    names: Json | None = None,
) -> Json:  # fmt: skip
    """Take money, out of a hold where there is one; some means of payment make the merchant wait for it."""
    funding = FUNDINGS[order["funding"]]
    taken: Json = {
        "id": new_id(),
        "order": order["id"],
        "authorization": None if hold is None else hold["id"],
        "amount": amount,
        "refunded": 0,
        "withdrawn": 0,
        "final": final,
        "status": "PENDING" if funding.pending else "COMPLETED",
        "names": names or {},
        "began": gateway.clock.now(),
        "request_id": origin.request_id,
        "created": gateway.now(),
    }
    if hold is not None:
        _draw(gateway, order, hold, amount, final, origin)
    if funding.pending:
        gateway.save(CAPTURE, taken)
        gateway.store.schedule(taken["id"], SETTLE_CAPTURE, gateway.clock.now() + _LATER)
        tell(gateway, order, CAPTURE, "PAYMENT.CAPTURE.PENDING", taken)
    else:
        _complete(gateway, order, taken, origin)
    return taken


def _draw(gateway: Gateway, order: Json, hold: Json, amount: int, final: bool, origin: Origin) -> None:
    hold["captured"] += amount
    left = left_of(hold)
    over = final or left <= 0
    hold["status"] = "CAPTURED" if over else "PARTIALLY_CAPTURED"
    if over and left > 0:
        hold["let_go"] += left
        gateway.book("release", order, hold["id"], left, origin)
    gateway.save(AUTHORIZATION, hold)


def _complete(gateway: Gateway, order: Json, taken: Json, origin: Origin) -> None:
    taken["status"] = "COMPLETED"
    gateway.book("capture" if taken["authorization"] else "charge", order, taken["id"], taken["amount"], origin)
    gateway.save(CAPTURE, taken)
    tell(gateway, order, CAPTURE, "PAYMENT.CAPTURE.COMPLETED", taken)
    if disputed := FUNDINGS[order["funding"]].disputed:
        disputes.open_dispute(gateway, order, Wanted(disputed))


def settle(gateway: Gateway, order: Json, taken: Json) -> None:
    """A pending capture comes through, or does not."""
    if FUNDINGS[order["funding"]].settles == "COMPLETED":
        _complete(gateway, order, taken, Origin(taken["request_id"]))
        return
    taken["status"] = "DECLINED"
    gateway.save(CAPTURE, taken)
    if taken["authorization"] is not None:
        _reopen(gateway, taken)
    tell(gateway, order, CAPTURE, "PAYMENT.CAPTURE.DECLINED", taken)


def _reopen(gateway: Gateway, taken: Json) -> None:
    """What a declined capture drew of a hold can be taken of it again; a rest that was let go stays so."""
    hold = gateway.store.get(AUTHORIZATION, taken["authorization"])
    assert hold is not None, "a capture's hold is kept"
    hold["captured"] -= taken["amount"]
    hold["status"] = "PARTIALLY_CAPTURED" if hold["captured"] else "CREATED"
    gateway.save(AUTHORIZATION, hold)


def give_back(
    gateway: Gateway, order: Json, taken: Json, amount: int, origin: Origin, names: Json, note: str | None
) -> Json:
    """Refund a capture, in whole or in part."""
    behaviour = FUNDINGS[order["funding"]].refund
    _shift(gateway, taken, amount)
    returned: Json = {
        "id": new_id(),
        "order": order["id"],
        "capture": taken["id"],
        "amount": amount,
        "total": taken["refunded"],
        "status": "COMPLETED" if behaviour == "completes" else "PENDING",
        "names": names,
        "note": note,
        "created": gateway.now(),
    }
    gateway.save(REFUND, returned)
    gateway.book("refund", order, taken["id"], amount, origin, returned["id"])
    if behaviour != "completes":
        task = SETTLE_REFUND if behaviour == "pends" else FAIL_REFUND
        gateway.store.schedule(returned["id"], task, gateway.clock.now() + _LATER)
    told = "PAYMENT.CAPTURE.REFUNDED" if behaviour == "completes" else "PAYMENT.REFUND.PENDING"
    tell(gateway, order, REFUND, told, returned)
    return returned


def _shift(gateway: Gateway, taken: Json, amount: int) -> None:
    taken["refunded"] += amount
    if taken["refunded"] == 0:
        taken["status"] = "COMPLETED"
    else:
        taken["status"] = "REFUNDED" if taken["refunded"] == taken["amount"] else "PARTIALLY_REFUNDED"
    gateway.save(CAPTURE, taken)


def arrive(gateway: Gateway, order: Json, returned: Json) -> None:
    """A pending refund reaches the payer."""
    returned["status"] = "COMPLETED"
    gateway.save(REFUND, returned)
    tell(gateway, order, REFUND, "PAYMENT.CAPTURE.REFUNDED", returned)


def bounce(gateway: Gateway, order: Json, returned: Json) -> None:
    """The payer's bank sends a refund back: the money is the merchant's again."""
    returned["status"] = "FAILED"
    taken = gateway.find(CAPTURE, returned["capture"])
    _shift(gateway, taken, -returned["amount"])
    gateway.book("refund_failure", order, taken["id"], returned["amount"], Origin(), returned["id"])
    gateway.save(REFUND, returned)
    tell(gateway, order, REFUND, "PAYMENT.REFUND.FAILED", returned)
