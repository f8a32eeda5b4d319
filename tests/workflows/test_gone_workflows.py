"""Refunds and disputes without an answer: cases that page, and orders that find nobody there."""

from datetime import timedelta
from typing import Any

import pytest

from api.sagas import CommandRefusedError
from domain.case import CaseAction, CaseKind, CaseOrder
from domain.dispute import DisputeSnapshot
from domain.errors import GatewayUnreachableError, KeySpentError
from domain.outcomes import Answer
from domain.saga import SagaPolicy
from tests.workflows.after_sale import (
    balanced,
    dispute_handle,
    disputed,
    refund,
    refund_handle,
    refund_until,
    sold,
)
from tests.workflows.casebook import closed_case, open_case
from tests.workflows.support import Shop
from tests.workflows.test_adversarial import forget
from workflows import options

EAGER = SagaPolicy(poll_after_seconds=1, poll_at_most_seconds=2, stuck_after_seconds=2, page_after_seconds=3)


@pytest.mark.parametrize("action", [CaseAction.RETRY_NOW, CaseAction.LOOK_AGAIN, CaseAction.REFUND])
async def test_an_order_about_a_refund_whose_workflow_is_gone_is_carried_out(shop: Shop, action: CaseAction) -> None:
    """Paged as unknown, then terminated and forgotten: the late path starts it anew, and it is carried out once."""
    checkout = await sold(shop)
    await shop.fault("refunds.create", "unavailable_503", checkout, count=1000)
    record = await refund(shop, checkout, 4200, EAGER)
    case = await open_case(shop, checkout, CaseKind.UNKNOWN_OUTCOME)
    await refund_handle(shop, record).terminate("test")
    await forget(shop, record.refund.workflow_id)
    await shop.sandbox.delete("/sandbox/faults")
    assert await shop.sagas().act(case, checkout, CaseOrder(case.id, action, "go on", "ada"), 20) == "done"
    await refund_until(shop, record, "succeeded")
    await closed_case(shop, case)
    assert (await shop.moved(checkout))["refund"] == [4200]
    await balanced(shop, checkout)


async def test_a_dispute_that_cannot_be_read_takes_no_refund(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its case would say that it was done, and nothing would go back."""
    checkout, dispute = await disputed(shop)
    await dispute_handle(shop, dispute).terminate("test")

    async def down(dispute_id: str) -> DisputeSnapshot | None:
        raise GatewayUnreachableError("nobody there")

    with monkeypatch.context() as patched:
        patched.setattr(shop.parts.gateways["stripe"], "lookup_dispute", down)
        await shop.sagas(EAGER).deliver_dispute(dispute.snapshot, await shop.record_of(checkout), "webhook:evt")
        case = await open_case(shop, checkout, CaseKind.UNKNOWN_OUTCOME)
        with pytest.raises(CommandRefusedError):
            await shop.sagas().act(case, checkout, CaseOrder(case.id, CaseAction.REFUND, "give it back", "ada"), 20)
    await dispute_handle(shop, dispute).signal("retry_now")
    await closed_case(shop, case)


async def test_a_row_of_spoilt_keys_pages(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is known under one key after the other: a person hears of it, until there is an answer."""
    checkout, gateway = await sold(shop), shop.parts.gateways["stripe"]

    async def spoilt(request: Any) -> Answer:
        raise KeySpentError("the gateway has stored a failure under this key")

    monkeypatch.setattr(options, "STUCK_PAUSE", timedelta(seconds=1))
    with monkeypatch.context() as patched:
        patched.setattr(gateway, "refund", spoilt)
        record = await refund(shop, checkout, 4200, EAGER)
        case = await open_case(shop, checkout, CaseKind.UNKNOWN_OUTCOME)
    await refund_handle(shop, record).signal("retry_now")
    await refund_until(shop, record, "succeeded")
    await closed_case(shop, case)
    assert (await shop.moved(checkout))["refund"] == [4200]
