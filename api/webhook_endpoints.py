"""`/v1/webhook-endpoints`: the shop's addresses that events are sent to, and the secrets they are signed with."""

import re
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from api.auth import known_caller
from api.guard import GuardedRoute
from api.once import identity_of, once
from api.opening import JSON
from api.problems import Problem, invalid
from api.responses import problems
from api.services import services_of
from api.shop_webhooks import ShopWebhooks
from api.webhook_schemas import ChangedEndpoint, EndpointListing, NewEndpoint, Rotation
from api.webhook_views import EndpointPageView, EndpointView, EndpointWithSecret
from domain.outbound import ForbiddenUrlError, check_url
from domain.webhook import MOST_ENDPOINTS
from ledger.contract import StoredAnswer
from ledger.webhook_contract import (
    Endpoint,
    EndpointChange,
    EndpointRemovedError,
    SecretsActiveError,
    TooManyEndpointsError,
)

NOT_FOUND = "No such endpoint"
_READ = problems(401, 403, 404, 422, 503, not_found=NOT_FOUND)
_WRITE = problems(400, 401, 403, 404, 408, 409, 413, 415, 422, 503, not_found=NOT_FOUND)
_ID = re.compile(r"we_[0-9A-Za-z]{24}")

router = APIRouter(prefix="/v1/webhook-endpoints", route_class=GuardedRoute, tags=["webhooks to shops"])


def webhooks_of(request: Request) -> ShopWebhooks:
    """What the application that got this request has for them."""
    return services_of(request).shop_webhooks


async def find_endpoint(request: Request, endpoint_id: str) -> Endpoint:
    """The endpoint, a removed one too. Raises Problem 404."""
    found = await webhooks_of(request).endpoints.get(endpoint_id) if _ID.fullmatch(endpoint_id) else None
    if found is None:
        raise Problem(404, "endpoint_not_found", "No endpoint has this id.")
    return found


@router.post(
    "",
    status_code=201,
    response_model=EndpointWithSecret,
    responses=problems(400, 401, 403, 408, 409, 413, 415, 422, 503),
)
async def create_endpoint(request: Request, body: NewEndpoint) -> Response:
    """Send events to an address from now on. The secret is in this answer and in none after it."""
    webhooks, by = webhooks_of(request), known_caller(request).id
    _check(body.url, webhooks)
    identity = identity_of(request, body.url, body.events)

    async def work() -> StoredAnswer:
        try:
            made = await webhooks.endpoints.create(body.url, body.events, by, identity)
        except TooManyEndpointsError:
            detail = f"There are {MOST_ENDPOINTS} endpoints; remove one that is not needed any more."
            raise Problem(409, "too_many_endpoints", detail) from None
        return StoredAnswer(201, EndpointWithSecret.of(made).model_dump_json().encode(), JSON)

    return await once(request, work)


@router.get("", response_model=EndpointPageView, responses=problems(401, 403, 422, 503))
async def list_endpoints(request: Request, listing: Annotated[EndpointListing, Query()]) -> Response:
    """List endpoints, oldest first."""
    try:
        page = await webhooks_of(request).endpoints.list(listing.state, listing.cursor, listing.limit)
    except ValueError:
        raise invalid("cursor", "is no cursor of this listing; take next_cursor as it was given") from None
    data = [EndpointView.of(endpoint) for endpoint in page.data]
    view = EndpointPageView(data=data, next_cursor=page.next_cursor)
    return Response(view.model_dump_json(), media_type=JSON)


@router.get("/{endpoint_id}", response_model=EndpointView, responses=_READ)
async def get_endpoint(request: Request, endpoint_id: str) -> Response:
    """One endpoint and how it stands."""
    return _shown(await find_endpoint(request, endpoint_id))


@router.post("/{endpoint_id}", response_model=EndpointView, responses=_WRITE)
async def change_endpoint(request: Request, endpoint_id: str, body: ChangedEndpoint) -> Response:
    """Change where to and what is sent, disable it for a while, or enable it again."""
    webhooks = webhooks_of(request)
    if body.url is not None:
        _check(body.url, webhooks)
    known_id = (await find_endpoint(request, endpoint_id)).id
    enabled = None if body.state is None else body.state == "enabled"
    change = EndpointChange(body.url, None if body.events is None else tuple(body.events), enabled)

    async def work() -> StoredAnswer:
        try:
            changed = await webhooks.endpoints.change(known_id, change)
        except EndpointRemovedError:
            raise _removed() from None
        return StoredAnswer(200, EndpointView.of(changed).model_dump_json().encode(), JSON)

    return await once(request, work)


@router.delete("/{endpoint_id}", response_model=EndpointView, responses=_READ)
async def remove_endpoint(request: Request, endpoint_id: str) -> Response:
    """Send nothing to it any more, for good; what was sent stays on record. Twice is as good as once."""
    known_id = (await find_endpoint(request, endpoint_id)).id
    return _shown(await webhooks_of(request).endpoints.remove(known_id))


@router.post("/{endpoint_id}/secrets", status_code=201, response_model=EndpointWithSecret, responses=_WRITE)
async def rotate_secret(request: Request, endpoint_id: str, body: Rotation | None = None) -> Response:
    """Make a new secret, active at once beside the one before it. It is in this answer and in none after it."""
    webhooks, overlap = webhooks_of(request), timedelta(seconds=(body or Rotation()).overlap_seconds)
    known_id = (await find_endpoint(request, endpoint_id)).id
    identity = identity_of(request, overlap.total_seconds())

    async def work() -> StoredAnswer:
        try:
            rotated = await webhooks.endpoints.rotate(known_id, overlap, identity)
        except EndpointRemovedError:
            raise _removed() from None
        except SecretsActiveError as error:
            until = error.expires_at.isoformat()
            detail = f"Two secrets are active until {until}. Wait for it, or end both now with overlap_seconds 0."
            raise Problem(409, "secrets_active", detail, expires_at=until) from None
        return StoredAnswer(201, EndpointWithSecret.of(rotated).model_dump_json().encode(), JSON)

    return await once(request, work)


def _check(url: str, webhooks: ShopWebhooks) -> None:
    try:
        check_url(url, webhooks.development)
    except ForbiddenUrlError as error:
        raise invalid("url", error.message) from None


def _removed() -> Problem:
    return Problem(409, "endpoint_removed", "The endpoint was removed, for good; make a new one.")


def _shown(endpoint: Endpoint) -> Response:
    return Response(EndpointView.of(endpoint).model_dump_json(), media_type=JSON)
