"""`/v1/routes`: the rules in force, and what they would decide."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from api.guard import ReadingRoute
from api.opening import JSON
from api.ordering import check_confirmation
from api.problems import invalid
from api.responses import problems
from api.routing import Deliberation, closed_by_operator, deliberate
from api.schemas import NewCheckout
from api.services import services_of
from config.routes import InForce
from domain.routing import Route, Rule
from gateways.registry import REGISTRY

_EXAMPLE = next(iter(REGISTRY))

router = APIRouter(prefix="/v1/routes", route_class=ReadingRoute, tags=["routes"])


class RuleView(BaseModel):
    """One rule. Conditions that are empty or null ask for nothing; amounts are in minor units, both ends included."""

    number: int
    name: str | None
    summary: str
    currencies: list[str]
    amount_from: int | None
    amount_to: int | None
    countries: list[str]
    methods: list[str]
    metadata: dict[str, str]
    gateways: list[str]
    weights: list[int] | None = Field(description="One a gateway, where the first is drawn by them.")

    @classmethod
    def of(cls, rule: Rule) -> "RuleView":
        """The rule as the API shows it."""
        when = rule.when
        return cls(
            number=rule.number,
            name=rule.name,
            summary=str(when),
            currencies=list(when.currencies),
            amount_from=when.amount_from,
            amount_to=when.amount_to,
            countries=list(when.countries),
            methods=list(when.methods),
            metadata=dict(when.metadata),
            gateways=list(rule.gateways),
            weights=list(rule.weights) or None,
        )


class RoutesView(BaseModel):
    """The rules in force. `error`: why a newer version of the file was not taken over."""

    file: str | None
    since: datetime
    error: str | None
    max_gateways: int
    default: list[str]
    rules: list[RuleView]

    @classmethod
    def of(cls, now: InForce) -> "RoutesView":
        """The rules as the API shows them."""
        return cls(
            file=now.source,
            since=now.since,
            error=now.error,
            max_gateways=now.book.max_gateways,
            default=list(now.book.default),
            rules=[RuleView.of(rule) for rule in now.book.rules],
        )


class VerdictView(BaseModel):
    """What one rule says to a request. The first that matches decides, unless the request names a gateway."""

    number: int
    name: str | None
    summary: str
    matched: bool
    decides: bool
    why_not: str | None = Field(description="The first condition that does not hold.")


class StandingView(BaseModel):
    """What becomes of one gateway, and why where it is passed over."""

    name: str
    role: Literal["chosen", "alternative", "skipped", "not_considered"]
    why: str | None


class ExplanationView(BaseModel):
    """The decision that a checkout like this would get now. `gateway` is null when none could take it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "gateway": _EXAMPLE,
                    "alternatives": [],
                    "reason": f"by default → {_EXAMPLE}",
                    "rules": [],
                    "gateways": [{"name": _EXAMPLE, "role": "chosen", "why": None}],
                }
            ]
        }
    )

    gateway: str | None
    alternatives: list[str]
    reason: str
    rules: list[VerdictView]
    gateways: list[StandingView]


@router.get("", response_model=RoutesView, responses=problems(401, 403, 422, 503))
async def get_routes(request: Request) -> Response:
    """The rules by which a checkout that names no gateway gets one."""
    return _json(RoutesView.of(services_of(request).routes.in_force()))


@router.post("/explain", response_model=ExplanationView, responses=problems(400, 401, 403, 408, 413, 415, 422, 503))
async def explain(request: Request, body: NewCheckout) -> Response:
    """What would be decided for this checkout and why; nothing is recorded and nobody is charged."""
    services = services_of(request)
    check_confirmation(body)
    if body.tenders is not None:
        raise invalid("tenders", "name their gateways themselves: the rules decide nothing")
    if body.gateway is not None and body.gateway not in services.gateways:
        raise invalid("gateway", f"must be one of: {', '.join(sorted(services.gateways))}")
    deliberation = await deliberate(services, body)
    view = _ruled(deliberation) if body.gateway is None else _named(body.gateway, deliberation)
    return _json(view)


def _ruled(deliberation: Deliberation) -> ExplanationView:
    outcome, limit = deliberation.outcome, deliberation.book.max_gateways
    chosen = outcome.gateway if isinstance(outcome, Route) else None
    alternatives = outcome.alternatives if isinstance(outcome, Route) else ()
    listed = outcome.rule.gateways if outcome.rule else deliberation.book.default
    by = str(outcome.rule) if outcome.rule else "the default"
    standings = []
    for name in deliberation.candidates:
        if name == chosen:
            standings.append(StandingView(name=name, role="chosen", why=None))
        elif name in alternatives:
            standings.append(StandingView(name=name, role="alternative", why=None))
        elif name in outcome.skipped:
            standings.append(StandingView(name=name, role="skipped", why=outcome.skipped[name]))
        else:
            why = f"max_gateways is {limit}" if name in listed else f"not among the gateways of {by}"
            standings.append(StandingView(name=name, role="not_considered", why=why))
    return ExplanationView(
        gateway=chosen,
        alternatives=list(alternatives),
        reason=outcome.reason,
        rules=_verdicts(deliberation, outcome.rule),
        gateways=standings,
    )


def _named(wanted: str, deliberation: Deliberation) -> ExplanationView:
    """The shop decides; what the gateway can never do, or an operator's word, still stands in the way."""
    cannot = deliberation.candidates[wanted].cannot or closed_by_operator(wanted, deliberation.board)
    role: Literal["chosen", "skipped"] = "chosen" if cannot is None else "skipped"
    others: Mapping[str, str] = dict.fromkeys(deliberation.candidates, "the request names another")
    return ExplanationView(
        gateway=wanted if cannot is None else None,
        alternatives=[],
        reason=f"the request names {wanted}" + ("" if cannot is None else ", which cannot take it"),
        rules=_verdicts(deliberation, None),
        gateways=[
            StandingView(name=name, role=role, why=cannot)
            if name == wanted
            else StandingView(name=name, role="not_considered", why=why)
            for name, why in others.items()
        ],
    )


def _verdicts(deliberation: Deliberation, deciding: Rule | None) -> list[VerdictView]:
    return [
        VerdictView(
            number=rule.number,
            name=rule.name,
            summary=str(rule.when),
            matched=(why_not := rule.when.mismatch(deliberation.inquiry)) is None,
            decides=rule is deciding,
            why_not=why_not,
        )
        for rule in deliberation.book.rules
    ]


def _json(view: BaseModel) -> Response:
    return Response(view.model_dump_json(), media_type=JSON)
