"""Reads JSON without doubt: what two readers could understand differently is refused.

Python's own reader takes NaN, numbers beyond every range and the last of two equal names.
"""

import json
import math


class DoubtfulJsonError(ValueError):
    """Valid for Python, not for everybody."""


def read_strictly(body: bytes) -> object:
    """The document in the body.

    Raises DoubtfulJsonError, and what Python's reader raises: UnicodeDecodeError, JSONDecodeError, ValueError for a
    number with too many digits (all of them ValueErrors) and RecursionError.
    """
    return json.loads(
        body.decode("utf-8"),
        object_pairs_hook=_unique,
        parse_float=_finite,
        parse_constant=_no_constant,
    )


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise DoubtfulJsonError("an object has the same name twice")
    return members


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise DoubtfulJsonError("a number in it is out of range")
    return number


def _no_constant(text: str) -> object:
    raise DoubtfulJsonError(f"{text} is no JSON number")
