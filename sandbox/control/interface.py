"""The control interface: faults, the clock, the books, what settles, what was delivered."""

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox import settlement
from sandbox.books import Books
from sandbox.clock import Clock
from sandbox.control.body import only, positive, read_json
from sandbox.control.errors import AbsentError, ControlError
from sandbox.faults import Faults
from sandbox.part import Part


def refuse(_: Request, error: Exception) -> Response:
    """A control request that was wrong, naming the field."""
    assert isinstance(error, ControlError)
    content = {"error": {"field": error.field, "message": f"{error.field} {error.message}"}}
    return JSONResponse(content, status_code=error.status)


class Control:
    """The part of /sandbox that all gateways share."""

    def __init__(self, clock: Clock, books: Books, faults: Faults, parts: Sequence[Part]) -> None:
        self._clock = clock
        self._books = books
        self._faults = faults
        self._parts = parts

    def routes(self) -> list[Route]:
        """Where it is."""
        return [
            Route("/healthz", self.health),
            Route("/sandbox/books", self.books),
            Route("/sandbox/clock", self.read_clock, methods=["GET"]),
            Route("/sandbox/clock", self.advance, methods=["POST"]),
            Route("/sandbox/faults", self.list_faults, methods=["GET"]),
            Route("/sandbox/faults", self.add_fault, methods=["POST"]),
            Route("/sandbox/faults", self.clear_faults, methods=["DELETE"]),
            Route("/sandbox/faults/{fault_id}", self.remove_fault, methods=["DELETE"]),
            Route("/sandbox/settle", self.settle, methods=["POST"]),
            Route("/sandbox/payments/{payment}/pay_late", self.pay_late, methods=["POST"]),
            Route("/sandbox/payments/{payment}/resend", self.resend, methods=["POST"]),
            Route("/sandbox/deliveries", self.deliveries, methods=["GET"]),
        ]

    async def health(self, _: Request) -> Response:
        """Whether the sandbox serves."""
        return JSONResponse({"status": "ok"})

    async def books(self, request: Request) -> Response:
        """The books, in the order money moved."""
        query = request.query_params
        only(dict(query), "gateway", "payment", "checkout_id")
        rows = self._books.rows(query.get("gateway"), query.get("payment"), query.get("checkout_id"))
        return JSONResponse({"data": rows})

    async def read_clock(self, _: Request) -> Response:
        """Virtual time."""
        return JSONResponse(self._time())

    async def advance(self, request: Request) -> Response:
        """Let virtual time pass, and what is due by then happen."""
        body = await read_json(request)
        only(body, "advance_seconds")
        seconds = positive(body, "advance_seconds")
        if seconds is None:
            raise ControlError("advance_seconds", "must be given")
        self._clock.advance(seconds)
        moved = [name for part in self._parts for name in settlement.catch_up(part)]
        return JSONResponse({**self._time(), "moved": moved})

    def _time(self) -> dict[str, Any]:
        return {"now": self._clock.stamp(), "offset_seconds": self._clock.offset}

    async def list_faults(self, _: Request) -> Response:
        """Every fault, with how often it struck."""
        return JSONResponse({"data": self._faults.listed()})

    async def add_fault(self, request: Request) -> Response:
        """Set a fault."""
        return JSONResponse(self._faults.add(await read_json(request)), status_code=201)

    async def clear_faults(self, _: Request) -> Response:
        """Take all faults back."""
        self._faults.clear()
        return Response(status_code=204)

    async def remove_fault(self, request: Request) -> Response:
        """Take one fault back."""
        found = self._faults.remove(request.path_params["fault_id"])
        return Response(status_code=204 if found else 404)

    async def settle(self, _: Request) -> Response:
        """Settle what is pending now, at every gateway."""
        return JSONResponse({"moved": [name for part in self._parts for name in settlement.settle_now(part)]})

    async def pay_late(self, request: Request) -> Response:
        """Let money arrive for a payment that is over."""
        body = await read_json(request)
        payment = request.path_params["payment"]
        return JSONResponse(self._part_of(payment).pay_late(payment, body))

    async def resend(self, request: Request) -> Response:
        """Send a payment's last event once more, under its own id."""
        payment = request.path_params["payment"]
        gateway = self._part_of(payment).gateway
        told = gateway.last_event(payment)
        if told is None:
            raise AbsentError("event")
        with gateway.transaction():
            endpoints = gateway.plan(told)
        return JSONResponse({"event": told.id, "type": told.type, "endpoints": endpoints})

    async def deliveries(self, request: Request) -> Response:
        """Webhook deliveries with their attempts, gateway by gateway."""
        only(dict(request.query_params), "payment", "gateway")
        payment, name = request.query_params.get("payment"), request.query_params.get("gateway")
        gateways = [part.gateway for part in self._parts if name in (None, part.gateway.name)]
        rows = [{"gateway": each.name, **row} for each in gateways for row in each.deliveries.rows(payment)]
        return JSONResponse({"data": rows})

    def _part_of(self, payment: str) -> Part:
        for part in self._parts:
            if part.gateway.knows(payment):
                return part
        raise AbsentError("payment")
