"""A part that is down: growing pauses until it answers, one line in the log when it went and one when it is back."""

import logging
import random
import time
from collections.abc import Callable

_log = logging.getLogger(__name__)

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 10.0


class Outage:
    """Of one part. `pause` has jitter, so that several relays do not come back all at once."""

    def __init__(self, part: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._part, self._clock = part, clock
        self._since: float | None = None
        self._tries = 0

    @property
    def goes_on(self) -> bool:
        """Whether the part is known to be down."""
        return self._since is not None

    def begins(self, why: Exception) -> None:
        """The part is down; what is said of it while it stays so is not logged again."""
        if self._since is None:
            self._since = self._clock()
            _log.warning("%s is down: %s", self._part, why)

    def ends(self) -> None:
        """The part answers; nothing happens where it was not down."""
        if self._since is not None:
            _log.warning("%s is back after %.1f s", self._part, self._clock() - self._since)
        self._since, self._tries = None, 0

    def pause(self) -> float:
        """How many seconds to wait before the next try."""
        longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0**self._tries)
        self._tries = min(self._tries + 1, 10)
        return random.uniform(longest / 2, longest)  # noqa: S311 - Spreads the tries; nobody gains by guessing it.
