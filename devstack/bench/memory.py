"""Memory of worker and API with many checkouts open."""

import time
from typing import Any

from devstack.bench import creates
from devstack.bench.field import Field
from devstack.bench.load import run
from devstack.bench.usage import rss_mb

OPEN = 2000
_AT_ONCE = 16
_PER_LOOK = 200
_AT_MOST_SECONDS = 120.0


def before(field: Field) -> dict[str, float]:
    """Resident memory while no checkout is open."""
    return {name: rss_mb(field.pids[name]) for name in ("worker", "api")}


async def measure(field: Field, idle: dict[str, float]) -> dict[str, Any]:
    """Open what is missing to 2,000 after the measurement of creates, for two minutes at most, then look."""

    began, left = time.monotonic(), OPEN - creates.opened()
    while left > 0 and time.monotonic() - began < _AT_MOST_SECONDS:
        left -= len((await run(field.create, min(left, _PER_LOOK), _AT_ONCE)).each)
    rate = (OPEN - creates.opened() - left) / (time.monotonic() - began)
    full, opened = before(field), OPEN - left
    return {
        "open_checkouts": opened,
        "creates_per_second": round(rate, 1),
        "none_open_mb": {name: round(size, 1) for name, size in idle.items()},
        "all_open_mb": {name: round(size, 1) for name, size in full.items()},
        "kb_per_open_checkout": {name: round(1000 * (full[name] - idle[name]) / opened, 1) for name in full},
    }
