"""Turns a well-formed request and the choice of its gateway into a checkout, or says which field prevents it."""

import secrets
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from activities.payments import KEY_MARGIN
from api.problems import FieldError, invalid
from api.schemas import DEFAULT_CONFIRMATION_SECONDS, NewCheckout
from domain.checkout import CaptureMode, Checkout, HoldPolicy
from domain.errors import AmountDoesNotFitError
from domain.money import Money
from gateways.contract import Gateway

_ALPHABET = string.ascii_letters + string.digits
_ID_LENGTH = 24

# A hold that lapses takes the sale with it: the shop's deadline lies a day before that unless it chooses otherwise, and
# never closer than an hour, in which the capture can be repeated.
_USUAL_MARGIN = timedelta(days=1)
LEAST_MARGIN = timedelta(hours=1)


@dataclass(frozen=True)
class Choice:
    """The gateway of a checkout, those to try after it, and why; `route` is None where the rules had no say."""

    gateway: Gateway
    alternatives: tuple[Gateway, ...] = ()
    route: str | None = None

    @property
    def gateways(self) -> tuple[Gateway, ...]:
        """All that may come to carry the checkout."""
        return (self.gateway, *self.alternatives)


def checkout_from(request: NewCheckout, choice: Choice, now: datetime) -> Checkout:
    """The checkout with an id of its own.

    Raises Problem 422 naming the field that does not fit: every gateway of the choice must be able to carry it out.
    """
    check_confirmation(request)
    for gateway in choice.gateways:
        check_gateway(request, gateway)
    return replace(
        new_checkout(request, choice.gateway.name, choice.gateways, now),
        alternatives=tuple(gateway.name for gateway in choice.alternatives),
        route=choice.route,
    )


def new_checkout(request: NewCheckout, gateway: str, carriers: Sequence[Gateway], now: datetime) -> Checkout:
    """The checkout at this gateway, unchecked; `carriers` are all whose holds must bear the shop's time to confirm."""
    return Checkout(
        id=new_id(),
        order_id=request.order_id,
        amount=Money(request.amount, request.currency),
        gateway=gateway,
        capture=CaptureMode(request.capture),
        confirm_within_seconds=confirm_within(request, carriers),
        created_at=now,
        expires_at=now + timedelta(seconds=request.expires_in_seconds),
        return_url=request.return_url,
        email=request.customer.email if request.customer else None,
        metadata=dict(request.metadata) if request.metadata else None,
        on_hold_expiry=HoldPolicy(request.on_hold_expiry),
    )


def new_id() -> str:
    """An id that nobody can guess (143 random bits)."""
    return "chk_" + "".join(secrets.choice(_ALPHABET) for _ in range(_ID_LENGTH))


def same_order(checkout: Checkout, request: NewCheckout, gateways: Mapping[str, Gateway]) -> bool:
    """Whether the request asks for the payment that this checkout is; then it is the first one, clicked twice.

    A request that names no gateway does so whichever the rules chose then, and whatever they would choose now.
    """
    if request.gateway not in (None, checkout.gateway):
        return False
    carriers = [gateways[name] for name in (checkout.gateway, *checkout.alternatives) if name in gateways]
    asked = Money(request.amount, request.currency), CaptureMode(request.capture), confirm_within(request, carriers)
    stands = checkout.amount, checkout.capture, checkout.confirm_within_seconds
    return asked == stands and request.on_hold_expiry == checkout.on_hold_expiry


def check_confirmation(request: NewCheckout) -> None:
    """Raise Problem 422 for a confirmation, or an end of the hold, that makes no sense at any gateway."""
    if request.on_hold_expiry != "cancel" and request.capture != "on_confirm":
        raise invalid("on_hold_expiry", "has a meaning only with capture on_confirm: nothing is held otherwise")
    asked = request.confirmation
    if asked is None or asked.required:
        return
    if request.capture == "on_confirm":
        raise invalid("confirmation.required", "must be true with capture on_confirm: the confirmation captures")
    if asked.within_seconds is not None:
        raise invalid("confirmation.within_seconds", "has no meaning where no confirmation is required")


def check_gateway(request: NewCheckout, gateway: Gateway) -> None:
    """Raise Problem 422 for what this gateway can never carry out."""
    if error := obstacle(request, gateway):
        raise invalid(error.field, error.message)


