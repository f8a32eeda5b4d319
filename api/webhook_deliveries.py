"""`/v1/webhook-endpoints/{id}/deliveries`: what was sent to an endpoint, how each try went, and sending it again."""

import re
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from temporalio.service import RPCError

from api.guard import GuardedRoute
from api.once import once
from api.opening import JSON
from api.problems import Problem, invalid, unavailable
from api.responses import problems
from api.sagas import TemporalDownError
from api.schemas import Nothing
from api.webhook_endpoints import find_endpoint, webhooks_of
from api.webhook_schemas import DeliveryListing
from api.webhook_views import DeliveryPageView, DeliveryView, DeliveryWithTries
from domain.webhook import EndpointState
from ledger.contract import StoredAnswer
from ledger.webhook_contract import DeliveryFilter, DeliveryRecord

_NOT_FOUND = "No such endpoint, or no such delivery to it"
_ID = re.compile(r"whd_[0-9a-f]{24}")

router = APIRouter(
    prefix="/v1/webhook-endpoints/{endpoint_id}/deliveries", route_class=GuardedRoute, tags=["webhooks to shops"]
)


@router.get("", response_model=DeliveryPageView, responses=problems(401, 403, 404, 422, 503, not_found=_NOT_FOUND))
async def list_deliveries(request: Request, endpoint_id: str, listing: Annotated[DeliveryListing, Query()]) -> Response:
    """List what was sent to the endpoint or is to be, newest first."""
    endpoint = await find_endpoint(request, endpoint_id)
    wanted = DeliveryFilter(endpoint.id, listing.state, listing.type, listing.cursor, listing.limit)
    try:
        page = await webhooks_of(request).deliveries.list(wanted)
    except ValueError:
        raise invalid("cursor", "is no cursor of this listing; take next_cursor as it was given") from None
    data = [DeliveryView.of(delivery) for delivery in page.data]
    view = DeliveryPageView(data=data, next_cursor=page.next_cursor)
    return Response(view.model_dump_json(), media_type=JSON)


@router.get(
    "/{delivery_id}",
    response_model=DeliveryWithTries,
    responses=problems(401, 403, 404, 422, 503, not_found=_NOT_FOUND),
)
async def get_delivery(request: Request, endpoint_id: str, delivery_id: str) -> Response:
    """One delivery with its event and every try so far."""
    delivery, store = await _find(request, endpoint_id, delivery_id), webhooks_of(request).deliveries
    body = await store.body(delivery.event_id)
    assert body is not None, "what is delivered is never deleted"
    view = DeliveryWithTries.whole(delivery, body, await store.attempts(delivery.id))
    return Response(view.model_dump_json(), media_type=JSON)


@router.post(
    "/{delivery_id}/resend",
    status_code=202,
    response_model=DeliveryView,
    responses=problems(400, 401, 403, 404, 408, 409, 413, 415, 422, 503, not_found=_NOT_FOUND),
)
async def resend_delivery(
    request: Request, endpoint_id: str, delivery_id: str, body: Nothing | None = None
) -> Response:
    """Try it once more, now, however it has ended; tries that are planned stay so."""
    endpoint = await find_endpoint(request, endpoint_id)
    delivery = await _find(request, endpoint.id, delivery_id)

    async def work() -> StoredAnswer:
        if endpoint.state is not EndpointState.ENABLED:
            detail = f"The endpoint is {endpoint.state}; nothing is sent to it until it is enabled."
            raise Problem(409, "endpoint_disabled", detail)
        try:
            await webhooks_of(request).runs.resend(delivery)
        except (TemporalDownError, RPCError):
            raise unavailable("temporal_down", "Temporal cannot be reached; nothing was changed, try again.") from None
        return StoredAnswer(202, DeliveryView.of(delivery).model_dump_json().encode(), JSON)

    return await once(request, work)


async def _find(request: Request, endpoint_id: str, delivery_id: str) -> DeliveryRecord:
    """The delivery to this endpoint. Raises Problem 404, for that of another endpoint too."""
    endpoint = await find_endpoint(request, endpoint_id)
    known = _ID.fullmatch(delivery_id)
    found = await webhooks_of(request).deliveries.get(endpoint.id, delivery_id) if known else None
    if found is None:
        raise Problem(404, "delivery_not_found", "The endpoint has no delivery with this id.")
    return found
