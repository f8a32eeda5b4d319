"""What a shop says of a running checkout: confirm, reject, cancel. Said twice it is done once."""

from enum import StrEnum

from temporalio.service import RPCError

from api.opening import answer_with
from api.problems import Problem, unavailable
from api.sagas import CommandRefusedError, NotTakenOnError, SagaEndedError, Sagas, TemporalDownError
from api.services import Services
from api.tenders import refuse_tender
from domain.checkout import Checkout, CheckoutRecord
from domain.saga import EndReason
from domain.states import CheckoutState as S
from ledger.contract import StoredAnswer


class Command(StrEnum):
    """What can be said."""

    CONFIRM = "confirm"
    REJECT = "reject"
    CANCEL = "cancel"


# Where a checkout stands once the command was carried out: saying it again changes nothing and is no error.
_DONE: dict[Command, frozenset[S]] = {
    Command.CONFIRM: frozenset({S.COMPLETED}),
    Command.REJECT: frozenset({S.REFUNDING, S.REFUNDED}),
    Command.CANCEL: frozenset({S.CANCELED}),
}


async def carry_out(services: Services, command: Command, checkout_id: str, reason: str) -> StoredAnswer:
    """200 with the checkout once it is done, 202 when it was taken on and is not done yet.

    `reason` belongs to a rejection. Raises Problem: 404, 409 `state_conflict` naming the state and what it allows or
    `part_of_split` naming the checkout that decides, 503 when Temporal is down or no worker is there.
    """
    record = await find(services, checkout_id)
    refuse_tender(record.checkout)
    if _is_done(command, record):
        return await answer_with(services, record, 200)
    try:
        done = await _say(services.sagas, command, record.checkout, reason)
    except (TemporalDownError, RPCError):
        raise unavailable("temporal_down", "Temporal cannot be reached; nothing was changed, try again.") from None
    except NotTakenOnError:
        detail = "No worker has taken it on yet; say it again, twice is as good as once."
        raise unavailable("worker_silent", detail) from None
    except (CommandRefusedError, SagaEndedError):
        record = await find(services, checkout_id)
        if _is_done(command, record):
            return await answer_with(services, record, 200)
        raise _conflict(command, record) from None
    return await answer_with(services, await find(services, checkout_id), 200 if done else 202)


async def find(services: Services, checkout_id: str) -> CheckoutRecord:
    """The checkout. Raises Problem 404."""
    record = await services.books.get(checkout_id)
    if record is None:
        raise Problem(404, "checkout_not_found", "No checkout has this id.")
    return record


async def _say(sagas: Sagas, command: Command, checkout: Checkout, reason: str) -> bool:
    match command:
        case Command.CONFIRM:
            return await sagas.confirm(checkout)
        case Command.REJECT:
            return await sagas.reject(checkout, reason)
        case Command.CANCEL:
            return await sagas.cancel(checkout)


def _is_done(command: Command, record: CheckoutRecord) -> bool:
    return record.status.state in _DONE[command] or (command is Command.REJECT and _was_rejected(record))


def _was_rejected(record: CheckoutRecord) -> bool:
    """A rejected hold ends as canceled, and so does a checkout the shop gave up; the failure tells them apart."""
    failure = record.status.failure
    return record.status.state is S.CANCELED and failure is not None and failure.code == EndReason.REJECTED_BY_SHOP


def _allowed(record: CheckoutRecord) -> list[Command]:
    asked_for = record.checkout.confirm_within_seconds is not None
    match record.status.state:
        case S.PROCESSING | S.AWAITING_PAYMENT:
            return [Command.CANCEL]
        case S.AUTHORIZED if asked_for:
            return [Command.CONFIRM, Command.REJECT, Command.CANCEL]
        case S.PAID if asked_for:
            return [Command.CONFIRM, Command.REJECT]
        case _:
            return []


def _conflict(command: Command, record: CheckoutRecord) -> Problem:
    state, allowed = record.status.state, [str(c) for c in _allowed(record) if c is not command]
    choice = f"allowed now: {', '.join(allowed)}" if allowed else "nothing more can be done to it here"
    detail = f"The checkout is {state}; {command} is not possible, {choice}."
    return Problem(409, "state_conflict", detail, state=str(state), allowed=allowed)
