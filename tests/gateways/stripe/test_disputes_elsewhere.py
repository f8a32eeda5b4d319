"""A dispute of an account that settles in another currency."""

import pytest

from domain.dispute import DisputeState
from gateways.stripe.disputes import dispute_of


@pytest.mark.parametrize("back", [895, 900, 905])
def test_what_came_back_at_another_rate_is_back(back: int) -> None:
    """Won: withdrawn as 9.00 EUR, given back as 8.95 a month later. Nothing is out, whatever the rate did."""
    rows = [{"id": "t1", "amount": -900, "currency": "eur"}, {"id": "t2", "amount": back, "currency": "eur"}]
    seen = dispute_of(
        {
            "id": "du_1",
            "amount": 1000,
            "currency": "usd",
            "balance_transactions": rows,
            "payment_intent": "pi_1",
            "reason": "fraudulent",
            "livemode": False,
            "evidence_details": {},
            "status": "won",
        }
    )
    assert (seen.state, seen.withdrawn.minor) == (DisputeState.WON, 0)
