"""Saves one history of every ending that has none yet: `python -m tests.workflows.save_histories`.

Runs on a stack of its own. The file name is the ending and the day it was saved.
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from devstack import postgres
from devstack.temporal import temporal_server
from domain.checkout import CaptureMode, Checkout
from domain.money import Money
from domain.saga import SagaPolicy
from ledger.migrate import migrate
from tests.workflows.after_sale_endings import SCENARIOS as AFTER_SALE_SCENARIOS
from tests.workflows.capture_endings import LONG_SCENARIOS
from tests.workflows.capture_endings import SCENARIOS as CAPTURE_SCENARIOS
from tests.workflows.case_endings import SCENARIOS as CASE_SCENARIOS
from tests.workflows.gateway_endings import SCENARIOS as GATEWAY_SCENARIOS
from tests.workflows.long_clock import skipping_server
from tests.workflows.saved import FOLDER, write
from tests.workflows.splits import Split, at_gateway, open_split, pay_all
from tests.workflows.support import Shop, eventually, running_shop
from tests.workflows.webhook_endings import LONG_SCENARIOS as LONG_WEBHOOK_SCENARIOS
from tests.workflows.webhook_endings import SCENARIOS as WEBHOOK_SCENARIOS

Scenario = Callable[[Shop], Awaitable[str]]


async def completed(shop: Shop) -> str:
    """Paid."""
    checkout = await shop.open()
    await shop.pay(checkout)
    return checkout.workflow_id


async def completed_by_poll(shop: Shop) -> str:
    """Paid, the webhook lost."""
    checkout = await shop.open(SagaPolicy(1, 2, 60))
    await shop.fault("webhook", "lose", checkout, count=20)
    await shop.pay(checkout)
    return checkout.workflow_id


async def completed_after_decline(shop: Shop) -> str:
    """Declined, then authenticated and paid."""
    checkout = await shop.open()
    await shop.pay(checkout, "decline")
    await eventually(lambda: shop.status(checkout), lambda s: s.failure is not None)
    answer = await shop.pay(checkout, method="pm_card_threeDSecure2Required")
    await eventually(
        lambda: shop.status(checkout), lambda s: s.next_action is not None and s.next_action.url is not None
    )
    await asyncio.sleep(1)
    await shop.sandbox.post(answer.headers["location"], data={"outcome": "approve"})
    return checkout.workflow_id


async def captured_on_confirm(shop: Shop) -> str:
    """Held, confirmed, captured."""
    checkout = await held(shop, 600)
    await shop.sagas().confirm(checkout, 20)
    return checkout.workflow_id


async def declined(shop: Shop) -> str:
    """Refused by the gateway."""
    return (await shop.open(amount=Money(3, "USD"))).workflow_id


async def expired(shop: Shop) -> str:
    """Abandoned."""
    return (await shop.open(expires_at=datetime.now(UTC) + timedelta(seconds=1))).workflow_id


async def canceled(shop: Shop) -> str:
    """Given up by the shop."""
    checkout = await shop.open()
    await shop.sagas().cancel(checkout, 20)
    return checkout.workflow_id


async def voided_at_deadline(shop: Shop) -> str:
    """Held, never confirmed."""
    return (await held(shop, 1)).workflow_id


async def refunded_on_reject(shop: Shop) -> str:
    """Paid, rejected."""
    checkout = await paid(shop)
    await shop.sagas().reject(checkout, "out of stock", 20)
    return checkout.workflow_id


async def refunded_after_review(shop: Shop) -> str:
    """Paid, rejected, the gateway down until a person asks again."""
    checkout = await paid(shop, SagaPolicy(20, 60, 2))
    await shop.fault("refunds.create", "unavailable_503", checkout, count=1000)
    await shop.sagas().reject(checkout, "out of stock", 10)
    await shop.until(checkout, "needs_review")
    await shop.sandbox.delete("/sandbox/faults")
    await shop.handle(checkout).signal("retry_now")
    return checkout.workflow_id


async def cancelled_by_operator(shop: Shop) -> str:
    """Paid, the workflow cancelled in the Temporal UI."""
    checkout = await paid(shop)
    await shop.handle(checkout).cancel()
    return checkout.workflow_id


async def late_refunded(shop: Shop) -> str:
    """Money after the expiry."""
    checkout = await shop.open(expires_at=datetime.now(UTC) + timedelta(seconds=1))
    status = await shop.until(checkout, "expired")
    await shop.handle(checkout).result()
    await shop.sandbox.post(f"/sandbox/payments/{status.payment_id}/pay_late")
    await shop.until(checkout, "refunded")
    return f"late/{checkout.id}"


async def late_found_at_gateway(shop: Shop) -> str:
    """A refund made in the gateway's own pages."""
    checkout = await shop.open()
    await shop.pay(checkout)
    status = await shop.until(checkout, "completed")
    await shop.handle(checkout).result()
    refund = {"payment_intent": status.payment_id, "amount": "1000"}
    await shop.sandbox.post("/v1/refunds", data=refund, headers={"Authorization": "Bearer sk_test_x"})
    await eventually(lambda: shop.status(checkout), lambda s: s.refunded_minor == 1000)
    return f"late/{checkout.id}"


