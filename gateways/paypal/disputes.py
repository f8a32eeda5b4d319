"""PayPal's disputes: what they say in our words, and our answers to them.

A dispute has a life of stages: an inquiry between payer and shop, then a claim or the bank's chargeback, and perhaps
arbitration. PayPal keeps no request id of these calls, so each answer is preceded by a look at what was answered.
"""

import logging

from domain.dispute import OPEN, DisputeSnapshot, DisputeState
from domain.errors import GatewayRefusedError
from domain.money import Money
from domain.outcomes import Answer, Completed, Declined, Pending
from gateways.contract import AcceptDispute, SubmitEvidence
from gateways.paypal import declines, evidence, fields
from gateways.paypal.client import PayPalConnection
from gateways.paypal.errors import MISSING
from gateways.paypal.fields import Object
from gateways.paypal.reader import PayPalReader
from gateways.paypal.translate import NAME
from gateways.refusal import RefusalError

_log = logging.getLogger(__name__)

_INQUIRY = "INQUIRY"
_STAGES = frozenset({_INQUIRY, "CHARGEBACK", "PRE_ARBITRATION", "ARBITRATION"})
_OPEN_STATES = {
    "OPEN": DisputeState.NEEDS_RESPONSE,
    "WAITING_FOR_SELLER_RESPONSE": DisputeState.NEEDS_RESPONSE,
    "WAITING_FOR_BUYER_RESPONSE": DisputeState.UNDER_REVIEW,
    "UNDER_REVIEW": DisputeState.UNDER_REVIEW,
    "OTHER": DisputeState.UNDER_REVIEW,
}
_OUTCOMES = {
    "RESOLVED_BUYER_FAVOUR": DisputeState.LOST,
    "ACCEPTED": DisputeState.LOST,
    "RESOLVED_SELLER_FAVOUR": DisputeState.WON,
    # PayPal paid the payer out of its own pocket.
    "RESOLVED_WITH_PAYOUT": DisputeState.WON,
    "CANCELED_BY_BUYER": DisputeState.WON,
    "DENIED": DisputeState.WON,
    "NONE": DisputeState.WON,
}
_OF_THE_DISPUTE = "DISPUTE_SETTLEMENT"
_SIGNS = {"DEBIT": 1, "CREDIT": -1}
_OURS = "SUBMITTED_BY_SELLER"


class PayPalDisputes:
    """Disputes on one PayPal account."""

    def __init__(self, connection: PayPalConnection, reader: PayPalReader, live: bool) -> None:
        self._connection = connection
        self._reader = reader
        self._live = live

    async def lookup(self, dispute_id: str) -> DisputeSnapshot | None:
        """The dispute as it is now; None when there is none, or it is about nothing that we could have opened."""
        stated = await self._read(dispute_id)
        return await self._snapshot(stated) if stated is not None else None

    async def submit_evidence(self, request: SubmitEvidence) -> Answer:
        """Answer what PayPal waits for; what was answered already is Completed."""
        stated, dispute = await self._known(request.dispute_id)
        if dispute.state is DisputeState.INQUIRY:
            return _not_asked_for("INQUIRY_WITHOUT_EVIDENCE", "an inquiry is answered by a refund or a message")
        if dispute.state is not DisputeState.NEEDS_RESPONSE:
            return _after_evidence(stated, dispute)
        body = evidence.stated(request.evidence)
        try:
            await self._connection.submit(f"{_path(request.dispute_id)}/provide-evidence", body, request.key)
        except RefusalError as refusal:
            stated, dispute = await self._known(request.dispute_id)
            return Completed(dispute) if _answered(stated, dispute) else refusal.declined()
        stated, dispute = await self._known(request.dispute_id)
        # It was taken in: a dispute that still asks has not been read anew by PayPal itself, or asks for more.
        return Pending(dispute) if dispute.state is DisputeState.NEEDS_RESPONSE else Completed(dispute)

    async def accept(self, request: AcceptDispute) -> Answer:
        """Let the payer have the money; a dispute that was lost already is Completed."""
        _, dispute = await self._known(request.dispute_id)
        if dispute.state not in OPEN:
            return _after_acceptance(dispute)
        body = {"note": "The shop accepts the claim.", "accept_claim_type": "REFUND"}
        try:
            await self._connection.send(f"{_path(request.dispute_id)}/accept-claim", body, request.key)
        except RefusalError as refusal:
            _, dispute = await self._known(request.dispute_id)
            return refusal.declined() if dispute.state in OPEN else _after_acceptance(dispute)
        _, dispute = await self._known(request.dispute_id)
        return Pending(dispute) if dispute.state in OPEN else _after_acceptance(dispute)

    async def _read(self, dispute_id: str) -> Object | None:
        return await self._reader.read_if_there(_path(dispute_id)) if fields.is_id(dispute_id) else None

    async def _known(self, dispute_id: str) -> tuple[Object, DisputeSnapshot]:
        stated = await self._read(dispute_id)
        dispute = await self._snapshot(stated) if stated is not None else None
        if stated is None or dispute is None:
            raise GatewayRefusedError(MISSING, f"PayPal has no dispute {dispute_id[:64]!r} about a payment of ours")
        return stated, dispute

    async def _snapshot(self, stated: Object) -> DisputeSnapshot | None:
        """The dispute with the order that its capture belongs to, which PayPal tells of the capture only."""
        transactions = fields.several(stated, "disputed_transactions")
        if len(transactions) != 1:
            raise fields.unreadable("disputed_transactions")
        capture_id = fields.text(transactions[0], "seller_transaction_id")
        if not fields.is_id(capture_id):
            raise fields.unreadable("seller_transaction_id")
        capture = await self._reader.read_if_there(f"/v2/payments/captures/{capture_id}") or {}
        related = fields.inner(fields.inner(capture, "supplementary_data"), "related_ids")
        payment_id = fields.text_if_any(related, "order_id")
        reference = fields.text_if_any(capture, "custom_id") or fields.text_if_any(transactions[0], "custom")
        if payment_id is None and reference is None:
            _log.warning("PayPal's dispute about %s names nothing of ours", capture_id)
            return None
        return dispute_of(stated, payment_id, reference, self._live)


