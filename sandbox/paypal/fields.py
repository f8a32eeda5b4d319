"""Reading what a caller sent: each field is what it should be, or PayPal's refusal."""

from typing import Any

from sandbox.paypal.errors import invalid
from sandbox.store import Json


def mapping(body: Json, name: str, at: str) -> Json:
    """An object, empty where it is absent."""
    found = body.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise invalid(f"{at}/{name}", "MALFORMED_REQUEST_JSON")
    return found


def text(body: Json, name: str, at: str, longest: int) -> str | None:
    """A text up to a length, or None."""
    found = body.get(name)
    if found is None:
        return None
    if not isinstance(found, str) or not found:
        raise invalid(f"{at}/{name}", "INVALID_PARAMETER_SYNTAX", found)
    if len(found) > longest:
        raise invalid(f"{at}/{name}", "INVALID_STRING_MAX_LENGTH", found)
    return found


def texts(body: Json, at: str, longest: dict[str, int]) -> Json:
    """The texts that are there, each up to its length."""
    found = {name: text(body, name, at, most) for name, most in longest.items()}
    return {name: value for name, value in found.items() if value is not None}


def boolean(body: Json, name: str, at: str, default: bool) -> bool:
    """True or false."""
    found: Any = body.get(name, default)
    if not isinstance(found, bool):
        raise invalid(f"{at}/{name}", "INVALID_PARAMETER_SYNTAX", found)
    return found
