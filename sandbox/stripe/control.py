"""Control calls that only Stripe has."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.control.body import not_negative, only, read_json
from sandbox.control.errors import AbsentError
from sandbox.stripe.gateway import Gateway
from sandbox.stripe.hooks import new_secret

_ROLL_DEFAULT = 86_400.0


class StripeControl:
    """How far search lags, and secrets that are rolled."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def routes(self) -> list[Route]:
        """Where it is."""
        return [
            Route("/sandbox/search_lag", self.search_lag, methods=["POST"]),
            Route("/sandbox/webhook_endpoints/{endpoint}/roll_secret", self.roll_secret, methods=["POST"]),
        ]

    async def search_lag(self, request: Request) -> Response:
        """Set how many seconds a new payment stays invisible to search."""
        body = await read_json(request)
        only(body, "seconds")
        self._gateway.search_lag = not_negative(body, "seconds", None)
        return JSONResponse({"seconds": self._gateway.search_lag})

    async def roll_secret(self, request: Request) -> Response:
        """Give an endpoint a new secret, as the dashboard does; the old one goes on signing for a while."""
        body = await read_json(request)
        only(body, "expires_in_seconds")
        endpoint = request.path_params["endpoint"]
        if self._gateway.store.get("webhook_endpoint", endpoint) is None:
            raise AbsentError("endpoint")
        secret = new_secret()
        self._gateway.endpoints.roll(endpoint, secret, not_negative(body, "expires_in_seconds", _ROLL_DEFAULT))
        return JSONResponse({"secret": secret})
