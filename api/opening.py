"""`POST /v1/checkouts`: record the checkout, start its saga, answer within seconds whatever is down behind."""

import logging
from datetime import UTC, datetime

from temporalio.service import RPCError

from api.ordering import checkout_from, same_order
from api.problems import Problem
from api.sagas import CommandRefusedError, SagaEndedError, TemporalDownError
from api.schemas import NewCheckout
from api.services import Services
from api.views import CheckoutView
from domain.checkout import Checkout, CheckoutRecord, CheckoutStatus
from domain.errors import OrderExistsError
from domain.states import CheckoutState
from domain.timeline import Entry, EventType, terms_of
from ledger.contract import StoredAnswer

JSON = "application/json"
_log = logging.getLogger(__name__)


async def open_checkout(services: Services, request: NewCheckout) -> StoredAnswer:
    """201 with the checkout, 202 while nobody has answered; the record is kept, and the dispatcher starts it later.

    Raises Problem: 422 for what the gateway cannot do, 409 when the order has another checkout already.
    """
    return await record_and_open(services, checkout_from(request, services.gateways, datetime.now(UTC)))


async def record_and_open(services: Services, wanted: Checkout) -> StoredAnswer:
    """Record the checkout unless its order has it already, and open its saga unless that has moved on."""
    record = await _recorded(services, wanted)
    answered = True
    if record.status.state is CheckoutState.PROCESSING:
        answered = await _opened(services, record.checkout)
        record = await _read(services, record.checkout.id)
    waiting = record.status.state is CheckoutState.PROCESSING and not answered
    return answer_with(record, 202 if waiting else 201)


def answer_with(record: CheckoutRecord, status: int) -> StoredAnswer:
    """The checkout as an answer."""
    return StoredAnswer(status, CheckoutView.of(record).model_dump_json().encode(), JSON)


async def _recorded(services: Services, wanted: Checkout) -> CheckoutRecord:
    entry = Entry(
        key="created",
        status=CheckoutStatus(CheckoutState.PROCESSING),
        cause="api",
        at=wanted.created_at,
        # In the hash chain from the first row on: nobody can change afterwards what was asked for.
        details=terms_of(wanted),
        event=EventType.CHECKOUT_CREATED,
    )
    try:
        return await services.books.create_checkout(wanted, entry)
    except OrderExistsError as error:
        existing = await _read(services, error.checkout_id)
    if same_order(existing.checkout, wanted):
        return existing
    detail = "The order already has a checkout with another amount, currency, gateway, capture or confirmation."
    raise Problem(409, "order_conflict", detail, checkout=CheckoutView.of(existing).model_dump(mode="json"))


async def _opened(services: Services, checkout: Checkout) -> bool:
    try:
        return await services.sagas.open(checkout)
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
