"""What every gateway's control interface shares: faults, the clock, the books, health."""

import json
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.books import Books
from sandbox.clock import Clock
from sandbox.faults import ControlError, Faults, positive


async def read_json(request: Request) -> dict[str, Any]:
    """A control request's body; an empty one is an empty object."""
    raw = await request.body()
    try:
        body = json.loads(raw) if raw else {}
    except (ValueError, RecursionError) as error:
        raise ControlError("body", f"is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise ControlError("body", "must be a JSON object")
    return body


def only(body: dict[str, Any], *names: str) -> None:
    """Refuse fields that mean nothing here, because a misspelt one would be ignored silently."""
    for name in body:
        if name not in names:
            raise ControlError(name, f"is not known; known: {', '.join(names) or 'none'}")


def refuse(_: Request, error: Exception) -> Response:
    """A control request that was wrong, naming the field."""
    assert isinstance(error, ControlError)
    content = {"error": {"field": error.field, "message": f"{error.field} {error.message}"}}
    return JSONResponse(content, status_code=400)


class Control:
    """The shared part of /sandbox."""

    def __init__(self, clock: Clock, books: Books, faults: Faults, catch_up: Callable[[], list[str]]) -> None:
        self._clock = clock
        self._books = books
        self._faults = faults
        self._catch_up = catch_up

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
        ]

    async def health(self, _: Request) -> Response:
        """Whether the sandbox serves."""
        return JSONResponse({"status": "ok"})

    async def books(self, request: Request) -> Response:
        """The books, in the order money moved."""
        query = request.query_params
        only(dict(query), "gateway", "payment_intent", "checkout_id")
        rows = self._books.rows(query.get("gateway"), query.get("payment_intent"), query.get("checkout_id"))
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
        return JSONResponse({**self._time(), "moved": self._catch_up()})

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
