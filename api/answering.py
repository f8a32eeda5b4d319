"""An answer to a dispute: what may be answered, and the way of it to the workflow that watches over the dispute."""

from datetime import UTC, datetime
from enum import StrEnum

from temporalio.service import RPCError

from api.finding import find_dispute
from api.problems import Problem, unavailable
from api.sagas import CommandFailedError, CommandRefusedError, NotTakenOnError, SagaEndedError, TemporalDownError
from api.services import Services
from domain.dispute import OPEN, DisputeEvidence, DisputeState
from gateways.contract import Verb
from ledger.contract import DisputeRecord


class DisputeAnswer(StrEnum):
    """What a shop can say to a dispute."""

    EVIDENCE = "evidence"
    ACCEPT = "accept"


VERBS = {DisputeAnswer.EVIDENCE: Verb.SUBMIT_EVIDENCE, DisputeAnswer.ACCEPT: Verb.ACCEPT_DISPUTE}
_AWAITED = frozenset({DisputeState.INQUIRY, DisputeState.NEEDS_RESPONSE})
"""An answer is awaited; a second one is not taken."""


def possible_answers(services: Services, record: DisputeRecord) -> list[DisputeAnswer]:
    """What the gateway takes of this dispute from a program now."""
    return [answer for answer in DisputeAnswer if _obstacle(services, record, answer) is None]


async def answer_dispute(services: Services, dispute_id: str, evidence: DisputeEvidence | None, who: str) -> bool:
    """Submit the evidence, or accept where there is none. Whether it is done already; else it goes on, durably.

    Raises Problem: 409 `dispute_conflict` naming what is possible, `answer_declined` when the gateway will not have it,
    503 when Temporal is down or no worker is there.
    """
    record = await find_dispute(services, dispute_id)
    answer = DisputeAnswer.ACCEPT if evidence is None else DisputeAnswer.EVIDENCE
    if answer is DisputeAnswer.ACCEPT and record.answered == VERBS[answer]:
        return record.snapshot.state not in OPEN
    _refuse_impossible(services, record, answer)
    try:
        return await _say(services, record, evidence, who)
    except (TemporalDownError, RPCError):
        raise unavailable("temporal_down", "Temporal cannot be reached; nothing was answered, try again.") from None
    except NotTakenOnError:
        raise unavailable("worker_silent", "No worker has taken the answer on yet; try again.") from None
    except CommandFailedError as error:
        raise Problem(409, "answer_declined", f"The gateway did not take it: {error}", reason=error.code) from None
    except (CommandRefusedError, SagaEndedError) as error:
        record = await find_dispute(services, dispute_id)
        _refuse_impossible(services, record, answer)
        raise _conflict(services, record, f"{error}") from None


async def _say(services: Services, record: DisputeRecord, evidence: DisputeEvidence | None, who: str) -> bool:
    checkout = await services.books.get(record.checkout_id)
    assert checkout is not None, "a checkout is never deleted"
    if evidence is None:
        return await services.sagas.accept(record, checkout, who)
    # What is said may name people: the workflow learns the id of it only.
    evidence_id = await services.disputes.save_evidence(record.id, evidence, who)
    return await services.sagas.submit_evidence(record, checkout, evidence_id, who)


def _refuse_impossible(services: Services, record: DisputeRecord, answer: DisputeAnswer) -> None:
    if obstacle := _obstacle(services, record, answer):
        raise _conflict(services, record, obstacle)


def _obstacle(services: Services, record: DisputeRecord, answer: DisputeAnswer) -> str | None:
    """Why this answer is not possible; None when it is."""
    seen = record.snapshot
    gateway = services.gateways.get(seen.gateway)
    if seen.state not in OPEN:
        return f"the dispute is decided: {seen.state}"
    if seen.state not in _AWAITED:
        return "the dispute was answered; the bank or the gateway decides"
    if seen.respond_by is not None and seen.respond_by <= datetime.now(UTC):
        return f"an answer was possible until {seen.respond_by:%Y-%m-%d %H:%M} UTC"
    if gateway is None or VERBS[answer] not in gateway.capabilities.answers_disputes:
        return f"{seen.gateway} does not take this answer from a program; give it in the gateway's own pages"
    return None


def _conflict(services: Services, record: DisputeRecord, why: str) -> Problem:
    allowed = [str(answer) for answer in possible_answers(services, record)]
    return Problem(409, "dispute_conflict", f"{why}.", state=str(record.snapshot.state), allowed=allowed)
