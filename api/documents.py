"""Reads a request's JSON body without doubt: what two readers could understand differently is refused.

Strings that Postgres or UTF-8 cannot hold, and values shaped like a card number, are refused here as well, before
anything else sees the body.
"""

import json
from collections.abc import Iterable

from api.card_numbers import holds_card_number
from api.problems import Problem, invalid
from gateways.strict_json import DoubtfulJsonError, read_strictly

_DEEPEST = 16
CARD_NUMBER = "looks like a card number; cards are entered at the gateway and never sent here"


def read_document(body: bytes) -> object:
    """The document in the body. Raises Problem: 400 when it cannot be read, 422 naming the field that is refused."""
    try:
        document = read_strictly(body)
    except RecursionError:
        raise _malformed("it is nested too deeply") from None
    except UnicodeDecodeError:
        raise _malformed("it is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise _malformed(f"{error.msg} at line {error.lineno}, column {error.colno}") from None
    except DoubtfulJsonError as error:
        raise _malformed(str(error)) from None
    except ValueError:
        # Python's limit on the digits of one integer.
        raise _malformed("a number in it is too long") from None
    _inspect(document)
    return document


def refuse_card_numbers(values: Iterable[tuple[str, str]]) -> None:
    """Raise Problem for the first named value that holds a card number."""
    for name, value in values:
        if holds_card_number(value):
            raise invalid(name, CARD_NUMBER, "card_number_refused")


def name_of(path: Iterable[object]) -> str:
    """A field's dotted name; names a client made up are cut to what a person can read."""
    return ".".join(str(part)[:64] for part in path) or "body"


def _malformed(reason: str) -> Problem:
    return Problem(400, "malformed_body", f"The body cannot be read: {reason}.")


def _inspect(document: object) -> None:
    """Look at every name and value; iterative, since the depth is the client's choice."""
    waiting: list[tuple[tuple[object, ...], object]] = [((), document)]
    while waiting:
        path, value = waiting.pop()
        if len(path) > _DEEPEST:
            raise _malformed("it is nested too deeply")
        if isinstance(value, dict):
            for name, member in value.items():
                _inspect_text((*path, "(a name)"), name)
                waiting.append(((*path, name), member))
        elif isinstance(value, list):
            waiting.extend(((*path, index), member) for index, member in enumerate(value))
        elif isinstance(value, str):
            _inspect_text(path, value)
        elif isinstance(value, int | float) and holds_card_number(_digits(value)):
            raise invalid(name_of(path), CARD_NUMBER, "card_number_refused")


def _digits(number: float) -> str:
    """A number as the digits a person would have typed; beyond 19 of them it is no card number."""
    return str(int(number)) if abs(number) < 1e19 else ""


def _inspect_text(path: tuple[object, ...], text: str) -> None:
    if holds_card_number(text):
        raise invalid(name_of(path), CARD_NUMBER, "card_number_refused")
    if "\x00" in text or not _encodable(text):
        raise invalid(name_of(path), "must not contain NUL or half of a surrogate pair")


def _encodable(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= c <= "\udfff" for c in text)
