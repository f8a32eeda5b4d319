"""Histories as they are saved: one file for each ending, without what tells only of the machine that made it."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowHandle

FOLDER = Path(__file__).parent / "histories"


async def write(handle: WorkflowHandle[Any, Any], name: str) -> None:
    """Put the history into the folder."""
    path = FOLDER / f"{name}@{datetime.now(UTC):%Y-%m-%d}.json"
    history = json.loads((await handle.fetch_history()).to_json())
    path.write_text(json.dumps(without_machine(history), indent=1) + "\n")
    print(path.name)  # noqa: T201


_STICKY_QUEUE = re.compile(r"\d+@.+-[0-9a-f]{32}")
"""A worker's own queue: process, host and a random part."""


def without_machine(value: Any) -> Any:
    """The history without what only tells of the machine that made it: stack traces, process and host names."""
    if isinstance(value, str) and _STICKY_QUEUE.fullmatch(value):
        return "sticky"
    if isinstance(value, list):
        return [without_machine(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {key: item for key, item in value.items() if key not in ("stackTrace", "workerInstanceKey")}
    return {key: "worker" if key == "identity" else without_machine(item) for key, item in kept.items()}
