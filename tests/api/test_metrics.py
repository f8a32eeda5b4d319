"""The figures that Prometheus scrapes, on a database of each test's own, since they count everything."""

import asyncio
import secrets
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from api.meter import Meter
from domain.case import CaseKind, OpenCase
from domain.dispute import DisputeSnapshot, DisputeState
from domain.money import Money
from domain.payment import RefundStatus
from ledger.contract import Delivery, EventSource
from ledger.figures import Figures

from .conftest import Api, serving


class Moved:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """The time."""
        return self.now


async def scraped(api: Api) -> dict[tuple[str, ...], float]:
    """All samples, by name and label values."""
    response = await api.client.get("/metrics")
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/plain; version=")
    samples = (s for family in text_string_to_metric_families(response.text) for s in family.samples)
    return {(sample.name, *sample.labels.values()): sample.value for sample in samples}


async def store(api: Api, source: EventSource, **changes: object) -> None:
    """An event from the one gateway."""
    members: dict[str, object] = {
        "gateway": "stripe",
        "event_id": secrets.token_hex(8),
        "type": "payment_intent.succeeded",
        "payment_id": None,
        "reference": None,
        "live": False,
        "relevant": True,
        "body": b"{}",
        "headers": {},
        "received_at": datetime.now(UTC),
        "source": source,
    }
    await api.services.inbox.store(Delivery(**(members | changes)))  # type: ignore[arg-type]


async def test_nothing_is_zero(fresh_database_url: str) -> None:
    """Every figure is there from the start, cases of every kind among them: what is absent cannot be watched."""
    async with serving(fresh_database_url) as api:
        seen = await scraped(api)
    assert {name for name, *_ in seen} == {
        "paysaga_cases_open",
        "paysaga_inbox_unprocessed",
        "paysaga_inbox_oldest_unprocessed_seconds",
        "paysaga_case_oldest_open_seconds",
        "paysaga_checkouts_stuck",
        "paysaga_checkout_oldest_stuck_seconds",
        "paysaga_refunds_pending",
        "paysaga_refund_oldest_pending_seconds",
        "paysaga_disputes_open",
    }
    assert {labels[0] for name, *labels in seen if name == "paysaga_cases_open"} == set(CaseKind)
    assert set(seen.values()) == {0.0}


async def test_events_tell_what_the_poll_has_healed(fresh_database_url: str) -> None:
    """By gateway and source, of the last day; irrelevant and older ones do not count."""
    async with serving(fresh_database_url) as api:
        for _ in range(3):
            await store(api, EventSource.WEBHOOK)
        await store(api, EventSource.POLL)
        await store(api, EventSource.WEBHOOK, relevant=False)
        await store(api, EventSource.POLL, received_at=datetime.now(UTC) - timedelta(days=2))
        await store(api, EventSource.POLL, gateway="adyen")
        seen = await scraped(api)
    assert seen["paysaga_inbox_events", "stripe", "webhook"] == 3
    assert seen["paysaga_inbox_events", "stripe", "poll"] == 1
    assert seen["paysaga_inbox_events", "adyen", "webhook"] == 0
    assert seen["paysaga_inbox_healed_by_poll_ratio", "stripe"] == 0.25
    assert seen["paysaga_inbox_healed_by_poll_ratio", "adyen"] == 1
    assert seen["paysaga_inbox_unprocessed",] == 6
    assert seen["paysaga_inbox_oldest_unprocessed_seconds",] >= 2 * 86_400


async def test_what_waits_is_counted(fresh_database_url: str) -> None:
    """Cases by kind, stuck checkouts, pending refunds, open disputes, and the age of the oldest of each."""
    async with serving(fresh_database_url) as api:
        ids = [str((await api.create()).json()["id"]) for _ in range(4)]
        await api.sagas.stuck(ids[0])
        await api.sagas.open_case(ids[0], OpenCase(CaseKind.CONTRADICTION, "odd", f"checkout/{ids[0]}"))
        await api.sagas.sold(ids[1])
        api.sagas.refund_status = RefundStatus.PENDING
        await api.client.post(f"/v1/checkouts/{ids[1]}/refunds", json={"amount": 100})
        for number, state in ((2, DisputeState.NEEDS_RESPONSE), (3, DisputeState.LOST)):
            await api.sagas.sold(ids[number])
            money, payment_id = Money(4200, "USD"), f"pi_{ids[number]}"
            dispute = DisputeSnapshot("stripe", f"du_{number}", payment_id, None, money, money, state, "fraud", False)
            await api.sagas.disputed(dispute, ids[number])
        seen = await scraped(api)
    assert seen["paysaga_cases_open", "contradiction"] == 1
    assert sum(value for (name, *_), value in seen.items() if name == "paysaga_cases_open") == 1
    assert (seen["paysaga_checkouts_stuck",], seen["paysaga_refunds_pending",], seen["paysaga_disputes_open",]) == (
        1,
        1,
        1,
    )
    for name in ("case_oldest_open", "checkout_oldest_stuck", "refund_oldest_pending"):
        assert 0 < seen[f"paysaga_{name}_seconds",] < 60


async def test_a_swarm_of_scrapers_asks_the_database_once(api: Api) -> None:
    """Figures are remembered for five seconds, also while they are being read."""
    clock, reads = Moved(), []

    async def read() -> Figures:
        reads.append(clock.now)
        return Figures(len(reads), None, 0, None, 0, {}, None, 0, None)

    meter = Meter(read, api.services.inbox, clock)
    texts = await asyncio.gather(*(meter.text() for _ in range(20)))
    assert (len(reads), len(set(texts))) == (1, 1)
    clock.now += 4.9
    assert await meter.text() == texts[0]
    clock.now += 0.2
    assert b"paysaga_inbox_unprocessed 2.0" in await meter.text()
    assert len(reads) == 2


@pytest.mark.parametrize(("authorization", "status"), [(None, 401), ("Bearer psk_wrong", 401)])
async def test_the_figures_take_a_key(api: Api, authorization: str | None, status: int) -> None:
    """How much is disputed and refunded is nobody else's business."""
    headers = {"Authorization": authorization} if authorization else {}
    answer = await api.stranger.get("/metrics", headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


async def test_the_figures_take_the_scope_of_reading(api: Api) -> None:
    """A key that cannot read is refused."""
    headers = {"Authorization": f"Bearer {await api.key('write')}"}
    assert (await api.stranger.get("/metrics", headers=headers)).json()["scope"] == "read"
