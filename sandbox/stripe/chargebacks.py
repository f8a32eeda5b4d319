"""How disputes move a payment's money: opened, made a chargeback, decided, answered by a refund."""

from dataclasses import dataclass

from sandbox.disputes import DISPUTE
from sandbox.store import Filter, Json
from sandbox.stripe import balance
from sandbox.stripe.dispute_shape import new_dispute
from sandbox.stripe.errors import refused
from sandbox.stripe.gateway import Gateway, Origin

DEADLINE, INQUIRY_ENDS = "miss_deadline", "end_inquiry"
WIN, LOSE, ESCALATE = "win_dispute", "lose_dispute", "escalate_dispute"
INQUIRIES = ("warning_needs_response", "warning_under_review")
CHARGEBACKS = ("needs_response", "under_review")
_DAY = 86_400
DAYS_TO_RESPOND = 8.0
_INQUIRY_DAYS = 120


@dataclass(frozen=True, slots=True)
class Opening:
    """What a customer asks back and why, whether the bank only asks as yet, and how many days there are to answer."""

    amount: int
    reason: str
    inquiry: bool
    days: float = DAYS_TO_RESPOND


def open_on(gateway: Gateway, intent: Json, charge: Json, opening: Opening, origin: Origin) -> Json:
    """A new dispute; a chargeback withdraws the money at once."""
    due_by = gateway.clock.now() + opening.days * _DAY
    status = "warning_needs_response" if opening.inquiry else "needs_response"
    dispute = new_dispute(charge, opening.amount, opening.reason, status, int(due_by), gateway.clock.stamp())
    charge["disputed"] = True
    gateway.save(charge)
    if not opening.inquiry:
        _withdraw(gateway, intent, dispute, origin)
    gateway.save(dispute, label=charge["id"])
    gateway.store.schedule(dispute["id"], DEADLINE, due_by)
    if opening.inquiry:
        gateway.store.schedule(dispute["id"], INQUIRY_ENDS, gateway.clock.now() + _INQUIRY_DAYS * _DAY)
    gateway.emit("charge.dispute.created", dispute, origin)
    if not opening.inquiry:
        gateway.emit("charge.dispute.funds_withdrawn", dispute, origin)
    return dispute


def become_chargeback(gateway: Gateway, dispute: Json, origin: Origin) -> None:
    """The bank is not content with the answer to its inquiry: the money is withdrawn, and there is time to respond."""
    intent = gateway.find("payment_intent", dispute["payment_intent"])
    due_by = gateway.clock.now() + DAYS_TO_RESPOND * _DAY
    dispute.update(status="needs_response", is_charge_refundable=False)
    dispute["evidence_details"].update(due_by=int(due_by), submission_count=0)
    dispute["payment_method_details"]["card"]["case_type"] = "chargeback"
    gateway.store.schedule(dispute["id"], DEADLINE, due_by)
    _withdraw(gateway, intent, dispute, origin)
    gateway.save(dispute)
    gateway.emit("charge.dispute.updated", dispute, origin)
    gateway.emit("charge.dispute.funds_withdrawn", dispute, origin)


def _withdraw(gateway: Gateway, intent: Json, dispute: Json, origin: Origin) -> None:
    amount, charge = dispute["amount"], dispute["charge"]
    gateway.book("dispute", intent, charge, amount, origin, dispute=dispute["id"])
    dispute["balance_transactions"] = balance.of_dispute(gateway, dispute)


def end(gateway: Gateway, dispute: Json, origin: Origin, *, won: bool) -> None:
    """The dispute is over. A chargeback that was won gives the money back; an inquiry that ends took none."""
    inquiry = dispute["status"] in INQUIRIES
    dispute["status"] = "warning_closed" if inquiry else "won" if won else "lost"
    if won and not inquiry:
        intent = gateway.find("payment_intent", dispute["payment_intent"])
        amount, charge = dispute["amount"], dispute["charge"]
        gateway.book("dispute_reversed", intent, charge, amount, origin, dispute=dispute["id"])
        dispute.update(is_charge_refundable=True, balance_transactions=balance.of_dispute(gateway, dispute))
    gateway.save(dispute)
    if won and not inquiry:
        gateway.emit("charge.dispute.funds_reinstated", dispute, origin)
    gateway.emit("charge.dispute.closed", dispute, origin)


def on(gateway: Gateway, charge: Json, *statuses: str) -> list[Json]:
    """A charge's disputes in these states."""
    found = gateway.store.bodies(Filter(DISPUTE, label=charge["id"]))
    return [dispute for dispute in found if dispute["status"] in statuses]


def lost(gateway: Gateway, charge: Json) -> int:
    """What customers have got of a charge through disputes."""
    return sum(dispute["amount"] for dispute in on(gateway, charge, "lost"))


def disputable(gateway: Gateway, charge: Json) -> int:
    """What of a charge neither was refunded nor is disputed or lost already."""
    disputed = sum(dispute["amount"] for dispute in on(gateway, charge, "lost", *INQUIRIES, *CHARGEBACKS))
    amount: int = charge["amount_captured"] - charge["amount_refunded"] - disputed
    return amount


def refuse_refund(gateway: Gateway, charge: Json) -> None:
    """A refund beside a chargeback would pay the customer twice."""
    left = charge["amount_captured"] - charge["amount_refunded"]
    taken = lost(gateway, charge)
    if on(gateway, charge, *CHARGEBACKS) or (taken and taken >= left):
        message = f"Charge {charge['id']} has been charged back; cannot issue a refund."
        raise refused(message, code="charge_disputed")


def refunds_during(gateway: Gateway, dispute: Json) -> list[Json]:
    """The refunds that were made since a dispute began and have not come back."""
    began = gateway.store.row(dispute["id"])
    assert began is not None, f"dispute {dispute['id']} is gone"
    # Not by their times: a refund of the second before belongs to what the customer did not dispute.
    rows = gateway.store.newest(Filter("refund", label=dispute["charge"]), -1, after=began["sequence"])
    found = (gateway.find("refund", row["id"]) for row in rows)
    return [each for each in found if each["status"] in ("pending", "succeeded")]


def answer_inquiries(gateway: Gateway, charge: Json, origin: Origin) -> None:
    """An inquiry has its answer once what it asks for is refunded, or all is that there is."""
    for inquiry in on(gateway, charge, *INQUIRIES):
        returned = sum(refund["amount"] for refund in refunds_during(gateway, inquiry))
        if returned >= inquiry["amount"] or charge["amount_refunded"] == charge["amount_captured"]:
            end(gateway, inquiry, origin, won=True)
