"""Several callers who need the same thing at the same time make one call for it."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")


class SharedFlights(Generic[T]):
    """Calls under way, by name, in each event loop."""

    def __init__(self) -> None:
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, asyncio.Task[T]]] = WeakKeyDictionary()

    @property
    def under_way(self) -> frozenset[str]:
        """What the running loop waits for."""
        return frozenset(self._loops.get(asyncio.get_running_loop(), ()))

    async def join(self, name: str, call: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The result of the call under way, or of a new one; a failure is shared too.

        A caller who gives up leaves the call to the others.
        """
        flights = self._loops.setdefault(asyncio.get_running_loop(), {})
        flight = flights.get(name)
        if flight is None:
            flight = flights[name] = asyncio.create_task(call())
            flight.add_done_callback(lambda done: _landed(flights, name, done))
        return await asyncio.shield(flight)

    async def close(self) -> None:
        """End the running loop's calls."""
        flights = list(self._loops.pop(asyncio.get_running_loop(), {}).values())
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)


def _landed(flights: dict[str, asyncio.Task[T]], name: str, done: asyncio.Task[T]) -> None:
    flights.pop(name, None)
    if not done.cancelled():
        # Looked at here because every caller may have given up; asyncio would report it as forgotten.
        done.exception()
