"""The hash of a timeline row: the same for the same content, another one for any change."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.money import Money
from domain.postings import capture, refund
from domain.timeline import CHAIN_START, row_hash

AT = datetime(2026, 3, 4, 5, 6, 7, 890123, tzinfo=UTC)
TAKEN = capture("stripe", "pi_1", Money(4200, "EUR"), Money(0, "EUR"))
ROW: dict[str, Any] = {
    "checkout_id": "chk_1",
    "sequence": 3,
    "previous_hash": CHAIN_START,
    "entry_key": "paid",
    "state": "paid",
    "cause": "webhook:evt_1",
    "at": AT,
    "details": {"payment_id": "pi_1", "attempt": 1, "live": False, "code": None},
    "transactions": (TAKEN,),
}


def test_the_hash_is_pinned() -> None:
    """Rows written long ago must verify for ever: this value never changes."""
    assert row_hash(**ROW) == "f776007bbbde99d9ac05b17f06be4673060fc4119e6fe758bcfb3d8bd8401ca7"


@pytest.mark.parametrize(
    "change",
    [
        {"checkout_id": "chk_2"},
        {"sequence": 4},
        {"previous_hash": "1" * 64},
        {"entry_key": "paid2"},
        {"state": "completed"},
        {"cause": "poll"},
        {"at": AT + timedelta(microseconds=1)},
        {"details": {}},
        {"details": ROW["details"] | {"attempt": True}},
        {"details": ROW["details"] | {"attempt": "1"}},
        {"transactions": ()},
        {"transactions": (TAKEN, TAKEN)},
        {"transactions": (capture("stripe", "pi_1", Money(4201, "EUR"), Money(0, "EUR")),)},
        {"transactions": (capture("stripe", "pi_1", Money(4200, "USD"), Money(0, "USD")),)},
        {"transactions": (capture("stripe", "pi_2", Money(4200, "EUR"), Money(0, "EUR")),)},
        {"transactions": (capture("paypal", "pi_1", Money(4200, "EUR"), Money(0, "EUR")),)},
        {"transactions": (refund("stripe", "pi_1", Money(4200, "EUR")),)},
    ],
)
def test_any_change_changes_the_hash(change: dict[str, object]) -> None:
    """Every part of the row and of its money counts, types too."""
    assert row_hash(**(ROW | change)) != row_hash(**ROW)


@given(st.integers(-12, 14), st.permutations(list(ROW["details"].items())))
def test_the_spelling_does_not_matter(hours: int, items: list[tuple[str, Any]]) -> None:
    """Another time zone for the same moment and another order of the details give the same hash."""
    elsewhere = AT.astimezone(timezone(timedelta(hours=hours)))
    assert row_hash(**(ROW | {"at": elsewhere, "details": dict(items)})) == row_hash(**ROW)
