"""Whole checkouts at each gateway, from the shop's request to `completed`, next to the bare skeleton."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

from devstack.bench import skeleton
from devstack.bench.field import GATEWAYS, Field
from devstack.bench.load import Sample, median, run
from devstack.bench.usage import cpu_seconds
from devstack.errors import StackError

AT_ONCE = 50
PER_ROUND = 120
ROUNDS = 3
_WARM_UP = 60
# What is still under way after the last checkout has ended (answers to webhooks, marks in the inbox) counts as well.
_SETTLE_SECONDS = 0.5

Job = Callable[[Field], Awaitable[str]]


@dataclass(frozen=True)
class _Round:
    sample: Sample
    cpu_ms: dict[str, float]


async def measure(field: Field) -> dict[str, Any]:
    """Skeleton, each gateway, skeleton, each gateway, … skeleton: a round is compared with the two around it."""
    jobs: dict[str, Job] = {name: partial(_checkout, gateway=name) for name in GATEWAYS}
    for job in (_skeleton, *jobs.values()):
        await run(partial(job, field), _WARM_UP, AT_ONCE)
    bares = [await _round(field, _skeleton)]
    wholes: dict[str, list[_Round]] = {name: [] for name in jobs}
    for _ in range(ROUNDS):
        for name, job in jobs.items():
            wholes[name].append(await _round(field, job))
        bares.append(await _round(field, _skeleton))
    return {
        "at_once": AT_ONCE,
        "checkouts_per_round": PER_ROUND,
        "skeleton": {
            **_figures(bares, "worker", "api", "sandbox", "postgres", "bare_route"),
            "history_events": await _events(field, await _skeleton(field)),
        },
        "by_gateway": {
            name: {
                **_figures(rounds, "skeleton", "bare_route"),
                "ratio": _ratio(rounds, bares),
                "history_events": await _events(field, await jobs[name](field)),
            }
            for name, rounds in wholes.items()
        },
    }


def _figures(rounds: list[_Round], *idle: str) -> dict[str, Any]:
    return {
        "per_second": median(one.sample.rate for one in rounds),
        "rounds": [round(one.sample.rate, 1) for one in rounds],
        "p50_ms": Sample.together(one.sample for one in rounds).quantile_ms(0.5),
        "cpu_ms": _middle(rounds, *idle),
    }


def _ratio(wholes: list[_Round], bares: list[_Round]) -> float:
    around = [(before.sample.rate + after.sample.rate) / 2 for before, after in pairwise(bares)]
    return median(one.sample.rate / rate for one, rate in zip(wholes, around, strict=True))


async def _checkout(field: Field, gateway: str) -> str:
    checkout = await field.create(gateway)
    await field.pay(checkout)
    workflow_id = f"checkout/{checkout['id']}"
    # The end is awaited the same way on both sides, so that the clients cost the same.
    status = await field.temporal.get_workflow_handle(workflow_id).result()
    if status["state"] != "completed":
        raise StackError(f"{workflow_id} ended {status['state']}")
    return workflow_id


async def _skeleton(field: Field) -> str:
    handle = await skeleton.start(field.temporal, f"skeleton/{secrets.token_hex(8)}")
    await handle.signal(skeleton.Skeleton.pay)
    await handle.result()
    return handle.id


async def _round(field: Field, job: Job) -> _Round:
    before = cpu_seconds(field.pids)
    sample = await run(partial(job, field), PER_ROUND, AT_ONCE)
    await asyncio.sleep(_SETTLE_SECONDS)
    after = cpu_seconds(field.pids)
    return _Round(sample, {name: 1000 * (after[name] - before[name]) / PER_ROUND for name in after})


def _middle(rounds: list[_Round], *idle: str) -> dict[str, float]:
    """CPU per checkout in ms, by part and in all; parts that have no share in it are left out."""
    names = [name for name in rounds[0].cpu_ms if name not in idle]
    cpu = {name: median((one.cpu_ms[name] for one in rounds), 1) for name in names}
    return cpu | {"all": round(sum(cpu.values()), 1)}


async def _events(field: Field, workflow_id: str) -> int:
    history = await field.temporal.get_workflow_handle(workflow_id).fetch_history()
    return len(history.events)
