"""Chooses the gateway of a new checkout: the one the shop names, else by the rules, around open breakers."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from api.ordering import Choice, check_confirmation, check_gateway, check_renewal, obstacle
from api.problems import FieldError, Problem, invalid, unavailable
from api.schemas import NewCheckout
from api.services import Services
from domain.breaker import Breaker, BreakerPolicy, BreakerState
from domain.checkout import CaptureMode
from domain.money import Money
from domain.routing import Candidate, Inquiry, NoRoute, Route, RuleBook, decide
from gateways.contract import Gateway, Verb
from ledger.breakers import Board

POLICY = BreakerPolicy()


@dataclass(frozen=True)
class Deliberation:
    """A decision of the rules with all that went into it."""

    book: RuleBook
    inquiry: Inquiry
    board: Board
    candidates: Mapping[str, Candidate]
    outcome: Route | NoRoute


async def choose(services: Services, request: NewCheckout) -> Choice:
    """The gateway and its alternatives.

    Raises Problem: 422 when no gateway can ever carry it out, or the named one cannot; 503 when only breakers stand in
    the way, or an operator keeps the named one closed to new payments.
    """
    check_confirmation(request)
    if request.gateway is not None:
        gateway = _named(request.gateway, services.gateways)
        check_gateway(request, gateway)
        check_renewal(request, gateway)
        board = await services.breakers.read()
        if closed := closed_by_operator(gateway.name, board):
            raise unavailable("gateway_unavailable", f"{gateway.name}: {closed}.", _retry_after([gateway.name], board))
        return Choice(gateway)
    deliberation = await deliberate(services, request)
    match deliberation.outcome:
        case Route(gateway=name, alternatives=others, reason=reason):
            gateways = services.gateways
            # Where there is one gateway and no rule, nothing was decided.
            decided = len(gateways) > 1 or bool(deliberation.book.rules)
            return Choice(gateways[name], tuple(gateways[other] for other in others), reason if decided else None)
        case NoRoute() as none:
            raise _none_left(request, none, services.gateways, deliberation.board)


async def deliberate(services: Services, request: NewCheckout) -> Deliberation:
    """What the rules say to this request, whatever gateway it may name itself."""
    board = await services.breakers.read()
    book = services.routes.in_force().book
    inquiry = Inquiry(
        order_id=request.order_id,
        amount=Money(request.amount, request.currency),
        capture=CaptureMode(request.capture),
        country=request.customer.country if request.customer else None,
        method=request.customer.method if request.customer else None,
        metadata=request.metadata or {},
    )
    candidates = {name: _candidate(request, gateway, board) for name, gateway in services.gateways.items()}
    return Deliberation(book, inquiry, board, candidates, decide(book, inquiry, candidates))


def _candidate(request: NewCheckout, gateway: Gateway, board: Board) -> Candidate:
    error = obstacle(request, gateway)
    breaker = board.of(gateway.name, Verb.CREATE)
    # A probe that is due lets a checkout through: else a gateway that nobody waits for would stay closed for ever.
    kept_back = breaker.wait_seconds(board.now, POLICY) > 0
    return Candidate(
        cannot=f"{error.field}: {error.message}" if error else None,
        kept_back=_why_kept_back(breaker) if kept_back else None,
    )


def _why_kept_back(breaker: Breaker) -> str:
    return f"its breaker is {breaker.state}" + (f": {breaker.reason}" if breaker.reason else "")


def _named(name: str, gateways: Mapping[str, Gateway]) -> Gateway:
    if name not in gateways:
        raise invalid("gateway", f"must be one of: {', '.join(sorted(gateways))}")
    return gateways[name]


def closed_by_operator(name: str, board: Board) -> str | None:
    """Why new payments are refused even to a shop that names this gateway; None when they are not.

    A breaker that merely tripped is waited for: the shop wants this gateway, and it may be back in seconds.
    """
    breaker = board.of(name, Verb.CREATE)
    return _why_kept_back(breaker) if breaker.state is BreakerState.FORCED_OPEN else None


def _none_left(request: NewCheckout, none: NoRoute, gateways: Mapping[str, Gateway], board: Board) -> Problem:
    why = "; ".join(f"{name}: {reason}" for name, reason in none.skipped.items())
    detail = f"No gateway can take this checkout ({none.reason}): {why}."
    if none.passing:
        return unavailable("gateway_unavailable", detail, _retry_after(none.skipped, board))
    errors = {name: obstacle(request, gateways[name]) for name in none.skipped}
    faults = tuple(FieldError(error.field, error.message) for error in errors.values() if error is not None)
    return Problem(422, "validation_failed", detail, errors=faults)


def _retry_after(names: Iterable[str], board: Board) -> int:
    """Whole seconds until the first of those that are kept back may be free."""
    waits = [board.of(name, Verb.CREATE).wait_seconds(board.now, POLICY) for name in names]
    return max(1, math.ceil(min((seconds for seconds in waits if seconds > 0), default=1)))
