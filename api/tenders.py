"""Split checkouts: a request with tenders as checkouts that belong together, and how they are shown."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from api.ordering import LEAST_MARGIN, check_confirmation, confirm_within, new_checkout, new_id, obstacle
from api.problems import Problem, invalid, unavailable
from api.routing import closed_by_operator
from api.schemas import NewCheckout, NewTender
from api.services import Services
from api.views import CheckoutView
from domain.checkout import SPLIT, CaptureMode, Checkout, CheckoutRecord
from domain.money import Money
from gateways.contract import Gateway
from ledger.books import Books

# Longer than the split checkout should ever need to decide once it can.
_SLACK = timedelta(days=1)
# What a single checkout says of these fields, a tender has by its gateway.
_FIELDS = {"amount": "amount", "currency": "gateway", "capture": "gateway"}


async def split_from(services: Services, request: NewCheckout, now: datetime) -> list[Checkout]:
    """The split checkout and its legs, in their order.

    Raises Problem: 422 naming the field that does not fit, 503 when an operator keeps a tender's gateway closed.
    """
    tenders = request.tenders or []
    check_confirmation(request)
    if request.gateway is not None:
        raise invalid("gateway", "must be left out where tenders name their gateways")
    if request.on_hold_expiry != "cancel":
        raise invalid("on_hold_expiry", "must be left out with tenders, which are decided before any hold ends")
    if (total := sum(tender.amount for tender in tenders)) != request.amount:
        raise invalid("tenders", f"come to {total}, the amount is {request.amount}")
    carriers = [_carrier(request, place, tender, services.gateways) for place, tender in enumerate(tenders)]
    _check_mode(carriers)
    _check_time(request, carriers)
    board = await services.breakers.read()
    for gateway in carriers:
        if closed := closed_by_operator(gateway.name, board):
            raise unavailable("gateway_unavailable", f"{gateway.name}: {closed}.")
    whole = new_checkout(request, SPLIT, carriers, now)
    return [whole, *(_leg(whole, n, t, g) for n, (t, g) in enumerate(zip(tenders, carriers, strict=True), start=1))]


def same_split(
    whole: Checkout, legs: Sequence[Checkout], request: NewCheckout, gateways: Mapping[str, Gateway]
) -> bool:
    """Whether the request asks for the payment that this split checkout is."""
    tenders = request.tenders or []
    carriers = [gateways[tender.gateway] for tender in tenders if tender.gateway in gateways]
    asked = (Money(request.amount, request.currency), request.capture, confirm_within(request, carriers))
    split = [(tender.gateway, tender.amount) for tender in tenders]
    stands = (whole.amount, str(whole.capture), whole.confirm_within_seconds)
    return asked == stands and split == [(leg.gateway, leg.amount.minor) for leg in legs]


async def view_of(books: Books, record: CheckoutRecord) -> CheckoutView:
    """The checkout as the API shows it, with its tenders."""
    return CheckoutView.of(record, await books.legs(record.checkout.id) if record.checkout.is_split else ())


def refuse_tender(checkout: Checkout) -> None:
    """Raise Problem 409 for a command to a single tender."""
    if checkout.parent_id is not None:
        detail = f"It is decided with the split checkout {checkout.parent_id}: say it to that one."
        raise Problem(409, "part_of_split", detail, parent=checkout.parent_id)


def refuse_split(checkout: Checkout, why: str, tenders: Sequence[str] = ()) -> None:
    """Raise Problem 409 for what is not done to a split checkout as a whole; `tenders`: the ids to do it to instead."""
    if checkout.is_split:
        raise Problem(409, "split_checkout", f"This is a split checkout: {why}.", tenders=list(tenders))


def _carrier(request: NewCheckout, place: int, tender: NewTender, gateways: Mapping[str, Gateway]) -> Gateway:
    gateway = gateways.get(tender.gateway)
    if gateway is None:
        raise invalid(f"tenders.{place}.gateway", f"must be one of: {', '.join(sorted(gateways))}")
    alone = request.model_copy(update={"amount": tender.amount, "gateway": tender.gateway, "tenders": None})
    if error := obstacle(alone, gateway):
        own = _FIELDS.get(error.field)
        raise invalid(f"tenders.{place}.{own}" if own else error.field, error.message)
    return gateway


def _check_mode(carriers: Sequence[Gateway]) -> None:
    """Test money next to real money would be a sale that is half paid."""
    for place, gateway in enumerate(carriers):
        if gateway.capabilities.live is not carriers[0].capabilities.live:
            message = f"{gateway.name} and {carriers[0].name} are not both in test or both in live mode"
            raise invalid(f"tenders.{place}.gateway", message)


def _check_time(request: NewCheckout, carriers: Sequence[Gateway]) -> None:
    """The first tender may be held for as long as the last is waited for, before the shop is asked."""
    asked = request.confirmation.within_seconds if request.confirmation else None
    if request.capture != "on_confirm" or asked is None:
        return
    shortest = min(carriers, key=lambda gateway: gateway.capabilities.hold_lifetime)
    bearable = shortest.capabilities.hold_lifetime - LEAST_MARGIN - timedelta(seconds=request.expires_in_seconds)
    if asked > (longest := int(bearable.total_seconds())):
        message = f"must be at most {longest}: {shortest.name} may hold the first tender while the others are paid"
        raise invalid("confirmation.within_seconds", message)


def _leg(whole: Checkout, number: int, tender: NewTender, gateway: Gateway) -> Checkout:
    """Held first wherever the gateway can; nothing of the customer's is kept twice."""
    can = gateway.capabilities
    holds = CaptureMode.ON_CONFIRM in can.capture_modes
    patience = whole.expires_at - whole.created_at + timedelta(seconds=whole.confirm_within_seconds or 0) + _SLACK
    if holds:
        patience = min(patience, can.hold_lifetime - LEAST_MARGIN)
    return replace(
        whole,
        id=new_id(),
        amount=Money(tender.amount, whole.amount.currency),
        gateway=gateway.name,
        capture=CaptureMode.ON_CONFIRM if holds else CaptureMode.AUTOMATIC,
        confirm_within_seconds=int(patience.total_seconds()),
        email=None,
        metadata=None,
        parent_id=whole.id,
        leg=number,
    )
