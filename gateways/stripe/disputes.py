"""Disputes at Stripe: read as snapshots, answered with evidence, given up.

Stripe opens an inquiry as `warning_…`: it withdraws nothing, and only a refund gives the customer the money.
"""

from datetime import datetime

from stripe.params import DisputeUpdateParamsEvidence

from domain.dispute import DisputeEvidence, DisputeSnapshot, DisputeState
from domain.errors import GatewayRefusedError
from domain.money import Money
from domain.outcomes import Answer, Completed, Declined, Pending
from gateways.contract import AcceptDispute, SubmitEvidence
from gateways.refusal import RefusalError
from gateways.stripe import declines, fields
from gateways.stripe.client import StripeConnection
from gateways.stripe.errors import MISSING
from gateways.stripe.fields import Object
from gateways.stripe.translate import NAME, REFERENCE

_EXPAND = ["payment_intent"]
"""A dispute does not carry our reference, its PaymentIntent does."""

_STATES = {
    "warning_needs_response": DisputeState.INQUIRY,
    "warning_under_review": DisputeState.INQUIRY,
    "warning_closed": DisputeState.WON,
    "needs_response": DisputeState.NEEDS_RESPONSE,
    "under_review": DisputeState.UNDER_REVIEW,
    "won": DisputeState.WON,
    "lost": DisputeState.LOST,
    # An appeal follows a loss: the money stays with the customer until it is won.
    "appeal_needs_response": DisputeState.LOST,
    "appeal_under_review": DisputeState.LOST,
}
_PREVENTED = "prevented"


class StripeDisputes:
    """The disputes of one Stripe account."""

    def __init__(self, connection: StripeConnection) -> None:
        self._connection = connection

    async def lookup(self, dispute_id: str) -> DisputeSnapshot | None:
        """The dispute as it is now; None when this account has no such one. Raises GatewayError."""
        stated = await self._read(dispute_id)
        return None if stated is None else dispute_of(stated)

    async def submit(self, request: SubmitEvidence) -> Answer:
        """Answer with evidence, which Stripe takes once: where it has just this already, that is done."""
        evidence = evidence_of(request.evidence)
        try:
            stated = await self._connection.send(
                lambda client: client.v1.disputes.update_async(
                    request.dispute_id,
                    {"evidence": evidence, "submit": True, "expand": _EXPAND},
                    {"idempotency_key": request.key},
                )
            )
        except RefusalError as refusal:
            current = await self._existing(request.dispute_id)
            return Completed(dispute_of(current)) if _has(current, evidence) else _declined(refusal)
        return Completed(dispute_of(stated))

    async def accept(self, request: AcceptDispute) -> Answer:
        """Close the dispute as lost. An inquiry is declined: closing it would not give the customer anything."""
        before = dispute_of(await self._existing(request.dispute_id))
        if before.state is DisputeState.LOST:
            return Completed(before)
        if before.state is DisputeState.INQUIRY:
            message = "an inquiry is accepted by refunding the payment"
            return Declined(declines.invalid_request("dispute_is_inquiry", message))
        try:
            stated = await self._connection.send(
                lambda client: client.v1.disputes.close_async(
                    request.dispute_id, {"expand": _EXPAND}, {"idempotency_key": request.key}
                )
            )
        except RefusalError as refusal:
            after = dispute_of(await self._existing(request.dispute_id))
            return Completed(after) if after.state is DisputeState.LOST else _declined(refusal)
        dispute = dispute_of(stated)
        return Completed(dispute) if dispute.state is DisputeState.LOST else Pending(dispute)

    async def _existing(self, dispute_id: str) -> Object:
        stated = await self._read(dispute_id)
        if stated is None:
            raise GatewayRefusedError(MISSING, f"Stripe has no dispute {dispute_id}")
        return stated

    async def _read(self, dispute_id: str) -> Object | None:
        try:
            return await self._connection.read(
                lambda client: client.v1.disputes.retrieve_async(dispute_id, {"expand": _EXPAND})
            )
        except RefusalError as refusal:
            if refusal.code == MISSING:
                return None
            raise refusal.as_error() from None


