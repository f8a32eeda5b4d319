"""A circuit breaker for one operation of one gateway: keeps calls back while they would only fail.

closed → open when too many calls of a short window failed → half_open with one probe at a time once the pause is over
→ closed when the probe is answered, open again for twice as long when it fails. An operator may force it open.

Pure: whoever keeps it says what time it is. Failures are calls without an answer, and answers that took too long; a
decline or a refusal is an answer like any other.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum


class BreakerState(StrEnum):
    """What happens to a call."""

    CLOSED = "closed"
    """It is made."""
    OPEN = "open"
    """It is kept back until a probe is due."""
    HALF_OPEN = "half_open"
    """It is kept back, unless it is the one probe."""
    FORCED_OPEN = "forced_open"
    """It is kept back until an operator releases the breaker."""


class Ending(StrEnum):
    """How a call ended, as a breaker sees it."""

    ANSWERED = "answered"
    FAILED = "failed"
    UNTRIED = "untried"
    """The gateway was not asked, or why it went wrong is no matter of the gateway's: this proves nothing."""


@dataclass(frozen=True)
class BreakerPolicy:
    """When a breaker opens, and for how long.

    It opens on `failures` failed calls or more within `window_seconds`, if they are at least `failed_percent` of all.
    An answer later than `slow_seconds` is a failure. The first pause doubles with every probe that fails, up to the
    longest. A probe that has not ended after `probe_seconds` counts as dead; that is longer than any call takes.
    """

    window_seconds: int = 30
    failures: int = 5
    failed_percent: int = 50
    slow_seconds: float = 10
    pause_seconds: float = 15
    longest_pause_seconds: float = 300
    probe_seconds: float = 45
    probe_check_seconds: float = 2
    """When to ask again while another's probe is on its way."""
    forced_check_seconds: float = 15
    """When to ask again while it is forced open."""


@dataclass(frozen=True)
class Tally:
    """The calls that ended within one second of the Unix clock."""

    second: int
    answered: int
    failed: int


@dataclass(frozen=True)
class Probe:
    """The right to make the one call: who has it, and until when it is theirs."""

    holder: str
    until: datetime


@dataclass(frozen=True)
class Breaker:
    """One breaker at one moment. `trips`: openings since it was last closed. `since` is None while nothing happened."""

    state: BreakerState = BreakerState.CLOSED
    since: datetime | None = None
    reason: str | None = None
    tallies: tuple[Tally, ...] = ()
    trips: int = 0
    next_probe_at: datetime | None = None
    probe: Probe | None = None

    def wait_seconds(self, now: datetime, policy: BreakerPolicy) -> float:
        """How long to keep a call back; 0 when it may be made or, unless closed, when the probe may be had."""
        match self.state:
            case BreakerState.CLOSED:
                return 0
            case BreakerState.FORCED_OPEN:
                return policy.forced_check_seconds
            case BreakerState.OPEN:
                return max(0.0, (self.next_probe_at - now).total_seconds()) if self.next_probe_at else 0
            case BreakerState.HALF_OPEN:
                return policy.probe_check_seconds if self.probe and self.probe.until > now else 0

    def lend(self, now: datetime, holder: str, policy: BreakerPolicy) -> "Breaker":
        """With the probe in `holder`'s hands where it may be had, else unchanged: look who has it."""
        if self.state is BreakerState.CLOSED or self.wait_seconds(now, policy) > 0:
            return self
        probe = Probe(holder, now + timedelta(seconds=policy.probe_seconds))
        if self.state is BreakerState.HALF_OPEN:
            return replace(self, probe=probe)
        return replace(self, state=BreakerState.HALF_OPEN, since=now, next_probe_at=None, probe=probe)

    def after_calls(self, now: datetime, tallies: Iterable[Tally], last: str, policy: BreakerPolicy) -> "Breaker":
        """With these calls counted, and open if they were too bad. `last` names the latest failure.

        Calls that were under way when it opened are not counted: only a probe can tell that the gateway is back.
        """
        if self.state is not BreakerState.CLOSED:
            return self
        counted = replace(self, tallies=_within(now, (*self.tallies, *tallies), policy))
        calls, failed = counted.counts(now, policy)
        if failed < policy.failures or failed * 100 < calls * policy.failed_percent:
            return counted
        reason = f"{failed} of {calls} calls within {policy.window_seconds} seconds failed, the last: {last}"
        return counted._opened(now, reason, policy)

    def after_probe(self, now: datetime, holder: str, ending: Ending, last: str, policy: BreakerPolicy) -> "Breaker":
        """Closed, open again, or with the probe handed back. Unchanged when the probe is another's by now."""
        if self.state is not BreakerState.HALF_OPEN or self.probe is None or self.probe.holder != holder:
            return self
        match ending:
            case Ending.ANSWERED:
                return Breaker(since=now, reason="a probe was answered")
            case Ending.FAILED:
                return self._opened(now, f"a probe failed: {last}", policy)
            case Ending.UNTRIED:
                return replace(self, probe=None)

    def forced(self, now: datetime, reason: str) -> "Breaker":
        """Open until released, whatever it was. Forced again it stays as it is, with the new reason."""
        if self.state is BreakerState.FORCED_OPEN:
            return replace(self, reason=reason)
        return Breaker(BreakerState.FORCED_OPEN, now, reason)

    def released(self, now: datetime, reason: str) -> "Breaker":
        """Closed with a clean count if an operator held it open; one that opened by itself goes on by itself."""
        return Breaker(since=now, reason=reason) if self.state is BreakerState.FORCED_OPEN else self

    def counts(self, now: datetime, policy: BreakerPolicy) -> tuple[int, int]:
        """All counted calls within the window, and how many of them failed."""
        inside = _within(now, self.tallies, policy)
        failed = sum(tally.failed for tally in inside)
        return failed + sum(tally.answered for tally in inside), failed

    def _opened(self, now: datetime, reason: str, policy: BreakerPolicy) -> "Breaker":
        # A shift of many bits would be a number without end; the longest pause is reached long before.
        doubled = policy.pause_seconds * 2 ** min(self.trips, 20)
        pause = timedelta(seconds=min(doubled, policy.longest_pause_seconds))
        tallies = self.tallies
        return Breaker(BreakerState.OPEN, now, reason, tallies, self.trips + 1, next_probe_at=now + pause)


def _within(now: datetime, tallies: Iterable[Tally], policy: BreakerPolicy) -> tuple[Tally, ...]:
    """One tally a second, in order, without those that have left the window."""
    oldest = second_of(now) - policy.window_seconds
    answered: Counter[int] = Counter()
    failed: Counter[int] = Counter()
    for tally in tallies:
        if tally.second > oldest:
            answered[tally.second] += tally.answered
            failed[tally.second] += tally.failed
    return tuple(Tally(second, answered[second], failed[second]) for second in sorted({*answered, *failed}))


def second_of(moment: datetime) -> int:
    """The second of the Unix clock in which the moment lies."""
    return int(moment.timestamp())