def dispute_of(stated: Object, payment_id: str | None, reference: str | None, live: bool) -> DisputeSnapshot:
    """A dispute about this payment. Raises OutcomeUnknownError when it cannot be read."""
    amount, stage = fields.money(stated, "dispute_amount"), fields.text(stated, "dispute_life_cycle_stage")
    if stage not in _STAGES:
        raise fields.unreadable("dispute_life_cycle_stage")
    state = _state(stated, stage)
    withdrawn = _withdrawn(stated, amount, stage, state)
    if state is DisputeState.LOST and stage == _INQUIRY and not withdrawn.minor:
        # Closed by a refund of ours, which stands for itself among the payment's refunds.
        state = DisputeState.WON
    due = stated.get("seller_response_due_date")
    return DisputeSnapshot(
        gateway=NAME,
        dispute_id=fields.text(stated, "dispute_id"),
        payment_id=payment_id,
        reference=reference,
        amount=amount,
        withdrawn=withdrawn,
        state=state,
        reason=fields.text(stated, "reason"),
        live=live,
        respond_by=fields.moment(stated, "seller_response_due_date") if due is not None and state in OPEN else None,
    )


def _state(stated: Object, stage: str) -> DisputeState:
    status = fields.text(stated, "status")
    if status == "RESOLVED":
        state = _OUTCOMES.get(fields.text(fields.inner(stated, "dispute_outcome"), "outcome_code"))
        name = "outcome_code"
    else:
        state, name = _OPEN_STATES.get(status), "status"
    if state is None:
        raise fields.unreadable(name)
    return DisputeState.INQUIRY if stage == _INQUIRY and state in OPEN else state


def _withdrawn(stated: Object, amount: Money, stage: str, state: DisputeState) -> Money:
    """What PayPal states to have taken of us and not given back, fees aside.

    Where it states no movements: it holds the money while a claim is open, keeps that of a lost one, and takes none
    for an inquiry.
    """
    movements = [
        move
        for move in fields.several(stated, "money_movements")
        if move.get("affected_party") == "SELLER" and move.get("reason") == _OF_THE_DISPUTE
    ]
    if not movements:
        kept = stage != _INQUIRY and state is not DisputeState.WON
        return amount if kept else amount.zero()
    total = 0
    for move in movements:
        moved, sign = fields.money(move, "amount"), _SIGNS.get(fields.text(move, "type"))
        if sign is None or moved.currency != amount.currency:
            raise fields.unreadable("money_movements")
        total += sign * moved.minor
    # Somebody who got back more than was taken is owed nothing for this dispute.
    return Money(max(total, 0), amount.currency)


def _answered(stated: Object, dispute: DisputeSnapshot) -> bool:
    """Whether PayPal has an answer of ours and waits for none."""
    ours = any(part.get("source") == _OURS for part in fields.several(stated, "evidences"))
    return ours and dispute.state is DisputeState.UNDER_REVIEW


def _after_evidence(stated: Object, dispute: DisputeSnapshot) -> Answer:
    if _answered(stated, dispute):
        return Completed(dispute)
    return _not_asked_for("EVIDENCE_NOT_AWAITED", f"the dispute is {dispute.state} and takes no evidence")


def _after_acceptance(dispute: DisputeSnapshot) -> Answer:
    if dispute.state is DisputeState.LOST:
        return Completed(dispute)
    return _not_asked_for("DISPUTE_ENDED", "the dispute has ended with the money on our side")


def _not_asked_for(code: str, message: str) -> Declined:
    return Declined(declines.invalid_request(code, message))


def _path(dispute_id: str) -> str:
    return f"/v1/customer/disputes/{dispute_id}"
