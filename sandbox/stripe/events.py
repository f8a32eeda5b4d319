"""The events calls: what happened in the last thirty days."""

from sandbox.gateway import EVENTS_KEPT_SECONDS
from sandbox.store import Filter, Json
from sandbox.stripe import params as p
from sandbox.stripe.call import Call
from sandbox.stripe.errors import missing
from sandbox.stripe.gateway import Gateway
from sandbox.stripe.lists import LIST_CHECKS, listed

_LIST = {**LIST_CHECKS, "type": p.text}


def list_all(gateway: Gateway, call: Call) -> Json:
    """Events, newest first; a type may end in `*`."""
    params = p.check(call.params, _LIST)
    narrow = Filter("event", label=params.get("type"), since=gateway.clock.now() - EVENTS_KEPT_SECONDS)
    return listed(gateway, narrow, params, "/v1/events")


def retrieve(gateway: Gateway, call: Call) -> Json:
    """Read an event, as long as it is kept."""
    p.check(call.params, {"expand": p.words})
    event = gateway.find("event", call.ids[0])
    if event["created"] < gateway.clock.now() - EVENTS_KEPT_SECONDS:
        raise missing("event", call.ids[0], "id")
    return event
