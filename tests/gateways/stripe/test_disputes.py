"""Stripe's disputes as snapshots, and what is said to them."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from domain.dispute import DisputeEvidence, DisputeSnapshot, DisputeState
from domain.errors import GatewayRefusedError, OutcomeUnknownError
from domain.money import Money
from domain.outcomes import Completed, Declined, Pending
from gateways.contract import AcceptDispute, SubmitEvidence, TransactionType
from gateways.stripe.adapter import StripeGateway
from gateways.stripe.disputes import dispute_of, evidence_of
from gateways.stripe.translate import transaction_of
from tests.gateways.scripted import ScriptedServer, answer, error
from tests.gateways.stripe.examples import INTENT

FIXTURES = Path(__file__).parents[3].parent / "shared" / "specs" / "stripe-fixtures3.json"
EVIDENCE = DisputeEvidence("It was delivered.", tracking_number="JD01")
SUBMIT = SubmitEvidence("key-6", "du_1", EVIDENCE)
ACCEPT = AcceptDispute("key-7", "du_1")
CLOSED = error(400, message="This dispute is already closed")


def moved(*amounts: int, currency: str = "usd") -> list[dict[str, Any]]:
    """What the dispute moved."""
    return [{"id": f"txn_{at}", "amount": amount, "currency": currency} for at, amount in enumerate(amounts)]


def dispute(**changes: Any) -> dict[str, Any]:
    """A chargeback of a thousand cents."""
    stated: dict[str, Any] = {
        "id": "du_1",
        "object": "dispute",
        "amount": 1000,
        "balance_transactions": moved(-1000),
        "charge": "ch_1",
        "currency": "usd",
        "evidence": {"uncategorized_text": None},
        "evidence_details": {"due_by": 1_800_000_000, "has_evidence": False, "submission_count": 0},
        "livemode": False,
        "payment_intent": INTENT,
        "reason": "fraudulent",
        "status": "needs_response",
    }
    return stated | changes


@pytest.mark.skipif(not FIXTURES.exists(), reason="Stripe's published examples are not here")
def test_the_published_example_is_read() -> None:
    """The Dispute of Stripe's own fixtures makes a snapshot, without the payment that it does not name."""
    read = dispute_of(json.loads(FIXTURES.read_text())["resources"]["dispute"])
    assert (read.state, read.amount, read.withdrawn) == (DisputeState.INQUIRY, Money(1000, "USD"), Money(0, "USD"))
    assert (read.payment_id, read.reference, read.reason) == (None, None, "general")


def test_a_dispute_leads_to_its_payment() -> None:
    """Our reference is the PaymentIntent's; one that Stripe names by its id only still leads to it."""
    assert dispute_of(dispute()) == DisputeSnapshot(
        gateway="stripe",
        dispute_id="du_1",
        payment_id="pi_1",
        reference="chk_1",
        amount=Money(1000, "USD"),
        withdrawn=Money(1000, "USD"),
        state=DisputeState.NEEDS_RESPONSE,
        reason="fraudulent",
        live=False,
        respond_by=datetime.fromtimestamp(1_800_000_000, UTC),
    )
    read = dispute_of(dispute(payment_intent="pi_1", evidence_details={"due_by": 0}))
    assert (read.payment_id, read.reference, read.respond_by) == ("pi_1", None, None)


