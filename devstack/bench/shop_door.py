"""A shop's address that takes every delivery at once and remembers how long each was on the way."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from fastapi import FastAPI, Request, Response

from devstack.bench.field import Field
from devstack.errors import StackError
from devstack.inprocess import served
from devstack.ports import HOST, any_free

_JSON = {"Content-Type": "application/json"}


@dataclass
class Door:
    """`lags`: seconds from the books to here, by event. Signatures are not checked: that would be the shop's cost."""

    bench: Field
    endpoint_id: str = ""
    since: datetime = field(default_factory=lambda: datetime.now(UTC))
    lags: dict[str, float] = field(default_factory=dict)
    twice: int = 0
    last: float = 0.0

    async def take(self, request: Request) -> Response:
        """Remember one delivery."""
        event = json.loads(await request.body())
        if event["id"] in self.lags:
            self.twice += 1
        else:
            self.lags[event["id"]] = (datetime.now(UTC) - datetime.fromisoformat(event["time"])).total_seconds()
        self.last = time.monotonic()
        return Response(status_code=204)

    async def shut(self) -> None:
        """Have nothing more sent here."""
        headers = _JSON | {"Idempotency-Key": f"shut-{self.endpoint_id}"}
        body = json.dumps({"state": "disabled"}).encode()
        answer = await self.bench.api.post(f"/v1/webhook-endpoints/{self.endpoint_id}", body, headers)
        if answer.status != 200:
            raise StackError(f"an endpoint's change was answered {answer.status}")


@asynccontextmanager
async def open_door(bench: Field) -> AsyncIterator[Door]:
    """The door, to which every event is sent from now on."""
    door, port = Door(bench), any_free()
    app = FastAPI(openapi_url=None)
    app.add_api_route("/", door.take, methods=["POST"])
    async with served(app, port):
        wanted = {"url": f"http://{HOST}:{port}/", "events": ["*"]}
        answer = await bench.api.post("/v1/webhook-endpoints", json.dumps(wanted).encode(), _JSON)
        if answer.status != 201:
            raise StackError(f"an endpoint was answered {answer.status}: {answer.body.decode(errors='replace')}")
        door.endpoint_id, door.since = json.loads(answer.body)["id"], datetime.now(UTC)
        yield door