async def split_completed(shop: Shop) -> str:
    """Every tender paid."""
    split = await open_split(shop)
    await pay_all(shop, split)
    return split.whole.workflow_id


async def split_tender_completed(shop: Shop) -> str:
    """A tender's own history."""
    split = await open_split(shop)
    await pay_all(shop, split)
    return split.legs[0].workflow_id


async def split_confirmed(shop: Shop) -> str:
    """Held, confirmed, captured."""
    split = await split_held(shop)
    await shop.sagas().confirm(split.whole, 20)
    return split.whole.workflow_id


async def split_expired(shop: Shop) -> str:
    """One tender paid, the other not in time."""
    split = await open_split(shop, expires_at=datetime.now(UTC) + timedelta(seconds=3))
    await shop.pay_with(split.legs[0], "good")
    return split.whole.workflow_id


async def split_tender_given_back(shop: Shop) -> str:
    """A tender that was held when the shop cancelled."""
    split = await open_split(shop)
    await shop.pay_with(split.legs[0], "good")
    await shop.until(split.legs[0], "authorized")
    await shop.sagas().cancel(split.whole, 20)
    return split.legs[0].workflow_id


async def split_capture_failed(shop: Shop) -> str:
    """The second tender's hold was gone when it was to be captured: the first is refunded."""
    split = await split_held(shop)
    await shop.fault("webhook", "lose", split.legs[1], count=20)
    await at_gateway(shop, split.legs[1], "cancel")
    await shop.sagas().confirm(split.whole, 20)
    return split.whole.workflow_id


async def split_cancelled_by_operator(shop: Shop) -> str:
    """Paid, the split checkout's workflow cancelled in the Temporal UI."""
    split = await open_split(shop, confirm_within_seconds=600)
    await pay_all(shop, split)
    await shop.until(split.whole, "paid")
    await shop.handle(split.whole).cancel()
    return split.whole.workflow_id


SCENARIOS: list[Callable[[Shop], Awaitable[str]]] = [
    completed,
    completed_by_poll,
    completed_after_decline,
    captured_on_confirm,
    declined,
    expired,
    canceled,
    voided_at_deadline,
    refunded_on_reject,
    refunded_after_review,
    cancelled_by_operator,
    late_refunded,
    late_found_at_gateway,
    split_completed,
    split_tender_completed,
    split_confirmed,
    split_expired,
    split_tender_given_back,
    split_capture_failed,
    split_cancelled_by_operator,
]


async def split_held(shop: Shop) -> Split:
    """A split checkout that is held and waits for the shop."""
    split = await open_split(shop, capture=CaptureMode.ON_CONFIRM, confirm_within_seconds=600)
    await pay_all(shop, split)
    await shop.until(split.whole, "authorized")
    return split


async def held(shop: Shop, seconds: int) -> Checkout:
    """An authorized checkout."""
    checkout = await shop.open(capture=CaptureMode.ON_CONFIRM, confirm_within_seconds=seconds)
    await shop.pay(checkout)
    await shop.until(checkout, "authorized", "canceled")
    return checkout


async def paid(shop: Shop, policy: SagaPolicy | None = None) -> Checkout:
    """A paid checkout that waits for the shop."""
    checkout = await shop.open(policy, confirm_within_seconds=600)
    await shop.pay(checkout)
    await shop.until(checkout, "paid")
    return checkout


async def main() -> None:
    """Save what is missing."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        url = postgres.start(folder / "postgres")
        try:
            await migrate(url)
            async with temporal_server(folder) as address, running_shop(folder, url, address) as shop:
                known = [*SCENARIOS, *GATEWAY_SCENARIOS, *CAPTURE_SCENARIOS, *AFTER_SALE_SCENARIOS, *CASE_SCENARIOS]
                for scenario in missing([*known, *WEBHOOK_SCENARIOS]):
                    await save(shop, scenario)
            for scenario in missing([*LONG_SCENARIOS, *LONG_WEBHOOK_SCENARIOS]):
                await save_long(folder / scenario.__name__, url, scenario)
        finally:
            postgres.remove(folder / "postgres")


def missing(scenarios: Iterable[Scenario]) -> list[Scenario]:
    """Those that have no history yet."""
    have = {path.stem.split("@")[0] for path in FOLDER.glob("*.json")}
    return [scenario for scenario in scenarios if scenario.__name__ not in have]


async def save(shop: Shop, scenario: Scenario) -> None:
    """Run to the ending and write its history."""
    handle = shop.parts.client.get_workflow_handle(await scenario(shop))
    await eventually(handle.describe, lambda description: description.close_time is not None)
    await write(handle, scenario.__name__)


async def save_long(folder: Path, url: str, scenario: Scenario) -> None:
    """The same on a server that skips the time until the ending; one for each, since no clock goes back."""
    folder.mkdir()
    async with skipping_server() as environment:
        address = environment.client.service_client.config.target_host
        async with running_shop(folder, url, address) as shop:
            handle = shop.parts.client.get_workflow_handle(await scenario(shop))
            async with environment.time_skipping_unlocked():
                await handle.result()
            await write(handle, scenario.__name__)


if __name__ == "__main__":
    asyncio.run(main())
    time.sleep(0.2)
