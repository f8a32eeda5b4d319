"""A call without an answer: asked for ever, ever more rarely, shown with its age, told to a person; never a failure."""

import asyncio
import logging

import pytest

from domain.case import CaseAction, CaseAnswer, CaseKind
from domain.checkout import Checkout
from domain.saga import SagaPolicy
from tests.workflows.agreement import agree
from tests.workflows.casebook import act, closed_case, held, open_case
from tests.workflows.splits import at_gateway
from tests.workflows.support import Shop, eventually


async def test_an_unknown_capture_pages_and_the_case_closes_by_itself(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    """Shown with its age, a case and one line in the log at the set age; the gateway's answer closes it."""
    checkout = await held(shop)
    await shop.fault("payment_intents.capture", "unavailable_503", checkout, count=1000)
    with caplog.at_level(logging.ERROR):
        await shop.tell(checkout, "confirm")
        case = await open_case(shop, checkout, CaseKind.UNKNOWN_OUTCOME)
    status = await shop.status(checkout)
    assert (status.state, status.stuck) == ("authorized", True)
    assert "unknown since 20" in (status.waiting_for or "")
    await shop.sandbox.delete("/sandbox/faults")
    await shop.handle(checkout).signal("retry_now")
    status = await shop.until(checkout, "completed")
    assert (status.stuck, status.waiting_for) == (False, None)
    await closed_case(shop, case)
    told = [r for r in caplog.records if checkout.id in r.getMessage() and "no answer since" in r.getMessage()]
    assert len(told) == 1
    await agree(shop, checkout)


async def test_a_cancel_while_it_is_unknown_undoes(shop: Shop) -> None:
    """The opening has no answer and a person was paged: the shop may still give the checkout up, and it ends so."""
    policy = SagaPolicy(1, 2, 1, 25, page_after_seconds=2)
    checkout = await shop.record()
    await shop.fault("payment_intents.create", "unavailable_503", checkout, count=1000)
    await shop.sagas(policy).start(checkout)
    case = await open_case(shop, checkout, CaseKind.UNKNOWN_OUTCOME)
    cancelling = asyncio.create_task(shop.sagas().cancel(checkout, 20))
    await asyncio.sleep(0.5)
    await shop.sandbox.delete("/sandbox/faults")
    await shop.until(checkout, "canceled")
    await cancelling
    assert "declined" not in await shop.path(checkout)
    await closed_case(shop, case)


async def test_an_order_that_comes_as_the_gateway_answers_is_heeded(shop: Shop) -> None:
    """A person orders to void while the next try is under way and goes well: what it took is given back."""
    checkout = await held(shop)
    await shop.fault("payment_intents.capture", "unavailable_503", checkout, count=1000)
    await shop.tell(checkout, "confirm")
    case = await open_case(shop, checkout, CaseKind.UNKNOWN_OUTCOME)
    await shop.sandbox.delete("/sandbox/faults")
    await shop.fault("payment_intents.capture", "slow_drip", checkout, seconds=2)
    await shop.handle(checkout).signal("retry_now")
    await eventually(lambda: shop.taken(checkout), bool)
    assert await act(shop, case, CaseAction.VOID) is CaseAnswer.DONE
    await shop.until(checkout, "refunded", "canceled")
    await closed_case(shop, case)
    await agree(shop, checkout)


async def test_what_a_person_marked_as_paid_is_not_booked_again(shop: Shop) -> None:
    """The money was taken and the answer lost: what the gateway shows later is on the books by the person's word."""
    checkout = await held(shop)
    await shop.fault("payment_intents.capture", "unavailable_503", checkout, count=1000)
    await shop.tell(checkout, "confirm")
    case = await open_case(shop, checkout, CaseKind.UNKNOWN_OUTCOME)
    await at_gateway_by_hand(shop, checkout)
    assert await act(shop, case, CaseAction.MARK_PAID, evidence="seen") is CaseAnswer.DONE
    status = await shop.until(checkout, "completed")
    await shop.all_dispatched(status.payment_id)
    taken = [row for row in await shop.books.postings(checkout.id) if row.account == "stripe:balance"]
    assert [row.amount_minor for row in taken] == [4200]
    await agree(shop, checkout)


async def at_gateway_by_hand(shop: Shop, checkout: Checkout) -> None:
    """Somebody captures in the gateway's own pages, and no webhook tells of it."""
    await shop.sandbox.delete("/sandbox/faults")
    await shop.fault("webhook", "lose", checkout, count=50)
    await at_gateway(shop, checkout, "capture")
