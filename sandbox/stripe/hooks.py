"""The webhook_endpoints calls."""

from urllib.parse import urlsplit

from sandbox.ids import random_text
from sandbox.store import Filter, Json
from sandbox.stripe import params as p
from sandbox.stripe import shapes
from sandbox.stripe.call import Call
from sandbox.stripe.errors import invalid
from sandbox.stripe.gateway import Gateway
from sandbox.stripe.lists import LIST_CHECKS, listed

_CREATE = {
    "api_version": p.text,
    "description": p.text,
    "enabled_events": p.words,
    "expand": p.words,
    "metadata": p.metadata,
    "url": p.text,
}
_UPDATE = {
    "description": p.text,
    "disabled": p.boolean,
    "enabled_events": p.words,
    "expand": p.words,
    "url": p.text,
}


def create(gateway: Gateway, call: Call) -> Json:
    """Register an address; only this answer shows its secret."""
    params = p.check(call.params, _CREATE, required=("enabled_events", "url"))
    _check_url(params["url"])
    endpoint, secret = shapes.webhook_endpoint(params, gateway.clock.stamp()), new_secret()
    gateway.endpoints.add(endpoint, secret)
    return {**endpoint, "secret": secret}


def new_secret() -> str:
    """A signing secret."""
    return f"whsec_{random_text(32)}"


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        good = False
    if not good:
        raise invalid("Invalid URL: an explicit scheme (such as https) must be provided.", "url", "url_invalid")


def update(gateway: Gateway, call: Call) -> Json:
    """Change an endpoint."""
    params = p.check(call.params, _UPDATE)
    if "url" in params:
        _check_url(params["url"])
    endpoint = gateway.find("webhook_endpoint", call.ids[0])
    endpoint.update({name: params[name] for name in ("url", "enabled_events", "description") if name in params})
    if "disabled" in params:
        endpoint["status"] = "disabled" if params["disabled"] else "enabled"
    gateway.endpoints.update(endpoint)
    return endpoint


def retrieve(gateway: Gateway, call: Call) -> Json:
    """Read an endpoint, without its secret."""
    p.check(call.params, {"expand": p.words})
    return gateway.find("webhook_endpoint", call.ids[0])


def delete(gateway: Gateway, call: Call) -> Json:
    """Forget an endpoint."""
    endpoint = gateway.find("webhook_endpoint", call.ids[0])
    gateway.endpoints.remove(endpoint["id"])
    return {"id": endpoint["id"], "object": "webhook_endpoint", "deleted": True}


def list_all(gateway: Gateway, call: Call) -> Json:
    """Endpoints, newest first."""
    return listed(gateway, Filter("webhook_endpoint"), p.check(call.params, LIST_CHECKS), "/v1/webhook_endpoints")
