"""Turns a well-formed request into a checkout that its gateway can carry out, or says which field prevents it."""

import secrets
import string
from collections.abc import Mapping
from datetime import datetime, timedelta

from activities.payments import KEY_MARGIN
from api.problems import invalid
from api.schemas import DEFAULT_CONFIRMATION_SECONDS, NewCheckout
from domain.checkout import CaptureMode, Checkout
from domain.errors import AmountDoesNotFitError
from domain.money import Money
from gateways.contract import Gateway

_ALPHABET = string.ascii_letters + string.digits
_ID_LENGTH = 24

# A hold that lapses takes the sale with it: the shop's deadline lies a day before that unless it chooses otherwise, and
# never closer than an hour, in which the capture can be repeated.
_USUAL_MARGIN = timedelta(days=1)
_LEAST_MARGIN = timedelta(hours=1)


def checkout_from(request: NewCheckout, gateways: Mapping[str, Gateway], now: datetime) -> Checkout:
    """The checkout with an id of its own (143 random bits). Raises Problem 422 naming the field that does not fit."""
    gateway = _gateway(request.gateway, gateways)
    return Checkout(
        id="chk_" + "".join(secrets.choice(_ALPHABET) for _ in range(_ID_LENGTH)),
        order_id=request.order_id,
        amount=_amount(request, gateway),
        gateway=gateway.name,
        capture=CaptureMode(request.capture),
        confirm_within_seconds=_confirm_within(request, gateway),
        created_at=now,
        expires_at=now + timedelta(seconds=_expires_in(request, gateway)),
        return_url=request.return_url,
        email=request.customer.email if request.customer else None,
        metadata=dict(request.metadata) if request.metadata else None,
    )


def same_order(one: Checkout, other: Checkout) -> bool:
    """Whether two requests for one order ask for the same payment; then the second is the first, clicked twice."""
    return _terms(one) == _terms(other)


def _terms(checkout: Checkout) -> tuple[object, ...]:
    return checkout.amount, checkout.gateway, checkout.capture, checkout.confirm_within_seconds


def _gateway(name: str | None, gateways: Mapping[str, Gateway]) -> Gateway:
    if name is None and len(gateways) == 1:
        return next(iter(gateways.values()))
    if name is None or name not in gateways:
        raise invalid("gateway", f"must be one of: {', '.join(sorted(gateways))}")
    return gateways[name]


def _amount(request: NewCheckout, gateway: Gateway) -> Money:
    rules = gateway.capabilities.currencies
    if request.currency not in rules:
        raise invalid("currency", f"{gateway.name} does not take it; it takes {' '.join(sorted(rules))}")
    try:
        rules[request.currency].to_gateway(request.amount, request.currency)
    except AmountDoesNotFitError as error:
        raise invalid("amount", f"does not fit {request.currency}: {error.reason}, in minor units") from None
    return Money(request.amount, request.currency)


def _confirm_within(request: NewCheckout, gateway: Gateway) -> int | None:
    asked = request.confirmation
    seconds = asked.within_seconds if asked else None
    if request.capture == "on_confirm":
        if asked and not asked.required:
            raise invalid("confirmation.required", "must be true with capture on_confirm: the confirmation captures")
        return _within_hold(seconds, gateway)
    if asked is None or not asked.required:
        if seconds is not None:
            raise invalid("confirmation.within_seconds", "has no meaning where no confirmation is required")
        return None
    return DEFAULT_CONFIRMATION_SECONDS if seconds is None else seconds


def _expires_in(request: NewCheckout, gateway: Gateway) -> int:
    """A checkout that ends while its keys live never has to repeat a call with a key the gateway may have forgotten."""
    lifetime = min(gateway.capabilities.key_lifetime.values())
    longest = int((lifetime - KEY_MARGIN).total_seconds())
    if request.expires_in_seconds > longest:
        message = f"must be at most {longest}: {gateway.name} keeps keys for {int(lifetime.total_seconds())} seconds"
        raise invalid("expires_in_seconds", message)
    return request.expires_in_seconds


def _within_hold(seconds: int | None, gateway: Gateway) -> int:
    hold = gateway.capabilities.hold_lifetime
    longest = int((hold - _LEAST_MARGIN).total_seconds())
    if seconds is None:
        return max(1, int((hold - _USUAL_MARGIN).total_seconds()))
    if seconds > longest:
        message = f"must be at most {longest}: {gateway.name} holds the money for {int(hold.total_seconds())} seconds"
        raise invalid("confirmation.within_seconds", message)
    return seconds
