"""PayPal's disputes as snapshots, and what is answered when we answer them."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from domain.dispute import DisputeEvidence, DisputeSnapshot, DisputeState
from domain.errors import GatewayRefusedError, OutcomeUnknownError
from domain.money import Money
from domain.outcomes import Answer, Completed, Declined, Pending
from gateways.contract import AcceptDispute, SubmitEvidence
from gateways.paypal.adapter import PayPalGateway
from gateways.paypal.disputes import dispute_of
from tests.gateways.paypal.examples import ORDER_ID, TEN, asked, capture, money, refused, seen
from tests.gateways.scripted import ScriptedServer, answer

DISPUTE_ID = "PP-R-ABC-10065656"
PATH = f"/v1/customer/disputes/{DISPUTE_ID}"
NOTHING, FOUR = Money(0, "USD"), Money(400, "USD")
EVIDENCE = SubmitEvidence("dp_1:evidence:1", DISPUTE_ID, DisputeEvidence("It was delivered."))
ACCEPT = AcceptDispute("dp_1:accept:1", DISPUTE_ID)
CAPTURE = seen(capture(supplementary_data={"related_ids": {"order_id": ORDER_ID}}))
ACTED = answer(200, {"links": [{"rel": "self", "href": f"https://api-m.sandbox.paypal.com{PATH}", "method": "GET"}]})
SELLER, OURS = "WAITING_FOR_SELLER_RESPONSE", [{"evidence_type": "OTHER", "source": "SUBMITTED_BY_SELLER"}]


def dispute(status: str = SELLER, stage: str = "CHARGEBACK", outcome: str | None = None, **changes: Any) -> Any:
    """A dispute about the whole."""
    stated: dict[str, Any] = {
        "dispute_id": DISPUTE_ID,
        "disputed_transactions": [{"seller_transaction_id": "3C679366HH908993F", "custom": "chk_1"}],
        "reason": "UNAUTHORISED",
        "status": status,
        "dispute_amount": money(),
        "dispute_life_cycle_stage": stage,
        "seller_response_due_date": "2026-12-02T12:00:00.000Z",
    }
    resolved = {"dispute_outcome": {"outcome_code": outcome}} if outcome else {}
    return stated | resolved | changes


def moved(kind: str, value: str, party: str = "SELLER", reason: str = "DISPUTE_SETTLEMENT") -> dict[str, Any]:
    """A movement of money that PayPal states."""
    return {"type": kind, "amount": money(value), "affected_party": party, "reason": reason}


def won(outcome: str = "RESOLVED_SELLER_FAVOUR", **changes: Any) -> Any:
    """A dispute that we won."""
    return dispute("RESOLVED", outcome=outcome, **changes)


LOST = dispute("RESOLVED", outcome="RESOLVED_BUYER_FAVOUR")
REVIEWED = dispute("UNDER_REVIEW", evidences=OURS)
DEBIT, CREDIT = moved("DEBIT", "10.00"), moved("CREDIT", "10.00")
STATES: dict[str, tuple[dict[str, Any], DisputeState, Money]] = {
    "inquiry": (dispute(stage="INQUIRY"), DisputeState.INQUIRY, NOTHING),
    "open inquiry": (dispute("OPEN", "INQUIRY"), DisputeState.INQUIRY, NOTHING),
    "reviewed inquiry": (dispute("UNDER_REVIEW", "INQUIRY"), DisputeState.INQUIRY, NOTHING),
    "chargeback": (dispute(), DisputeState.NEEDS_RESPONSE, TEN),
    "opened chargeback": (dispute("OPEN"), DisputeState.NEEDS_RESPONSE, TEN),
    "reviewed": (dispute("UNDER_REVIEW"), DisputeState.UNDER_REVIEW, TEN),
    "payer asked": (dispute("WAITING_FOR_BUYER_RESPONSE"), DisputeState.UNDER_REVIEW, TEN),
    "something else": (dispute("OTHER"), DisputeState.UNDER_REVIEW, TEN),
    "arbitration": (dispute(stage="ARBITRATION"), DisputeState.NEEDS_RESPONSE, TEN),
    "lost": (LOST, DisputeState.LOST, TEN),
    "accepted": (dispute("RESOLVED", outcome="ACCEPTED"), DisputeState.LOST, TEN),
    "won": (won(), DisputeState.WON, NOTHING),
    "withdrawn by the payer": (won("CANCELED_BY_BUYER"), DisputeState.WON, NOTHING),
    "paid by PayPal": (won("RESOLVED_WITH_PAYOUT"), DisputeState.WON, NOTHING),
    "denied": (won("DENIED"), DisputeState.WON, NOTHING),
    "no decision": (won("NONE"), DisputeState.WON, NOTHING),
    "inquiry answered by a refund": (
        dispute("RESOLVED", "INQUIRY", "RESOLVED_BUYER_FAVOUR"),
        DisputeState.WON,
        NOTHING,
    ),
    "inquiry given up": (
        dispute("RESOLVED", "INQUIRY", "ACCEPTED", money_movements=[DEBIT]),
        DisputeState.LOST,
        TEN,
    ),
    "money told to be taken in part": (
        dispute(money_movements=[moved("DEBIT", "4.00")]),
        DisputeState.NEEDS_RESPONSE,
        FOUR,
    ),
    "taken and given back": (won(money_movements=[DEBIT, CREDIT]), DisputeState.WON, NOTHING),
    "lost, most of it given back": (
        dispute("RESOLVED", outcome="RESOLVED_BUYER_FAVOUR", money_movements=[DEBIT, moved("CREDIT", "6.00")]),
        DisputeState.LOST,
        FOUR,
    ),
    "fees and the payer's money are not ours": (
        dispute(
            money_movements=[DEBIT, moved("DEBIT", "20.00", reason="CHARGEBACK_FEE"), moved("CREDIT", "9.00", "BUYER")]
        ),
        DisputeState.NEEDS_RESPONSE,
        TEN,
    ),
    "more given back than taken": (won(money_movements=[CREDIT]), DisputeState.WON, NOTHING),
}


@pytest.mark.parametrize(("stated", "state", "withdrawn"), STATES.values(), ids=STATES.keys())
def test_states(stated: dict[str, Any], state: DisputeState, withdrawn: Money) -> None:
    """Stage, status and outcome tell the state; the movements tell what is gone, else the state does."""
    told = dispute_of(stated, ORDER_ID, "chk_1", live=False)
    assert (told.state, told.amount, told.withdrawn) == (state, TEN, withdrawn)
    open_ = state in (DisputeState.INQUIRY, DisputeState.NEEDS_RESPONSE, DisputeState.UNDER_REVIEW)
    assert told.respond_by == (datetime(2026, 12, 2, 12, tzinfo=UTC) if open_ else None)


UNREADABLE: dict[str, Any] = {
    "odd status": dispute("ODD"),
    "odd stage": dispute(stage="ODD"),
    "odd outcome": won("ODD"),
    "no outcome": dispute("RESOLVED"),
    "no amount": dispute(dispute_amount=None),
    "no reason": dispute(reason=None),
    "no id": dispute(dispute_id=""),
    "due no time": dispute(seller_response_due_date="soon"),
    "movements no list": dispute(money_movements={}),
    "odd movement": dispute(money_movements=[moved("SIDEWAYS", "1.00")]),
    "movement without amount": dispute(money_movements=[{**DEBIT, "amount": None}]),
    "movement of another currency": dispute(money_movements=[{**DEBIT, "amount": money(currency="EUR")}]),
}


@pytest.mark.parametrize("stated", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_cannot_be_read_is_unknown(stated: dict[str, Any]) -> None:
    """A word that we do not know is no guess: money hangs on it."""
    with pytest.raises(OutcomeUnknownError):
        dispute_of(stated, ORDER_ID, "chk_1", live=False)


async def test_the_capture_leads_to_the_payment(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """A dispute names the capture, and the capture its order and our reference."""
    scripted.tell(seen(dispute()), CAPTURE)
    told = await gateway.lookup_dispute(DISPUTE_ID)
    assert told is not None
    assert (told.payment_id, told.reference, told.live) == (ORDER_ID, "chk_1", False)
    assert asked(scripted) == [f"GET {PATH}", "GET /v2/payments/captures/3C679366HH908993F"]


async def test_a_dispute_about_nothing_of_ours_is_none(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """What this account's other sales are asked about is none of our payments, and what is not there is nothing."""
    gone = refused(404, "INVALID_RESOURCE_ID")
    scripted.tell(seen(dispute()), gone)
    told = await gateway.lookup_dispute(DISPUTE_ID)
    assert told is not None
    assert (told.payment_id, told.reference) == (None, "chk_1")
    scripted.tell(seen(dispute(disputed_transactions=[{"seller_transaction_id": "A1"}])), gone)
    assert await gateway.lookup_dispute(DISPUTE_ID) is None
    scripted.tell(gone)
    assert await gateway.lookup_dispute(DISPUTE_ID) is None
    scripted.tell(gone)
    for odd in ("", "../x", "PP/R", "é", "P" * 65):
        assert await gateway.lookup_dispute(odd) is None
    assert scripted.requests == []


