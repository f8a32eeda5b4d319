"""What a person's order does to books on which others have written meanwhile."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

import worker
from api.sagas import CommandFailedError
from domain.case import CaseAction, CaseKind, CaseOrder
from domain.checkout import Checkout
from domain.money import Money
from domain.outcomes import Declined
from domain.payment import RefundStatus
from domain.saga import Fact
from ledger.cases import CaseBook
from ledger.contract import InboxItem, Note
from tests.workflows.after_sale import disputed, refund, refund_until
from tests.workflows.casebook import act, open_case
from tests.workflows.puppet import NAME, NO
from tests.workflows.reacting import Stage
from tests.workflows.support import Shop, eventually
from tests.workflows.test_reactions import stage  # noqa: F401


async def test_a_second_loss_while_the_first_is_looked_at_is_a_case_too(stage: Stage) -> None:  # noqa: F811
    """Two captures of one sale bounce one after the other: when the first case is closed, the second one comes up."""
    checkout = await stage.pays("completed")
    await stage.shop.handle(checkout).result()
    payment = stage.payment(checkout)
    for left in (2200, 0):
        payment = replace(payment, captured=Money(left, "USD"), decline=NO)
        stage.puppet.payments[payment.payment_id] = payment
        await stage.shop.sagas().deliver_late(checkout, Fact(payment, f"webhook:evt_{left}"))
        await until_captured(stage, checkout, left)
    first = await open_case(stage.shop, checkout, CaseKind.CAPTURE_LOST)
    assert first.amount_minor == 2000
    await act(stage.shop, first, CaseAction.CLOSE)
    cases = CaseBook(stage.shop.parts.engine)
    found = await eventually(
        lambda: cases.open_of(checkout.id), lambda seen: [c for c in seen if c.id != first.id] != []
    )
    assert [case.amount_minor for case in found] == [2200]


async def test_a_loss_that_somebody_else_booked_is_a_case(stage: Stage) -> None:  # noqa: F811
    """Whoever learns first that a sale lost its money books it: the gateway's own word, next, brings the one case."""
    checkout, shop = await stage.pays("completed"), stage.shop
    await shop.handle(checkout).result()
    payment = replace(stage.payment(checkout), captured=Money(0, "USD"), decline=NO)
    stage.puppet.payments[payment.payment_id] = payment
    await shop.books.note(checkout.id, Note("poll", datetime.now(UTC), payment))
    status, cases = await shop.status(checkout), CaseBook(shop.parts.engine)
    assert (status.state, status.captured_minor) == ("completed", 0)
    assert await cases.open_of(checkout.id) == ()
    event = InboxItem(0, NAME, "evt_lost", "lost", payment.payment_id, checkout.id, datetime.now(UTC), 1)
    dispatcher = worker.build_dispatcher(shop.parts)
    assert await dispatcher.dispatch(event) == "late"
    case = await open_case(shop, checkout, CaseKind.CAPTURE_LOST)
    assert (case.amount_minor, (await shop.status(checkout)).state) == (checkout.amount.minor, "needs_review")
    await act(shop, case, CaseAction.CLOSE)
    await shop.until(checkout, "completed")
    late = shop.parts.client.get_workflow_handle(f"late/{checkout.id}")
    await late.result()
    rows = await shop.timeline(checkout)
    assert await dispatcher.dispatch(event) == "late"
    await late.result()
    assert await shop.timeline(checkout) == rows


async def until_captured(stage: Stage, checkout: Checkout, minor: int) -> None:  # noqa: F811
    """So much is captured on the books."""
    await eventually(lambda: stage.shop.status(checkout), lambda seen: seen.captured_minor == minor)


async def test_no_more_is_written_off_than_is_kept(stage: Stage) -> None:  # noqa: F811
    """A refund came back, and the shop gave the money back by another: nothing is left of it to be let be."""
    checkout = await stage.pays("completed")
    await stage.shop.handle(checkout).result()
    shop, id_ = stage.shop, f"pay_{checkout.id}"
    stage.puppet.refunds_end[id_] = RefundStatus.SUCCEEDED
    await refund_until(shop, await refund(shop, checkout, 4200), "succeeded")
    came_back = replace(stage.payment(checkout).refunds[0], status=RefundStatus.FAILED, failure_code="lost_card")
    payment = replace(stage.payment(checkout), refunds=(came_back,))
    stage.puppet.payments[id_] = payment
    await shop.sagas().deliver_late(checkout, Fact(payment, "webhook:evt_back"))
    case = await open_case(shop, checkout, CaseKind.REFUND_FAILED_LATER)
    await refund_until(shop, await refund(shop, checkout, 4200), "succeeded")
    order = CaseOrder(case.id, CaseAction.WRITE_OFF, "let it be", "ada")
    assert await shop.sagas().act(case, checkout, order, 20) == "done"
    await eventually(lambda: CaseBook(shop.parts.engine).open_of(checkout.id), lambda found: not found)
    sales = [row.amount_minor for row in await shop.books.postings(checkout.id) if row.account == "puppet:sales"]
    assert sum(sales) == 0


async def test_an_acceptance_that_was_declined_can_be_given_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be accepted as an inquiry can be as a chargeback: the gateway is asked anew."""
    checkout, dispute = await disputed(shop)
    gateway = shop.parts.gateways["stripe"]
    record = await shop.record_of(checkout)

    async def declining(request: Any) -> Declined:
        return Declined(NO)

    with monkeypatch.context() as patched:
        patched.setattr(gateway, "accept_dispute", declining)
        with pytest.raises(CommandFailedError):
            await shop.sagas().accept(dispute, record, "key_ada", 20)
    assert await shop.sagas().accept(dispute, record, "key_ada", 20)
