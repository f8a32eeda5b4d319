"""Parts that start, fail to start and die, and what a person reads then."""

import asyncio
from collections.abc import Callable

import pytest

from devstack.errors import PartFailedError
from devstack.parts import ChildPart, PartSpec, run_to_end, until_ready

Start = Callable[..., ChildPart]
MakeSpec = Callable[..., PartSpec]


async def test_ready_when_it_says_so(child: Start) -> None:
    """A worker is ready when it has said the line, and the person is told."""
    told: list[str] = []
    part = child("import time; time.sleep(0.2); print('worker ready'); time.sleep(60)", name="worker-1")
    await until_ready(part, lambda: asyncio.sleep(0, part.said("worker ready")), 10, told.append)
    assert told
    assert told[-1].startswith("worker-1")
    assert "ready" in told[-1]


async def test_an_older_run_makes_nobody_ready(child: Start) -> None:
    """What a run before wrote into the same log does not count."""
    first = child("print('worker ready')")
    await until_ready(first, lambda: asyncio.sleep(0, first.said("worker ready")), 10, lambda _: None)
    assert not child("import time; time.sleep(60)").said("worker ready")


async def test_death_before_ready_is_named_with_its_log(child: Start) -> None:
    """A part that dies while starting is named, with how it ended and the last it said."""
    part = child("print('first'); print('the port is taken'); exit(3)", name="api")
    with pytest.raises(PartFailedError) as failure:
        await until_ready(part, lambda: asyncio.sleep(0, False), 10, lambda _: None)
    assert failure.value.part == "api"
    assert "api ended with exit status 3 before it was ready" in str(failure.value)
    assert str(failure.value).endswith("the port is taken")


async def test_slow_part_has_a_deadline(child: Start) -> None:
    """A part that never becomes ready is given up, and named."""
    part = child("import time; print('thinking'); time.sleep(60)", name="temporal")
    await until_ready(part, lambda: asyncio.sleep(0, part.said("thinking")), 10, lambda _: None)
    with pytest.raises(PartFailedError, match=r"temporal was not ready within 0 s.*\n.*thinking"):
        await until_ready(part, lambda: asyncio.sleep(0, False), 0.2, lambda _: None)


async def test_command_that_fails(spec: MakeSpec) -> None:
    """A migration that fails stops the start, with what it said."""
    with pytest.raises(
        PartFailedError, match=r"migrate ended with exit status 1.*\n(.*\n)*.*ValueError: no such table"
    ):
        await run_to_end(spec("raise ValueError('no such table')", name="migrate"), 10)


async def test_command_that_hangs(spec: MakeSpec) -> None:
    """A command that does not end is killed and named."""
    with pytest.raises(PartFailedError, match="migrate was not done within 0 s"):
        await run_to_end(spec("import time; time.sleep(60)", name="migrate"), 0.3)


async def test_command_that_works(spec: MakeSpec) -> None:
    """A command that ends well says nothing more."""
    await run_to_end(spec("print('ok')"), 10)
