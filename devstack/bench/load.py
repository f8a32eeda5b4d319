"""Bounded load: a fixed number of jobs, so many at once, each timed."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class Sample:
    """How long it took in all, and each job, in seconds."""

    seconds: float
    each: tuple[float, ...]

    @property
    def rate(self) -> float:
        """Jobs a second."""
        return len(self.each) / self.seconds

    @classmethod
    def together(cls, samples: Iterable["Sample"]) -> Self:
        """Several samples of the same as one."""
        kept = tuple(samples)
        return cls(sum(sample.seconds for sample in kept), tuple(one for sample in kept for one in sample.each))

    def quantile_ms(self, part: float) -> float:
        """The latency that this part of the jobs stayed within, in milliseconds."""
        ordered = sorted(self.each)
        return round(1000 * ordered[min(len(ordered) - 1, int(part * len(ordered)))], 2)


async def run(job: Callable[[], Awaitable[object]], count: int, at_once: int) -> Sample:
    """Do the job `count` times; the first failure ends it all and is raised."""
    left = iter(range(count))
    each: list[float] = []

    async def one_after_the_other() -> None:
        for _ in left:
            began = time.perf_counter()
            await job()
            each.append(time.perf_counter() - began)

    began = time.perf_counter()
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(at_once, count)):
                group.create_task(one_after_the_other())
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return Sample(time.perf_counter() - began, tuple(each))


def median(values: Iterable[float], digits: int = 2) -> float:
    """The middle one, rounded."""
    return round(statistics.median(values), digits)
