"""Workflow code must decide the same again on replay; what the sandbox does not load anew is checked by reading it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted([*(ROOT / "workflows").rglob("*.py"), *(ROOT / "domain").rglob("*.py")])
MODULES = {"random", "secrets", "time", "uuid", "os", "socket", "threading", "subprocess", "httpx", "stripe"}
CALLS = {"now", "utcnow", "today", "uuid1", "uuid4", "sleep", "gather", "create_task", "wait", "as_completed"}
ALLOWED = {("workflow", "now"), ("asyncio", "create_task"), ("asyncio", "wait")}
"""Temporal's own clock; tasks of the workflow's own loop, which Temporal schedules in order."""


def forbidden(source: str) -> Iterator[str]:
    """Clocks, randomness and I/O in this source."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from (f"import {name.name}" for name in names if name.name.partition(".")[0] in MODULES)
            case ast.ImportFrom(module=str(module)) if module.partition(".")[0] in MODULES:
                yield f"from {module}"
            case ast.Call(func=ast.Attribute(value=owner, attr=name)) if name in CALLS:
                if (ast.unparse(owner), name) not in ALLOWED:
                    yield f"{ast.unparse(owner)}.{name}()"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_in_it_differs_on_replay(path: Path) -> None:
    """No clock but Temporal's, no randomness, no I/O in workflows and in the domain that they share."""
    assert list(forbidden(path.read_text())) == []


@pytest.mark.parametrize(
    "line",
    ["import random", "from uuid import uuid4", "datetime.now(UTC)", "date.today()", "uuid.uuid4()", "time.sleep(1)"],
)
def test_the_check_finds_it(line: str) -> None:
    """Each of them is found."""
    assert list(forbidden(line))
