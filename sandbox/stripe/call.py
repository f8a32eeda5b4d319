"""One API call, after authentication and parsing."""

from dataclasses import dataclass
from typing import Any

from sandbox.stripe.gateway import Origin


@dataclass(frozen=True, slots=True)
class Call:
    """The ids in its path, its parameters, who caused it, and whether a browser's key made it."""

    ids: tuple[str, ...]
    params: dict[str, Any]
    origin: Origin
    publishable: bool = False