@pytest.mark.parametrize(
    ("word", "amounts", "state", "withdrawn"),
    [
        ("warning_needs_response", (), DisputeState.INQUIRY, 0),
        ("warning_under_review", (), DisputeState.INQUIRY, 0),
        ("warning_closed", (), DisputeState.WON, 0),
        ("needs_response", (-1000,), DisputeState.NEEDS_RESPONSE, 1000),
        ("needs_response", (), DisputeState.NEEDS_RESPONSE, 0),
        ("under_review", (-1000,), DisputeState.UNDER_REVIEW, 1000),
        ("won", (-1000, 1000), DisputeState.WON, 0),
        ("won", (-1000,), DisputeState.WON, 1000),
        ("lost", (-1000,), DisputeState.LOST, 1000),
        ("lost", (-1000, 1000, -1000), DisputeState.LOST, 1000),
        ("appeal_needs_response", (-1000,), DisputeState.LOST, 1000),
        ("appeal_under_review", (-1000,), DisputeState.LOST, 1000),
        ("prevented", (), DisputeState.WON, 0),
        ("prevented", (-1000,), DisputeState.LOST, 1000),
    ],
)
def test_states(word: str, amounts: tuple[int, ...], state: DisputeState, withdrawn: int) -> None:
    """Each status of Stripe's has one of ours; what is out is what the balance says, whatever the status."""
    read = dispute_of(dispute(status=word, balance_transactions=moved(*amounts)))
    assert (read.state, read.withdrawn) == (state, Money(withdrawn, "USD"))


def test_an_account_in_another_currency() -> None:
    """What is settled in another currency is out as a whole or not at all: its amount cannot be compared."""
    assert dispute_of(dispute(balance_transactions=moved(-923, currency="eur"))).withdrawn == Money(1000, "USD")
    assert dispute_of(dispute(balance_transactions=moved(-923, 923, currency="eur"))).withdrawn == Money(0, "USD")


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "charge_refunded"},
        {"status": None},
        {"amount": None},
        {"amount": -1},
        {"id": 7},
        {"livemode": None},
        {"reason": None},
        {"balance_transactions": None},
        {"balance_transactions": ["txn_1"]},
        {"balance_transactions": [{"amount": "1000", "currency": "usd"}]},
        {"evidence_details": {"due_by": "soon"}},
        {"payment_intent": {"id": None, "metadata": {}}},
    ],
    ids=str,
)
def test_what_cannot_be_read_is_unknown(changes: dict[str, Any]) -> None:
    """A dispute without a sure meaning proves nothing."""
    with pytest.raises(OutcomeUnknownError):
        dispute_of(dispute(**changes))


def test_evidence_is_text_only() -> None:
    """Letters and policies themselves are files at Stripe, so their texts go into the fields for texts."""
    stated = evidence_of(
        DisputeEvidence("It was delivered.", "A lamp", "DHL", "JD01", "Customer: it came, thanks.", "30 days.")
    )
    assert stated == {
        "uncategorized_text": "It was delivered.\n\nCommunication with the customer:\nCustomer: it came, thanks.",
        "product_description": "A lamp",
        "shipping_carrier": "DHL",
        "shipping_tracking_number": "JD01",
        "refund_policy_disclosure": "30 days.",
    }
    assert evidence_of(DisputeEvidence("It was delivered.")) == {"uncategorized_text": "It was delivered."}


async def test_a_look_up(gateway: StripeGateway, scripted: ScriptedServer) -> None:
    """One read tells everything; a dispute that is not there is None."""
    scripted.tell(answer(200, dispute()), error(404, code="resource_missing", param="dispute"))
    read = await gateway.lookup_dispute("du_1")
    assert read == dispute_of(dispute())
    assert "expand[0]=payment_intent" in scripted.requests[0].replace("%5B", "[").replace("%5D", "]")
    assert await gateway.lookup_dispute("du_2") is None


async def test_evidence_is_submitted_under_its_key(gateway: StripeGateway, scripted: ScriptedServer) -> None:
    """It goes to the bank at once, not into a draft."""
    scripted.tell(answer(200, dispute(status="under_review")))
    said = await gateway.submit_evidence(SUBMIT)
    assert said == Completed(dispute_of(dispute(status="under_review")))
    (request,) = scripted.requests
    assert "submit=true" in request
    assert "key-6" in request
    assert "evidence[shipping_tracking_number]=JD01" in request


