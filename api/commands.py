"""What a shop says of a running checkout: confirm, capture, reject, cancel. Said twice it is done once."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

from temporalio.service import RPCError

from api.finding import find_checkout
from api.opening import answer_with
from api.problems import Problem, unavailable
from api.sagas import (
    CommandRefusedError,
    InvalidCommandError,
    NotTakenOnError,
    SagaEndedError,
    Sagas,
    TemporalDownError,
)
from api.services import Services
from api.tenders import refuse_tender
from domain.checkout import Checkout, CheckoutRecord
from domain.saga import EndReason
from domain.states import CheckoutState as S
from ledger.contract import StoredAnswer


class Command(StrEnum):
    """What can be said."""

    CONFIRM = "confirm"
    CAPTURE = "capture"
    REJECT = "reject"
    CANCEL = "cancel"
    REFUND = "refund"


_AGAIN = "No worker has taken it on yet; say it again, twice is as good as once."
_ONCE = (
    "No worker has taken it on yet, and one may still do so. Read the checkout before you say it again; with an "
    "Idempotency-Key you could say it as often as you like."
)


@dataclass(frozen=True)
class Wish:
    """A command with how it is said. `is_done`: it was carried out, so saying it again changes nothing.

    `known_again`: said again, it is known for the same; where not, saying it twice is asking for two.
    """

    command: Command
    say: Callable[[Sagas, Checkout], Awaitable[bool]]
    is_done: Callable[[CheckoutRecord], bool]
    known_again: bool = True


def confirmation() -> Wish:
    """The shop keeps the order."""
    return Wish(Command.CONFIRM, lambda sagas, checkout: sagas.confirm(checkout), _is_in(S.COMPLETED))


def rejection(reason: str) -> Wish:
    """The shop does not keep the order."""
    given_back = _is_in(S.REFUNDING, S.REFUNDED)
    return Wish(
        Command.REJECT,
        lambda sagas, checkout: sagas.reject(checkout, reason),
        lambda record: given_back(record) or _was_rejected(record),
    )


def cancellation() -> Wish:
    """The shop gives the checkout up."""
    return Wish(Command.CANCEL, lambda sagas, checkout: sagas.cancel(checkout), _is_in(S.CANCELED))


async def carry_out(services: Services, wish: Wish, checkout_id: str) -> StoredAnswer:
    """200 with the checkout once it is done, 202 when it was taken on and is not done yet.

    Raises Problem: 404, 409 `state_conflict` naming the state and what it allows or `part_of_split` naming the checkout
    that decides, 503 when Temporal is down or no worker is there.
    """
    record = await find_checkout(services, checkout_id)
    refuse_tender(record.checkout)
    if wish.is_done(record):
        return await answer_with(services, record, 200)
    try:
        done = await wish.say(services.sagas, record.checkout)
    except (TemporalDownError, RPCError):
        raise unavailable("temporal_down", "Temporal cannot be reached; nothing was changed, try again.") from None
    except NotTakenOnError:
        raise unavailable("worker_silent", _AGAIN if wish.known_again else _ONCE) from None
    except InvalidCommandError:
        # A kind of refusal that no state explains: the caller knows which field it is about.
        raise
    except (CommandRefusedError, SagaEndedError):
        record = await find_checkout(services, checkout_id)
        if wish.is_done(record):
            return await answer_with(services, record, 200)
        raise conflict(wish.command, record) from None
    return await answer_with(services, await find_checkout(services, checkout_id), 200 if done else 202)


def allowed_commands(record: CheckoutRecord) -> list[Command]:
    """What the shop may say of a checkout that stands there."""
    checkout, status = record.checkout, record.status
    asked_for = checkout.confirm_within_seconds is not None
    # A split checkout is captured whole, by its confirmation, and refunded at its tenders.
    whole = [] if checkout.is_split else [Command.CAPTURE]
    match status.state:
        case S.PROCESSING | S.AWAITING_PAYMENT:
            return [Command.CANCEL]
        case S.AUTHORIZED if asked_for:
            return [Command.CONFIRM, *whole, Command.REJECT, Command.CANCEL]
        case S.PARTIALLY_CAPTURED if asked_for:
            return [Command.CONFIRM, *whole]
        case S.PAID if asked_for:
            return [Command.CONFIRM, Command.REJECT]
        case S.COMPLETED if status.captured_minor > status.refunded_minor:
            return [Command.REFUND]
        case _:
            return []


def conflict(command: Command, record: CheckoutRecord) -> Problem:
    """409: where the checkout stands, this cannot be done, and what can."""
    state, allowed = record.status.state, [str(c) for c in allowed_commands(record) if c is not command]
    choice = f"allowed now: {', '.join(allowed)}" if allowed else "nothing more can be done to it here"
    detail = f"The checkout is {state}; {command} is not possible, {choice}."
    return Problem(409, "state_conflict", detail, state=str(state), allowed=allowed)


def _is_in(*states: S) -> Callable[[CheckoutRecord], bool]:
    return lambda record: record.status.state in states


def _was_rejected(record: CheckoutRecord) -> bool:
    """A rejected hold ends as canceled, and so does a checkout the shop gave up; the failure tells them apart."""
    failure = record.status.failure
    return record.status.state is S.CANCELED and failure is not None and failure.code == EndReason.REJECTED_BY_SHOP
