"""Taking a hold in parts, as a shop asks for it."""

import asyncio
from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from domain.checkout import CaptureMode, Checkout
from domain.saga import CaptureOrder, SagaPolicy
from tests.workflows.support import Shop

ON_CONFIRM: dict[str, Any] = {"capture": CaptureMode.ON_CONFIRM, "confirm_within_seconds": 600}
IN_PARTS = ("stripe", "paypal")
"""The gateways of the tests that take a hold in several parts."""


async def held(
    shop: Shop, gateway: str = "stripe", means: str = "good", policy: SagaPolicy | None = None, **changes: Any
) -> Checkout:
    """A checkout over 42 dollars that are held until the shop says what to take."""
    checkout = await shop.open(policy, **({"gateway": gateway} | ON_CONFIRM | changes))
    await shop.pay_with(checkout, means)
    await shop.until(checkout, "authorized")
    return checkout


async def capture(shop: Shop, checkout: Checkout, minor: int | None = None, final: bool = True) -> str:
    """Order a capture; the state it led to."""
    order = CaptureOrder(minor, final)
    answer = await asyncio.wait_for(shop.handle(checkout).execute_update("capture", order, result_type=str), 30)
    return str(answer)


async def refusal(shop: Shop, checkout: Checkout, minor: int | None = None, final: bool = True) -> tuple[str, str]:
    """Order a capture that is refused: the kind of refusal and its words."""
    with pytest.raises(WorkflowUpdateFailedError) as caught:
        await capture(shop, checkout, minor, final)
    cause = caught.value.cause
    assert isinstance(cause, ApplicationError)
    return cause.type or "", cause.message
