"""`/v1/checkouts/{id}/refunds`: give back all or a part of a sale. The amount is reserved before anybody is asked."""

import json
import secrets
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from api.finding import checkout_id_of, find_checkout, find_refund
from api.guard import GuardedRoute, RefundingRoute
from api.once import identity_of, once
from api.opening import JSON
from api.refunding import NewRefund, refund_id_from, request_refund
from api.responses import problems
from api.services import services_of
from api.views import FailureView
from domain.payment import RefundStatus
from domain.refund import RefundRecord
from ledger.contract import StoredAnswer

_EXAMPLE: JsonDict = {
    "id": "rfd_4KcT9rXbQ2mJ7vNz1Ws8LhP3",
    "checkout": "chk_7Q2mJ4vX9bTzK1nRc8WsLh3P",
    "status": "pending",
    "amount": 1200,
    "currency": "USD",
    "reason": "one of two came broken",
    "gateway_refund_id": None,
    "failure": None,
    "created_at": "2026-11-22T15:36:50.120000Z",
    "updated_at": "2026-11-22T15:36:50.310000Z",
}
_NOT_FOUND = "No such checkout, or it has no such refund"
_WRITE = problems(400, 401, 403, 404, 408, 409, 413, 415, 422, 503)

router = APIRouter(prefix="/v1/checkouts", route_class=GuardedRoute, tags=["refunds"])
refunding = APIRouter(prefix="/v1/checkouts", route_class=RefundingRoute, tags=["refunds"])


class RefundView(BaseModel):
    """A refund and where it stands. Its amount, in minor units, is set aside until it has failed."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: str
    checkout: str
    status: RefundStatus
    amount: int
    currency: str
    reason: str | None
    gateway_refund_id: str | None = Field(description="Null until the gateway has taken it on.")
    failure: FailureView | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, record: RefundRecord) -> "RefundView":
        """The refund as the API shows it."""
        refund, failure = record.refund, record.failure
        return cls(
            id=refund.id,
            checkout=refund.checkout_id,
            status=record.status,
            amount=refund.amount.minor,
            currency=refund.amount.currency,
            reason=refund.reason,
            gateway_refund_id=record.gateway_refund_id,
            failure=FailureView(code=failure.code, message=failure.message) if failure else None,
            created_at=refund.created_at,
            updated_at=record.updated_at,
        )


class RefundList(BaseModel):
    """The refunds that the shop asked for, oldest first; `available` is what could be given back now."""

    data: list[RefundView]
    available: int = Field(description="In minor units; 0 as well while a dispute is open.")


_ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {"model": RefundView, "description": "Recorded and reserved; it is carried out once Temporal is back"}
}


@refunding.post("/{checkout_id}/refunds", status_code=201, response_model=RefundView, responses=_ACCEPTED | _WRITE)
async def create_refund(request: Request, checkout_id: str, body: NewRefund | None = None) -> Response:
    """Give back all that is left, or a part, as often as something is left; `pending` where it is not final yet."""
    services, known_id, identity = services_of(request), checkout_id_of(checkout_id), identity_of(request)
    refund_id = refund_id_from(identity or secrets.token_hex(32))

    async def work() -> StoredAnswer:
        record, taken_on = await request_refund(services, known_id, refund_id, body or NewRefund(), datetime.now(UTC))
        return StoredAnswer(201 if taken_on else 202, RefundView.of(record).model_dump_json().encode(), JSON)

    response = await once(request, work)
    if response.status_code in (201, 202):
        refund = json.loads(bytes(response.body))
        response.headers["Location"] = f"/v1/checkouts/{refund['checkout']}/refunds/{refund['id']}"
    return response


@router.get("/{checkout_id}/refunds", response_model=RefundList, responses=problems(401, 403, 404, 422, 503))
async def list_refunds(request: Request, checkout_id: str) -> Response:
    """The refunds of a checkout and what is left; a split checkout's are with its tenders."""
    services = services_of(request)
    await find_checkout(services, checkout_id)
    available = await services.refunds.available(checkout_id)
    views = [RefundView.of(record) for record in await services.refunds.of_checkout(checkout_id)]
    return Response(RefundList(data=views, available=available.minor).model_dump_json(), media_type=JSON)


@router.get(
    "/{checkout_id}/refunds/{refund_id}",
    response_model=RefundView,
    responses=problems(401, 403, 404, 422, 503, not_found=_NOT_FOUND),
)
async def get_refund(request: Request, checkout_id: str, refund_id: str) -> Response:
    """One refund."""
    record = await find_refund(services_of(request), checkout_id, refund_id)
    return Response(RefundView.of(record).model_dump_json(), media_type=JSON)
