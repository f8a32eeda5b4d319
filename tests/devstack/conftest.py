"""Small real processes that stand in for the parts of the stack."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devstack.layout import Layout
from devstack.parts import ChildPart, PartSpec
from devstack.settings import base_environment

MakeSpec = Callable[..., PartSpec]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A data folder of its own."""
    layout = Layout(tmp_path / "data")
    layout.make()
    return layout


@pytest.fixture
def spec(layout: Layout) -> MakeSpec:
    """Makes the spec of a part that runs the given Python code."""

    def make(code: str, name: str = "part", grace_seconds: float = 5.0) -> PartSpec:
        return PartSpec(name, (sys.executable, "-c", code), base_environment(), layout.log(name), grace_seconds)

    return make


@pytest.fixture
def child(spec: MakeSpec) -> Iterator[Callable[..., ChildPart]]:
    """Starts a part that runs the given Python code; it is gone after the test."""
    started: list[ChildPart] = []

    def start(code: str, **more: object) -> ChildPart:
        started.append(ChildPart(spec(code, **more)))
        return started[-1]

    yield start
    for part in started:
        part.kill()
