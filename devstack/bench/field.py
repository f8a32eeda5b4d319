"""What every measurement works with: the stack, and the bare parts beside it."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from temporalio.client import Client

from devstack import gateways, launch, ports, temporal
from devstack.bench.usage import Pids, pids_of
from devstack.bench.wire import Http
from devstack.errors import StackError
from devstack.parts import ChildPart, PartSpec, Say
from devstack.records import stop_one
from devstack.settings import python
from devstack.stack import Stack

GATEWAYS = tuple(gateway.name for gateway in gateways.GATEWAYS)
"""What is measured, in this order; the first one where a measurement is not about gateways."""
_JSON = {"Content-Type": "application/json"}
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_ASK_AGAIN_SECONDS = 0.2


@dataclass(frozen=True)
class Field:
    """The running parts and a way to each."""

    stack: Stack
    temporal: Client
    api: Http
    sandbox: Http
    bare_route: Http
    pids: Pids

    async def create(self, gateway: str = GATEWAYS[0]) -> dict[str, Any]:
        """A new checkout of a new order, as a shop asks for it: with an idempotency key."""
        # Longer ones may happen to be digits alone, which the API takes for card numbers.
        order = secrets.token_hex(5)
        wanted = {"order_id": order, "amount": 4200, "currency": "USD", "gateway": gateway}
        headers = _JSON | {"Idempotency-Key": order}
        answer = await self.api.post("/v1/checkouts", json.dumps(wanted).encode(), headers)
        if answer.status not in (201, 202):
            raise StackError(f"a checkout was answered {answer.status}: {answer.body.decode(errors='replace')}")
        checkout: dict[str, Any] = json.loads(answer.body)
        while checkout["next_action"] is None:
            # 202: the saga was silent for three seconds. A shop asks again, and so the whole wait counts.
            await asyncio.sleep(_ASK_AGAIN_SECONDS)
            checkout = json.loads((await self.api.get(f"/v1/checkouts/{checkout['id']}")).body)
        return checkout

    async def pay(self, checkout: dict[str, Any]) -> None:
        """What the customer does: every gateway's page takes the same form."""
        page = urlsplit(checkout["next_action"]["url"]).path
        answer = await self.sandbox.post(page, b"outcome=approve", _FORM)
        if answer.status not in (200, 303):
            raise StackError(f"the pay page answered {answer.status}")


@asynccontextmanager
async def field_on(stack: Stack, say: Say) -> AsyncIterator[Field]:
    """The field on a running stack; the bare parts are gone at the end."""
    layout, environment = stack.options.layout, stack.environment
    port = ports.any_free()
    worker = PartSpec(
        "skeleton", python("-m", "devstack.bench.skeleton_worker"), environment, layout.log("skeleton"), 15.0
    )
    route = PartSpec(
        "bare route", python("-m", "devstack.bench.bare_route", str(port)), environment, layout.log("bare-route"), 15.0
    )
    origin = f"http://{ports.HOST}:{port}"
    parts = [ChildPart(worker), ChildPart(route)]
    clients = [Http(stack.addresses.api, {"Authorization": f"Bearer {stack.api_key}"})]
    clients += [Http(stack.addresses.sandbox or ""), Http(origin)]
    try:
        await launch.worker_ready(parts[0], say)
        await launch.http_ready(parts[1], f"{origin}/healthz", say)
        pids = pids_of(stack, {"skeleton": parts[0].record.pid, "bare_route": parts[1].record.pid})
        yield Field(stack, await _temporal(stack), clients[0], clients[1], clients[2], pids)
    finally:
        for client in clients:
            client.close()
        for part in parts:
            with suppress(OSError):
                await asyncio.to_thread(stop_one, part.record)
            part.ended()


async def _temporal(stack: Stack) -> Client:
    client = await temporal.connect(stack.temporal_settings)
    if client is None:
        raise StackError("the Temporal server has gone")
    return client
