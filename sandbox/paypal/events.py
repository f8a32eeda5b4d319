"""The list of what webhooks told, whoever listened."""

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from sandbox.gateway import EVENT
from sandbox.paypal import shapes
from sandbox.paypal.call import Call
from sandbox.paypal.errors import invalid, missing
from sandbox.paypal.gateway import Gateway
from sandbox.store import Filter, Json

_DEFAULT_SIZE, _LARGEST_SIZE = 10, 300


def list_all(gateway: Gateway, call: Call) -> Json:
    """Events of a time, the newest first; both of its ends belong to it."""
    query = call.query
    size, before = _number(query, "page_size", _LARGEST_SIZE) or _DEFAULT_SIZE, _number(query, "page_token", 2**62)
    start, end = _date(query, "start_time"), _date(query, "end_time")
    # The times are whole seconds, events happen between them.
    narrow = Filter(EVENT, label=query.get("event_type"), since=start, until=None if end is None else end + 1)
    rows = gateway.store.newest(narrow, size + 1, before=before)
    shown = rows[:size]
    me = f"{call.origin.api_url}/v1/notifications/webhooks-events"
    links = [shapes.link(f"{me}?{urlencode(query)}", "self")]
    if len(rows) > size:
        further = urlencode({**query, "page_token": str(shown[-1]["sequence"])})
        links.append(shapes.link(f"{me}?{further}", "next"))
    return {"events": [json.loads(row["body"]) for row in shown], "count": len(shown), "links": links}


def retrieve(gateway: Gateway, call: Call) -> Json:
    """Read an event."""
    event = gateway.store.get(EVENT, call.ids[0])
    if event is None:
        raise missing()
    return event


def _date(query: dict[str, str], name: str) -> float | None:
    given = query.get(name)
    if given is None:
        return None
    try:
        found = datetime.fromisoformat(given)
    except ValueError as error:
        raise invalid(name, "INVALID_PARAMETER_SYNTAX", given, "query") from error
    return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp()


def _number(query: dict[str, str], name: str, most: int) -> int | None:
    given: Any = query.get(name)
    if given is None:
        return None
    if not given.isascii() or not given.isdigit() or not 1 <= int(given) <= most:
        raise invalid(name, "INVALID_PARAMETER_VALUE", given, "query")
    return int(given)
