"""The sandbox's own time: the machine's clock plus an offset that only grows."""

import json
import time
from pathlib import Path


class Clock:
    """A virtual clock shared by all gateways; its offset is kept in the data folder."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = float(json.loads(path.read_text())["offset_seconds"]) if path.exists() else 0.0

    @property
    def offset(self) -> float:
        """How many seconds the virtual time is ahead of the machine's."""
        return self._offset

    def now(self) -> float:
        """Virtual time in seconds since 1970."""
        return time.time() + self._offset

    def stamp(self) -> int:
        """Virtual time in whole seconds, as gateways write it."""
        return int(self.now())

    def advance(self, seconds: float) -> None:
        """Move the clock forward for good."""
        self._offset += seconds
        draft = self._path.with_suffix(".draft")
        draft.write_text(json.dumps({"offset_seconds": self._offset}))
        draft.replace(self._path)
