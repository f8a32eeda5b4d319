"""`POST /v1/checkouts/{id}/capture`: take what is held, all of it or a part, once or as often as the gateway can."""

from api.commands import Command, Wish, carry_out
from api.finding import find_checkout
from api.ordering import check_part
from api.problems import Problem, invalid
from api.sagas import CommandFailedError, InvalidCommandError
from api.schemas import Capture
from api.services import Services
from api.tenders import refuse_split, refuse_tender
from domain.checkout import CheckoutRecord
from domain.saga import CaptureOrder
from domain.states import CheckoutState as S
from gateways.contract import Gateway
from ledger.contract import StoredAnswer


async def capture(services: Services, checkout_id: str, request: Capture, update_id: str | None) -> StoredAnswer:
    """As the other commands, and 422 naming `amount` or `final`, 409 `capture_declined` when the gateway says no.

    `update_id` is the same for a repeated request, which then is one capture, also when nobody here remembers it.
    """
    record = await find_checkout(services, checkout_id)
    refuse_tender(record.checkout)
    refuse_split(record.checkout, "it is captured whole, by its confirmation")
    if gateway := services.gateways.get(record.gateway):
        _check(request, record, gateway)
    try:
        return await carry_out(services, _wish(request, update_id), checkout_id)
    except InvalidCommandError as error:
        # The saga's objection begins with the field's name.
        field, _, objection = str(error).partition(": ")
        raise invalid(field, objection) from None
    except CommandFailedError as error:
        raise Problem(409, "capture_declined", f"The gateway did not take it: {error}", reason=error.code) from None


def _wish(request: Capture, update_id: str | None) -> Wish:
    order = CaptureOrder(request.amount, request.final)

    def is_done(record: CheckoutRecord) -> bool:
        """All that is left was asked for and is taken; of a part the books do not say which request it was."""
        return request.amount is None and request.final and record.status.state is S.COMPLETED

    return Wish(
        Command.CAPTURE,
        lambda sagas, checkout: sagas.capture(checkout, order, update_id),
        is_done,
        update_id is not None,
    )


def _check(request: Capture, record: CheckoutRecord, gateway: Gateway) -> None:
    """Raise Problem 422 for what can never be, wherever the checkout stands.

    What is left now is the saga's to judge: a repeated request asks for what it has taken already.
    """
    amount, can = record.checkout.amount, gateway.capabilities
    if not request.final and not can.several_captures and request.amount != amount.minor:
        raise invalid("final", f"must be true: {gateway.name} captures once and releases the rest")
    if request.amount is None:
        if not request.final:
            raise invalid("final", "must be true where all that is left is captured: nothing can follow")
        return
    if request.amount == 0 and not request.final:
        raise invalid("amount", "may be 0 only with final: it releases what is left")
    if request.amount > amount.minor:
        raise invalid("amount", f"must be at most {amount.minor}, the checkout's amount")
    if request.amount < amount.minor and not can.partial_capture:
        raise invalid("amount", f"must be left out: {gateway.name} captures all or nothing")
    if request.amount:
        check_part(request.amount, amount.currency, gateway)
