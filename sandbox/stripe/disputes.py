"""The disputes calls, and what becomes of a dispute without one."""

from sandbox.disputes import DISPUTE
from sandbox.store import Due, Filter, Json
from sandbox.stripe import chargebacks, refunds
from sandbox.stripe import params as p
from sandbox.stripe.call import Call
from sandbox.stripe.dispute_shape import EVIDENCE, FILES
from sandbox.stripe.errors import invalid, missing, refused
from sandbox.stripe.gateway import BY_ITSELF, Gateway, Origin
from sandbox.stripe.lists import LIST_CHECKS, listed

DECISIONS = (chargebacks.WIN, chargebacks.LOSE, chargebacks.ESCALATE)
"""What an answer in Stripe's test words brings about."""
TASKS = (chargebacks.DEADLINE, chargebacks.INQUIRY_ENDS, *DECISIONS)

OPEN = (*chargebacks.INQUIRIES, *chargebacks.CHARGEBACKS)
"""Not decided yet."""

_LIST = {**LIST_CHECKS, "charge": p.text, "payment_intent": p.text}
_UPDATE = {"evidence": p.mapping, "expand": p.words, "metadata": p.metadata, "submit": p.boolean}
_LONGEST_EVIDENCE, _MOST_EVIDENCE = 20_000, 150_000
_TEST_WORDS = dict(zip(("winning_evidence", "losing_evidence", "escalate_inquiry_evidence"), DECISIONS, strict=True))
_SECONDS_TO_DECIDE = 5


def retrieve(gateway: Gateway, call: Call) -> Json:
    """Read a dispute."""
    p.check(call.params, {"expand": p.words})
    return gateway.find(DISPUTE, call.ids[0], "dispute")


def list_all(gateway: Gateway, call: Call) -> Json:
    """Disputes, newest first."""
    params = p.check(call.params, _LIST)
    narrow = Filter(DISPUTE, payment=params.get("payment_intent"), label=params.get("charge"))
    return listed(gateway, narrow, params, "/v1/disputes")


def update(gateway: Gateway, call: Call) -> Json:
    """Answer a dispute with evidence, which is submitted unless it is only to be kept for now."""
    params = p.check(call.params, _UPDATE)
    evidence = _evidence(params.get("evidence", {}))
    dispute = _still_open(gateway, call)
    if "metadata" in params:
        dispute["metadata"].update(params["metadata"])
    details = dispute["evidence_details"]
    if evidence and details["submission_count"]:
        raise refused("Evidence was already submitted for this dispute.", "evidence")
    dispute["evidence"].update(evidence)
    details["has_evidence"] = details["has_evidence"] or bool(evidence)
    if details["has_evidence"] and params.get("submit", True):
        details["submission_count"] += 1
        dispute["status"] = dispute["status"].replace("needs_response", "under_review")
        task = _TEST_WORDS.get(dispute["evidence"]["uncategorized_text"])
        if task is not None:
            gateway.store.schedule(dispute["id"], task, gateway.clock.now() + _SECONDS_TO_DECIDE)
    gateway.save(dispute)
    gateway.emit("charge.dispute.updated", dispute, call.origin)
    return dispute


def _evidence(given: Json) -> Json:
    found = p.check(given, dict.fromkeys(EVIDENCE, p.text))
    for name, text in found.items():
        # Nothing can be uploaded here, so no id of a file is good.
        if name in FILES:
            raise missing("file upload", text, f"evidence[{name}]", status=400)
        if len(text) > _LONGEST_EVIDENCE:
            raise invalid(f"Evidence can have up to {_LONGEST_EVIDENCE} characters.", f"evidence[{name}]")
    if sum(len(text) for text in found.values()) > _MOST_EVIDENCE:
        raise invalid(f"All evidence together can have up to {_MOST_EVIDENCE} characters.", "evidence")
    return found


def close(gateway: Gateway, call: Call) -> Json:
    """Accept a dispute as lost."""
    p.check(call.params, {"expand": p.words})
    dispute = _still_open(gateway, call)
    if dispute["status"] not in chargebacks.CHARGEBACKS:
        raise refused(f"This dispute cannot be closed because it has a status of {dispute['status']}.")
    chargebacks.end(gateway, dispute, call.origin, won=False)
    return dispute


def _still_open(gateway: Gateway, call: Call) -> Json:
    dispute = gateway.find(DISPUTE, call.ids[0], "dispute")
    if dispute["status"] not in OPEN:
        raise refused("This dispute is already closed")
    return dispute


def escalate(gateway: Gateway, dispute: Json, origin: Origin) -> None:
    """An inquiry becomes a chargeback; refunds made meanwhile come back, or the customer would be paid twice."""
    for refund in chargebacks.refunds_during(gateway, dispute):
        refunds.fail(gateway, refund, origin, "charge_for_pending_refund_disputed")
    chargebacks.become_chargeback(gateway, dispute, origin)


def decide(gateway: Gateway, dispute: Json, origin: Origin, *, won: bool) -> None:
    """The bank decides; an inquiry is lost by becoming a chargeback that is lost."""
    if not won and dispute["status"] in chargebacks.INQUIRIES:
        escalate(gateway, dispute, origin)
    chargebacks.end(gateway, dispute, origin, won=won)


def carry_out(gateway: Gateway, due: Due) -> bool:
    """What is due to happen to a dispute, if it still is where it was when that was planned; whether it moved."""
    dispute = gateway.find(DISPUTE, due.object)
    status = dispute["status"]
    match due.task:
        # A bank that gets no answer to its inquiry may still let it rest; a chargeback without one is lost.
        case chargebacks.DEADLINE if status == "needs_response":
            chargebacks.end(gateway, dispute, BY_ITSELF, won=False)
        case chargebacks.INQUIRY_ENDS if status in chargebacks.INQUIRIES:
            chargebacks.end(gateway, dispute, BY_ITSELF, won=True)
        case chargebacks.ESCALATE if status in chargebacks.INQUIRIES:
            escalate(gateway, dispute, BY_ITSELF)
        case chargebacks.WIN | chargebacks.LOSE if status in OPEN:
            chargebacks.end(gateway, dispute, BY_ITSELF, won=due.task == chargebacks.WIN)
        case _:
            return False
    return True
