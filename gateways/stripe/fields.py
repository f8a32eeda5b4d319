"""Reads single fields of Stripe's objects: each in its exact kind, or OutcomeUnknownError."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from domain.errors import InvalidMoneyError, OutcomeUnknownError
from domain.money import Money
from gateways.stripe.currencies import stated_amount

Object = Mapping[str, Any]
"""One of Stripe's objects as plain data."""


def money(stated: Object, field: str, currency: str) -> Money:
    """An amount in our minor units; `currency` as Stripe writes it."""
    amount = stated.get(field)
    if type(amount) is not int:
        raise unreadable(field)
    try:
        return stated_amount(amount, currency)
    except InvalidMoneyError as error:
        raise OutcomeUnknownError(f"Stripe's answer cannot be trusted: {field}: {error}") from None


def text(stated: Object, field: str) -> str:
    """A text that is not empty."""
    value = stated.get(field)
    if not isinstance(value, str) or not value:
        raise unreadable(field)
    return value


def flag(stated: Object, field: str) -> bool:
    """Yes or no."""
    value = stated.get(field)
    if not isinstance(value, bool):
        raise unreadable(field)
    return value


def moment(stated: Object, field: str) -> datetime:
    """A time in whole seconds since 1970."""
    seconds = stated.get(field)
    if type(seconds) is not int:
        raise unreadable(field)
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        raise unreadable(field) from None


def part(stated: Object, field: str) -> Object:
    """An object within, empty when there is none or Stripe gave its id only."""
    value = stated.get(field)
    return value if isinstance(value, Mapping) else {}


def metadata(stated: Object, key: str) -> str | None:
    """What we noted with the object under this name, if we did."""
    value = part(stated, "metadata").get(key)
    return value if isinstance(value, str) and value else None


def unreadable(field: str) -> OutcomeUnknownError:
    """The error for an answer that proves nothing."""
    return OutcomeUnknownError(f"Stripe's answer cannot be read: {field} is missing or of a kind we do not know")
