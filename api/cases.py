"""`/v1/cases`: what waits for a person, and what the person orders."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from api.auth import known_caller
from api.casework import order_on_case
from api.fields import CheckoutId, Cursor, PageSize, Sent, Word, printable, said
from api.finding import find_case
from api.guard import GuardedRoute, OperatingRoute
from api.once import identity_of, once
from api.opening import JSON
from api.problems import invalid
from api.responses import problems
from api.services import Services, services_of
from domain.case import Case, CaseAction, CaseAnswer, CaseKind, CaseOrder, allowed
from domain.states import CheckoutState
from domain.timeline import TimelineRow
from ledger.contract import CaseFilter, StoredAnswer

_EXAMPLE: JsonDict = {
    "id": "case_7Q2mJ4vX9bTzK1nRc8WsLh3P_5",
    "checkout": "chk_7Q2mJ4vX9bTzK1nRc8WsLh3P",
    "kind": "refund_declined",
    "message": "the gateway refused the refund: charge_disputed",
    "amount": 4200,
    "currency": "USD",
    "subject": None,
    "workflow_id": "checkout/chk_7Q2mJ4vX9bTzK1nRc8WsLh3P",
    "actions": ["look_again", "refund", "retry_now", "write_off"],
    "opened_at": "2026-11-22T15:36:50.120000Z",
    "closed_at": None,
    "closed_how": None,
    "orders": None,
}
_NOT_FOUND = "No such case"
_WRITE = problems(400, 401, 403, 404, 408, 409, 413, 415, 422, 503, not_found=_NOT_FOUND)

router = APIRouter(prefix="/v1/cases", route_class=GuardedRoute, tags=["cases"])
operating = APIRouter(prefix="/v1/cases", route_class=OperatingRoute, tags=["cases"])


class CaseCommand(Sent):
    """What a person orders about a case, and why."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"action": "look_again", "reason": "the gateway says it is fixed"},
                {"action": "mark_paid", "reason": "seen in the dashboard", "evidence": "pi_3Q9…"},
            ]
        }
    )

    action: Annotated[CaseAction, Field(strict=False)]
    reason: Annotated[str, Field(min_length=1, max_length=500), AfterValidator(printable), AfterValidator(said)]
    evidence: Annotated[Word, Field(pattern=r"^[!-~]+$")] | None = Field(
        default=None, description="With `mark_paid`, and only there: the gateway's own id of the money."
    )


class CaseListing(BaseModel):
    """Which cases to list; those that are open unless `open` says otherwise."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: CaseKind | None = None
    checkout: CheckoutId | None = None
    open: Literal["true", "false", "all"] = "true"
    cursor: Cursor | None = None
    limit: PageSize = 50


class OrderView(BaseModel):
    """What a person ordered about a case. `first`: who had ordered the same before, where it took two."""

    action: str
    who: str
    reason: str
    evidence: str | None
    first: str | None
    at: datetime
    taken_on: bool = Field(description="False for what a second person had, or has, to order too.")

    @classmethod
    def of(cls, row: TimelineRow) -> "OrderView":
        """The order that a row of the timeline tells of."""
        told = row.details
        return cls(
            action=str(told["action"]),
            who=str(told["who"]),
            reason=str(told["reason"]),
            evidence=_text(told.get("evidence")),
            first=_text(told.get("first")),
            at=row.at,
            taken_on="case_proposed" not in row.key,
        )


class CaseView(BaseModel):
    """Something that waits for a person. `amount` is what is at stake, in minor units."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: str
    checkout: str
    kind: CaseKind
    message: str
    amount: int
    currency: str
    subject: str | None = Field(description="The refund or the dispute that it is about.")
    workflow_id: str = Field(description="The workflow that waits, as the Temporal UI names it.")
    actions: list[CaseAction] = Field(description="What may be ordered now.")
    opened_at: datetime
    closed_at: datetime | None
    closed_how: str | None
    orders: list[OrderView] | None = Field(description="What was ordered so far; null in listings.")

    @classmethod
    def of(cls, case: Case, state: CheckoutState, rows: Sequence[TimelineRow] | None = None) -> "CaseView":
        """The case as the API shows it; `rows` are those of its checkout's timeline."""
        orders = None if rows is None else [OrderView.of(row) for row in rows if _orders(row, case)]
        return cls(
            id=case.id,
            checkout=case.checkout_id,
            kind=case.kind,
            message=case.message,
            amount=case.amount_minor,
            currency=case.currency,
            subject=case.subject,
            workflow_id=case.workflow_id,
            actions=[] if case.closed_at else sorted(allowed(case.kind, state)),
            opened_at=case.opened_at,
            closed_at=case.closed_at,
            closed_how=case.closed_how,
            orders=orders,
        )


