"""`/v1/gateways`: what each gateway can do, how its breakers stand, and the operator's hand on them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from activities.guard import OPERATIONS
from api.auth import known_caller
from api.guard import GuardedRoute, OperatingRoute
from api.opening import JSON
from api.problems import Problem
from api.responses import problems
from api.routing import POLICY
from api.schemas import BreakerCommand
from api.services import Services, services_of
from domain.breaker import BreakerState
from domain.checkout import CaptureMode
from domain.currency import CurrencyRule, exponent_of
from gateways.contract import Capabilities, Gateway, Modifications, Verb, WebhookAuthentication
from ledger.breakers import Board, Step
from ledger.contract import ApiKey

_NOT_FOUND = "No such gateway"

router = APIRouter(prefix="/v1/gateways", route_class=GuardedRoute, tags=["gateways"])
operating = APIRouter(prefix="/v1/gateways", route_class=OperatingRoute, tags=["gateways"])


class CurrencyView(BaseModel):
    """One currency at one gateway, amounts in minor units by ISO 4217. `exponent`: the digits the gateway counts in."""

    currency: str
    exponent: int
    min: int
    max: int
    multiple_of: int

    @classmethod
    def of(cls, currency: str, rule: CurrencyRule) -> "CurrencyView":
        """The gateway's rule in our own units."""
        ours, theirs = 10 ** exponent_of(currency), 10**rule.exponent
        return cls(
            currency=currency,
            exponent=rule.exponent,
            min=-(-rule.smallest * ours // theirs),
            max=rule.largest * ours // theirs,
            multiple_of=max(1, rule.step * ours // theirs),
        )


class CapabilitiesView(BaseModel):
    """What a gateway can do; times in seconds."""

    capture_modes: list[CaptureMode]
    partial_capture: bool
    several_captures: bool
    void_before_authorization: bool
    modifications: Modifications
    webhook_authentication: WebhookAuthentication
    lookup_by_reference: bool
    hold_lifetime_seconds: int
    key_lifetime_seconds: dict[str, int]
    payable_for_seconds: int | None = Field(description="After which the gateway lets an unpaid payment lapse.")
    reauthorize_after_seconds: int | None = Field(description="How old a hold must be to be held anew; null: never.")
    answers_disputes: list[Verb] = Field(description="Which answers to a dispute it takes from a program.")
    lists_events: bool = Field(description="Whether events that no webhook told of are fetched from its own list.")
    currencies: list[CurrencyView]

    @classmethod
    def of(cls, can: Capabilities) -> "CapabilitiesView":
        """The capabilities as the API shows them."""
        return cls(
            capture_modes=sorted(can.capture_modes),
            partial_capture=can.partial_capture,
            several_captures=can.several_captures,
            void_before_authorization=can.void_before_authorization,
            modifications=can.modifications,
            webhook_authentication=can.webhook_authentication,
            lookup_by_reference=can.lookup_by_reference,
            hold_lifetime_seconds=int(can.hold_lifetime.total_seconds()),
            key_lifetime_seconds={str(verb): int(life.total_seconds()) for verb, life in can.key_lifetime.items()},
            payable_for_seconds=_seconds(can.payable_for),
            reauthorize_after_seconds=_seconds(can.reauthorize_after),
            answers_disputes=sorted(can.answers_disputes),
            lists_events=can.lists_events,
            currencies=[CurrencyView.of(code, rule) for code, rule in sorted(can.currencies.items())],
        )


class BreakerView(BaseModel):
    """One operation's breaker. `calls` and `failures` are those within the window; a healthy process tells none."""

    operation: str
    state: BreakerState
    since: datetime | None
    reason: str | None
    calls: int
    failures: int
    next_probe_at: datetime | None = Field(description="When one call is let through; null unless open by itself.")

    @classmethod
    def of(cls, gateway: str, operation: str, board: Board) -> "BreakerView":
        """How it stands now."""
        breaker = board.of(gateway, operation)
        calls, failures = breaker.counts(board.now, POLICY)
        return cls(
            operation=operation,
            state=breaker.state,
            since=breaker.since,
            reason=breaker.reason,
            calls=calls,
            failures=failures,
            next_probe_at=breaker.next_probe_at,
        )


class GatewayView(BaseModel):
    """A gateway of this service. `live`: whether its account moves real money."""

    name: str
    live: bool
    capabilities: CapabilitiesView
    breakers: list[BreakerView]

    @classmethod
    def of(cls, gateway: Gateway, board: Board) -> "GatewayView":
        """The gateway as the API shows it."""
        return cls(
            name=gateway.name,
            live=gateway.capabilities.live,
            capabilities=CapabilitiesView.of(gateway.capabilities),
            breakers=[BreakerView.of(gateway.name, operation, board) for operation in OPERATIONS],
        )


class GatewayList(BaseModel):
    """The gateways, in the order in which they are configured."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"data": []}]})

    data: list[GatewayView]


@router.get("", response_model=GatewayList, responses=problems(401, 403, 422, 503))
async def list_gateways(request: Request) -> Response:
    """What each gateway can do, and whether calls to it are kept back."""
    services = services_of(request)
    board = await services.breakers.read()
    views = [GatewayView.of(gateway, board) for gateway in services.gateways.values()]
    return Response(GatewayList(data=views).model_dump_json(), media_type=JSON)


@operating.post(
    "/{name}/breaker",
    response_model=GatewayView,
    responses=problems(400, 401, 403, 404, 408, 413, 415, 422, 503, not_found=_NOT_FOUND),
)
async def set_breaker(request: Request, name: str, body: BreakerCommand) -> Response:
    """Keep calls to a gateway back until further notice, or leave it to its breakers again; twice is once."""
    services = services_of(request)
    gateway = services.gateways.get(name)
    if gateway is None:
        raise Problem(404, "gateway_not_found", "No gateway of this name is configured.")
    operations = OPERATIONS if body.operation is None else (body.operation,)
    await _set(services, name, operations, body, known_caller(request))
    return Response(GatewayView.of(gateway, await services.breakers.read()).model_dump_json(), media_type=JSON)


async def _set(
    services: Services, gateway: str, operations: Sequence[str], body: BreakerCommand, caller: ApiKey
) -> None:
    for operation in operations:
        await services.breakers.change(gateway, operation, _step(body.state, body.reason), caller.id)


def _step(state: Literal["forced_open", "automatic"], reason: str) -> Step:
    match state:
        case "forced_open":
            return lambda breaker, now: breaker.forced(now, reason)
        case "automatic":
            return lambda breaker, now: breaker.released(now, reason)


def _seconds(time: timedelta | None) -> int | None:
    return None if time is None else int(time.total_seconds())