def dispute_of(dispute: Object) -> DisputeSnapshot:
    """A Dispute with its PaymentIntent expanded. Raises OutcomeUnknownError when it cannot be read."""
    currency = fields.text(dispute, "currency")
    amount = fields.money(dispute, "amount", currency)
    withdrawn = _withdrawn(dispute, amount, currency)
    intent, named = fields.part(dispute, "payment_intent"), dispute.get("payment_intent")
    return DisputeSnapshot(
        gateway=NAME,
        dispute_id=fields.text(dispute, "id"),
        payment_id=fields.text(intent, "id") if intent else named if isinstance(named, str) else None,
        reference=fields.metadata(intent, REFERENCE),
        amount=amount,
        withdrawn=withdrawn,
        state=_state(dispute, withdrawn),
        reason=fields.text(dispute, "reason"),
        live=fields.flag(dispute, "livemode"),
        respond_by=_respond_by(dispute),
    )


def evidence_of(evidence: DisputeEvidence) -> DisputeUpdateParamsEvidence:
    """Our evidence in Stripe's fields. Those for policies and letters themselves take files, so texts go beside them.

    Source: docs.stripe.com/api/disputes/evidence_object.
    """
    statement = evidence.explanation
    if evidence.customer_communication:
        statement = f"{statement}\n\nCommunication with the customer:\n{evidence.customer_communication}"
    stated: DisputeUpdateParamsEvidence = {"uncategorized_text": statement}
    if evidence.product_description:
        stated["product_description"] = evidence.product_description
    if evidence.tracking_carrier:
        stated["shipping_carrier"] = evidence.tracking_carrier
    if evidence.tracking_number:
        stated["shipping_tracking_number"] = evidence.tracking_number
    if evidence.refund_policy:
        stated["refund_policy_disclosure"] = evidence.refund_policy
    return stated


def _withdrawn(dispute: Object, amount: Money, currency: str) -> Money:
    """What the dispute's balance transactions add up to; without their fees, which are fields of their own."""
    rows = dispute.get("balance_transactions")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise fields.unreadable("balance_transactions")
    if any(type(row.get("amount")) is not int for row in rows):
        raise fields.unreadable("balance_transactions")
    out = max(0, -sum(row["amount"] for row in rows))
    if all(row.get("currency") == currency for row in rows):
        return fields.money({"amount": out}, "amount", currency)
    # An account that settles in another currency states it in that, and at another day's rate when it comes back: it is
    # out as a whole or not at all, as more rows take than give.
    taken = sum((row["amount"] < 0) - (row["amount"] > 0) for row in rows)
    return amount if taken > 0 else amount.zero()


def _state(dispute: Object, withdrawn: Money) -> DisputeState:
    word = fields.text(dispute, "status")
    if word == _PREVENTED:
        return DisputeState.LOST if withdrawn.minor else DisputeState.WON
    state = _STATES.get(word)
    if state is None:
        raise fields.unreadable("status")
    return state


def _respond_by(dispute: Object) -> datetime | None:
    """Until when there is time; Stripe says 0 where the bank takes no answer."""
    details = fields.part(dispute, "evidence_details")
    return fields.moment(details, "due_by") if details.get("due_by") else None


def _has(dispute: Object, evidence: DisputeUpdateParamsEvidence) -> bool:
    stated, count = fields.part(dispute, "evidence"), fields.part(dispute, "evidence_details").get("submission_count")
    return bool(count) and all(stated.get(name) == value for name, value in evidence.items())


def _declined(refusal: RefusalError) -> Declined:
    """Stripe's refusals about disputes often name no reason but their text."""
    return Declined(refusal.refusal.decline or declines.invalid_request(refusal.code, refusal.refusal.message))
