"""`GET /v1/analytics/daily` over HTTP: days, rates, and what is refused."""

import secrets
from datetime import UTC, datetime, timedelta

import pytest

from domain.timeline import EventType as T
from events.contract import Event, event_id
from events.subscribers.analytics.subscriber import DailyTotals
from tests.api.conftest import Api, bearer

NOON = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)


async def heard(api: Api, currency: str) -> None:
    """Three checkouts: one paid, refunded in part and disputed, one declined, one only begun."""
    subscriber = DailyTotals(api.services.analytics)

    async def tell(subject: str, type_: T, sequence: int, captured: int = 0, refunded: int = 0, after: int = 0) -> None:
        data = {
            "checkout_id": subject,
            "gateway": "stripe",
            "currency": currency,
            "amount_captured": captured,
            "amount_refunded": refunded,
            "details": {"amount": 500, "currency": currency},
        }
        at = NOON + timedelta(seconds=after)
        await subscriber.handle(Event(event_id(subject, sequence), type_, subject, sequence, at, data))

    paid, declined, begun = (f"chk_{secrets.token_hex(8)}" for _ in range(3))
    for subject in (paid, declined, begun):
        await tell(subject, T.CHECKOUT_CREATED, 1)
    await tell(paid, T.PAYMENT_SUCCEEDED, 2, 4000, after=20)
    await tell(paid, T.REFUND_SUCCEEDED, 3, 4000, 1000)
    await tell(paid, T.DISPUTE_OPENED, 4, 4000, 1000)
    await tell(declined, T.PAYMENT_DECLINED, 2)


async def test_a_day_is_shown_with_its_rates(api: Api) -> None:
    """Counts, amounts in minor units, rates of what they name."""
    await heard(api, "SEK")
    answer = await api.client.get("/v1/analytics/daily?from=2026-10-01&to=2026-10-31&gateway=stripe&currency=SEK")
    assert answer.status_code == 200
    (day,) = answer.json()["data"]
    assert day == {
        "day": "2026-10-05",
        "gateway": "stripe",
        "currency": "SEK",
        "created": 3,
        "authorized": 1,
        "declined": 1,
        "succeeded": 1,
        "canceled": 0,
        "expired": 0,
        "captured": {"count": 1, "amount": 4000},
        "refunded": {"count": 1, "amount": 1000},
        "refund_failed": 0,
        "disputes": {"opened": 1, "won": 0, "lost": 0, "opened_amount": 500, "lost_amount": 0},
        "authorization_rate": 0.5,
        "refund_rate": 0.25,
        "dispute_rate": 1.0,
        "mean_seconds_to_pay": 20.0,
    }


async def test_days_without_events_are_not_shown(api: Api) -> None:
    """Nor is another currency."""
    await heard(api, "NOK")
    for query in ("from=2026-10-06&to=2026-10-07&currency=NOK", "from=2026-10-05&to=2026-10-05&currency=DKK"):
        assert (await api.client.get(f"/v1/analytics/daily?{query}")).json() == {"data": []}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from=yesterday", "from"),
        ("from=2026-02-30", "from"),
        ("from=2026-10-02&to=2026-10-01", "from"),
        ("from=2020-01-01&to=2026-10-01", "from"),
        ("currency=eur", "currency"),
        ("gateway=Stripe%20", "gateway"),
        ("color=red", "color"),
    ],
)
async def test_a_query_that_makes_no_sense_is_refused(api: Api, query: str, field: str) -> None:
    """With the name of the field that is wrong."""
    answer = await api.client.get(f"/v1/analytics/daily?{query}")
    assert answer.status_code == 422
    assert field in answer.text


async def test_it_takes_a_key_that_may_read(api: Api) -> None:
    """Totals are nobody else's business."""
    assert (await api.stranger.get("/v1/analytics/daily")).status_code == 401
    secret = (await api.keys.create("writes", ["write"]))[1]
    assert (await api.stranger.get("/v1/analytics/daily", headers=bearer(secret))).status_code == 403