class CasePage(BaseModel):
    """A page of cases, oldest first; `next_cursor` is null on the last."""

    data: list[CaseView]
    next_cursor: str | None


class OrderAnswer(BaseModel):
    """What became of an order: `awaits_second` when another person has to order the same."""

    outcome: CaseAnswer
    case: CaseView


_ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {"model": OrderAnswer, "description": "Taken on; its row on the timeline is still to come"}
}


@router.get("", response_model=CasePage, responses=problems(401, 403, 422, 503))
async def list_cases(request: Request, listing: Annotated[CaseListing, Query()]) -> Response:
    """List what waits for a person, oldest first."""
    services = services_of(request)
    wanted = CaseFilter(
        kind=listing.kind,
        checkout_id=listing.checkout,
        open=None if listing.open == "all" else listing.open == "true",
        cursor=listing.cursor,
        limit=listing.limit,
    )
    try:
        page = await services.cases.list(wanted)
    except ValueError:
        raise invalid("cursor", "is no cursor of this listing; take next_cursor as it was given") from None
    # One after the other: a page of cases is no reason to take every connection to the database.
    states = {id_: await _state(services, id_) for id_ in {case.checkout_id for case in page.data}}
    views = [CaseView.of(case, states[case.checkout_id]) for case in page.data]
    return Response(CasePage(data=views, next_cursor=page.next_cursor).model_dump_json(), media_type=JSON)


@router.get("/{case_id}", response_model=CaseView, responses=problems(401, 403, 404, 422, 503, not_found=_NOT_FOUND))
async def get_case(request: Request, case_id: str) -> Response:
    """One case with what was ordered so far."""
    return Response((await _view(services_of(request), case_id)).model_dump_json(), media_type=JSON)


@operating.post("/{case_id}/actions", response_model=OrderAnswer, responses=_ACCEPTED | _WRITE)
async def act_on_case(request: Request, case_id: str, body: CaseCommand) -> Response:
    """Order what is to be done; where much money moves, a second API key has to order the same."""
    services, identity = services_of(request), identity_of(request, str(body.action), body.evidence)
    _check_evidence(body)
    known_id = (await find_case(services, case_id)).id
    order = CaseOrder(known_id, body.action, body.reason, known_caller(request).id, body.evidence)

    async def work() -> StoredAnswer:
        outcome = await order_on_case(services, order, identity)
        view = OrderAnswer(outcome=outcome or CaseAnswer.DONE, case=await _view(services, known_id))
        return StoredAnswer(200 if outcome else 202, view.model_dump_json().encode(), JSON)

    return await once(request, work)


def _check_evidence(body: CaseCommand) -> None:
    if body.action is CaseAction.MARK_PAID and body.evidence is None:
        raise invalid("evidence", "must be given with mark_paid: the gateway's own id of the money")
    if body.action is not CaseAction.MARK_PAID and body.evidence is not None:
        raise invalid("evidence", "has a meaning only with mark_paid")


async def _view(services: Services, case_id: str) -> CaseView:
    case = await find_case(services, case_id)
    rows = await services.books.timeline(case.checkout_id)
    return CaseView.of(case, await _state(services, case.checkout_id), rows)


async def _state(services: Services, checkout_id: str) -> CheckoutState:
    record = await services.books.get(checkout_id)
    assert record is not None, "a checkout is never deleted"
    return record.status.state


def _orders(row: TimelineRow, case: Case) -> bool:
    return row.details.get("case") == case.id and "action" in row.details


def _text(value: object) -> str | None:
    return None if value is None else str(value)
