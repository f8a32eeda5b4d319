"""Disputes over weeks, on a Temporal server that skips time: reminders, the deadline, and a decision nobody told of."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from temporalio.testing import WorkflowEnvironment

from domain.case import CaseKind
from ledger.cases import CaseBook
from ledger.contract import CaseFilter
from tests.workflows.after_sale import (
    balanced,
    dispute_handle,
    dispute_of,
    disputed,
    refund_handle,
    refund_now,
    sold,
    submit,
)
from tests.workflows.after_sale import refund as refunded
from tests.workflows.long_clock import skipping_server
from tests.workflows.support import Shop, eventually, running_shop

DAY = timedelta(days=1)


@pytest.fixture
async def skipping() -> AsyncIterator[WorkflowEnvironment]:
    """A server of the test's own, since no clock goes back."""
    async with skipping_server() as environment:
        yield environment


@pytest.fixture
async def long_shop(
    tmp_path_factory: pytest.TempPathFactory, fresh_database_url: str, skipping: WorkflowEnvironment
) -> AsyncIterator[Shop]:
    """A stack on that server, with books of its own."""
    address = skipping.client.service_client.config.target_host
    async with running_shop(tmp_path_factory.mktemp("long"), fresh_database_url, address) as running:
        yield running


async def pass_days(shop: Shop, skipping: WorkflowEnvironment, days: float) -> None:
    """Workflows and gateways get older together; what the gateways' clocks bring about is told by them."""
    await shop.world("stripe").pass_time(days * 86400)
    await skipping.sleep(timedelta(days=days))


async def test_nobody_answers(long_shop: Shop, skipping: WorkflowEnvironment) -> None:
    """Three reminders, the last with a case; after the deadline the gateway is asked, and its word closes the case.

    Its webhooks are all lost.
    """
    checkout, dispute = await disputed(long_shop)
    due = dispute.snapshot.respond_by
    assert due is not None
    await long_shop.fault("webhook", "lose", count=1000)
    days = (due - dispute.opened_at) / DAY
    await pass_days(long_shop, skipping, days - 0.5)
    cases = CaseBook(long_shop.parts.engine)
    case = (await eventually(lambda: cases.open_of(checkout.id), bool))[0]
    assert (case.kind, case.subject) == (CaseKind.DISPUTE_UNANSWERED, dispute.id)
    await pass_days(long_shop, skipping, 2)
    await dispute_of(long_shop, checkout, "lost")
    async with skipping.time_skipping_unlocked():
        assert await dispute_handle(long_shop, dispute).result() == "lost"
    reminders = [row.details["days"] for row in await long_shop.timeline(checkout) if ":reminder:" in row.key]
    assert reminders == [7, 3, 1]
    assert await cases.open_of(checkout.id) == ()
    closed = (await cases.list(CaseFilter(checkout_id=checkout.id, open=None))).data
    assert [case.closed_how for case in closed] == ["decided"]
    await balanced(long_shop, checkout)
    assert len((await dispute_handle(long_shop, dispute).fetch_history()).events) < 1000


async def test_an_answer_ends_the_reminders(long_shop: Shop, skipping: WorkflowEnvironment) -> None:
    """Answered in time: no reminder and no case; the decision after weeks is found by asking."""
    checkout, dispute = await disputed(long_shop)
    await submit(long_shop, checkout, dispute)
    await long_shop.fault("webhook", "lose", count=1000)
    await pass_days(long_shop, skipping, 45)
    await long_shop.world("stripe").decide(dispute.snapshot.dispute_id, won=True)
    await pass_days(long_shop, skipping, 2)
    await dispute_of(long_shop, checkout, "won")
    keys = [row.key for row in await long_shop.timeline(checkout)]
    assert not [key for key in keys if ":reminder:" in key]
    assert await CaseBook(long_shop.parts.engine).open_of(checkout.id) == ()
    await balanced(long_shop, checkout)


async def test_a_case_that_was_answered_is_closed(long_shop: Shop, skipping: WorkflowEnvironment) -> None:
    """The last reminder opened a case; the evidence that comes then closes it, before any decision."""
    checkout, dispute = await disputed(long_shop)
    due = dispute.snapshot.respond_by
    assert due is not None
    await pass_days(long_shop, skipping, (due - dispute.opened_at) / DAY - 0.5)
    cases = CaseBook(long_shop.parts.engine)
    await eventually(lambda: cases.open_of(checkout.id), bool)
    await submit(long_shop, checkout, replace(dispute))
    assert await eventually(lambda: cases.open_of(checkout.id), lambda found: not found) == ()
    await dispute_of(long_shop, checkout, "under_review")


async def test_a_refund_fails_on_day_nine(long_shop: Shop, skipping: WorkflowEnvironment) -> None:
    """Told as done, it comes back nine days later: its workflow has long ended, the books and a case say so."""
    checkout = await sold(long_shop, means="refund_fails")
    record = await refunded(long_shop, checkout, 4200)
    await eventually(lambda: refund_now(long_shop, record), lambda r: r.gateway_refund_id is not None)
    await skipping.sleep(timedelta(days=9))
    await long_shop.world("stripe").settle()
    failed = await eventually(lambda: refund_now(long_shop, record), lambda r: r.status == "failed", 60)
    assert failed.failure is not None
    await refund_handle(long_shop, record).result()
    assert (await balanced(long_shop, checkout)).status.refunded_minor == 0
    case = (await eventually(lambda: CaseBook(long_shop.parts.engine).open_of(checkout.id), bool))[0]
    assert (case.kind, case.workflow_id) == (CaseKind.REFUND_FAILED_LATER, f"late/{checkout.id}")
