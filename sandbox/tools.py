"""What all gateways of one sandbox share."""

from dataclasses import dataclass
from pathlib import Path

from sandbox.books import Books
from sandbox.clock import Clock
from sandbox.faults import Faults
from sandbox.wire import Hanging


@dataclass(frozen=True, slots=True)
class Tools:
    """The data folder, the clock, the books, the faults; `public_url` is how a customer's browser gets here."""

    data: Path
    clock: Clock
    books: Books
    faults: Faults
    hanging: Hanging
    public_url: str | None
