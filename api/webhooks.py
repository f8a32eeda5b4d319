"""`POST /webhooks/{gateway}`: proven to be the gateway's, stored, then answered; what it means is found out later.

The hot path, so it is a plain route: no models, no dependencies. 200 is said only after the commit of every event in
the delivery, since the gateway forgets what it was answered 200.
"""

import asyncio
import logging
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from activities.deliveries import delivery_of, is_storable
from api.intake import read_body
from api.problems import Problem, unavailable
from api.services import services_of
from domain.errors import GatewayUnreachableError
from gateways.contract import Gateway, WebhookEvent

_KEPT = ("content-type", "user-agent")
_LONGEST_KEPT = 4096
_RECEIVED = b'{"received":true}'
_log = logging.getLogger(__name__)


async def receive_webhook(request: Request) -> Response:
    """200 once stored. Raises Problem: 400 not authentic, 404 unknown gateway, 408 and 413 from reading."""
    services = services_of(request)
    gateway = services.gateways.get(request.path_params["gateway"])
    if gateway is None:
        raise Problem(404, "gateway_not_found", "No gateway of this name is configured.")
    body = await read_body(request)
    headers = _headers(request)
    now = datetime.now(UTC)
    kept = _worth_keeping(gateway.name, headers)
    events = await _events(gateway, body, headers, now)
    deliveries = [delivery_of(gateway, event, body, kept, now) for event in events]
    if len(deliveries) == 1:
        await services.inbox.store(deliveries[0])
    else:
        await asyncio.gather(*(services.inbox.store(delivery) for delivery in deliveries))
    return Response(_RECEIVED, media_type="application/json")


def _headers(request: Request) -> dict[str, str]:
    """Header names in lower case. A name sent twice is joined, as HTTP reads it: two signatures are none."""
    values: dict[str, list[str]] = {}
    for name, value in request.headers.raw:
        values.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))
    return {name: ",".join(several) for name, several in values.items()}


async def _events(gateway: Gateway, body: bytes, headers: dict[str, str], now: datetime) -> list[WebhookEvent]:
    """What the delivery tells. Raises Problem 400 for whatever keeps the adapter from vouching for it.

    503 when the gateway itself has to be asked and cannot be: it will send the delivery again.
    """
    try:
        events = await gateway.parse_webhook(body, headers, now)
        if not all(is_storable(event) for event in events):
            raise ValueError("an id that no text column can hold")
    except GatewayUnreachableError as error:
        raise unavailable("gateway_unreachable", f"The delivery cannot be proven now: {error}") from None
    except Exception as error:  # noqa: BLE001 - A forger chooses the bytes, so any failure to read them means no.
        _log.warning("a delivery to %s was refused: %s", gateway.name, type(error).__name__)
        detail = "The signature does not fit the body, or the body cannot be read."
        raise Problem(400, "not_authentic", detail) from None
    return events


def _worth_keeping(gateway: str, headers: dict[str, str]) -> dict[str, str]:
    """The gateway's own headers, by which a delivery could be proven again, and what the body is."""
    return {
        name: value[:_LONGEST_KEPT]
        for name, value in headers.items()
        if name in _KEPT or name.startswith(f"{gateway}-")
    }
