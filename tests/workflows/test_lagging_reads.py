"""PayPal's reads may show, for a while after a capture or an authorization, what the order was before it."""

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from api.sagas import CommandRefusedError, SagaEndedError
from domain.checkout import CaptureMode, Checkout
from domain.outcomes import Answer
from domain.saga import SagaPolicy
from gateways.contract import AuthorizePayment, CapturePayment, Evidence, Gateway
from gateways.paypal.adapter import PayPalGateway
from gateways.paypal.client import PayPalConnection
from gateways.paypal.options import PayPalOptions
from gateways.paypal.reader import Order, PayPalReader
from tests.conftest import new_database
from tests.workflows.agreement import agree
from tests.workflows.sandboxes import Announced, paypal_options
from tests.workflows.support import Shop, eventually, running_shop

LAG_SECONDS = 3.0
EAGER = SagaPolicy(poll_after_seconds=1, poll_at_most_seconds=2, stuck_after_seconds=60)
ON_CONFIRM: dict[str, Any] = {"capture": CaptureMode.ON_CONFIRM, "confirm_within_seconds": 600}


class LaggingReader(PayPalReader):
    """Shows an order as it was when it was last touched, until the lag is over."""

    def __init__(self, connection: PayPalConnection, evidence: Evidence, live: bool) -> None:
        super().__init__(connection, evidence, live)
        self._before: dict[str, tuple[Order | None, float]] = {}
        self._touched: set[str] = set()

    async def order(self, payment_id: str) -> Order | None:
        """As it was, or as it is."""
        known, until = self._before.get(payment_id, (None, 0.0))
        return known if time.monotonic() < until else await super().order(payment_id)

    async def touch(self, key: str, payment_id: str) -> None:
        """An operation is made for the first time under this key: from now on reads lag behind it."""
        if key not in self._touched:
            self._touched.add(key)
            self._before[payment_id] = (await self.order(payment_id), time.monotonic() + LAG_SECONDS)


class LaggingPayPal(PayPalGateway):
    """PayPal whose reads lag behind what it has accepted."""

    def __init__(self, options: PayPalOptions, evidence: Evidence) -> None:
        super().__init__(options, evidence)
        self._reader: LaggingReader = LaggingReader(self._connection, evidence, options.live)

    async def authorize(self, request: AuthorizePayment) -> Answer:
        """Hold it; reads show it as approved for a while."""
        await self._reader.touch(request.key, request.payment_id)
        return await super().authorize(request)

    async def capture(self, request: CapturePayment) -> Answer:
        """Take it; reads show it as approved, or as held, for a while."""
        await self._reader.touch(request.key, request.payment_id)
        return await super().capture(request)


def lagging_gateways(sandbox: Announced) -> dict[str, Any]:
    """The sandbox's PayPal, read late."""

    def paypal(evidence: Evidence) -> Gateway:
        return LaggingPayPal(paypal_options(sandbox), evidence)

    return {"paypal": paypal}


@pytest.fixture(scope="module")
async def lagging(
    tmp_path_factory: pytest.TempPathFactory, server_url: str, template_database: str, temporal_address: str
) -> AsyncIterator[Shop]:
    """A stack whose PayPal lags, on books of its own."""
    async with (
        new_database(server_url, template_database) as url,
        running_shop(tmp_path_factory.mktemp("lagging"), url, temporal_address, lagging_gateways) as running,
    ):
        running.policy = EAGER
        yield running


async def cancel_as_it_moves(shop: Shop, checkout: Checkout) -> None:
    """The shop cancels once something has moved at PayPal, which does not show it yet; the saga may say no to that."""
    await eventually(lambda: shop.moved(checkout), bool)
    try:
        await shop.sagas().cancel(checkout, 20)
    except (CommandRefusedError, SagaEndedError):
        return


async def test_money_taken_while_reads_lag_is_sold_or_given_back(lagging: Shop) -> None:
    """Canceled while the order still reads as approved: that nothing was taken is not believed."""
    checkout = await lagging.open(gateway="paypal")
    await lagging.pay_with(checkout, "good")
    await cancel_as_it_moves(lagging, checkout)
    await lagging.until(checkout, "completed", "refunded")
    await lagging.handle(checkout).result()
    await agree(lagging, checkout)
    assert (await lagging.moved(checkout))["charge"] == [4200]
    assert "canceled" not in await lagging.path(checkout)


async def test_money_held_while_reads_lag_is_released(lagging: Shop) -> None:
    """Canceled while the order still reads as approved: the hold behind it is found and released."""
    checkout = await lagging.open(gateway="paypal", **ON_CONFIRM)
    await lagging.pay_with(checkout, "good")
    await cancel_as_it_moves(lagging, checkout)
    await lagging.until(checkout, "canceled")
    await lagging.handle(checkout).result()
    await agree(lagging, checkout)
    assert await lagging.moved(checkout) == {"authorization": [4200], "release": [4200]}


async def test_a_hold_that_is_taken_while_reads_lag_is_sold(lagging: Shop) -> None:
    """Confirmed, captured, and read as only held: the saga waits until the capture shows, and asks for no second."""
    checkout = await lagging.open(gateway="paypal", **ON_CONFIRM)
    await lagging.pay_with(checkout, "good")
    await lagging.until(checkout, "authorized")
    await lagging.sagas().confirm(checkout, 20)
    await lagging.until(checkout, "completed")
    await agree(lagging, checkout)
    assert await lagging.moved(checkout) == {"authorization": [4200], "capture": [4200]}
