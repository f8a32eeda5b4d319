"""Form-encoded parameters with nested names, and the checks every call makes of its own."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from sandbox.stripe.errors import StripeError, invalid

Check = Callable[[Any, str], Any]

_MAX_DEPTH = 5
_MAX_FIELDS = 500


def parse(text: str) -> dict[str, Any]:
    """Turn `a[b]=1&c[]=2&d[0]=3` into nested dictionaries and lists."""
    tree: dict[str, Any] = {}
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict")
    except (ValueError, UnicodeDecodeError) as error:
        raise invalid("The request body could not be decoded.") from error
    for name, value in pairs:
        _place(tree, name, value)
    return {name: _lists(value) for name, value in tree.items()}


def _place(tree: dict[str, Any], name: str, value: str) -> None:
    head, bracket, rest = name.partition("[")
    path = [head, *rest[:-1].split("][")] if bracket else [head]
    if (bracket and not rest.endswith("]")) or not head or len(path) > _MAX_DEPTH:
        raise invalid(f"Invalid parameter name: {name}", name)
    node = tree
    for step in path[:-1]:
        node = node.setdefault(step, {})
        if not isinstance(node, dict):
            raise invalid(f"Invalid parameter: {name}", name)
    leaf = path[-1] or str(len(node))
    if isinstance(node.get(leaf), dict):
        raise invalid(f"Invalid parameter: {name}", name)
    node[leaf] = value


def _lists(value: Any) -> Any:
    """Dictionaries whose keys count from zero are the wire's way to write lists."""
    if not isinstance(value, dict):
        return value
    if value and all(key.isdecimal() for key in value):
        return [_lists(item) for _, item in sorted(value.items(), key=lambda pair: int(pair[0]))]
    return {key: _lists(item) for key, item in value.items()}


def check(params: dict[str, Any], checks: Mapping[str, Check], required: tuple[str, ...] = ()) -> dict[str, Any]:
    """The parameters in their types; unknown ones are refused as Stripe does."""
    for name in params:
        if name not in checks:
            raise invalid(f"Received unknown parameter: {name}", name, "parameter_unknown")
    for name in required:
        if params.get(name) in (None, ""):
            raise invalid(f"Missing required param: {name}.", name, "parameter_missing")
    # An empty value unsets a parameter, which for a new object is the same as not sending it.
    return {name: checks[name](value, name) for name, value in params.items() if value != ""}


def text(value: Any, name: str) -> str:
    """Any text."""
    if not isinstance(value, str):
        raise invalid(f"Invalid string: {name}", name)
    return value


def integer(value: Any, name: str) -> int:
    """A whole number, written as one."""
    digits = value[1:] if isinstance(value, str) and value.startswith("-") else value
    if not isinstance(digits, str) or not digits.isascii() or not digits.isdecimal() or len(digits) > 18:
        raise invalid(f"Invalid integer: {value}", name, "parameter_invalid_integer")
    return int(value)


def amount(value: Any, name: str) -> int:
    """A number of minor units above zero."""
    number = integer(value, name)
    if number < 1:
        raise invalid("Invalid positive integer", name, "parameter_invalid_integer")
    return number


def boolean(value: Any, name: str) -> bool:
    """True or false, as the wire writes them."""
    if value not in ("true", "false"):
        raise invalid(f"Invalid boolean: {value}", name)
    return bool(value == "true")


def one_of(*allowed: str) -> Check:
    """One of some words."""

    def pick(value: Any, name: str) -> str:
        if value not in allowed:
            raise invalid(f"Invalid {name}: must be one of {', '.join(allowed)}", name)
        return str(value)

    return pick


def words(value: Any, name: str) -> list[str]:
    """A list of texts; one alone may come without brackets."""
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, list) or any(not isinstance(word, str) for word in found):
        raise invalid(f"Invalid array: {name}", name)
    return found


def mapping(value: Any, name: str) -> dict[str, Any]:
    """A nested object."""
    if not isinstance(value, dict):
        raise invalid(f"Invalid object: {name}", name)
    return value


def metadata(value: Any, name: str) -> dict[str, str]:
    """Up to 50 names of up to 40 letters with up to 500 letters each."""
    found = {str(at): item for at, item in enumerate(value)} if isinstance(value, list) else mapping(value, name)
    if len(found) > 50:
        raise invalid("Metadata can have at most 50 keys.", name)
    for key, item in found.items():
        if not isinstance(item, str) or len(key) > 40 or len(item) > 500:
            raise _bad_metadata(name, key)
    return {key: item for key, item in found.items() if item != ""}


def _bad_metadata(name: str, key: str) -> StripeError:
    return invalid("Metadata keys have up to 40 and values up to 500 characters.", f"{name}[{key[:40]}]")


def moment(value: Any, name: str) -> dict[str, int]:
    """A time, or bounds on it (`gte`, `gt`, `lte`, `lt`)."""
    if not isinstance(value, dict):
        return {"gte": integer(value, name), "lte": integer(value, name)}
    for bound in value:
        if bound not in ("gte", "gt", "lte", "lt"):
            raise invalid(f"Received unknown parameter: {name}[{bound}]", f"{name}[{bound}]", "parameter_unknown")
    return {bound: integer(item, f"{name}[{bound}]") for bound, item in value.items()}
