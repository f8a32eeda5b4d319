"""Answering a dispute: each answer is sent once, however often the sending has to be tried."""

from dataclasses import dataclass

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from activities.contract import AnswerDispute, DisputeAnswer
from activities.disputes import Answered, DisputeActivities
from activities.failures import KEY_SPENT
from domain.dispute import DisputeCommand
from domain.outcomes import Declined
from domain.payment import Decline
from gateways.contract import Verb
from ledger.contract import DisputeRecord
from workflows.attempts import Pauses
from workflows.errand import Errand
from workflows.notebook import on_books
from workflows.unanswered import KeyUselessError


@dataclass
class Wish:
    """What somebody wants said: the evidence of this id, or None: that the dispute is accepted."""

    who: str
    evidence_id: str | None
    is_done: bool = False
    refusal: ApplicationError | None = None

    @property
    def verb(self) -> Verb:
        """What it is at the gateway."""
        return Verb.ACCEPT_DISPUTE if self.evidence_id is None else Verb.SUBMIT_EVIDENCE


class Answering:
    """Keys are `<dispute>:<verb>:<evidence>:<number>`, the same in every run for the same evidence.

    An acceptance has the moment for its evidence: one that was declined while the dispute was an inquiry is a new one
    when it has become a chargeback.
    """

    def __init__(self, command: DisputeCommand, errand: Errand) -> None:
        self._command = command
        self._errand = errand

    async def give(self, wish: Wish) -> Decline | None:
        """Until the gateway has taken it, or declines it.

        A key that can bring no answer any more is followed by the next: a look has shown that nothing was answered, and
        an answer that is given twice moves nothing twice.
        """
        number, pauses = 1, Pauses(workflow.now())
        said = wish.evidence_id or int(workflow.now().timestamp() * 1000)
        while True:
            key = f"{self._command.dispute_id}:{wish.verb}:{said}:{number}"
            request = DisputeAnswer(key, self._command.seen.dispute_id, wish.evidence_id)
            call = AnswerDispute(self._command.seen.gateway, self._command.checkout_id, request)
            try:
                answer = await self._errand.answer(wish.verb, DisputeActivities.answer_dispute, call, pauses)
            except KeyUselessError as error:
                if error.reason == KEY_SPENT:
                    await self._errand.pause(wish.verb, pauses)
                number += 1
            else:
                return answer.decline if isinstance(answer, Declined) else None

    async def note(self, wish: Wish) -> DisputeRecord:
        """Put on the books that it was answered."""
        call = Answered(self._command.dispute_id, wish.verb, workflow.now(), wish.who, wish.evidence_id)
        return await on_books(DisputeActivities.note_answer, call, f"answered: {wish.verb}")
