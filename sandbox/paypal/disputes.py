"""What happens to a dispute: opened by the payer or the bank, answered or not, decided; and what each costs whom."""

from sandbox.books import Movement
from sandbox.control.errors import ConflictError, ControlError
from sandbox.disputes import DISPUTE, Wanted
from sandbox.ids import random_text
from sandbox.paypal import dispute_shapes, shapes
from sandbox.paypal.gateway import CAPTURE, ORDER, Gateway, Origin
from sandbox.paypal.money import readable
from sandbox.store import Filter, Json

LAPSE_DISPUTE = "lapse_dispute"
_INQUIRY, _CHARGEBACK = "INQUIRY", "CHARGEBACK"
_RESOLVED = "RESOLVED"
_DAY = 86_400
_INQUIRY_DAYS, _CHARGEBACK_DAYS = 20, 10
_TAKEN = ("COMPLETED", "PARTIALLY_REFUNDED")


def open_dispute(gateway: Gateway, order: Json, wanted: Wanted) -> Json:
    """Dispute the newest capture of an order that has money left, all of it unless an amount is given."""
    taken = next((each for each in _captures(gateway, order) if _left(each) > 0 and not open_on(gateway, each)), None)
    if taken is None:
        raise ConflictError("payment", "has no captured money that is not disputed already")
    amount = _left(taken) if wanted.amount is None else wanted.amount
    if amount > _left(taken):
        raise ControlError("amount", f"must be at most {_left(taken)}, which is left of the capture")
    inquiry = wanted.kind == "inquiry"
    record: Json = {
        "id": f"PP-R-{random_text(3, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ')}-{random_text(8, '0123456789')}",
        "order": order["id"],
        "capture": taken["id"],
        "amount": amount,
        "stage": _INQUIRY if inquiry else _CHARGEBACK,
        "status": "WAITING_FOR_SELLER_RESPONSE",
        "outcome": None,
        "reason": "MERCHANDISE_OR_SERVICE_NOT_RECEIVED" if inquiry else "UNAUTHORISED",
        "channel": "INTERNAL" if inquiry else "EXTERNAL",
        "evidences": [],
        "movements": [],
        "due": None,
        "created": gateway.now(),
    }
    if not inquiry:
        _withdraw(gateway, record)
    _wait_until(gateway, record, wanted.days or (_INQUIRY_DAYS if inquiry else _CHARGEBACK_DAYS))
    _tell(gateway, record, "CREATED")
    return record


def escalate(gateway: Gateway, record: Json) -> None:
    """An inquiry becomes a claim: the money is withdrawn, and the shop has to answer."""
    if not is_open(record) or record["stage"] != _INQUIRY:
        raise ConflictError("dispute", "is no open inquiry")
    record["stage"] = _CHARGEBACK
    _withdraw(gateway, record)
    _wait_until(gateway, record, _CHARGEBACK_DAYS)
    _tell(gateway, record, "UPDATED")


def decide(gateway: Gateway, record: Json, *, won: bool) -> None:
    """Whoever decides has decided."""
    if not is_open(record):
        raise ConflictError("dispute", "has been decided")
    _resolve(gateway, record, "RESOLVED_SELLER_FAVOUR" if won else "RESOLVED_BUYER_FAVOUR", lost=not won)


def accept(gateway: Gateway, record: Json) -> None:
    """The shop lets the payer have the money."""
    _resolve(gateway, record, "ACCEPTED", lost=True)


def answer(gateway: Gateway, record: Json, evidences: list[Json]) -> None:
    """The shop says something for itself; it is reviewed now, however long that takes."""
    source = {"source": "SUBMITTED_BY_SELLER", "date": gateway.now(), "dispute_life_cycle_stage": record["stage"]}
    record["evidences"] += [{**each, **source} for each in evidences]
    record.update(status="UNDER_REVIEW", due=None)
    _save(gateway, record)
    _tell(gateway, record, "UPDATED")


