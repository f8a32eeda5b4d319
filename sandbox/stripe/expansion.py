"""Stripe's `expand[]`: ids in an answer replaced by the objects they name."""

from typing import Any

from sandbox.store import Filter, Json
from sandbox.stripe.errors import StripeError, invalid
from sandbox.stripe.gateway import Gateway

_FIELDS: dict[str, dict[str, str]] = {
    "payment_intent": {"latest_charge": "charge", "payment_method": "payment_method"},
    "charge": {"payment_intent": "payment_intent", "refunds": "refund"},
    "refund": {"charge": "charge", "payment_intent": "payment_intent"},
    "dispute": {"charge": "charge", "payment_intent": "payment_intent"},
    # A movement's source is a charge, a refund or a dispute; what can be expanded below it, all have.
    "balance_transaction": {"source": "refund"},
}
# Expandable at Stripe and always null here, so expanding them changes nothing.
_EMPTY = frozenset({"application", "balance_transaction", "customer", "on_behalf_of", "review", "transfer_data"})
_DEEPEST = 4
_BY_PREFIX = {"ch_": "charge", "du_": "dispute"}


def check(paths: Any, kind: str, *, in_list: bool) -> list[list[str]]:
    """The paths as lists of steps; refused before the call begins when one cannot be expanded."""
    if paths is None:
        return []
    given = [paths] if isinstance(paths, str) else paths
    if not isinstance(given, list) or any(not isinstance(path, str) for path in given):
        raise invalid("Invalid array: expand", "expand")
    return [_check_path(path, kind, in_list=in_list) for path in given]


def _check_path(path: str, kind: str, *, in_list: bool) -> list[str]:
    steps = path.split(".")
    if len(steps) > _DEEPEST:
        raise invalid(f"You cannot expand more than {_DEEPEST} levels of a property.", "expand")
    if in_list:
        if steps[0] != "data" or len(steps) == 1:
            raise _impossible(path)
        steps = steps[1:]
    fields = [step for at, step in enumerate(steps) if not (step == "data" and at and steps[at - 1] == "refunds")]
    for step in fields:
        if step in _EMPTY:
            break
        if step not in _FIELDS.get(kind, {}):
            raise _impossible(path)
        kind = _FIELDS[kind][step]
    return fields


def _impossible(path: str) -> StripeError:
    return invalid(f"This property cannot be expanded ({path}).", "expand")


def apply(gateway: Gateway, body: Json, paths: list[list[str]]) -> Json:
    """The answer with its paths expanded."""
    for item in body["data"] if body["object"] in ("list", "search_result") else [body]:
        for path in paths:
            _expand(gateway, item, path)
    return body


def _expand(gateway: Gateway, body: Json, path: list[str]) -> None:
    step, rest = path[0], path[1:]
    kind = _FIELDS.get(body["object"], {}).get(step)
    if kind is None:
        return
    if kind == "refund" and step not in body:
        body[step] = _refunds(gateway, body["id"])
    elif isinstance(body[step], str):
        body[step] = gateway.find(_BY_PREFIX.get(body[step][:3], kind), body[step])
    found = body[step]
    if not rest or found is None:
        return
    for item in found["data"] if found["object"] == "list" else [found]:
        _expand(gateway, item, rest)


def _refunds(gateway: Gateway, charge_id: str) -> Json:
    found = list(gateway.store.bodies(Filter("refund", label=charge_id)))
    return {
        "object": "list",
        "data": found[:10],
        "has_more": len(found) > 10,
        "url": f"/v1/charges/{charge_id}/refunds",
    }
