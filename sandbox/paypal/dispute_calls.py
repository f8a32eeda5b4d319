"""The disputes calls."""

from typing import Any

from sandbox.disputes import DISPUTE
from sandbox.paypal import dispute_shapes, disputes
from sandbox.paypal.call import Call
from sandbox.paypal.errors import invalid, unprocessable
from sandbox.paypal.gateway import ORDER, Gateway
from sandbox.store import Json

_NOT_NOW = "ACTION_NOT_ALLOWED_IN_THIS_STATE"
_LONGEST_NOTES = 2000


def retrieve(gateway: Gateway, call: Call) -> Json:
    """Read a dispute."""
    record = gateway.find(DISPUTE, call.ids[0])
    return dispute_shapes.dispute(gateway, gateway.find(ORDER, record["order"]), record, call.origin.api_url)


def provide_evidence(gateway: Gateway, call: Call) -> Json:
    """Answer a claim, while it waits for the shop."""
    record = gateway.find(DISPUTE, call.ids[0])
    evidences = _evidences(call.body.get("evidences"))
    if not disputes.awaits_evidence(record):
        raise unprocessable(_NOT_NOW)
    disputes.answer(gateway, record, evidences)
    return _next(record, call)


def accept_claim(gateway: Gateway, call: Call) -> Json:
    """Give a dispute up, as long as it is open."""
    record = gateway.find(DISPUTE, call.ids[0])
    kind = call.body.get("accept_claim_type", "REFUND")
    if kind != "REFUND":
        raise invalid("/accept_claim_type", "INVALID_PARAMETER_VALUE", kind)
    if not disputes.is_open(record):
        raise unprocessable(_NOT_NOW)
    disputes.accept(gateway, record)
    return _next(record, call)


def _next(record: Json, call: Call) -> Json:
    return {"links": dispute_shapes.links(record, call.origin.api_url)[:1]}


def _evidences(given: Any) -> list[Json]:
    if not isinstance(given, list) or not given:
        raise invalid("/evidences", "MISSING_REQUIRED_PARAMETER")
    return [_evidence(each, f"/evidences/{number}") for number, each in enumerate(given)]


def _evidence(given: Any, at: str) -> Json:
    if not isinstance(given, dict) or not isinstance(given.get("evidence_type"), str):
        raise invalid(f"{at}/evidence_type", "MISSING_REQUIRED_PARAMETER")
    notes, info = given.get("notes"), given.get("evidence_info")
    if notes is not None and not (isinstance(notes, str) and 1 <= len(notes) <= _LONGEST_NOTES):
        raise invalid(f"{at}/notes", "INVALID_STRING_LENGTH")
    if notes is None and not isinstance(info, dict):
        raise invalid(at, "MISSING_REQUIRED_PARAMETER")
    return {name: given[name] for name in ("evidence_type", "notes", "evidence_info") if name in given}
