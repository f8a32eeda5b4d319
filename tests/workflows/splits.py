"""Split checkouts on the sagas' stack: recorded, opened and paid, and what is left true of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from secrets import token_hex
from typing import Any

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType as HistoryEvent
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest

from domain.checkout import SPLIT, CaptureMode, Checkout, CheckoutStatus
from domain.money import Money
from domain.saga import SagaPolicy
from domain.split import split_terms
from domain.states import CheckoutState
from domain.timeline import Entry, EventType, TimelineRow, terms_of
from tests.workflows.support import PATIENCE, Shop

TENDERS = (("stripe", 3000), ("stripe", 1200))


@dataclass(frozen=True)
class Split:
    """A split checkout and its tenders, in their order."""

    whole: Checkout
    legs: tuple[Checkout, ...]


def made(tenders: Sequence[tuple[str, int]] = TENDERS, held: bool = True, silence: int = 3600, **changes: Any) -> Split:
    """A split checkout over these tenders; `held`: their gateways can hold; `silence`: what they bear, in seconds."""
    now = datetime.now(UTC)
    whole = Checkout(
        id=f"chk_{token_hex(12)}",
        order_id=f"order-{token_hex(8)}",
        amount=Money(sum(amount for _, amount in tenders), "USD"),
        gateway=SPLIT,
        capture=CaptureMode.AUTOMATIC,
        confirm_within_seconds=None,
        created_at=now,
        expires_at=now + timedelta(minutes=30),
    )
    whole = replace(whole, **changes)
    legs = tuple(
        replace(
            whole,
            id=f"chk_{token_hex(12)}",
            amount=Money(amount, "USD"),
            gateway=gateway,
            capture=CaptureMode.ON_CONFIRM if held else CaptureMode.AUTOMATIC,
            confirm_within_seconds=silence,
            parent_id=whole.id,
            leg=place,
        )
        for place, (gateway, amount) in enumerate(tenders, start=1)
    )
    return Split(whole, legs)


async def record_split(shop: Shop, **changes: Any) -> Split:
    """Record a split checkout as the API does; nothing is started."""
    split = made(**changes)
    status = CheckoutStatus(CheckoutState.PROCESSING)
    details = [split_terms(split.whole, split.legs), *(terms_of(leg) for leg in split.legs)]
    entries = [
        Entry("created", status, "api", split.whole.created_at, terms, event=EventType.CHECKOUT_CREATED)
        for terms in details
    ]
    await shop.books.create_split(split.whole, split.legs, entries)
    shop.checkouts += [leg.id for leg in split.legs]
    return split


async def open_split(shop: Shop, policy: SagaPolicy | None = None, **changes: Any) -> Split:
    """Record a split checkout and open its saga; the customer has a next step for every tender."""
    split = await record_split(shop, **changes)
    assert await shop.sagas(policy).open(split.whole, PATIENCE, split.legs)
    return split


async def pay_all(shop: Shop, split: Split) -> None:
    """The customer pays every tender."""
    for leg in split.legs:
        await shop.pay_with(leg, "good")


async def states(shop: Shop, split: Split) -> list[str]:
    """Where the whole and its tenders stand."""
    return [str((await shop.status(checkout)).state) for checkout in (split.whole, *split.legs)]


async def moved(shop: Shop, split: Split) -> list[dict[str, list[int]]]:
    """The gateways' own books of every tender."""
    return [await shop.moved(leg) for leg in split.legs]


async def ended_in_order(shop: Shop, split: Split) -> list[int]:
    """The tenders' numbers in the order in which they ended."""
    last = {leg.leg or 0: (await shop.timeline(leg))[-1].at for leg in split.legs}
    return sorted(last, key=lambda number: last[number])


async def at_gateway(shop: Shop, checkout: Checkout, action: str) -> None:
    """Somebody captures or cancels the payment in the gateway's own pages."""
    payment_id = (await shop.status(checkout)).payment_id
    headers = {"Authorization": "Bearer sk_test_x"}
    answer = await shop.sandbox.post(f"/v1/payment_intents/{payment_id}/{action}", headers=headers)
    assert answer.is_success, answer.text


async def first_row(shop: Shop, checkout: Checkout, key: str) -> TimelineRow:
    """The timeline's row with this key."""
    return next(row for row in await shop.timeline(checkout) if row.key == key)


async def reset(shop: Shop, workflow_id: str) -> None:
    """Reset the workflow to its first task, as an operator can."""
    client, handle = shop.parts.client, shop.parts.client.get_workflow_handle(workflow_id)
    completed = HistoryEvent.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
    history = await handle.fetch_history()
    await client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=workflow_id, run_id=(await handle.describe()).run_id),
            reason="test",
            workflow_task_finish_event_id=next(e.event_id for e in history.events if e.event_type == completed),
            request_id=token_hex(8),
        )
    )
