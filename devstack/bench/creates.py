"""`POST /v1/checkouts` next to a bare update-with-start; what is created stays open."""

import secrets
from typing import Any

from devstack.bench import skeleton
from devstack.bench.field import Field
from devstack.bench.load import Sample, run

_CHUNKS = 4
_PER_CHUNK = {1: 30, 8: 60}


async def measure(field: Field) -> dict[str, Any]:
    """By concurrency: p50 and p99 of both, taken in turns."""
    return {str(at_once): await _at(field, at_once, count) for at_once, count in _PER_CHUNK.items()}


def opened() -> int:
    """How many checkouts a measurement leaves open."""
    return _CHUNKS * sum(_PER_CHUNK.values())


async def _at(field: Field, at_once: int, count: int) -> dict[str, Any]:
    async def bare() -> None:
        await skeleton.start(field.temporal, f"skeleton/{secrets.token_hex(8)}")

    ours_samples, bare_samples = [], []
    for _ in range(_CHUNKS):
        bare_samples.append(await run(bare, count, at_once))
        ours_samples.append(await run(field.create, count, at_once))
    create, update = Sample.together(ours_samples), Sample.together(bare_samples)
    return {
        "requests": len(create.each),
        "create_ms": {"p50": create.quantile_ms(0.5), "p99": create.quantile_ms(0.99)},
        "bare_ms": {"p50": update.quantile_ms(0.5), "p99": update.quantile_ms(0.99)},
        "ratio_p50": round(create.quantile_ms(0.5) / update.quantile_ms(0.5), 2),
        "ratio_p99": round(create.quantile_ms(0.99) / update.quantile_ms(0.99), 2),
    }
