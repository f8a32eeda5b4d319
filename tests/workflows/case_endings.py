"""The endings that a person's orders lead to, for the saved histories."""

from collections.abc import Awaitable, Callable

import pytest

from domain.case import CaseAction, CaseKind
from domain.checkout import Checkout
from tests.workflows.casebook import SCENARIOS as TROUBLES
from tests.workflows.casebook import act, open_case
from tests.workflows.splits import reset
from tests.workflows.support import Shop


async def ordered(shop: Shop, kind: CaseKind, action: CaseAction, state: str, **how: str) -> Checkout:
    """The trouble comes up, goes away where it can, and a person orders this."""
    with pytest.MonkeyPatch.context() as patch:
        checkout, calm = await TROUBLES[kind](shop, patch)
        case = await open_case(shop, checkout, kind)
        if action not in (CaseAction.MARK_PAID, CaseAction.WRITE_OFF):
            await calm()
        await act(shop, case, action, **how)
        await shop.until(checkout, state)
        await shop.sandbox.delete("/sandbox/faults")
    return checkout


async def unknown_answered(shop: Shop) -> str:
    """No answer to the capture, a page, then an answer."""
    checkout = await ordered(shop, CaseKind.UNKNOWN_OUTCOME, CaseAction.LOOK_AGAIN, "completed")
    return checkout.workflow_id


async def marked_paid(shop: Shop) -> str:
    """No answer to the capture; a person has seen the money."""
    checkout = await ordered(shop, CaseKind.KEY_EXPIRED, CaseAction.MARK_PAID, "completed", evidence="ch_seen")
    return checkout.workflow_id


async def turned_back_by_order(shop: Shop) -> str:
    """Another amount than was asked for; a person gives it back."""
    checkout = await ordered(shop, CaseKind.CONTRADICTION, CaseAction.REFUND, "refunded")
    return checkout.workflow_id


async def written_off(shop: Shop) -> str:
    """The refund was declined; a person lets it be."""
    checkout = await ordered(shop, CaseKind.REFUND_DECLINED, CaseAction.WRITE_OFF, "written_off")
    return checkout.workflow_id


async def late_loss_written_off(shop: Shop) -> str:
    """A sale's money went away; a person writes it off."""
    checkout = await ordered(shop, CaseKind.CAPTURE_LOST, CaseAction.WRITE_OFF, "completed")
    return f"late/{checkout.id}"


async def split_case_closed(shop: Shop) -> str:
    """A tender's workflow was terminated; it is reset, a person has it looked at again, the shop cancels."""
    with pytest.MonkeyPatch.context() as patch:
        whole, _ = await TROUBLES[CaseKind.TENDER_GONE](shop, patch)
    case = await open_case(shop, whole, CaseKind.TENDER_GONE)
    legs = [record.checkout for record in await shop.books.legs(whole.id)]
    await reset(shop, legs[1].workflow_id)
    await act(shop, case, CaseAction.RETRY_NOW)
    await shop.until(whole, "canceled")
    return whole.workflow_id


SCENARIOS: list[Callable[[Shop], Awaitable[str]]] = [
    unknown_answered,
    marked_paid,
    turned_back_by_order,
    written_off,
    late_loss_written_off,
    split_case_closed,
]
