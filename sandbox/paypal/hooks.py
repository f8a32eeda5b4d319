"""The webhooks calls, and the certificates that webhooks are signed with."""

from typing import Any
from urllib.parse import urlsplit

from sandbox.paypal import shapes
from sandbox.paypal.call import Call
from sandbox.paypal.errors import invalid, missing
from sandbox.paypal.gateway import Gateway, new_id
from sandbox.store import Filter, Json
from sandbox.webhooks.endpoints import KIND


def record(endpoint_id: str, url: str, events: list[str]) -> Json:
    """An endpoint as the sandbox keeps it."""
    return {"id": endpoint_id, "url": url, "enabled_events": events, "status": "enabled"}


def create(gateway: Gateway, call: Call) -> Json:
    """Register an address; its id is part of what is signed."""
    url = call.body.get("url")
    if not isinstance(url, str) or not _good(url):
        raise invalid("/url", "INVALID_PARAMETER_SYNTAX", url)
    endpoint = record(new_id(), url, _names(call.body.get("event_types")))
    gateway.endpoints.add(endpoint)
    return _shape(endpoint, call)


def _good(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def _names(given: Any) -> list[str]:
    names = [each.get("name") if isinstance(each, dict) else None for each in given] if isinstance(given, list) else []
    if not names or any(not isinstance(name, str) for name in names):
        raise invalid("/event_types", "MISSING_REQUIRED_PARAMETER")
    return [str(name) for name in names]


def retrieve(gateway: Gateway, call: Call) -> Json:
    """Read an endpoint."""
    return _shape(_find(gateway, call), call)


def list_all(gateway: Gateway, call: Call) -> Json:
    """Every endpoint."""
    return {"webhooks": [_shape(endpoint, call) for endpoint in gateway.store.bodies(Filter(KIND))]}


def delete(gateway: Gateway, call: Call) -> None:
    """Forget an endpoint."""
    gateway.endpoints.remove(_find(gateway, call)["id"])


def _find(gateway: Gateway, call: Call) -> Json:
    endpoint = gateway.store.get(KIND, call.ids[0])
    if endpoint is None:
        raise missing()
    return endpoint


def _shape(endpoint: Json, call: Call) -> Json:
    me = f"{call.origin.api_url}/v1/notifications/webhooks/{endpoint['id']}"
    return {
        "id": endpoint["id"],
        "url": endpoint["url"],
        "event_types": [{"name": name} for name in endpoint["enabled_events"]],
        "links": [shapes.link(me, "self"), shapes.link(me, "delete", "DELETE")],
    }
