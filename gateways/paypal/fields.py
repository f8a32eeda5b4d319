"""Reading the members of PayPal's objects: what is missing or of another kind is never guessed."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from domain.errors import InvalidMoneyError, OutcomeUnknownError
from domain.money import Money
from gateways.paypal import currencies

Object = Mapping[str, Any]

_ID = re.compile(r"[A-Za-z0-9-]{1,64}")


def text(stated: Object, name: str) -> str:
    """A member that must be text. Raises OutcomeUnknownError."""
    value = stated.get(name)
    if not isinstance(value, str) or not value:
        raise unreadable(name)
    return value


def is_id(text: str) -> bool:
    """Whether this can be the id of something of PayPal's, and so a part of an address."""
    return _ID.fullmatch(text) is not None


def id_of(stated: Object) -> str:
    """The id of an object that is to be called. Raises OutcomeUnknownError."""
    value = text(stated, "id")
    if not is_id(value):
        raise unreadable("id")
    return value


def text_if_any(stated: Object, name: str) -> str | None:
    """A member that may be missing."""
    value = stated.get(name)
    return value if isinstance(value, str) and value else None


def inner(stated: Object, name: str) -> Object:
    """An object within, empty where there is none."""
    value = stated.get(name)
    return value if isinstance(value, Mapping) else {}


def several(stated: Object, name: str) -> list[Object]:
    """The objects of a list, none where there is no list. Raises OutcomeUnknownError for a list of something else."""
    value = stated.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
        raise unreadable(name)
    return value


def money(stated: Object, name: str) -> Money:
    """An amount with its currency. Raises OutcomeUnknownError."""
    amount = inner(stated, name)
    try:
        return currencies.read(text(amount, "value"), text(amount, "currency_code"))
    except InvalidMoneyError as error:
        raise OutcomeUnknownError(f"PayPal's answer cannot be trusted: {name}: {error}") from None


def moment(stated: Object, name: str) -> datetime:
    """A time with its zone. Raises OutcomeUnknownError."""
    try:
        at = datetime.fromisoformat(text(stated, name))
        # PayPal's lists write the zone as +0000, other answers as Z; a time without one could be anybody's.
        return at.astimezone(UTC) if at.tzinfo else _fail(name)
    except (ValueError, OverflowError):
        raise unreadable(name) from None


def link(stated: Object, *relations: str) -> str | None:
    """The address of the first link with one of these relations."""
    for item in several(stated, "links"):
        href = item.get("href")
        if item.get("rel") in relations and isinstance(href, str) and href.startswith(("https://", "http://")):
            return href
    return None


def host(address: str | None) -> str | None:
    """The host of an address; None for what is no address."""
    try:
        return urlsplit(address or "").hostname
    except ValueError:
        return None


def unreadable(name: str) -> OutcomeUnknownError:
    """The error for a member that cannot be read."""
    return OutcomeUnknownError(f"PayPal's answer cannot be read: {name} is missing or of a kind we do not know")


def _fail(name: str) -> datetime:
    raise unreadable(name)
