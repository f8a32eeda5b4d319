"""Reading and answering disputes; the evidence goes from Postgres to the gateway, and through no workflow."""

from dataclasses import dataclass
from datetime import datetime

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.contract import AnswerDispute
from activities.failures import failure
from activities.guard import LOOK_UP
from activities.payments import PaymentActivities
from domain.case import CaseKind
from domain.checkout import CheckoutStatus
from domain.dispute import DisputeSnapshot, DisputeState
from domain.errors import PaysagaError
from domain.outcomes import Answer, Completed
from gateways.contract import AcceptDispute, SubmitEvidence, Verb
from ledger.books import Books
from ledger.cases import CaseBook
from ledger.contract import DisputeRecord
from ledger.disputes import Disputes

_ANSWERED = frozenset({DisputeState.UNDER_REVIEW, DisputeState.WON, DisputeState.LOST})
"""Where a dispute stands once it has been answered, or can be answered no more."""


@dataclass(frozen=True)
class DisputeOnBooks:
    """Where a dispute and its checkout stand; `sequence` is that of the checkout's last timeline row.

    `record` is None for one that is not on the books. `unanswered`: a case waits for somebody to answer it.
    """

    record: DisputeRecord | None
    status: CheckoutStatus
    sequence: int
    unanswered: bool


@dataclass(frozen=True)
class ReadDispute:
    """Read this dispute, by our id, of a checkout."""

    dispute_id: str
    checkout_id: str


@dataclass(frozen=True)
class LookUpDispute:
    """Read a dispute at its gateway, by the gateway's id."""

    gateway: str
    dispute_id: str


@dataclass(frozen=True)
class Answered:
    """Somebody (`who`) has answered a dispute, by our id."""

    dispute_id: str
    verb: str
    at: datetime
    who: str
    evidence_id: str | None


@dataclass
class DisputeActivities:
    """What the dispute's workflow does. `payments` stands for how any operation is made once."""

    payments: PaymentActivities
    books: Books
    disputes: Disputes
    cases: CaseBook

    @activity.defn
    async def read_dispute(self, call: ReadDispute) -> DisputeOnBooks:
        """Where it stands on the books."""
        checkout = await self.books.get(call.checkout_id)
        if checkout is None:
            raise ApplicationError(f"no checkout {call.checkout_id}", type="NotOnBooks", non_retryable=True)
        waiting = (case for case in await self.cases.open_of(call.checkout_id) if case.subject == call.dispute_id)
        return DisputeOnBooks(
            await self.disputes.get(call.dispute_id),
            checkout.status,
            checkout.sequence,
            any(case.kind is CaseKind.DISPUTE_UNANSWERED for case in waiting),
        )

    @activity.defn
    async def look_up_dispute(self, call: LookUpDispute) -> DisputeSnapshot | None:
        """The dispute as the gateway states it now."""
        try:
            async with self.payments.guard.call(call.gateway, LOOK_UP):
                return await self.payments.gateways[call.gateway].lookup_dispute(call.dispute_id)
        except PaysagaError as error:
            raise failure(error) from error

    @activity.defn
    async def answer_dispute(self, call: AnswerDispute) -> Answer:
        """Send the evidence, or accept."""
        gateway, request = self.payments.gateways[call.gateway], call.request
        verb = Verb.ACCEPT_DISPUTE if request.evidence_id is None else Verb.SUBMIT_EVIDENCE

        async def send() -> Answer:
            if request.evidence_id is None:
                return await gateway.accept_dispute(AcceptDispute(request.key, request.dispute_id))
            evidence = await self.disputes.evidence(request.evidence_id)
            assert evidence is not None, "evidence is kept for ever"
            return await gateway.submit_evidence(SubmitEvidence(request.key, request.dispute_id, evidence))

        async def look() -> Answer | None:
            dispute = await gateway.lookup_dispute(request.dispute_id)
            return Completed(dispute) if dispute is not None and dispute.state in _ANSWERED else None

        return await self.payments.perform(verb, call, send, look)

    @activity.defn
    async def note_answer(self, call: Answered) -> DisputeRecord:
        """Put on the books that it was answered, and by whom."""
        try:
            return await self.disputes.answered(
                call.dispute_id, call.verb, call.at, who=call.who, evidence_id=call.evidence_id
            )
        except PaysagaError as error:
            raise failure(error) from error
