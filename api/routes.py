"""The routes under /v1: checkouts and what is on the books about them."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from api.captures import capture
from api.commands import Wish, cancellation, carry_out, confirmation, rejection
from api.finding import checkout_id_of, find_checkout
from api.guard import GuardedRoute
from api.once import identity_of, once
from api.opening import JSON, open_checkout
from api.problems import invalid
from api.responses import problems
from api.schemas import Capture, Listing, NewCheckout, Nothing, Rejection
from api.services import services_of
from api.tenders import view_of
from api.views import CheckoutPage, CheckoutView, PostingList, TimelineList
from ledger.contract import CheckoutFilter, StoredAnswer

_READ = problems(401, 403, 404, 422, 503)
_WRITE = problems(400, 401, 403, 408, 409, 413, 415, 422, 503)
_ACCEPTED: dict[int | str, dict[str, Any]] = {202: {"model": CheckoutView, "description": "Taken on, not done yet"}}

router = APIRouter(prefix="/v1/checkouts", route_class=GuardedRoute, tags=["checkouts"])


@router.post("", status_code=201, response_model=CheckoutView, responses=_ACCEPTED | _WRITE)
async def create_checkout(request: Request, body: NewCheckout) -> Response:
    """Start a checkout. The same order on the same terms gives the same checkout; 202 while its saga is silent."""
    services = services_of(request)

    async def work() -> StoredAnswer:
        return await open_checkout(services, body)

    response = await once(request, work)
    if response.status_code in (201, 202):
        # Not read as a CheckoutView: a stored answer may be older than today's shape of it.
        response.headers["Location"] = f"/v1/checkouts/{json.loads(bytes(response.body))['id']}"
    return response


@router.get("", response_model=CheckoutPage, responses=problems(401, 403, 422, 503))
async def list_checkouts(request: Request, listing: Annotated[Listing, Query()]) -> Response:
    """List checkouts, newest first; a split one stands for its tenders."""
    services = services_of(request)
    wanted = CheckoutFilter(
        state=listing.state,
        gateway=listing.gateway,
        order_id=listing.order_id,
        stuck=None if listing.stuck is None else listing.stuck == "true",
        cursor=listing.cursor,
        limit=listing.limit,
    )
    try:
        page = await services.books.list(wanted)
    except ValueError:
        raise invalid("cursor", "is no cursor of this listing; take next_cursor as it was given") from None
    split = [record.checkout.id for record in page.data if record.checkout.is_split]
    return _json(CheckoutPage.of(page, await services.books.legs(*split)).model_dump_json())


@router.get("/{checkout_id}", response_model=CheckoutView, responses=_READ)
async def get_checkout(request: Request, checkout_id: str) -> Response:
    """One checkout."""
    services = services_of(request)
    view = await view_of(services.books, await find_checkout(services, checkout_id))
    return _json(view.model_dump_json())


@router.get("/{checkout_id}/timeline", response_model=TimelineList, responses=_READ)
async def get_timeline(request: Request, checkout_id: str) -> Response:
    """What happened to a checkout, in order, with the hash chain."""
    services = services_of(request)
    await find_checkout(services, checkout_id)
    return _json(TimelineList.of(await services.books.timeline(checkout_id)).model_dump_json())


@router.get("/{checkout_id}/postings", response_model=PostingList, responses=_READ)
async def get_postings(request: Request, checkout_id: str) -> Response:
    """The money that moved, in double entry."""
    services = services_of(request)
    await find_checkout(services, checkout_id)
    return _json(PostingList.of(await services.books.postings(checkout_id)).model_dump_json())


@router.post("/{checkout_id}/confirm", response_model=CheckoutView, responses=_ACCEPTED | problems(404) | _WRITE)
async def confirm_checkout(request: Request, checkout_id: str, body: Nothing | None = None) -> Response:
    """Confirm the order: what is still held is captured, what is paid stays."""
    return await _command(request, confirmation(), checkout_id)


@router.post("/{checkout_id}/capture", response_model=CheckoutView, responses=_ACCEPTED | problems(404) | _WRITE)
async def capture_checkout(request: Request, checkout_id: str, body: Capture | None = None) -> Response:
    """Capture what is held, or a part of it; it confirms the order. With `final` the rest is released."""
    services, known_id, wanted = services_of(request), checkout_id_of(checkout_id), body or Capture()
    identity = identity_of(request, wanted.amount, wanted.final)

    async def work() -> StoredAnswer:
        return await capture(services, known_id, wanted, identity)

    return await once(request, work)


@router.post("/{checkout_id}/reject", response_model=CheckoutView, responses=_ACCEPTED | problems(404) | _WRITE)
async def reject_checkout(request: Request, checkout_id: str, body: Rejection) -> Response:
    """Reject the order: what is held is released, what is paid is given back."""
    return await _command(request, rejection(body.reason), checkout_id)


@router.post("/{checkout_id}/cancel", response_model=CheckoutView, responses=_ACCEPTED | problems(404) | _WRITE)
async def cancel_checkout(request: Request, checkout_id: str, body: Nothing | None = None) -> Response:
    """Give a checkout up before anything is captured; what is held is released."""
    return await _command(request, cancellation(), checkout_id)


async def _command(request: Request, wish: Wish, checkout_id: str) -> Response:
    services, known_id = services_of(request), checkout_id_of(checkout_id)

    async def work() -> StoredAnswer:
        return await carry_out(services, wish, known_id)

    return await once(request, work)


def _json(text: str) -> Response:
    return Response(text, media_type=JSON)
