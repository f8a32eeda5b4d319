"""What every route under /v1 goes through before its own work, in this order: key, scope, address, body."""

from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from api.auth import caller_of
from api.documents import refuse_card_numbers
from api.intake import StrictRequest
from api.services import services_of


class GuardedRoute(APIRoute):
    """A route for known callers only. Reading needs the scope `read`, everything else `write`.

    The caller is known before the body is read, and a card number is found before anything is stored or logged.
    """

    scope: str | None = None
    """What every method needs, where it is another."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler with the guard in front of it."""
        work = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            strict = StrictRequest(request.scope, request.receive)
            scope = self.scope or ("read" if request.method == "GET" else "write")
            strict.state.caller = await caller_of(strict, services_of(request).authenticator, scope)
            refuse_card_numbers(_address(strict))
            if request.method == "POST":
                await strict.check_body()
            return await work(strict)

        return guarded


class ReadingRoute(GuardedRoute):
    """A route that changes nothing, also where it is asked by POST."""

    scope = "read"


class RefundingRoute(GuardedRoute):
    """A route that gives the shop's money away."""

    scope = "refund"


class CustomersRoute(GuardedRoute):
    """A route that tells who buys."""

    scope = "customers"


class OperatingRoute(GuardedRoute):
    """A route for those who run the service."""

    scope = "operate"


def _address(request: Request) -> Iterator[tuple[str, str]]:
    # Not request.url, which trusts the Host header to make sense.
    yield "path", request.scope["path"]
    for name, value in request.query_params.multi_items():
        yield "query", name
        yield name[:64], value
    # The key is kept in the database, and some clients build it from what they are about to send.
    yield "Idempotency-Key", request.headers.get("idempotency-key", "")
