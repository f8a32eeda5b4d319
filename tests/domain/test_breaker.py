"""The breaker: when it keeps calls back, when it lets one through, and what brings it back."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from domain.breaker import Breaker, BreakerPolicy, BreakerState, Ending, Probe, Tally, second_of

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
POLICY = BreakerPolicy()
S = BreakerState


def later(seconds: float) -> datetime:
    """That long after the start."""
    return START + timedelta(seconds=seconds)


def counted(breaker: Breaker, seconds: float, answered: int, failed: int) -> Breaker:
    """The breaker after so many calls within one second."""
    now = later(seconds)
    return breaker.after_calls(now, [Tally(second_of(now), answered, failed)], "GatewayUnreachableError", POLICY)


def tripped(seconds: float = 0) -> Breaker:
    """One that has just opened by itself."""
    return counted(Breaker(), seconds, 0, POLICY.failures)


@pytest.mark.parametrize(
    ("answered", "failed", "state"),
    [(0, 4, S.CLOSED), (0, 5, S.OPEN), (5, 5, S.OPEN), (6, 5, S.CLOSED), (1000, 999, S.CLOSED), (1000, 1000, S.OPEN)],
)
def test_it_opens_on_enough_failures_that_are_a_large_part(answered: int, failed: int, state: BreakerState) -> None:
    """Five failures open it when they are half of the calls; fewer, or a smaller part, do not."""
    assert counted(Breaker(), 0, answered, failed).state is state


def test_the_reason_counts_and_names_the_last_failure() -> None:
    """An operator reads how many of how many failed, and how."""
    assert counted(Breaker(), 0, 3, 5).reason == (
        "5 of 8 calls within 30 seconds failed, the last: GatewayUnreachableError"
    )


def test_old_failures_are_forgotten() -> None:
    """Four failures now and one half a minute ago are not five within the window, four and one just inside it are."""
    assert counted(counted(Breaker(), 0, 0, 4), 30, 0, 1).state is S.CLOSED
    assert counted(counted(Breaker(), 0, 0, 4), 29, 0, 1).state is S.OPEN


def test_the_window_keeps_no_more_than_its_seconds() -> None:
    """However long failures drip in, the row in the database stays small."""
    breaker = Breaker()
    for second in range(500):
        breaker = counted(breaker, second, 20, 1)
    assert len(breaker.tallies) == POLICY.window_seconds
    assert breaker.counts(later(499), POLICY) == (630, 30)


def test_the_pause_doubles_up_to_the_longest() -> None:
    """Every failed probe doubles the pause: 15, 30, 60, 120, 240, then 300 seconds for ever."""
    breaker, pauses = tripped(), []
    now = START
    for _ in range(60):
        pauses.append(breaker.wait_seconds(now, POLICY))
        now += timedelta(seconds=pauses[-1])
        breaker = breaker.lend(now, "me", POLICY).after_probe(now, "me", Ending.FAILED, "x", POLICY)
    assert pauses[:6] == [15, 30, 60, 120, 240, 300]
    assert set(pauses[5:]) == {300}


def test_a_probe_that_is_answered_closes_it_with_a_clean_count() -> None:
    """After it was closed the old failures do not count, and the next pause is the first again."""
    lent = tripped().lend(later(15), "me", POLICY)
    assert (lent.state, lent.probe) == (S.HALF_OPEN, Probe("me", later(15 + POLICY.probe_seconds)))
    closed = lent.after_probe(later(16), "me", Ending.ANSWERED, "x", POLICY)
    assert (closed.state, closed.trips, closed.counts(later(16), POLICY)) == (S.CLOSED, 0, (0, 0))
    assert counted(closed, 17, 0, 4).state is S.CLOSED


def test_before_the_pause_is_over_nobody_gets_the_probe() -> None:
    """A breaker that is still to wait is lent to nobody."""
    assert tripped().lend(later(14.9), "me", POLICY) == tripped()


def test_only_one_has_the_probe_until_it_lapses() -> None:
    """A second is kept back while the first is under way; when that one died, the probe is free again."""
    lent = tripped().lend(later(15), "first", POLICY)
    assert lent.lend(later(16), "second", POLICY) == lent
    assert lent.wait_seconds(later(16), POLICY) == POLICY.probe_check_seconds
    taken = lent.lend(later(15 + POLICY.probe_seconds), "second", POLICY)
    assert taken.probe is not None
    assert taken.probe.holder == "second"
    # The dead one comes to life: it has nothing to say any more, good or bad.
    for ending in Ending:
        assert taken.after_probe(later(70), "first", ending, "x", POLICY) == taken


def test_a_probe_that_tried_nothing_is_handed_back() -> None:
    """The gateway was not asked: nothing is known, and the next caller may try at once."""
    back = tripped().lend(later(15), "me", POLICY).after_probe(later(16), "me", Ending.UNTRIED, "x", POLICY)
    assert (back.state, back.probe, back.wait_seconds(later(16), POLICY)) == (S.HALF_OPEN, None, 0)


@pytest.mark.parametrize("state", [S.OPEN, S.HALF_OPEN, S.FORCED_OPEN])
def test_calls_that_were_under_way_change_nothing(state: BreakerState) -> None:
    """Only a probe can tell that the gateway is back, and late failures do not prolong the pause."""
    breaker = replace(tripped(), state=state)
    assert counted(breaker, 1, 100, 0) == breaker
    assert counted(breaker, 1, 0, 100) == breaker


@pytest.mark.parametrize("before", [Breaker(), tripped(), tripped().lend(later(15), "me", POLICY)])
def test_an_operator_decides_over_everything(before: Breaker) -> None:
    """Forced open it stays so whatever happens, until it is released; then it counts from nothing."""
    forced = before.forced(later(20), "maintenance")
    assert (forced.state, forced.since, forced.reason) == (S.FORCED_OPEN, later(20), "maintenance")
    assert forced.lend(later(9999), "me", POLICY) == forced
    assert forced.after_probe(later(21), "me", Ending.ANSWERED, "x", POLICY) == forced
    assert forced.wait_seconds(later(9999), POLICY) > 0
    released = forced.released(later(30), "done")
    assert released == Breaker(since=later(30), reason="done")


def test_forcing_again_keeps_since_when() -> None:
    """The new reason stands, the beginning stays."""
    again = Breaker().forced(START, "one").forced(later(5), "two")
    assert (again.since, again.reason) == (START, "two")


@pytest.mark.parametrize("breaker", [Breaker(), tripped(), tripped().lend(later(15), "me", POLICY)])
def test_releasing_what_nobody_forced_changes_nothing(breaker: Breaker) -> None:
    """One that opened by itself also closes by itself only."""
    assert breaker.released(later(40), "x") == breaker


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 5), st.integers(0, 5)), max_size=20))
def test_tallies_are_merged_by_second(calls: list[tuple[int, int, int]]) -> None:
    """In whatever pieces and order calls are told, they count the same."""
    policy = replace(POLICY, failures=10**6)
    now = later(100)
    tallies = [Tally(second_of(later(s)), answered, failed) for s, answered, failed in calls]
    one = Breaker().after_calls(now, tallies, "x", policy)
    other = Breaker()
    for tally in reversed(tallies):
        other = other.after_calls(now, [tally], "x", policy)
    assert one.tallies == other.tallies
    inside = [(a, f) for s, a, f in calls if s > 100 - policy.window_seconds]
    assert one.counts(now, policy) == (sum(a + f for a, f in inside), sum(f for _, f in inside))


class BreakerStories(RuleBasedStateMachine):
    """Any order of calls, probes, deaths and operators."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker, self.now, self.holders = Breaker(), START, 0
        self.before = self.breaker

    def _to(self, breaker: Breaker) -> None:
        self.before, self.breaker = self.breaker, breaker

    @rule(seconds=st.floats(0, 400))
    def time_passes(self, seconds: float) -> None:
        """Up to more than the longest pause."""
        self.now += timedelta(seconds=seconds)
        self.before = self.breaker

    @rule(answered=st.integers(0, 20), failed=st.integers(0, 20))
    def calls_end(self, answered: int, failed: int) -> None:
        """Ordinary calls, perhaps begun long ago."""
        self._to(self.breaker.after_calls(self.now, [Tally(second_of(self.now), answered, failed)], "x", POLICY))

    @rule()
    def someone_asks(self) -> None:
        """Whoever is let through while it is not closed has the only probe that lives."""
        self.holders += 1
        holder = str(self.holders)
        free = self.breaker.wait_seconds(self.now, POLICY) == 0
        living = self.breaker.probe is not None and self.breaker.probe.until > self.now
        self._to(self.breaker.lend(self.now, holder, POLICY))
        got = self.breaker.probe is not None and self.breaker.probe.holder == holder
        assert got == (free and self.before.state is not S.CLOSED)
        assert not (got and living)

    @precondition(lambda self: self.holders)
    @rule(data=st.data(), ending=st.sampled_from(Ending))
    def a_probe_ends(self, data: st.DataObject, ending: Ending) -> None:
        """Any prober there ever was speaks up; only the one that holds the probe is heard."""
        holder = str(data.draw(st.integers(1, self.holders)))
        heard = self.breaker.probe is not None and self.breaker.probe.holder == holder
        self._to(self.breaker.after_probe(self.now, holder, ending, "x", POLICY))
        assert heard or self.breaker == self.before

    @rule()
    def forced(self) -> None:
        """An operator steps in."""
        self._to(self.breaker.forced(self.now, "maintenance"))

    @rule()
    def released(self) -> None:
        """An operator steps out."""
        self._to(self.breaker.released(self.now, "done"))

    @invariant()
    def states_change_along_the_arrows(self) -> None:
        """No change but those in the module's first sentence and the operator's."""
        arrows = {
            (S.CLOSED, S.OPEN),
            (S.OPEN, S.HALF_OPEN),
            (S.HALF_OPEN, S.OPEN),
            (S.HALF_OPEN, S.CLOSED),
            (S.FORCED_OPEN, S.CLOSED),
        }
        change = (self.before.state, self.breaker.state)
        assert change[0] is change[1] or change[1] is S.FORCED_OPEN or change in arrows

    @invariant()
    def nobody_waits_for_ever(self) -> None:
        """Unless an operator holds it open, a probe may be had after the longest pause."""
        if self.breaker.state is not S.FORCED_OPEN:
            assert self.breaker.wait_seconds(self.now, POLICY) <= POLICY.longest_pause_seconds
            end = self.now + timedelta(seconds=POLICY.longest_pause_seconds)
            assert self.breaker.wait_seconds(end, POLICY) == 0

    @invariant()
    def each_state_has_what_belongs_to_it(self) -> None:
        """A probe only when half open, a next probe only when open, no bad count while closed."""
        assert self.breaker.probe is None or self.breaker.state is S.HALF_OPEN
        assert (self.breaker.next_probe_at is not None) is (self.breaker.state is S.OPEN)
        if self.breaker.state is S.CLOSED:
            calls, failed = self.breaker.counts(self.now, POLICY)
            assert failed < POLICY.failures or failed * 2 < calls or self.before is self.breaker


TestBreakerStories = BreakerStories.TestCase
TestBreakerStories.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
