"""An order about a case on its way to the workflow that waits for it."""

from temporalio.service import RPCError

from api.finding import find_case, find_checkout
from api.problems import Problem, unavailable
from api.sagas import CommandFailedError, CommandRefusedError, NotTakenOnError, SagaEndedError, TemporalDownError
from api.services import Services
from domain.case import Case, CaseAnswer, CaseOrder, allowed


async def order_on_case(services: Services, order: CaseOrder, update_id: str | None) -> CaseAnswer | None:
    """What became of the order; None when it was taken on and its answer is not there yet.

    Raises Problem: 409 `case_conflict` naming what may be ordered, 503 when Temporal is down or no worker is there.
    """
    case = await find_case(services, order.case_id)
    record = await find_checkout(services, case.checkout_id)
    if case.closed_at is not None or order.action not in allowed(case.kind, record.status.state):
        raise await _conflict(services, case)
    try:
        return await services.sagas.act(case, record.checkout, order, update_id=update_id)
    except (TemporalDownError, RPCError):
        raise unavailable("temporal_down", "Temporal cannot be reached; nothing was changed, try again.") from None
    except NotTakenOnError:
        detail = "No worker has taken it on yet; order it again, twice is as good as once."
        raise unavailable("worker_silent", detail) from None
    except (CommandRefusedError, CommandFailedError, SagaEndedError) as error:
        raise await _conflict(services, case, f": {error}") from None


async def _conflict(services: Services, case: Case, why: str = "") -> Problem:
    """What the case allows as it stands now, which may be else than when the order came."""
    case, record = await find_case(services, case.id), await find_checkout(services, case.checkout_id)
    if case.closed_at is not None:
        return Problem(409, "case_conflict", f"The case is closed: {case.closed_how}.", kind=str(case.kind), allowed=[])
    actions = sorted(str(action) for action in allowed(case.kind, record.status.state))
    choice = f"a case of {case.kind} allows {', '.join(actions) or 'nothing'}"
    detail = f"The checkout is {record.status.state}; {choice}{why}."
    return Problem(409, "case_conflict", detail, kind=str(case.kind), allowed=actions)
