"""Disputes from their first sight to the decision, over every gateway: on the books, answered, and never paid twice."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from api.sagas import CommandRefusedError
from gateways.contract import Modifications, Verb
from ledger.contract import InboxItem
from tests.gateways.outside import needs
from tests.workflows.after_sale import (
    EVIDENCE,
    GATEWAYS,
    balanced,
    dispute_handle,
    dispute_of,
    disputed,
    events,
    gateway_of,
    open_dispute,
    refund,
    refund_until,
    sold,
    submit,
)
from tests.workflows.support import Shop, eventually
from worker import build_dispatcher


def able(shop: Shop, gateway: str, verb: Verb) -> None:
    """Skip where the gateway takes no such answer from a program."""
    if verb not in shop.parts.gateways[gateway].capabilities.answers_disputes:
        pytest.skip(f"{gateway} takes no {verb}")


async def told(shop: Shop, gateway: str, dispute_id: str, won: bool) -> None:
    """Bank or gateway decide."""
    await shop.world(gateway).decide(dispute_id, won)


@pytest.mark.parametrize("gateway", GATEWAYS)
async def test_a_dispute_takes_the_money_out_and_a_win_brings_it_back(shop: Shop, gateway: str) -> None:
    """Withdrawn and reinstated on both books, with one event for each step; the sale stays a sale."""
    needs(shop.world(gateway), "disputes")
    checkout, dispute = await disputed(shop, gateway)
    assert (dispute.snapshot.amount.minor, dispute.snapshot.withdrawn.minor) == (4200, 4200)
    await balanced(shop, checkout)
    await told(shop, gateway, dispute.snapshot.dispute_id, won=True)
    assert (await dispute_of(shop, checkout, "won")).snapshot.withdrawn.minor == 0
    assert await dispute_handle(shop, dispute).result() == "won"
    assert (await balanced(shop, checkout)).status.state == "completed"
    assert (await events(shop, checkout))[-2:] == ["dispute.opened", "dispute.won"]


@pytest.mark.parametrize("gateway", GATEWAYS)
async def test_a_lost_dispute_after_a_partial_refund(shop: Shop, gateway: str) -> None:
    """What was refunded is the customer's already; what was disputed of the rest stays withdrawn."""
    needs(shop.world(gateway), "disputes")
    checkout = await sold(shop, gateway)
    given = await refund(shop, checkout, 1200)
    await shop.world(gateway).settle()
    await refund_until(shop, given, "succeeded")
    await open_dispute(shop, checkout, minor=3000)
    dispute = await dispute_of(shop, checkout, "needs_response")
    await told(shop, gateway, dispute.snapshot.dispute_id, won=False)
    lost = await dispute_of(shop, checkout, "lost")
    assert lost.snapshot.withdrawn.minor == 3000
    assert await dispute_handle(shop, dispute).result() == "lost"
    status = (await balanced(shop, checkout)).status
    assert (status.captured_minor, status.refunded_minor) == (4200, 1200)


@pytest.mark.parametrize("gateway", GATEWAYS)
async def test_evidence_goes_to_the_gateway_and_nowhere_else(shop: Shop, gateway: str) -> None:
    """Submitted once under its own key; what it says is in no history and on no timeline."""
    needs(shop.world(gateway), "disputes")
    able(shop, gateway, Verb.SUBMIT_EVIDENCE)
    checkout, dispute = await disputed(shop, gateway)
    evidence_id = await submit(shop, checkout, dispute)
    answered = await dispute_of(shop, checkout, "under_review")
    assert answered.answered == Verb.SUBMIT_EVIDENCE
    assert await shop.sagas().submit_evidence(dispute, await shop.record_of(checkout), evidence_id, "key_ada", 30)
    history = (await dispute_handle(shop, dispute).fetch_history()).to_json()
    assert evidence_id in history
    assert EVIDENCE.explanation not in history
    assert EVIDENCE.explanation not in str([row.details for row in await shop.timeline(checkout)])
    await told(shop, gateway, dispute.snapshot.dispute_id, won=True)
    await dispute_of(shop, checkout, "won")


@pytest.mark.parametrize("gateway", GATEWAYS)
async def test_an_accepted_dispute_is_lost_and_can_be_answered_no_more(shop: Shop, gateway: str) -> None:
    """The shop lets the customer have the money; what comes after that is refused in words."""
    needs(shop.world(gateway), "disputes")
    able(shop, gateway, Verb.ACCEPT_DISPUTE)
    checkout, dispute = await disputed(shop, gateway)
    record = await shop.record_of(checkout)
    assert await shop.sagas().accept(dispute, record, "key_ada", 30)
    await shop.world(gateway).settle()
    lost = await dispute_of(shop, checkout, "lost")
    assert lost.answered == Verb.ACCEPT_DISPUTE
    await dispute_handle(shop, dispute).result()
    with pytest.raises(CommandRefusedError, match="the dispute is lost"):
        await shop.sagas().accept(lost, record, "key_ada", 30)
    await balanced(shop, checkout)


