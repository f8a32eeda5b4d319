"""A refund's way into the books and to its workflow: reserve, start, wait a moment for its end."""

import asyncio
import hashlib
import logging
import string
from datetime import datetime

from pydantic import ConfigDict, Field
from temporalio.service import RPCError

from api.commands import allowed_commands
from api.fields import Minor, Reason, Sent
from api.finding import find_checkout
from api.ordering import check_part
from api.problems import Problem, invalid, unavailable
from api.sagas import TemporalDownError
from api.services import Services
from api.tenders import refuse_split
from domain.checkout import CheckoutRecord
from domain.money import Money
from domain.payment import RefundStatus
from domain.refund import PREFIX, Refund, RefundRecord
from ledger.contract import RefundRefusedError

_ALPHABET = string.digits + string.ascii_letters
_ID_LENGTH = 24
# A server that hangs must not keep the shop waiting: the refund is recorded.
START_SECONDS = 6.0
_PATIENCE = 3.0
# How often "all that is left" is read anew, where another refund takes a part of it in between.
_TRIES = 5
_log = logging.getLogger(__name__)


class NewRefund(Sent):
    """What to give back."""

    model_config = ConfigDict(json_schema_extra={"examples": [{}, {"amount": 1200, "reason": "one came broken"}]})

    amount: Minor | None = Field(
        default=None, description="In minor units; left out or null: all that is left to give back."
    )
    reason: Reason | None = Field(default=None, description="Kept with the refund, not sent to the gateway.")


def refund_id_from(identity: str) -> str:
    """The id that belongs to a request's identity: a repeated request finds its refund, whoever has died meanwhile."""
    number, letters = int.from_bytes(hashlib.sha256(identity.encode()).digest()), ""
    for _ in range(_ID_LENGTH):
        number, rest = divmod(number, len(_ALPHABET))
        letters += _ALPHABET[rest]
    return PREFIX + letters


async def request_refund(
    services: Services, checkout_id: str, refund_id: str, request: NewRefund, now: datetime
) -> tuple[RefundRecord, bool]:
    """The refund, and whether its workflow has it; where not, the dispatcher will start it.

    Raises Problem: 404, 422, 409 when there is less to give back or a dispute is open, or naming a split checkout's
    tenders.
    """
    record = await find_checkout(services, checkout_id)
    if record.checkout.is_split:
        tenders = [leg.checkout.id for leg in await services.books.legs(checkout_id)]
        refuse_split(record.checkout, f"refund its tenders, {' and '.join(tenders)}", tenders)
    gateway = services.gateways.get(record.gateway)
    if gateway is None:
        raise unavailable("gateway_unavailable", f"{record.gateway} is not configured here any more.")
    reserved = await services.refunds.get(refund_id)
    if reserved is None:
        if request.amount is not None:
            check_part(request.amount, record.checkout.amount.currency, gateway)
        reserved = await _reserve(services, record, refund_id, request, now)
    elif request.amount not in (None, reserved.refund.amount.minor) or request.reason != reserved.refund.reason:
        # The key's first answer has been forgotten, its refund has not.
        raise invalid("Idempotency-Key", "was used with another refund", "idempotency_key_reused")
    taken_on = await _started(services, reserved, record)
    final = await services.refunds.get(refund_id)
    assert final is not None, "a refund is never deleted"
    return final, taken_on


async def _reserve(
    services: Services, record: CheckoutRecord, refund_id: str, request: NewRefund, now: datetime
) -> RefundRecord:
    checkout, refunds = record.checkout, services.refunds
    for _ in range(_TRIES):
        amount = Money(request.amount or 0, checkout.amount.currency)
        if request.amount is None:
            # With nothing available the whole is asked for, and the refusal says why there is nothing.
            amount = await refunds.available(checkout.id)
            amount = amount if amount.minor else checkout.amount
        try:
            return await refunds.reserve(Refund(refund_id, checkout.id, amount, request.reason, now))
        except RefundRefusedError as error:
            refusal = error
        if request.amount is not None or not refusal.available_minor:
            break
    raise _refused(refusal, await find_checkout(services, checkout.id))


async def _started(services: Services, refund: RefundRecord, checkout: CheckoutRecord) -> bool:
    if refund.status is not RefundStatus.PENDING:
        return True
    try:
        async with asyncio.timeout(START_SECONDS):
            await services.sagas.start_refund(refund, checkout, patience=_PATIENCE)
    except (TemporalDownError, RPCError, TimeoutError) as error:
        _log.warning("%s is reserved and will be started later: %s", refund.refund.id, type(error).__name__)
        return False
    return True


def _refused(refusal: RefundRefusedError, record: CheckoutRecord) -> Problem:
    state, available = str(record.status.state), refusal.available_minor
    match refusal.code:
        case "dispute_open":
            detail = "A dispute is open: the money is with the bank, and a refund beside it would pay twice."
            return Problem(409, "dispute_open", detail, state=state, available=available)
        case "amount_exceeds_available":
            detail = f"{available} is left to give back, in minor units of {record.checkout.amount.currency}."
            return Problem(409, "amount_exceeds_available", detail, state=state, available=available)
        case _:
            allowed = [str(command) for command in allowed_commands(record)]
            detail = f"Nothing can be given back: {refusal}."
            return Problem(409, "nothing_to_refund", detail, state=state, available=available, allowed=allowed)
