"""Webhooks acknowledged a second, next to a bare route that reads the body and commits one insert."""

import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator
from itertools import pairwise
from typing import Any

from devstack.bench import bare_route
from devstack.bench.field import Field
from devstack.bench.load import Sample, median, run
from devstack.bench.usage import cpu_seconds
from devstack.bench.wire import Http
from devstack.errors import StackError
from devstack.settings import SANDBOX_KEY

CLIENTS = 32
_ROUNDS = 3
_PER_ROUND = 3000
_WARM_UP = 300
# Stored as evidence and looked at by nobody: the dispatcher would else work beside the measurement.
_TYPE = "payment_intent.created"

Signed = tuple[bytes, dict[str, str]]


async def measure(field: Field) -> dict[str, Any]:
    """Bare, ours, bare, ours, … bare: each round of ours is compared with the two around it."""
    template = await _real_event(field)
    secret = field.stack.webhook_secrets["stripe"]

    async def ours(count: int) -> Sample:
        return await run(_sender(field.api, "/webhooks/stripe", _signed(template, secret, count)), count, CLIENTS)

    async def bare(count: int) -> Sample:
        return await run(_sender(field.bare_route, bare_route.PATH, _signed(template, secret, count)), count, CLIENTS)

    await bare(_WARM_UP)
    await ours(_WARM_UP)
    bares, acks, api_cpu = [await bare(_PER_ROUND)], [], []
    for _ in range(_ROUNDS):
        before = cpu_seconds(field.pids)["api"]
        acks.append(await ours(_PER_ROUND))
        api_cpu.append(1000 * (cpu_seconds(field.pids)["api"] - before) / _PER_ROUND)
        bares.append(await bare(_PER_ROUND))
    around = [(before.rate + after.rate) / 2 for before, after in pairwise(bares)]
    return {
        "clients": CLIENTS,
        "deliveries_per_round": _PER_ROUND,
        "ack_per_second": median((one.rate for one in acks), 0),
        "bare_per_second": median((one.rate for one in bares), 0),
        "ratio": median(one.rate / rate for one, rate in zip(acks, around, strict=True)),
        "ack_p99_ms": Sample.together(acks).quantile_ms(0.99),
        "bare_p99_ms": Sample.together(bares).quantile_ms(0.99),
        "api_cpu_ms": median(api_cpu),
    }


async def _real_event(field: Field) -> dict[str, Any]:
    """An event that the sandbox made for one of the checkouts before."""
    sandbox = Http(field.stack.addresses.sandbox or "", {"Authorization": f"Bearer {SANDBOX_KEY}"})
    try:
        answer = await sandbox.get(f"/v1/events?limit=1&type={_TYPE}")
    finally:
        sandbox.close()
    event: dict[str, Any] = json.loads(answer.body)["data"][0]
    return event


def _signed(template: dict[str, Any], secret: str, count: int) -> Iterator[Signed]:
    """Deliveries of distinct events, signed as Stripe signs; made beforehand, so that no time is taken for it."""
    return iter([_delivery(template, secret) for _ in range(count)])


def _delivery(template: dict[str, Any], secret: str) -> Signed:
    body = json.dumps(template | {"id": f"evt_{secrets.token_hex(12)}"}).encode()
    now = int(time.time())
    signature = hmac.new(secret.encode(), b"%d." % now + body, hashlib.sha256).hexdigest()
    return body, {"Content-Type": "application/json", "Stripe-Signature": f"t={now},v1={signature}"}


def _sender(http: Http, path: str, deliveries: Iterator[Signed]) -> Callable[[], Awaitable[None]]:
    async def send() -> None:
        body, headers = next(deliveries)
        answer = await http.post(path, body, headers)
        if answer.status != 200:
            raise StackError(f"a delivery to {path} was answered {answer.status}")

    return send