def check_renewal(request: NewCheckout, gateway: Gateway) -> None:
    """Raise Problem 422 where the shop names a gateway whose holds cannot be renewed, as it wants them to be."""
    if request.on_hold_expiry == "reauthorize" and gateway.capabilities.reauthorize_after is None:
        raise invalid("on_hold_expiry", f"{gateway.name} cannot hold money anew; cancel and capture are possible")


def check_part(minor: int, currency: str, gateway: Gateway) -> None:
    """Raise Problem 422 for a part of a payment that this gateway cannot move exactly; its least charge is no limit."""
    rule = gateway.capabilities.currencies.get(currency)
    if rule is None:
        return
    try:
        replace(rule, smallest=rule.step).to_gateway(minor, currency)
    except AmountDoesNotFitError as error:
        raise invalid("amount", f"does not fit {currency} at {gateway.name}: {error.reason}, in minor units") from None


def obstacle(request: NewCheckout, gateway: Gateway) -> FieldError | None:
    """What keeps this gateway from ever carrying the request out, by the field at fault; None when it can."""
    checks = (_currency_or_amount, _capture_mode, _time_to_confirm, _time_to_pay)
    return next((error for check in checks if (error := check(request, gateway))), None)


def _currency_or_amount(request: NewCheckout, gateway: Gateway) -> FieldError | None:
    rule = gateway.capabilities.currencies.get(request.currency)
    if rule is None:
        message = f"{gateway.name} does not take {request.currency}; GET /v1/gateways tells what it takes"
        return FieldError("currency", message)
    try:
        rule.to_gateway(request.amount, request.currency)
    except AmountDoesNotFitError as error:
        message = f"does not fit {request.currency} at {gateway.name}: {error.reason}, in minor units"
        return FieldError("amount", message)
    return None


def _capture_mode(request: NewCheckout, gateway: Gateway) -> FieldError | None:
    modes = gateway.capabilities.capture_modes
    if CaptureMode(request.capture) in modes:
        return None
    return FieldError("capture", f"{gateway.name} can do only {' and '.join(sorted(modes))}")


def _time_to_pay(request: NewCheckout, gateway: Gateway) -> FieldError | None:
    """A checkout that ends while its keys live never has to repeat a call with a key the gateway may have forgotten."""
    lifetime, payable = min(gateway.capabilities.key_lifetime.values()), gateway.capabilities.payable_for
    longest, why = lifetime - KEY_MARGIN, f"keeps keys for {int(lifetime.total_seconds())} seconds"
    if payable is not None and payable < longest:
        longest, why = payable, f"lets a payment that nobody pays lapse after {int(payable.total_seconds())} seconds"
    most = int(longest.total_seconds())
    if request.expires_in_seconds <= most:
        return None
    return FieldError("expires_in_seconds", f"must be at most {most}: {gateway.name} {why}")


def _time_to_confirm(request: NewCheckout, gateway: Gateway) -> FieldError | None:
    seconds = request.confirmation.within_seconds if request.confirmation else None
    bearable = _bearable(request, gateway)
    if request.capture != "on_confirm" or seconds is None or bearable is None:
        return None
    longest = int((bearable - LEAST_MARGIN).total_seconds())
    if seconds <= longest:
        return None
    message = f"must be at most {longest}: {gateway.name} holds the money for {int(bearable.total_seconds())} seconds"
    return FieldError("confirmation.within_seconds", message)


def _bearable(request: NewCheckout, gateway: Gateway) -> timedelta | None:
    """How long the shop may think about it; None where the end of the hold captures, and so ends the wait itself."""
    return None if request.on_hold_expiry == "capture" else gateway.capabilities.hold_lifetime


def confirm_within(request: NewCheckout, carriers: Sequence[Gateway]) -> int | None:
    """What was asked for, else a day, or for a hold what the shortest of these gateways can bear."""
    asked = request.confirmation
    if asked is not None and asked.within_seconds is not None:
        return asked.within_seconds
    if request.capture == "on_confirm":
        holds = [_usual_wait(request, gateway) for gateway in carriers]
        return max(1, int(min(holds).total_seconds())) if holds else None
    return DEFAULT_CONFIRMATION_SECONDS if asked is not None and asked.required else None


def _usual_wait(request: NewCheckout, gateway: Gateway) -> timedelta:
    """Where the end of the hold captures, the shop's own deadline must not come first and undo the sale."""
    bearable = _bearable(request, gateway)
    return gateway.capabilities.hold_lifetime if bearable is None else bearable - _USUAL_MARGIN
