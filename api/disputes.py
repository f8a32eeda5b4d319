"""`/v1/disputes`: what customers dispute, and the shop's answer to it."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from api.answering import VERBS, DisputeAnswer, answer_dispute, possible_answers
from api.auth import known_caller
from api.fields import CheckoutId, Cursor, GatewayName, PageSize, Sent, Statement, printable, said
from api.finding import find_dispute
from api.guard import GuardedRoute, RefundingRoute
from api.once import once
from api.opening import JSON
from api.problems import invalid
from api.responses import problems
from api.schemas import Nothing
from api.services import Services, services_of
from domain.dispute import DisputeEvidence, DisputeState
from gateways.registry import REGISTRY
from ledger.contract import DisputeFilter, DisputeRecord, StoredAnswer

_EXAMPLE: JsonDict = {
    "id": "dsp_0f3b5a7c9d1e2f4a6b8c0d1e",
    "checkout": "chk_7Q2mJ4vX9bTzK1nRc8WsLh3P",
    "gateway": next(iter(REGISTRY)),
    "gateway_dispute_id": "du_1Q…",
    "payment_id": "pi_3Q…",
    "state": "needs_response",
    "amount": 4200,
    "amount_withdrawn": 4200,
    "currency": "USD",
    "reason": "product_not_received",
    "respond_by": "2026-12-01T23:59:59Z",
    "answered": None,
    "answered_at": None,
    "actions": ["evidence", "accept"],
    "opened_at": "2026-11-22T15:36:50.120000Z",
    "updated_at": "2026-11-22T15:36:50.310000Z",
}
# What was answered is on the books by the gateway's verb.
_WORDS = {str(verb): answer for answer, verb in VERBS.items()}
_NOT_FOUND = "No such dispute"
_WRITE = problems(400, 401, 403, 404, 408, 409, 413, 415, 422, 503, not_found=_NOT_FOUND)

router = APIRouter(prefix="/v1/disputes", route_class=GuardedRoute, tags=["disputes"])
conceding = APIRouter(prefix="/v1/disputes", route_class=RefundingRoute, tags=["disputes"])


class EvidenceSent(Sent):
    """What the shop says for itself. It is kept in the database and goes to the gateway, nowhere else."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "explanation": "The parcel was handed over on 3 March and signed for by the customer.",
                    "tracking_carrier": "DHL",
                    "tracking_number": "JD0002",
                }
            ]
        }
    )

    explanation: Annotated[str, Field(min_length=1, max_length=2000), AfterValidator(said)]
    product_description: Statement | None = None
    tracking_carrier: Annotated[str, Field(min_length=1, max_length=100), AfterValidator(printable)] | None = None
    tracking_number: Annotated[str, Field(min_length=1, max_length=100), AfterValidator(printable)] | None = None
    customer_communication: Statement | None = None
    refund_policy: Statement | None = None


class DisputeListing(BaseModel):
    """Which disputes to list."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    state: DisputeState | None = None
    gateway: GatewayName | None = None
    checkout: CheckoutId | None = None
    open: Literal["true", "false"] | None = None
    cursor: Cursor | None = None
    limit: PageSize = 50


class DisputeView(BaseModel):
    """A dispute as the gateway last told of it. Amounts are in minor units of the currency."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: str
    checkout: str
    gateway: str
    gateway_dispute_id: str
    payment_id: str | None
    state: DisputeState
    amount: int
    amount_withdrawn: int = Field(description="What the gateway has taken for it and not given back, without fees.")
    currency: str
    reason: str = Field(description="The gateway's own word.")
    respond_by: datetime | None
    answered: DisputeAnswer | None = Field(description="What the shop last answered.")
    answered_at: datetime | None
    actions: list[DisputeAnswer] = Field(description="What may be answered now.")
    opened_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, record: DisputeRecord, services: Services) -> "DisputeView":
        """The dispute as the API shows it."""
        seen = record.snapshot
        return cls(
            id=record.id,
            checkout=record.checkout_id,
            gateway=seen.gateway,
            gateway_dispute_id=seen.dispute_id,
            payment_id=seen.payment_id,
            state=seen.state,
            amount=seen.amount.minor,
            amount_withdrawn=seen.withdrawn.minor,
            currency=seen.amount.currency,
            reason=seen.reason,
            respond_by=seen.respond_by,
            answered=_WORDS.get(record.answered or ""),
            answered_at=record.answered_at,
            actions=possible_answers(services, record),
            opened_at=record.opened_at,
            updated_at=record.updated_at,
        )


class DisputePage(BaseModel):
    """A page of disputes, newest first; `next_cursor` is null on the last."""

    data: list[DisputeView]
    next_cursor: str | None


_ACCEPTED: dict[int | str, dict[str, Any]] = {202: {"model": DisputeView, "description": "Taken on, not done yet"}}


@router.get("", response_model=DisputePage, responses=problems(401, 403, 422, 503))
async def list_disputes(request: Request, listing: Annotated[DisputeListing, Query()]) -> Response:
    """List disputes, newest first."""
    services = services_of(request)
    wanted = DisputeFilter(
        state=listing.state,
        gateway=listing.gateway,
        checkout_id=listing.checkout,
        open=None if listing.open is None else listing.open == "true",
        cursor=listing.cursor,
        limit=listing.limit,
    )
    try:
        page = await services.disputes.list(wanted)
    except ValueError:
        raise invalid("cursor", "is no cursor of this listing; take next_cursor as it was given") from None
    views = [DisputeView.of(record, services) for record in page.data]
    return _json(DisputePage(data=views, next_cursor=page.next_cursor))


@router.get(
    "/{dispute_id}", response_model=DisputeView, responses=problems(401, 403, 404, 422, 503, not_found=_NOT_FOUND)
)
async def get_dispute(request: Request, dispute_id: str) -> Response:
    """One dispute."""
    services = services_of(request)
    return _json(DisputeView.of(await find_dispute(services, dispute_id), services))


@router.post("/{dispute_id}/evidence", response_model=DisputeView, responses=_ACCEPTED | _WRITE)
async def submit_evidence(request: Request, dispute_id: str, body: EvidenceSent) -> Response:
    """Answer a dispute; the gateway takes one answer, so all that speaks for the shop belongs into it."""
    return await _answered(request, dispute_id, DisputeEvidence(**body.model_dump()))


@conceding.post("/{dispute_id}/accept", response_model=DisputeView, responses=_ACCEPTED | _WRITE)
async def accept_dispute(request: Request, dispute_id: str, body: Nothing | None = None) -> Response:
    """Let the customer have the money; nothing can be answered after that."""
    return await _answered(request, dispute_id, None)


async def _answered(request: Request, dispute_id: str, evidence: DisputeEvidence | None) -> Response:
    services, caller = services_of(request), known_caller(request)
    known_id = (await find_dispute(services, dispute_id)).id

    async def work() -> StoredAnswer:
        done = await answer_dispute(services, known_id, evidence, caller.id)
        view = DisputeView.of(await find_dispute(services, known_id), services)
        return StoredAnswer(200 if done else 202, view.model_dump_json().encode(), JSON)

    return await once(request, work)


def _json(view: BaseModel) -> Response:
    return Response(view.model_dump_json(), media_type=JSON)
