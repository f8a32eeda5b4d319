"""JSON bodies, and the checks every call makes of its own fields."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sandbox.adyen.currencies import DECIMALS
from sandbox.adyen.errors import invalid, missing_field, unreadable

Check = Callable[[Any, str], Any]

_LARGEST_VALUE = 10**12
_PAIRS, _NAME_LENGTH, _VALUE_LENGTH = 20, 20, 80


def parse(raw: bytes) -> dict[str, Any]:
    """A request's body, which must be a JSON object."""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise unreadable(f"Unexpected input: the body is not JSON ({error})") from error
    if not isinstance(body, dict):
        raise unreadable("Unexpected input: expected: {")
    return body


def check(
    body: dict[str, Any], checks: Mapping[str, Check], structure: str, required: tuple[str, ...] = ()
) -> dict[str, Any]:
    """The fields in their types; Adyen refuses a structure with fields it does not know."""
    unknown = [name for name in body if name not in checks]
    if unknown:
        raise unreadable(f"Structure of {structure} contains the following unknown fields: [{', '.join(unknown)}]")
    given = {name: checks[name](value, name) for name, value in body.items() if value is not None}
    for name in required:
        if given.get(name) in (None, ""):
            raise missing_field(name)
    return given


def anything(value: Any, _: str) -> Any:
    """A field that is taken and given back without being looked at."""
    return value


def text(longest: int) -> Check:
    """Text up to a length."""

    def _text(value: Any, name: str) -> str:
        if not isinstance(value, str):
            raise unreadable(f"Unexpected input: field '{name}' is not a string")
        if len(value) > longest:
            raise invalid("130", f"Field '{name}' is not valid: it may have up to {longest} characters.")
        return _encodable(value, name)

    return _text


def _encodable(value: str, name: str) -> str:
    """Text that can be signed and kept, which half a surrogate pair cannot."""
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise unreadable(f"Unexpected input: field '{name}' is not valid Unicode") from error
    return value


def flag(value: Any, name: str) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise unreadable(f"Unexpected input: field '{name}' is not a boolean")
    return value


def whole(value: Any, name: str) -> int:
    """A whole number from zero."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise unreadable(f"Unexpected input: field '{name}' is not an integer")
    if not 0 <= value <= _LARGEST_VALUE:
        raise invalid("130", f"Field '{name}' is not valid.")
    return value


def amount(value: Any, name: str) -> dict[str, Any]:
    """A value above zero in minor units, and a currency that Adyen takes."""
    if not isinstance(value, dict):
        raise unreadable(f"Unexpected input: field '{name}' is not an object")
    given = check(value, {"value": _integer, "currency": text(100)}, "Amount")
    for part in ("currency", "value"):
        if part not in given:
            raise missing_field(f"{name}.{part}")
    if given["currency"] not in DECIMALS:
        raise invalid("138", f"Currency '{given['currency']}' is not supported")
    if not 0 < given["value"] <= _LARGEST_VALUE:
        raise invalid("137", "Invalid amount specified")
    return {"currency": given["currency"], "value": given["value"]}


def _integer(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise unreadable(f"Unexpected input: field '{name}' is not an integer")
    return value


def moment(value: Any, name: str) -> str:
    """A date and time with its offset from UTC."""
    text(100)(value, name)
    try:
        found = datetime.fromisoformat(value)
    except ValueError as error:
        raise unreadable(f"Unexpected input: field '{name}' is not a date and time") from error
    if found.tzinfo is None:
        raise unreadable(f"Unexpected input: field '{name}' has no time zone offset")
    return str(value)


def metadata(value: Any, name: str) -> dict[str, str]:
    """Pairs of text, within the numbers and lengths that Adyen documents."""
    if not isinstance(value, dict) or any(not isinstance(item, str) for item in value.values()):
        raise unreadable(f"Unexpected input: field '{name}' is not an object of strings")
    if len(value) > _PAIRS:
        raise invalid("177", "Metadata size exceeds limit")
    if any(len(key) > _NAME_LENGTH for key in value):
        raise invalid("178", "Metadata key size exceeds limit")
    if any(len(item) > _VALUE_LENGTH for item in value.values()):
        raise invalid("179", "Metadata value size exceeds limit")
    return {_encodable(key, name): _encodable(item, name) for key, item in value.items()}
