"""Whole checkouts, from the shop's request to `completed`, next to the bare skeleton."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

from devstack.bench import skeleton
from devstack.bench.field import Field
from devstack.bench.load import Sample, median, run
from devstack.bench.usage import cpu_seconds
from devstack.errors import StackError

AT_ONCE = 50
PER_ROUND = 200
ROUNDS = 3
_WARM_UP = 60
# What is still under way after the last checkout has ended (answers to webhooks, marks in the inbox) counts as well.
_SETTLE_SECONDS = 0.5


@dataclass(frozen=True)
class _Round:
    sample: Sample
    cpu_ms: dict[str, float]


async def measure(field: Field) -> dict[str, Any]:
    """Skeleton, ours, skeleton, ours, … skeleton: each round of ours is compared with the two around it."""

    await run(partial(_skeleton, field), _WARM_UP, AT_ONCE)
    await run(partial(_checkout, field), _WARM_UP, AT_ONCE)
    bares, wholes = [await _round(field, _skeleton)], []
    for _ in range(ROUNDS):
        wholes.append(await _round(field, _checkout))
        bares.append(await _round(field, _skeleton))
    around = [(before.sample.rate + after.sample.rate) / 2 for before, after in pairwise(bares)]
    return {
        "at_once": AT_ONCE,
        "checkouts_per_round": PER_ROUND,
        "whole_per_second": median(one.sample.rate for one in wholes),
        "skeleton_per_second": median(one.sample.rate for one in bares),
        "ratio": median(one.sample.rate / rate for one, rate in zip(wholes, around, strict=True)),
        "whole_rounds": [round(one.sample.rate, 1) for one in wholes],
        "skeleton_rounds": [round(one.sample.rate, 1) for one in bares],
        "whole_p50_ms": Sample.together(one.sample for one in wholes).quantile_ms(0.5),
        "skeleton_p50_ms": Sample.together(one.sample for one in bares).quantile_ms(0.5),
        "whole_cpu_ms": _middle(wholes, "skeleton", "bare_route"),
        "skeleton_cpu_ms": _middle(bares, "worker", "api", "sandbox", "postgres", "bare_route"),
        "history_events": await _events(field, await _checkout(field)),
        "skeleton_history_events": await _events(field, await _skeleton(field)),
    }


async def _checkout(field: Field) -> str:
    checkout = await field.create()
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


async def _round(field: Field, job: Callable[[Field], Awaitable[object]]) -> _Round:
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
