"""`POST /v1/checkouts`: record the checkout, start its saga, answer within seconds whatever is down behind."""

import logging
from datetime import UTC, datetime

from temporalio.service import RPCError

from api.ordering import checkout_from, same_order
from api.problems import Problem
from api.routing import choose
from api.sagas import CommandRefusedError, SagaEndedError, TemporalDownError
from api.schemas import NewCheckout
from api.services import Services
from api.tenders import same_split, split_from, view_of
from domain.checkout import Checkout, CheckoutRecord, CheckoutStatus
from domain.errors import OrderExistsError
from domain.split import split_terms
from domain.states import CheckoutState
from domain.timeline import Entry, EventType, JsonScalar, terms_of
from ledger.contract import StoredAnswer

JSON = "application/json"
_log = logging.getLogger(__name__)


async def open_checkout(services: Services, request: NewCheckout) -> StoredAnswer:
    """201 with the checkout, 202 while nobody has answered; the record is kept, and the dispatcher starts it later.

    Raises Problem: 422 for what no gateway can do, 503 when none can now, 409 when the order has another checkout.
    """
    try:
        wanted = await _wanted(services, request)
    except Problem:
        # An order that has its checkout gets it again, also while nothing new could be begun.
        existing = await services.books.find_by_order(request.order_id)
        if existing is None or not await _is_same(services, existing.checkout, request):
            raise
        return await opened(services, existing)
    return await opened(services, await _recorded(services, wanted, request))


async def opened(services: Services, record: CheckoutRecord) -> StoredAnswer:
    """Open the saga of a recorded checkout unless it has moved on."""
    answered = True
    if record.status.state is CheckoutState.PROCESSING:
        answered = await _opened(services, record.checkout)
        record = await _read(services, record.checkout.id)
    waiting = record.status.state is CheckoutState.PROCESSING and not answered
    return await answer_with(services, record, 202 if waiting else 201)


async def answer_with(services: Services, record: CheckoutRecord, status: int) -> StoredAnswer:
    """The checkout as an answer."""
    view = await view_of(services.books, record)
    return StoredAnswer(status, view.model_dump_json().encode(), JSON)


async def _wanted(services: Services, request: NewCheckout) -> list[Checkout]:
    """What is asked for; after a split checkout come its legs."""
    now = datetime.now(UTC)
    if request.tenders is not None:
        return await split_from(services, request, now)
    return [checkout_from(request, await choose(services, request), now)]


async def _recorded(services: Services, wanted: list[Checkout], request: NewCheckout) -> CheckoutRecord:
    whole, *legs = wanted
    try:
        if not legs:
            return await services.books.create_checkout(whole, _created(whole, terms_of(whole)))
        terms = [split_terms(whole, legs), *(terms_of(leg) for leg in legs)]
        entries = [_created(checkout, details) for checkout, details in zip(wanted, terms, strict=True)]
        return (await services.books.create_split(whole, legs, entries))[0]
    except OrderExistsError as error:
        existing = await _read(services, error.checkout_id)
    if await _is_same(services, existing.checkout, request):
        return existing
    detail = "The order already has a checkout with another amount, currency, gateway, capture or confirmation."
    view = await view_of(services.books, existing)
    raise Problem(409, "order_conflict", detail, checkout=view.model_dump(mode="json"))


def _created(checkout: Checkout, terms: dict[str, JsonScalar]) -> Entry:
    return Entry(
        key="created",
        status=CheckoutStatus(CheckoutState.PROCESSING),
        cause="api",
        at=checkout.created_at,
        # In the hash chain from the first row on: nobody can change afterwards what was asked for.
        details=terms,
        event=EventType.CHECKOUT_CREATED,
    )


async def _is_same(services: Services, checkout: Checkout, request: NewCheckout) -> bool:
    """Whether the request asks for the payment that this checkout is."""
    if checkout.is_split is not (request.tenders is not None):
        return False
    if not checkout.is_split:
        return same_order(checkout, request, services.gateways)
    legs = [leg.checkout for leg in await services.books.legs(checkout.id)]
    return same_split(checkout, legs, request, services.gateways)


async def _opened(services: Services, checkout: Checkout) -> bool:
    legs = await services.books.legs(checkout.id) if checkout.is_split else ()
    try:
        return await services.sagas.open(checkout, legs=[leg.checkout for leg in legs])
    except (TemporalDownError, RPCError) as error:
        _log.warning("%s is recorded and will be started later: %s", checkout.id, type(error).__name__)
        return False
    except (CommandRefusedError, SagaEndedError):
        # The saga has moved on since the record was read; the books say where to.
        return True


async def _read(services: Services, checkout_id: str) -> CheckoutRecord:
    record = await services.books.get(checkout_id)
    assert record is not None, "a checkout is never deleted"
    return record
