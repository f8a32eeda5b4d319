"""Steps that the conformance tests about disputes share."""

import asyncio
from collections.abc import Callable

from domain.dispute import DisputeEvidence, DisputeSnapshot, DisputeState
from domain.money import Money
from domain.outcomes import Answer, Completed, Declined, Pending
from domain.payment import PaymentSnapshot
from gateways.contract import AcceptDispute, Gateway, SubmitEvidence, Verb
from tests.gateways.checkouts import paid
from tests.gateways.inbox import Kept
from tests.gateways.outside import DisputeKind, Outside, needs

EVIDENCE = DisputeEvidence(
    explanation="The parcel was handed to Ms Quillfeather-Obuasi at her door, who signed for it.",
    product_description="A lamp",
    tracking_carrier="DHL",
    tracking_number="JD0146000033",
)
PERSONAL = "Quillfeather-Obuasi"
"""A word of the evidence that no log may show."""
_PATIENCE = 15.0


async def disputed(
    gateway: Gateway, outside: Outside, kind: DisputeKind, amount: Money | None = None
) -> tuple[PaymentSnapshot, DisputeSnapshot]:
    """A paid payment that its customer disputes, and the dispute once the gateway states it so."""
    needs(outside, "disputes", *(("inquiry",) if kind == "inquiry" else ()))
    payment = await paid(gateway, outside)
    dispute_id = await outside.open_dispute(payment, kind, amount)
    wanted = DisputeState.INQUIRY if kind == "inquiry" else DisputeState.NEEDS_RESPONSE
    return payment, await dispute_until(gateway, dispute_id, lambda d: d.state is wanted and _taken(d))


def _taken(dispute: DisputeSnapshot) -> bool:
    """A gateway may tell of a chargeback before it tells of the money."""
    return dispute.state is DisputeState.INQUIRY or dispute.withdrawn == dispute.amount


async def dispute_until(
    gateway: Gateway, dispute_id: str, wanted: Callable[[DisputeSnapshot], bool]
) -> DisputeSnapshot:
    """The dispute once the look-up shows it as wanted; the last sight is in the error when that never happens."""
    end = asyncio.get_running_loop().time() + _PATIENCE
    while True:
        now = await gateway.lookup_dispute(dispute_id)
        if now is not None and wanted(now):
            return now
        assert asyncio.get_running_loop().time() < end, now
        await asyncio.sleep(0.05)


async def ended(gateway: Gateway, dispute: DisputeSnapshot, state: DisputeState, withdrawn: Money) -> DisputeSnapshot:
    """The dispute once it is over in this way, with so much of our money gone."""
    return await dispute_until(gateway, dispute.dispute_id, lambda d: (d.state, d.withdrawn) == (state, withdrawn))


async def told_of_dispute(outside: Outside, dispute: DisputeSnapshot) -> list[Kept]:
    """The authentic events about this dispute, once there is one."""
    kept = await outside.inbox.until(lambda kept: any(k.event.dispute_id == dispute.dispute_id for k in kept))
    return [k for k in kept if k.event.dispute_id == dispute.dispute_id]


def evidence_request(dispute: DisputeSnapshot, attempt: int = 1) -> SubmitEvidence:
    """Answer the dispute."""
    return SubmitEvidence(f"{_own(dispute)}:submit_evidence:{attempt}", dispute.dispute_id, EVIDENCE)


def accept_request(dispute: DisputeSnapshot, attempt: int = 1) -> AcceptDispute:
    """Give the dispute up."""
    return AcceptDispute(f"{_own(dispute)}:accept_dispute:{attempt}", dispute.dispute_id)


def _own(dispute: DisputeSnapshot) -> str:
    return f"dp_{dispute.dispute_id.rpartition(':')[2]}"


def taken_on(answer: Answer) -> DisputeSnapshot:
    """The dispute that an accepted answer shows."""
    assert isinstance(answer, Completed | Pending), answer
    assert isinstance(answer.evidence, DisputeSnapshot)
    return answer.evidence


def refused_hard(answer: Answer) -> None:
    """The gateway will not take it, and asking again will not help."""
    assert isinstance(answer, Declined), answer
    assert answer.decline.hard


def answers(gateway: Gateway, verb: Verb) -> bool:
    """Whether the gateway takes such an answer to a dispute from a program."""
    return verb in gateway.capabilities.answers_disputes