@pytest.mark.parametrize("gateway", GATEWAYS)
async def test_a_refund_answers_an_inquiry(shop: Shop, gateway: str) -> None:
    """Nothing is withdrawn for a question; the refund settles it, and the customer is paid once.

    No webhook tells of it, where the gateway tells by other ways too.
    """
    needs(shop.world(gateway), "disputes", "inquiry")
    checkout, dispute = await disputed(shop, gateway, "inquiry")
    assert dispute.snapshot.withdrawn.minor == 0
    if gateway_of(shop, checkout).capabilities.modifications is Modifications.SYNCHRONOUS:
        await shop.fault("webhook", "lose", checkout, count=50)
    record = await refund(shop, checkout, 4200)
    await shop.world(gateway).settle()
    await refund_until(shop, record, "succeeded")
    assert (await dispute_of(shop, checkout, "won")).snapshot.withdrawn.minor == 0
    assert await dispute_handle(shop, dispute).result() == "won"
    await balanced(shop, checkout)
    assert (await shop.moved(checkout))["refund"] == [4200]


@pytest.mark.parametrize("gateway", GATEWAYS)
async def test_an_inquiry_that_becomes_a_chargeback(shop: Shop, gateway: str) -> None:
    """One dispute, two steps: the money goes out with the second."""
    needs(shop.world(gateway), "disputes", "inquiry")
    checkout, dispute = await disputed(shop, gateway, "inquiry")
    await shop.world(gateway).escalate(dispute.snapshot.dispute_id)
    grown = await eventually(
        lambda: dispute_of(shop, checkout, "needs_response"), lambda seen: seen.snapshot.withdrawn.minor == 4200
    )
    assert grown.id == dispute.id
    await balanced(shop, checkout)


async def test_a_word_about_what_is_decided_starts_the_workflow_again(shop: Shop) -> None:
    """It may have been decided otherwise: the gateway is asked, and where nothing is new nothing is written."""
    checkout, dispute = await disputed(shop)
    await told(shop, "stripe", dispute.snapshot.dispute_id, won=True)
    won = await dispute_of(shop, checkout, "won")
    await dispute_handle(shop, dispute).result()
    first = (await dispute_handle(shop, dispute).describe()).run_id
    await shop.sagas().deliver_dispute(won.snapshot, await shop.record_of(checkout), "poll")
    await dispute_handle(shop, dispute).result()
    assert (await dispute_handle(shop, dispute).describe()).run_id != first
    assert (await events(shop, checkout)).count("dispute.won") == 1
    await balanced(shop, checkout)


async def test_twenty_deliveries_are_one_dispute(shop: Shop) -> None:
    """However often it is told, one row tells that it was opened and the money goes out once."""
    checkout, dispute = await disputed(shop)
    record = await shop.record_of(checkout)
    for number in range(20):
        await shop.sagas().deliver_dispute(dispute.snapshot, record, f"webhook:evt_{number}")
    await told(shop, "stripe", dispute.snapshot.dispute_id, won=False)
    await dispute_of(shop, checkout, "lost")
    await dispute_handle(shop, dispute).result()
    await balanced(shop, checkout)
    assert (await events(shop, checkout))[-2:] == ["dispute.opened", "dispute.lost"]


async def test_a_dispute_before_our_own_commit_of_the_capture(shop: Shop) -> None:
    """It comes first: the payment is brought to its saga, and the dispute waits until the sale is on the books."""
    checkout = await shop.open()
    await shop.fault("webhook", "lose", checkout, count=50)
    await shop.pay_with(checkout, "good")
    dispute_id = await open_dispute(shop, checkout)
    record = await shop.record_of(checkout)
    now = datetime.now(UTC)
    item = InboxItem(1, "stripe", "evt_early", "charge.dispute.created", None, None, now, 1, dispute_id)
    dispatcher = build_dispatcher(shop.parts)
    assert not record.status.captured_minor
    assert await dispatcher.dispatch(item) is None
    await shop.until(checkout, "completed")
    assert await dispatcher.dispatch(replace(item, attempts=2)) == "dispute"
    await dispute_of(shop, checkout, "needs_response")
    await balanced(shop, checkout)


async def test_a_dispute_that_nobody_knows_is_flagged(shop: Shop) -> None:
    """A dispute that the gateway does not have waits, and is written down as such in the end."""
    item = InboxItem(1, "stripe", "evt_x", "charge.dispute.created", None, None, datetime.now(UTC), 1, "dp_unheard_of")
    dispatcher = build_dispatcher(shop.parts)
    assert await dispatcher.dispatch(item) is None
    assert await dispatcher.dispatch(replace(item, attempts=12)) == "no_such_dispute"


async def test_answers_that_cannot_be(shop: Shop) -> None:
    """After the deadline nothing is taken, and what a gateway takes in its own pages only is said so."""
    checkout, dispute = await disputed(shop)
    record = await shop.record_of(checkout)
    accounts = shop.sagas()._accounts
    deaf = replace(accounts["stripe"], answers_disputes=())
    sagas = shop.sagas()
    sagas._accounts = {"stripe": deaf}
    await dispute_handle(shop, dispute).terminate()
    with pytest.raises(CommandRefusedError, match="give it there"):
        await sagas.accept(dispute, record, "key_ada", 30)
    await dispute_handle(shop, dispute).terminate()
    late = replace(dispute, snapshot=replace(dispute.snapshot, respond_by=datetime.now(UTC) - timedelta(hours=1)))
    with pytest.raises(CommandRefusedError, match="had to be answered by"):
        await shop.sagas().accept(late, record, "key_ada", 30)
