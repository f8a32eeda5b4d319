"""The control calls that open, decide and escalate disputes, at whichever gateway the payment is."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.control.body import only, read_json
from sandbox.control.errors import AbsentError, ControlError
from sandbox.disputes import outcome, wanted
from sandbox.part import Part


class DisputeControl:
    """What customers and banks do, which no API of a gateway's lets a shop do."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts

    def routes(self) -> list[Route]:
        """Where it is."""
        return [
            Route("/sandbox/disputes", self.open, methods=["POST"]),
            Route("/sandbox/disputes/{dispute}/decide", self.decide, methods=["POST"]),
            Route("/sandbox/disputes/{dispute}/escalate", self.escalate, methods=["POST"]),
        ]

    async def open(self, request: Request) -> Response:
        """Dispute a payment."""
        body = await read_json(request)
        only(body, "payment", "kind", "amount", "days")
        payment = body.get("payment")
        if not isinstance(payment, str):
            raise ControlError("payment", "must be the gateway's id of a payment")
        part = next((part for part in self._parts if part.gateway.knows(payment)), None)
        if part is None:
            raise AbsentError("payment")
        with part.gateway.transaction():
            dispute = part.open_dispute(payment, wanted(body))
        return JSONResponse({"dispute": dispute}, status_code=201)

    async def decide(self, request: Request) -> Response:
        """Let the bank, or the gateway, decide."""
        body = await read_json(request)
        only(body, "outcome")
        dispute, won = request.path_params["dispute"], outcome(body)
        part = self._part_of(dispute)
        with part.gateway.transaction():
            part.decide_dispute(dispute, won=won)
        return JSONResponse({"dispute": dispute})

    async def escalate(self, request: Request) -> Response:
        """Make a chargeback of an inquiry."""
        only(await read_json(request))
        dispute = request.path_params["dispute"]
        part = self._part_of(dispute)
        with part.gateway.transaction():
            part.escalate_dispute(dispute)
        return JSONResponse({"dispute": dispute})

    def _part_of(self, dispute: str) -> Part:
        for part in self._parts:
            if part.gateway.knows_dispute(dispute):
                return part
        raise AbsentError("dispute")
