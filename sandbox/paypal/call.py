"""One API call, after authentication and parsing."""

from dataclasses import dataclass

from sandbox.paypal.gateway import Origin
from sandbox.store import Json


@dataclass(frozen=True, slots=True)
class Call:
    """The ids in its path, its body, its query, who caused it, and whether it wants the whole object back."""

    ids: tuple[str, ...]
    body: Json
    query: dict[str, str]
    origin: Origin
    whole: bool
    authorization: str | None = None
