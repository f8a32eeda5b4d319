"""The events calls: what happened in the last thirty days."""

from sandbox.gateway import EVENTS_KEPT_SECONDS
from sandbox.store import Filter, Json
from sandbox.stripe import params as p
from sandbox.stripe.call import Call
from sandbox.stripe.errors import invalid, missing
from sandbox.stripe.gateway import Gateway
from sandbox.stripe.lists import LIST_CHECKS, listed

_LIST = {**LIST_CHECKS, "type": p.text, "types": p.words}
_MOST_TYPES = 20


def list_all(gateway: Gateway, call: Call) -> Json:
    """Events, newest first; a type may end in `*`, several may be named."""
    params = p.check(call.params, _LIST)
    types = tuple(params.get("types", ()))
    if types and "type" in params:
        raise invalid("You may only specify one of these parameters: type, types.", "types")
    if len(types) > _MOST_TYPES:
        raise invalid(f"Array types exceeded maximum {_MOST_TYPES} allowed elements.", "types")
    since = gateway.clock.now() - EVENTS_KEPT_SECONDS
    narrow = Filter("event", label=params.get("type"), labels=types, since=since)
    return listed(gateway, narrow, params, "/v1/events")


def retrieve(gateway: Gateway, call: Call) -> Json:
    """Read an event, as long as it is kept."""
    p.check(call.params, {"expand": p.words})
    event = gateway.find("event", call.ids[0])
    if event["created"] < gateway.clock.now() - EVENTS_KEPT_SECONDS:
        raise missing("event", call.ids[0], "id")
    return event
