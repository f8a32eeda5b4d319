"""`python -m devstack.bench [--json FILE] [--only events]`: one run on stacks of its own, loopback only."""

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvloop

from devstack import eventing, postgres
from devstack.bench import checkouts, creates, events, memory, report, webhooks
from devstack.bench.field import Field, field_on
from devstack.errors import StackError
from devstack.layout import Layout
from devstack.stack import running_stack

_PURPOSE = "Measure the whole path next to bare ones."


def main() -> int:
    """Measure and print; a missed target is told, and is no failure."""
    parser = argparse.ArgumentParser(prog="python -m devstack.bench", description=_PURPOSE)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    parser.add_argument("--only", choices=list(_PARTS), help="measure this part alone")
    options = parser.parse_args()
    parts = [options.only] if options.only else list(_PARTS)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            figures = runner.run(_measured(parts))
    except (StackError, postgres.PostgresError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    text = json.dumps(figures, indent=2)
    if options.json is not None:
        options.json.write_text(f"{text}\n")
    print(f"{text}\n\n{report.table(figures)}")
    return 0


async def _measured(parts: Sequence[str]) -> dict[str, Any]:
    began, where = time.monotonic(), report.machine()
    figures: dict[str, Any] = {}
    for name in parts:
        measured, without = _PARTS[name]
        with _data_folder() as data:
            async with running_stack(data, say=_say, without=without) as stack, field_on(stack, _say) as field:
                figures |= await measured(field)
    figures = {"machine": where, "seconds": round(time.monotonic() - began)} | figures
    return figures | {"targets": report.targets(figures)}


async def _figures(field: Field) -> dict[str, Any]:
    _say(f"checkouts  {checkouts.AT_ONCE} at once, each gateway and the skeleton in turns")
    whole = await checkouts.measure(field)
    _say(f"webhooks   {webhooks.CLIENTS} clients, each gateway and the bare route in turns")
    acks = await webhooks.measure(field)
    idle = memory.before(field)
    _say("creates    one at a time and 8 at once, ours and the skeleton in turns")
    opened = await creates.measure(field)
    _say(f"memory     opening checkouts up to {memory.OPEN}")
    return {"checkouts": whole, "creates": opened, "webhooks": acks, "memory": await memory.measure(field, idle)}


async def _events(field: Field) -> dict[str, Any]:
    _say("events     with and without those who carry them, then without a broker")
    return {"events": await events.measure(field)}


_PARTS: Mapping[str, tuple[Callable[[Field], Awaitable[dict[str, Any]]], Collection[str]]] = {
    # Whatever else runs on the same cores would be in these figures.
    "path": (_figures, eventing.PARTS),
    "events": (_events, ()),
}


@contextmanager
def _data_folder() -> Iterator[Path]:
    """A folder of this run's own: kept data would slow one run and not the next."""
    with tempfile.TemporaryDirectory(prefix="paysaga-bench-") as folder:
        # Root's Postgres runs as another user, who must be able to enter.
        Path(folder).chmod(0o755)
        try:
            yield Path(folder)
        finally:
            postgres.remove(Layout.at(Path(folder)).postgres)
            shutil.rmtree(folder, ignore_errors=True)


def _say(line: str) -> None:
    print(f"  {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    status = main()
    time.sleep(0.2)  # the SDK's native threads may crash an interpreter that ends at once (temporalio/sdk-python#300)
    sys.exit(status)
