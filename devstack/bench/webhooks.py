"""Webhooks acknowledged a second, next to a bare route that reads the body and commits one insert."""

from collections.abc import Awaitable, Callable, Iterator
from itertools import pairwise
from typing import Any

from devstack.bench import bare_route
from devstack.bench.deliveries import Maker, Signed, makers
from devstack.bench.field import Field
from devstack.bench.load import Sample, median, run
from devstack.bench.usage import cpu_seconds
from devstack.bench.wire import Http
from devstack.errors import StackError

CLIENTS = 32
_ROUNDS = 3
_PER_ROUND = 2000
_WARM_UP = 300


async def measure(field: Field) -> dict[str, Any]:
    """Bare, each gateway's, bare, each gateway's, … bare: every round is compared with the two bare ones around it."""
    made = makers(field)
    first = next(iter(made))
    await _bare(field, made[first], _WARM_UP)
    for name, maker in made.items():
        await _ours(field, name, maker, _WARM_UP)
    bares = [await _bare(field, made[first], _PER_ROUND)]
    acks: dict[str, list[Sample]] = {name: [] for name in made}
    api_cpu: dict[str, list[float]] = {name: [] for name in made}
    for _ in range(_ROUNDS):
        for name, maker in made.items():
            before = cpu_seconds(field.pids)["api"]
            acks[name].append(await _ours(field, name, maker, _PER_ROUND))
            api_cpu[name].append(1000 * (cpu_seconds(field.pids)["api"] - before) / _PER_ROUND)
        bares.append(await _bare(field, made[first], _PER_ROUND))
    return {
        "clients": CLIENTS,
        "deliveries_per_round": _PER_ROUND,
        "bare_per_second": median((one.rate for one in bares), 0),
        "bare_p99_ms": Sample.together(bares).quantile_ms(0.99),
        "by_gateway": {name: _figures(acks[name], bares, api_cpu[name]) for name in made},
    }


def _figures(acks: list[Sample], bares: list[Sample], api_cpu: list[float]) -> dict[str, float]:
    around = [(before.rate + after.rate) / 2 for before, after in pairwise(bares)]
    return {
        "ack_per_second": median((one.rate for one in acks), 0),
        "ratio": median(one.rate / rate for one, rate in zip(acks, around, strict=True)),
        "ack_p99_ms": Sample.together(acks).quantile_ms(0.99),
        "api_cpu_ms": median(api_cpu),
    }


async def _ours(field: Field, gateway: str, maker: Maker, count: int) -> Sample:
    return await run(_sender(field.api, f"/webhooks/{gateway}", _made(maker, count)), count, CLIENTS)


async def _bare(field: Field, maker: Maker, count: int) -> Sample:
    return await run(_sender(field.bare_route, bare_route.PATH, _made(maker, count)), count, CLIENTS)


def _made(maker: Maker, count: int) -> Iterator[Signed]:
    """Made beforehand, so that no time is taken for it."""
    return iter([maker() for _ in range(count)])


def _sender(http: Http, path: str, deliveries: Iterator[Signed]) -> Callable[[], Awaitable[None]]:
    async def send() -> None:
        body, headers = next(deliveries)
        answer = await http.post(path, body, headers)
        if answer.status != 200:
            raise StackError(f"a delivery to {path} was answered {answer.status}")

    return send
