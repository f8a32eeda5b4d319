"""What an answer of a receiver means, and when it is asked again."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.webhook import LONGEST_WISH, RETRY_PAUSES, Verdict, delivery_id_of, heeded, verdict_of

NOW = datetime(2026, 11, 22, tzinfo=UTC)
PLANNED = NOW + timedelta(minutes=5)


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (200, Verdict.TAKEN),
        (299, Verdict.TAKEN),
        (199, Verdict.NOT_TAKEN),
        (301, Verdict.NOT_TAKEN),
        (400, Verdict.NOT_TAKEN),
        (404, Verdict.NOT_TAKEN),
        (410, Verdict.GONE),
        (500, Verdict.NOT_TAKEN),
        (None, Verdict.NOT_TAKEN),
    ],
)
def test_only_2xx_is_taken(status: int | None, verdict: Verdict) -> None:
    """A redirect is not followed and takes nothing; 410 wants nothing more; everything else may be mended."""
    assert verdict_of(status) is verdict


@pytest.mark.parametrize(
    ("status", "retry_after", "then"),
    [
        (429, 3600, NOW + timedelta(hours=1)),
        (503, 3600, NOW + timedelta(hours=1)),
        (503, 1, PLANNED),
        (503, 10**9, NOW + LONGEST_WISH),
        (503, None, PLANNED),
        (500, 3600, PLANNED),
        (None, 3600, PLANNED),
    ],
)
def test_a_busy_receivers_wish_is_heeded_within_bounds(
    status: int | None, retry_after: int | None, then: datetime
) -> None:
    """Later where it asks for it, up to a day; never sooner than planned; only 429 and 503 may ask."""
    assert heeded(PLANNED, NOW, status, retry_after) == then


def test_no_wish_adds_a_try() -> None:
    """After the last try there is none, whatever is asked for."""
    assert heeded(None, NOW, 503, 60) is None


def test_the_schedule_takes_three_days() -> None:
    """Ten tries, the first at once, each pause longer than the one before."""
    assert len(RETRY_PAUSES) == 9
    assert list(RETRY_PAUSES) == sorted(RETRY_PAUSES)
    assert timedelta(days=3) < sum(RETRY_PAUSES, timedelta()) < timedelta(days=4)


def test_a_delivery_has_one_id() -> None:
    """Made of endpoint and event, and another for every other pair."""
    assert delivery_id_of("we_1", "chk_1:2") == delivery_id_of("we_1", "chk_1:2")
    assert len({delivery_id_of(e, m) for e in ("we_1", "we_2") for m in ("chk_1:1", "chk_1:2")}) == 4