def close_by_refund(gateway: Gateway, record: Json) -> None:
    """A refund gives the payer what the inquiry was about, so it is over and nothing was withdrawn."""
    _resolve(gateway, record, "RESOLVED_BUYER_FAVOUR", lost=False)


def lapse(gateway: Gateway, record: Json) -> bool:
    """The time to answer is over: a claim is lost, an inquiry that nobody escalated is closed."""
    if record["due"] is None or gateway.clock.now() < record["due"]:
        return False
    if record["stage"] == _INQUIRY:
        _resolve(gateway, record, "CANCELED_BY_BUYER", lost=False)
    else:
        _resolve(gateway, record, "RESOLVED_BUYER_FAVOUR", lost=True)
    return True


def open_on(gateway: Gateway, taken: Json) -> Json | None:
    """The dispute about a capture that is not decided yet."""
    found = gateway.store.bodies(Filter(DISPUTE, label=taken["id"]))
    return next((record for record in found if is_open(record)), None)


def is_inquiry(record: Json) -> bool:
    """Whether payer and shop are still among themselves."""
    return bool(record["stage"] == _INQUIRY)


def awaits_evidence(record: Json) -> bool:
    """Whether the shop may answer now."""
    return bool(record["stage"] != _INQUIRY and record["status"] == "WAITING_FOR_SELLER_RESPONSE")


def is_open(record: Json) -> bool:
    """Whether nothing is decided yet."""
    return bool(record["status"] != _RESOLVED)


def _captures(gateway: Gateway, order: Json) -> list[Json]:
    found = gateway.store.bodies(Filter(CAPTURE, payment=order["id"]))
    return [taken for taken in found if taken["status"] in _TAKEN]


def _left(taken: Json) -> int:
    left: int = taken["amount"] - taken["refunded"] - taken["withdrawn"]
    return left


def _resolve(gateway: Gateway, record: Json, outcome: str, *, lost: bool) -> None:
    withdrawn = sum(move["amount"] if move["type"] == "DEBIT" else -move["amount"] for move in record["movements"])
    if lost and not withdrawn:
        _withdraw(gateway, record)
    elif withdrawn and not lost:
        _move(gateway, record, "CREDIT")
    record.update(status=_RESOLVED, outcome=outcome, due=None)
    _save(gateway, record)
    _tell(gateway, record, "RESOLVED")


def _withdraw(gateway: Gateway, record: Json) -> None:
    _move(gateway, record, "DEBIT")


def _move(gateway: Gateway, record: Json, direction: str) -> None:
    """Take the disputed money from the shop, or give it back."""
    order, taken = gateway.find(ORDER, record["order"]), gateway.find(CAPTURE, record["capture"])
    out = direction == "DEBIT"
    taken["withdrawn"] += record["amount"] if out else -record["amount"]
    gateway.save(CAPTURE, taken)
    record["movements"].append({"type": direction, "amount": record["amount"], "at": gateway.now()})
    movement: Movement = "dispute" if out else "dispute_reversed"
    gateway.book(movement, order, taken["id"], record["amount"], Origin(), dispute=record["id"])


def _wait_until(gateway: Gateway, record: Json, days: float) -> None:
    record["due"] = gateway.clock.now() + days * _DAY
    _save(gateway, record)
    gateway.store.schedule(record["id"], LAPSE_DISPUTE, record["due"])


def _save(gateway: Gateway, record: Json) -> None:
    gateway.save(DISPUTE, record, label=record["capture"])


def _tell(gateway: Gateway, record: Json, what: str) -> None:
    order = gateway.find(ORDER, record["order"])
    api_url, kind = order["api_url"], f"CUSTOMER.DISPUTE.{what}"
    resource = dispute_shapes.dispute(gateway, order, record, api_url)
    said = f"Dispute {what.lower()}: {readable(record['amount'], order['currency'])}"
    event = shapes.event(kind, "dispute", said, resource, gateway.now(), api_url, version="1.0")
    gateway.emit(kind, event, order["id"])
