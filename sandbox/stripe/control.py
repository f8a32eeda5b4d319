"""Stripe's part of the control interface."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.control import only, read_json
from sandbox.faults import ControlError
from sandbox.stripe import payments, settlement
from sandbox.stripe.cards import METHODS
from sandbox.stripe.gateway import Gateway, Origin
from sandbox.stripe.ids import random_text
from sandbox.stripe.store import Filter

_ROLL_DEFAULT = 86_400.0


class StripeControl:
    """What a person or a test may do to this Stripe that no API allows."""

    def __init__(self, gateway: Gateway, public_url: str | None) -> None:
        self._gateway = gateway
        self._public_url = public_url

    def routes(self) -> list[Route]:
        """Where it is."""
        return [
            Route("/sandbox/settle", self.settle, methods=["POST"]),
            Route("/sandbox/payments/{payment}/pay_late", self.pay_late, methods=["POST"]),
            Route("/sandbox/payments/{payment}/resend", self.resend, methods=["POST"]),
            Route("/sandbox/deliveries", self.deliveries, methods=["GET"]),
            Route("/sandbox/search_lag", self.search_lag, methods=["POST"]),
            Route("/sandbox/webhook_endpoints/{endpoint}/roll_secret", self.roll_secret, methods=["POST"]),
        ]

    async def settle(self, _: Request) -> Response:
        """Settle pending refunds and bank debits now."""
        return JSONResponse({"moved": settlement.settle_now(self._gateway)})

    async def pay_late(self, request: Request) -> Response:
        """Let money arrive for a payment that was canceled."""
        body = await read_json(request)
        only(body, "payment_method")
        method_id = body.get("payment_method", "pm_card_visa")
        method = METHODS.get(method_id) if isinstance(method_id, str) else None
        if method is None or method.decline is not None or method.authentication or method.bank:
            raise ControlError("payment_method", "must be a test card that succeeds at once")
        intent = self._gateway.store.get("payment_intent", request.path_params["payment"])
        if intent is None:
            return _absent("payment")
        if intent["status"] != "canceled":
            return JSONResponse(_wrong("payment", f"has status {intent['status']}, not canceled"), status_code=409)
        with self._gateway.transaction():
            payments.pay_late(self._gateway, intent, method_id, Origin(f"req_{random_text(14)}", None))
        return JSONResponse(intent)

    async def resend(self, request: Request) -> Response:
        """Send a payment's last event once more, under its own id."""
        payment = request.path_params["payment"]
        rows = self._gateway.store.newest(Filter("event", payment=payment), 1)
        if not rows:
            return _absent("payment")
        event = {"id": rows[0]["id"], "type": rows[0]["label"]}
        endpoints = self._gateway.endpoints.listening(event["type"])
        with self._gateway.transaction():
            self._gateway.plan(event, payment, endpoints)
        return JSONResponse({"event": event["id"], "type": event["type"], "endpoints": endpoints})

    async def deliveries(self, request: Request) -> Response:
        """Webhook deliveries with their attempts."""
        only(dict(request.query_params), "payment_intent")
        return JSONResponse({"data": self._gateway.deliveries.rows(request.query_params.get("payment_intent"))})

    async def search_lag(self, request: Request) -> Response:
        """Set how many seconds a new payment stays invisible to search."""
        body = await read_json(request)
        only(body, "seconds")
        self._gateway.search_lag = _not_negative(body, "seconds", None)
        return JSONResponse({"seconds": self._gateway.search_lag})

    async def roll_secret(self, request: Request) -> Response:
        """Give an endpoint a new secret, as the dashboard does; the old one goes on signing for a while."""
        body = await read_json(request)
        only(body, "expires_in_seconds")
        endpoint = request.path_params["endpoint"]
        if self._gateway.store.get("webhook_endpoint", endpoint) is None:
            return _absent("endpoint")
        lives_for = _not_negative(body, "expires_in_seconds", _ROLL_DEFAULT)
        return JSONResponse({"secret": self._gateway.endpoints.roll(endpoint, lives_for)})


def _not_negative(body: dict[str, Any], name: str, default: float | None) -> float:
    value = body.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 10**9:
        raise ControlError(name, "must be a number of seconds from 0")
    return float(value)


def _wrong(field: str, message: str) -> dict[str, Any]:
    return {"error": {"field": field, "message": f"{field} {message}"}}


def _absent(field: str) -> Response:
    return JSONResponse(_wrong(field, "does not exist"), status_code=404)
