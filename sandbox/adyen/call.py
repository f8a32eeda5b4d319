"""One API call, after authentication and parsing."""

from dataclasses import dataclass
from typing import Any

from sandbox.adyen.gateway import Origin


@dataclass(frozen=True, slots=True)
class Call:
    """The id in its path, if there is one, its body, and who caused it."""

    about: str
    body: dict[str, Any]
    origin: Origin
