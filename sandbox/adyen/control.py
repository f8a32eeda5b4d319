"""Control calls that only Adyen has: further webhook endpoints, their keys, batches, and money that comes back."""

from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.adyen import disputes
from sandbox.adyen.gateway import AdyenGateway, new_hmac_key
from sandbox.control.body import not_negative, only, read_json
from sandbox.control.errors import AbsentError, ControlError
from sandbox.disputes import DISPUTE
from sandbox.ids import random_text
from sandbox.store import Json
from sandbox.webhooks.endpoints import KIND

_LARGEST_BATCH = 100


def endpoint(endpoint_id: str, url: str) -> Json:
    """A webhook as it is set up in Adyen's Customer Area: it hears of everything."""
    return {"id": endpoint_id, "url": url, "enabled_events": ["*"], "status": "enabled"}


class AdyenControl:
    """What a merchant does in the Customer Area, which has no place in the Checkout API."""

    def __init__(self, gateway: AdyenGateway) -> None:
        self._gateway = gateway

    def routes(self) -> list[Route]:
        """Where it is."""
        return [
            Route("/sandbox/adyen/batch", self.batch, methods=["POST"]),
            Route("/sandbox/adyen/disputes/{dispute}/reverse", self.reverse, methods=["POST"]),
            Route("/sandbox/adyen/endpoints", self.add, methods=["POST"]),
            Route("/sandbox/adyen/endpoints/{endpoint}", self.remove, methods=["DELETE"]),
            Route("/sandbox/adyen/endpoints/{endpoint}/roll_key", self.roll_key, methods=["POST"]),
        ]

    async def batch(self, request: Request) -> Response:
        """Have notifications wait for each other, up to so many in one post."""
        body = await read_json(request)
        only(body, "size", "seconds")
        size = body.get("size")
        if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= _LARGEST_BATCH:
            raise ControlError("size", f"must be a whole number from 1 to {_LARGEST_BATCH}")
        self._gateway.batch_seconds = not_negative(body, "seconds", 0.0 if size == 1 else 1.0)
        self._gateway.batch_size = size
        return JSONResponse({"size": size, "seconds": self._gateway.batch_seconds})

    async def reverse(self, request: Request) -> Response:
        """Give disputed money back for the time being, as Adyen does when a defence has been accepted so far."""
        only(await read_json(request))
        dispute = self._gateway.store.get(DISPUTE, request.path_params["dispute"])
        if dispute is None:
            raise AbsentError("dispute")
        with self._gateway.transaction():
            disputes.reverse(self._gateway, dispute)
        return JSONResponse({"dispute": dispute["id"]})

    async def add(self, request: Request) -> Response:
        """A further endpoint; only this answer shows its key."""
        body = await read_json(request)
        only(body, "url")
        added, key = endpoint(f"WBHK{random_text(20)}", _url(body)), new_hmac_key()
        self._gateway.endpoints.add(added, key)
        return JSONResponse({"id": added["id"], "url": added["url"], "hmac_key": key}, status_code=201)

    async def remove(self, request: Request) -> Response:
        """An endpoint is taken away."""
        self._gateway.endpoints.remove(self._known(request))
        return Response(status_code=204)

    async def roll_key(self, request: Request) -> Response:
        """A new key; the old one goes on signing for a while, because a new one takes time to spread at Adyen."""
        body = await read_json(request)
        only(body, "old_signs_for_seconds")
        known, key = self._known(request), new_hmac_key()
        self._gateway.endpoints.roll(known, key, not_negative(body, "old_signs_for_seconds", 0.0))
        return JSONResponse({"id": known, "hmac_key": key})

    def _known(self, request: Request) -> str:
        name: str = request.path_params["endpoint"]
        if self._gateway.store.get(KIND, name) is None:
            raise AbsentError("endpoint")
        return name


def _url(body: dict[str, Any]) -> str:
    url = body.get("url")
    try:
        good = isinstance(url, str) and urlsplit(url).scheme in ("http", "https") and bool(urlsplit(url).hostname)
    except ValueError:
        good = False
    if not good:
        raise ControlError("url", "must be an http or https address")
    return str(url)
