"""The bodies of control requests."""

import json
from typing import Any

from starlette.requests import Request

from sandbox.control.errors import ControlError


async def read_json(request: Request) -> dict[str, Any]:
    """A control request's body; an empty one is an empty object."""
    raw = await request.body()
    try:
        body = json.loads(raw) if raw else {}
    except (ValueError, RecursionError) as error:
        raise ControlError("body", f"is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise ControlError("body", "must be a JSON object")
    return body


def only(body: dict[str, Any], *names: str) -> None:
    """Refuse fields that mean nothing here, because a misspelt one would be ignored silently."""
    for name in body:
        if name not in names:
            raise ControlError(name, f"is not known; known: {', '.join(names) or 'none'}")


def positive(body: dict[str, Any], name: str) -> float | None:
    """A number above zero from a control body, or None where it is absent."""
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 10**9:
        raise ControlError(name, "must be a number of seconds above 0")
    return float(value)


def not_negative(body: dict[str, Any], name: str, default: float | None) -> float:
    """A number from zero from a control body; one without a default must be there."""
    value = body.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 10**9:
        raise ControlError(name, "must be a number of seconds from 0")
    return float(value)