@pytest.mark.parametrize(
    "transactions",
    [
        None,
        [],
        [{"seller_transaction_id": "A1"}, {"seller_transaction_id": "A2"}],
        [{}],
        [{"seller_transaction_id": "../x"}],
    ],
    ids=str,
)
async def test_a_dispute_about_no_single_capture_is_unknown(
    gateway: PayPalGateway, scripted: ScriptedServer, transactions: Any
) -> None:
    """One dispute of ours is about one payment."""
    scripted.tell(seen(dispute(disputed_transactions=transactions)))
    with pytest.raises(OutcomeUnknownError):
        await gateway.lookup_dispute(DISPUTE_ID)


async def test_evidence_goes_in(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """Evidence is the `input` of a multipart form; the dispute read after it is the answer."""
    scripted.tell(seen(dispute()), CAPTURE, ACTED, seen(REVIEWED), CAPTURE)
    answered = await gateway.submit_evidence(EVIDENCE)
    assert isinstance(answered, Completed)
    assert state_in(answered) is DisputeState.UNDER_REVIEW
    assert asked(scripted)[2] == f"POST {PATH}/provide-evidence"
    head, body = scripted.received()[2]
    boundary = head["content-type"].removeprefix("multipart/form-data; boundary=").encode()
    part = body.split(b"--" + boundary)[1]
    assert b'name="input"' in part
    assert b"application/json" in part
    said = json.loads(part.split(b"\r\n\r\n", 1)[1])
    assert said == {"evidences": [{"evidence_type": "OTHER", "notes": "It was delivered."}]}


async def test_evidence_that_does_not_show_yet_is_pending(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """PayPal took it in and still waits for an answer, or for more of one."""
    scripted.tell(seen(dispute()), CAPTURE, ACTED, seen(dispute()), CAPTURE)
    assert isinstance(await gateway.submit_evidence(EVIDENCE), Pending)


@pytest.mark.parametrize(
    ("stated", "kind"),
    [
        (REVIEWED, Completed),
        (dispute("UNDER_REVIEW"), Declined),
        (dispute("WAITING_FOR_BUYER_RESPONSE", evidences=[{"source": "SUBMITTED_BY_BUYER"}]), Declined),
        (dispute(stage="INQUIRY"), Declined),
        (LOST, Declined),
        (won(evidences=OURS), Declined),
    ],
)
async def test_evidence_that_nobody_waits_for_is_not_sent(
    gateway: PayPalGateway, scripted: ScriptedServer, stated: dict[str, Any], kind: type
) -> None:
    """What was answered already is done; an inquiry takes no evidence, and what is decided none any more."""
    scripted.tell(seen(stated), CAPTURE)
    answered = await gateway.submit_evidence(EVIDENCE)
    assert type(answered) is kind
    assert len(scripted.requests) == 2
    if isinstance(answered, Declined):
        assert answered.decline.hard


@pytest.mark.parametrize(("after", "kind"), [(REVIEWED, Completed), (dispute(), Declined), (LOST, Declined)])
async def test_refused_evidence(
    gateway: PayPalGateway, scripted: ScriptedServer, after: dict[str, Any], kind: type
) -> None:
    """The dispute has the last word: evidence that got there before is done."""
    no = refused(422, "ACTION_NOT_ALLOWED")
    scripted.tell(seen(dispute()), CAPTURE, no, seen(after), CAPTURE)
    assert type(await gateway.submit_evidence(EVIDENCE)) is kind


async def test_a_claim_is_accepted(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """The payer gets the money; the dispute read after it is the answer, pending until PayPal shows it as lost."""
    for after, kind in ((LOST, Completed), (dispute(), Pending)):
        scripted.tell(seen(dispute()), CAPTURE, ACTED, seen(after), CAPTURE)
        assert type(await gateway.accept_dispute(ACCEPT)) is kind
        assert asked(scripted)[2] == f"POST {PATH}/accept-claim"
        assert json.loads(scripted.received()[2][1])["accept_claim_type"] == "REFUND"


@pytest.mark.parametrize(("stated", "kind"), [(LOST, Completed), (won(), Declined)])
async def test_what_is_decided_is_not_accepted(
    gateway: PayPalGateway, scripted: ScriptedServer, stated: dict[str, Any], kind: type
) -> None:
    """A lost dispute is as good as accepted; one that was won is not given away."""
    scripted.tell(seen(stated), CAPTURE)
    assert type(await gateway.accept_dispute(ACCEPT)) is kind
    assert len(scripted.requests) == 2
    scripted.tell(seen(dispute()), CAPTURE, refused(422, "ACTION_NOT_ALLOWED"), seen(stated), CAPTURE)
    assert type(await gateway.accept_dispute(ACCEPT)) is kind


async def test_a_refused_acceptance_is_declined(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """As long as the dispute is open PayPal's no is the answer."""
    scripted.tell(seen(dispute()), CAPTURE, refused(422, "ACTION_NOT_ALLOWED"), seen(dispute()), CAPTURE)
    answered = await gateway.accept_dispute(ACCEPT)
    assert isinstance(answered, Declined)
    assert answered.decline.gateway_code == "ACTION_NOT_ALLOWED"


async def test_answers_to_no_dispute_are_refused(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """There is nothing to answer where there is no dispute."""
    scripted.tell(refused(404, "INVALID_RESOURCE_ID"))
    with pytest.raises(GatewayRefusedError, match="no dispute"):
        await gateway.submit_evidence(EVIDENCE)
    with pytest.raises(GatewayRefusedError, match="no dispute"):
        await gateway.accept_dispute(ACCEPT)


async def test_an_answer_whose_end_cannot_be_read_is_unknown(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """PayPal took it in: whatever goes wrong with reading must not say that it did not."""
    scripted.tell(seen(dispute()), CAPTURE, ACTED, refused(429))
    with pytest.raises(OutcomeUnknownError):
        await gateway.submit_evidence(EVIDENCE)
    scripted.tell(seen(dispute()), CAPTURE, ACTED, refused(429))
    with pytest.raises(OutcomeUnknownError):
        await gateway.accept_dispute(ACCEPT)


def state_in(answered: Answer) -> DisputeState:
    """The state of the dispute in an answer."""
    assert isinstance(answered.evidence, DisputeSnapshot)
    return answered.evidence.state
