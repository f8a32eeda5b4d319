"""Finding the operation at a path, for every gateway's API."""

from collections.abc import Iterable
from typing import Generic, Protocol, TypeVar


class Routed(Protocol):
    """One operation: the method and the path it is at, step by step, `*` for an id."""

    @property
    def method(self) -> str:
        """The HTTP method."""
        ...

    @property
    def path(self) -> tuple[str, ...]:
        """The steps of the path."""
        ...


T = TypeVar("T", bound=Routed)


class RouteTable(Generic[T]):
    """Operations by the shape of their address; of two that fit, the one named first wins."""

    def __init__(self, routes: Iterable[T]) -> None:
        self._by_shape: dict[tuple[str, int], list[T]] = {}
        for route in routes:
            self._by_shape.setdefault((route.method, len(route.path)), []).append(route)

    def find(self, method: str, path: str) -> tuple[T, tuple[str, ...]] | None:
        """The operation at a path, with the ids in it."""
        parts = path.strip("/").split("/")
        for route in self._by_shape.get((method, len(parts)), ()):
            pairs = list(zip(route.path, parts, strict=True))
            if all(step in ("*", part) for step, part in pairs):
                return route, tuple(part for step, part in pairs if step == "*")
        return None