async def test_evidence_that_is_there_already(gateway: StripeGateway, scripted: ScriptedServer) -> None:
    """A refusal after our own evidence has arrived is success; after somebody else's it is not."""
    ours = {"uncategorized_text": "It was delivered.", "shipping_tracking_number": "JD01"}
    submitted = {"due_by": 0, "submission_count": 1}
    there = dispute(status="under_review", evidence=ours, evidence_details=submitted)
    scripted.tell(error(400, param="evidence"), answer(200, there))
    assert await gateway.submit_evidence(SUBMIT) == Completed(dispute_of(there))
    other = dispute(evidence={**ours, "shipping_tracking_number": "JD02"}, evidence_details=submitted)
    draft = dispute(evidence=ours)
    for stated in (other, draft):
        scripted.tell(CLOSED, answer(200, stated))
        said = await gateway.submit_evidence(SUBMIT)
        assert isinstance(said, Declined)
        assert said.decline.hard


async def test_a_dispute_is_given_up(gateway: StripeGateway, scripted: ScriptedServer) -> None:
    """Closing is read as lost; one that is lost already is not asked for again."""
    lost = dispute(status="lost")
    scripted.tell(answer(200, dispute()), answer(200, lost))
    assert await gateway.accept_dispute(ACCEPT) == Completed(dispute_of(lost))
    assert scripted.requests[1].startswith("POST /v1/disputes/du_1/close")
    scripted.tell(answer(200, lost))
    assert await gateway.accept_dispute(ACCEPT) == Completed(dispute_of(lost))
    assert len(scripted.requests) == 1
    scripted.tell(answer(200, dispute()), answer(200, dispute(status="under_review")))
    assert isinstance(await gateway.accept_dispute(ACCEPT), Pending)


async def test_what_is_not_given_up(gateway: StripeGateway, scripted: ScriptedServer) -> None:
    """An inquiry is answered by a refund, so it is not closed; a won dispute stays won."""
    scripted.tell(answer(200, dispute(status="warning_needs_response", balance_transactions=[])))
    said = await gateway.accept_dispute(ACCEPT)
    assert isinstance(said, Declined)
    assert said.decline.gateway_code == "dispute_is_inquiry"
    assert len(scripted.requests) == 1
    won = dispute(status="won", balance_transactions=[])
    scripted.tell(answer(200, won), CLOSED, answer(200, won))
    assert isinstance(await gateway.accept_dispute(ACCEPT), Declined)


async def test_lost_while_it_was_given_up(gateway: StripeGateway, scripted: ScriptedServer) -> None:
    """A refusal because it was lost in the meantime is what was wanted."""
    lost = dispute(status="lost")
    scripted.tell(answer(200, dispute()), CLOSED, answer(200, lost))
    assert await gateway.accept_dispute(ACCEPT) == Completed(dispute_of(lost))


async def test_an_unknown_dispute_cannot_be_answered(gateway: StripeGateway, scripted: ScriptedServer) -> None:
    """A dispute that is not there is a wrong request, not a decline."""
    missing = error(404, code="resource_missing", param="dispute")
    scripted.tell(missing, missing, missing)
    with pytest.raises(GatewayRefusedError):
        await gateway.submit_evidence(SUBMIT)
    with pytest.raises(GatewayRefusedError):
        await gateway.accept_dispute(ACCEPT)


@pytest.mark.parametrize(
    ("category", "kind"),
    [
        ("dispute", TransactionType.DISPUTE),
        ("dispute_reversal", TransactionType.DISPUTE_REVERSED),
        ("other_adjustment", TransactionType.OTHER),
        (None, TransactionType.OTHER),
    ],
)
def test_adjustments_are_told_apart(category: str | None, kind: TransactionType) -> None:
    """Only the reporting category says which adjustments a dispute made."""
    row = {"id": "txn_1", "type": "adjustment", "amount": -1000, "currency": "usd", "created": 1_800_000_000}
    source = {"id": "du_1", "object": "dispute", "payment_intent": "pi_1", "metadata": {}}
    read = transaction_of({**row, "reporting_category": category, "source": source})
    assert (read.type, read.amount, read.payment_id) == (kind, Money(1000, "USD"), "pi_1")
