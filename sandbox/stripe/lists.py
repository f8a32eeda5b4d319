"""Stripe's lists: newest first, in pages, with cursors that are ids."""

import json
from dataclasses import replace

from sandbox.store import Filter, Json
from sandbox.stripe import params as p
from sandbox.stripe.errors import invalid, missing
from sandbox.stripe.gateway import Gateway

LIST_CHECKS: dict[str, p.Check] = {
    "created": p.moment,
    "ending_before": p.text,
    "expand": p.words,
    "limit": p.integer,
    "starting_after": p.text,
}
_DEFAULT_LIMIT, _MOST = 10, 100


def page_size(params: Json) -> int:
    """How many objects a page holds."""
    limit: int = params.get("limit", _DEFAULT_LIMIT)
    if not 1 <= limit <= _MOST:
        raise invalid(f"This value must be between 1 and {_MOST}.", "limit", "parameter_invalid_integer")
    return limit


def listed(gateway: Gateway, narrow: Filter, params: Json, url: str) -> Json:
    """One page of a list."""
    limit = page_size(params)
    narrow = _bounded(narrow, params.get("created", {}))
    before, after = (_sequence(gateway, narrow, cursor, name) for name, cursor in cursors(params))
    rows = gateway.store.newest(narrow, limit + 1, before=before, after=after)
    more = len(rows) > limit
    if more:
        rows = rows[1:] if after is not None else rows[:limit]
    return {"object": "list", "data": [json.loads(row["body"]) for row in rows], "has_more": more, "url": url}


def _bounded(narrow: Filter, created: dict[str, int]) -> Filter:
    """Stripe bounds whole seconds, so `lte` takes in the second it names."""
    since = max([float(created["gte"])] if "gte" in created else [], default=narrow.since)
    if "gt" in created:
        since = max(since or 0.0, created["gt"] + 1.0)
    if narrow.since is not None:
        since = max(since or 0.0, narrow.since)
    until = [created["lte"] + 1.0] if "lte" in created else []
    if "lt" in created:
        until.append(float(created["lt"]))
    return replace(narrow, since=since, until=min(until, default=narrow.until))


def cursors(params: Json) -> tuple[tuple[str, str | None], tuple[str, str | None]]:
    """Where a page begins and where it ends, of which only one can be given."""
    if "starting_after" in params and "ending_before" in params:
        raise invalid("You cannot send both starting_after and ending_before.", "ending_before")
    names = ("starting_after", "ending_before")
    return (names[0], params.get(names[0])), (names[1], params.get(names[1]))


def _sequence(gateway: Gateway, narrow: Filter, object_id: str | None, name: str) -> int | None:
    if object_id is None:
        return None
    row = gateway.store.row(object_id)
    if row is None or row["kind"] != narrow.kind:
        raise missing(narrow.kind, object_id, name)
    sequence: int = row["sequence"]
    return sequence
