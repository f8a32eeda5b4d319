"""A moment that several scenarios wait for together."""

import asyncio
from collections import Counter


class Meeting:
    """Points that all who take part must reach before any goes on; `parts` is how many they are."""

    def __init__(self, parts: int = 0) -> None:
        self.parts = parts
        self._reached: Counter[str] = Counter()
        self._moved = asyncio.Condition()

    async def reach(self, *points: str, how_many: int = 1) -> None:
        """Report to stand there."""
        async with self._moved:
            self._reached.update(dict.fromkeys(points, how_many))
            self._moved.notify_all()

    async def all_at(self, point: str) -> None:
        """Wait until all who take part have reached it."""
        async with self._moved:
            await self._moved.wait_for(lambda: self._reached[point] >= self.parts)

    async def give_up(self, *points: str) -> None:
        """One of them failed: the others must not wait for it."""
        await self.reach(*points, how_many=self.parts)
