"""Weeks after Temporal has deleted a checkout's history, its money still ends right: Postgres is the record."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from domain.checkout import Checkout
from tests.conftest import new_database
from tests.workflows.after_sale import balanced, dispute_of, events, open_dispute, sold
from tests.workflows.support import Shop, eventually, running_shop
from tests.workflows.test_adversarial import forget

DAY = 86_400
GATEWAYS = ("stripe", "paypal", "adyen")
LATE_AT = ("stripe", "adyen")
"""Where money can come by itself; PayPal moves none that we do not ask for."""


@pytest.fixture(scope="module")
async def aging(
    tmp_path_factory: pytest.TempPathFactory, server_url: str, template_database: str, temporal_address: str
) -> AsyncIterator[Shop]:
    """A stack whose gateways get older than those of other tests; a server that skips time deletes nothing."""
    async with (
        new_database(server_url, template_database) as url,
        running_shop(tmp_path_factory.mktemp("aging"), url, temporal_address) as running,
    ):
        yield running


@pytest.fixture(scope="module")
async def forgotten(aging: Shop) -> dict[str, Checkout]:
    """Checkouts that expired and checkouts that were sold, by gateway, six weeks after Temporal has deleted them."""
    late = {f"late {gateway}": unpaid(aging, gateway) for gateway in LATE_AT}
    found = dict(zip(late, await asyncio.gather(*late.values()), strict=True))
    found |= {f"sold {gateway}": await sold(aging, gateway) for gateway in GATEWAYS}
    await asyncio.gather(*(forget(aging, checkout.workflow_id) for checkout in found.values()))
    await aging.world("stripe").pass_time(45 * DAY)
    return found


async def unpaid(shop: Shop, gateway: str) -> Checkout:
    """A checkout that has expired."""
    checkout = await shop.open(gateway=gateway, expires_at=datetime.now(UTC) + timedelta(seconds=2))
    await shop.until(checkout, "expired")
    await shop.handle(checkout).result()
    return checkout


@pytest.mark.parametrize("gateway", GATEWAYS)
async def test_a_dispute_on_day_forty_five(aging: Shop, forgotten: dict[str, Checkout], gateway: str) -> None:
    """Of a sale that Temporal knows nothing of: watched, lost unanswered, and on the books."""
    checkout = forgotten[f"sold {gateway}"]
    await open_dispute(aging, checkout)
    dispute = await dispute_of(aging, checkout, "needs_response")
    await aging.world(gateway).decide(dispute.snapshot.dispute_id, won=False)
    await dispute_of(aging, checkout, "lost")
    assert (await events(aging, checkout))[-2:] == ["dispute.opened", "dispute.lost"]
    assert (await balanced(aging, checkout)).status.state == "completed"


@pytest.mark.parametrize("gateway", LATE_AT)
async def test_late_money_on_day_fifty(aging: Shop, forgotten: dict[str, Checkout], gateway: str) -> None:
    """Expired, forgotten, and paid seven weeks later: given back once; what was only held is released."""
    checkout = forgotten[f"late {gateway}"]
    status = await aging.status(checkout)
    await aging.world(gateway).pass_time(5 * DAY)
    await aging.fault("webhook", "duplicate", checkout, count=20)
    assert (await aging.sandbox.post(f"/sandbox/payments/{status.payment_id}/pay_late")).is_success
    taken, back = ("charge", "refund") if gateway == "stripe" else ("authorization", "release")
    await eventually(lambda: aging.moved(checkout), lambda moved: moved == {taken: [4200], back: [4200]}, 60)
    await aging.until(checkout, "refunded" if gateway == "stripe" else "expired")
    await aging.all_dispatched(status.payment_id)
    assert await aging.moved(checkout) == {taken: [4200], back: [4200]}
    await balanced(aging, checkout)
