"""Disputes: opened, answered, decided or forgotten; what they cost, and what they keep from happening."""

from datetime import datetime

import httpx
import pytest

from tests.sandbox.paypal.support import Json, Shop, heard, issue, money, part, types
from tests.sandbox.support import Receiver, eventually

ORDERS, HOLDS, CAPTURES = "/v2/checkout/orders", "/v2/payments/authorizations", "/v2/payments/captures"
DAY = 86_400
EVIDENCE = {"evidences": [{"evidence_type": "OTHER", "notes": "It was delivered."}]}


def movements(dispute: Json) -> list[tuple[str, str]]:
    """What a dispute says to have moved."""
    return [(move["type"], move["amount"]["value"]) for move in dispute.get("money_movements", [])]


def outcome(dispute: Json) -> tuple[str, str]:
    """How a dispute ended."""
    return dispute["status"], dispute["dispute_outcome"]["outcome_code"]


async def test_a_chargeback_takes_the_money(shop: Shop) -> None:
    """A chargeback withdraws what is left of the capture at once, names it, and waits ten days for an answer."""
    order, taken = await shop.captured()
    await shop.post(f"{CAPTURES}/{taken['id']}/refund", {"amount": money("12.00")})
    dispute = await shop.dispute(order)
    seen = await shop.disputed(dispute)
    assert (seen["dispute_life_cycle_stage"], seen["status"]) == ("CHARGEBACK", "WAITING_FOR_SELLER_RESPONSE")
    assert seen["dispute_amount"] == money("30.00")
    (transaction,) = seen["disputed_transactions"]
    assert (transaction["seller_transaction_id"], transaction["custom"]) == (taken["id"], shop.checkout)
    waits = datetime.fromisoformat(seen["seller_response_due_date"]) - datetime.fromisoformat(seen["create_time"])
    assert waits.days == 10
    assert movements(seen) == [("DEBIT", "30.00")]
    assert await shop.moved(order) == [("charge", 4200), ("refund", 1200), ("dispute", 3000)]
    (row,) = [row for row in await shop.rows(order) if row["operation"] == "dispute"]
    assert (row["dispute"], row["movement_id"], row["checkout_id"]) == (dispute, taken["id"], shop.checkout)


@pytest.mark.parametrize(
    ("won", "code", "last"),
    [
        ("won", "RESOLVED_SELLER_FAVOUR", ("dispute_reversed", 1500)),
        ("lost", "RESOLVED_BUYER_FAVOUR", ("dispute", 1500)),
    ],
)
async def test_a_decision_moves_the_money_or_leaves_it(shop: Shop, won: str, code: str, last: tuple[str, int]) -> None:
    """Won, the money comes back; lost, it stays with the payer. Neither is decided twice."""
    order, _ = await shop.captured()
    dispute = await shop.dispute(order, amount=1500)
    await shop.control(f"disputes/{dispute}/decide", outcome=won)
    seen = await shop.disputed(dispute)
    assert outcome(seen) == ("RESOLVED", code)
    assert "seller_response_due_date" not in seen
    assert (await shop.moved(order))[-1] == last
    assert (await refused(shop, f"disputes/{dispute}/decide", outcome="won")).status_code == 409


async def test_what_nobody_answers_is_lost(own: Shop) -> None:
    """Ten days without an answer decide a chargeback for the payer; days may be given, and an answer ends the wait."""
    late, answered, quick = [(await own.captured())[0] for _ in range(3)]
    disputes = [await own.dispute(late), await own.dispute(answered), await own.dispute(quick, days=0.5)]
    assert (await own.evidence(disputes[1], EVIDENCE)).status_code == 200
    await own.wait(DAY)
    states = [(await own.disputed(dispute))["status"] for dispute in disputes]
    assert states == ["WAITING_FOR_SELLER_RESPONSE", "UNDER_REVIEW", "RESOLVED"]
    await own.wait(40 * DAY)
    states = [(await own.disputed(dispute))["status"] for dispute in disputes]
    assert states == ["RESOLVED", "UNDER_REVIEW", "RESOLVED"]
    assert outcome(await own.disputed(disputes[0])) == ("RESOLVED", "RESOLVED_BUYER_FAVOUR")
    assert (await own.moved(late))[-1] == ("dispute", 4200)


async def test_an_inquiry_takes_nothing(own: Shop) -> None:
    """An inquiry moves no money; after twenty days without an escalation it is closed."""
    order, _ = await own.captured()
    dispute = await own.dispute(order, "inquiry")
    assert (await own.disputed(dispute))["dispute_life_cycle_stage"] == "INQUIRY"
    await own.wait(19 * DAY)
    assert (await own.disputed(dispute))["status"] == "WAITING_FOR_SELLER_RESPONSE"
    await own.wait(2 * DAY)
    assert outcome(await own.disputed(dispute)) == ("RESOLVED", "CANCELED_BY_BUYER")
    assert await own.moved(order) == [("charge", 4200)]


async def test_an_inquiry_becomes_a_claim(own: Shop) -> None:
    """Escalated, it takes the money and waits anew; a claim is not escalated again."""
    order, _ = await own.captured()
    dispute = await own.dispute(order, "inquiry", days=5)
    await own.wait(4 * DAY)
    await own.control(f"disputes/{dispute}/escalate")
    await own.wait(2 * DAY)
    seen = await own.disputed(dispute)
    assert (seen["dispute_life_cycle_stage"], seen["status"]) == ("CHARGEBACK", "WAITING_FOR_SELLER_RESPONSE")
    assert await own.moved(order) == [("charge", 4200), ("dispute", 4200)]
    assert (await refused(own, f"disputes/{dispute}/escalate")).status_code == 409


async def test_a_refund_answers_an_inquiry(shop: Shop) -> None:
    """A refund of all that is asked about closes the inquiry; one of less is refused while the case is open."""
    order, taken = await shop.captured()
    dispute = await shop.dispute(order, "inquiry", amount=3000)
    path = f"{CAPTURES}/{taken['id']}/refund"
    assert issue(await shop.post(path, {"amount": money("29.99")})) == (422, "TRANSACTION_DISPUTED")
    assert (await shop.post(path, {"amount": money("30.00")})).status_code == 201
    assert outcome(await shop.disputed(dispute)) == ("RESOLVED", "RESOLVED_BUYER_FAVOUR")
    assert await shop.moved(order) == [("charge", 4200), ("refund", 3000)]
    assert (await shop.post(path, {"amount": money("12.00")})).status_code == 201


async def test_nothing_is_refunded_beside_a_chargeback(shop: Shop) -> None:
    """While the money is with the bank there is no refund; after a loss none of what was lost, after a win all."""
    path, ended = {}, {}
    for won in ("won", "lost"):
        order, taken = await shop.captured()
        path[won], dispute = f"{CAPTURES}/{taken['id']}/refund", await shop.dispute(order)
        assert issue(await shop.post(path[won])) == (422, "REFUND_NOT_PERMITTED_DUE_TO_CHARGEBACK")
        await shop.control(f"disputes/{dispute}/decide", outcome=won)
        ended[won] = await shop.post(path[won])
    assert ended["won"].status_code == 201
    assert issue(ended["lost"]) == (422, "CAPTURE_FULLY_REFUNDED")


async def test_what_is_lost_in_part_leaves_the_rest(shop: Shop) -> None:
    """Of a capture that was disputed in part the rest can be refunded, and disputed, but no more."""
    order, taken = await shop.captured()
    dispute = await shop.dispute(order, amount=1000)
    await shop.control(f"disputes/{dispute}/decide", outcome="lost")
    assert (await refused(shop, "disputes", payment=order, kind="chargeback", amount=3201)).status_code == 400
    path = f"{CAPTURES}/{taken['id']}/refund"
    assert issue(await shop.post(path, {"amount": money("32.01")})) == (422, "REFUND_AMOUNT_EXCEEDED")
    assert (await shop.post(path)).json()["status"] == "COMPLETED"
    assert (await shop.moved(order))[-1] == ("refund", 3200)
    assert (await refused(shop, "disputes", payment=order, kind="chargeback")).status_code == 409


async def test_the_newest_capture_is_disputed(shop: Shop) -> None:
    """Each capture of an order can be disputed once at a time, the newest first."""
    order, hold = await shop.held()
    taken = [
        (await shop.post(f"{HOLDS}/{hold['id']}/capture", {"amount": money(value)})).json()["id"]
        for value in ("10.00", "20.00")
    ]
    disputes = [await shop.disputed(await shop.dispute(order)) for _ in range(2)]
    assert [each["disputed_transactions"][0]["seller_transaction_id"] for each in disputes] == taken[::-1]
    assert [each["dispute_amount"]["value"] for each in disputes] == ["20.00", "10.00"]
    assert (await refused(shop, "disputes", payment=order, kind="inquiry")).status_code == 409


async def test_money_that_was_not_taken_is_not_disputed(shop: Shop) -> None:
    """Held or unpaid money cannot be disputed, nor an unknown payment; an unknown dispute is not decided."""
    for order in (await shop.open(), (await shop.held())[0]):
        assert (await refused(shop, "disputes", payment=order, kind="chargeback")).status_code == 409
    assert (await refused(shop, "disputes", payment="X", kind="chargeback")).status_code == 404
    assert (await refused(shop, "disputes/PP-R-XXX-1/decide", outcome="won")).status_code == 404
    assert issue(await shop.client.get("/v1/customer/disputes/PP-R-XXX-1")) == (404, "INVALID_RESOURCE_ID")


@pytest.mark.parametrize(("funding", "stage"), [("disputed", "CHARGEBACK"), ("inquired", "INQUIRY")])
async def test_means_that_dispute(shop: Shop, receiver: Receiver, webhook: str, funding: str, stage: str) -> None:
    """With some means the payer disputes what was taken, without anybody's doing."""
    order, _ = await shop.captured(funding)
    about = f'"custom":"{shop.checkout}"'.encode()
    one = await eventually(lambda: next((each for each in receiver.received if about in each.body), None))
    assert (one.event["event_type"], one.event["resource"]["dispute_life_cycle_stage"]) == (
        "CUSTOMER.DISPUTE.CREATED",
        stage,
    )
    assert ("dispute", 4200) in await shop.moved(order) or stage == "INQUIRY"


async def test_evidence_is_kept(shop: Shop) -> None:
    """Evidence is shown as ours and leads to a review; then, and to an inquiry, there is nothing more to say."""
    order, _ = await shop.captured()
    dispute = await shop.dispute(order)
    answer = await shop.evidence(dispute, EVIDENCE)
    assert [each["rel"] for each in answer.json()["links"]] == ["self"]
    seen = await shop.disputed(dispute)
    (kept,) = seen["evidences"]
    assert (kept["notes"], kept["source"]) == ("It was delivered.", "SUBMITTED_BY_SELLER")
    assert (seen["status"], [each["rel"] for each in seen["links"]]) == ("UNDER_REVIEW", ["self", "accept-claim"])
    assert (await shop.evidence(dispute, EVIDENCE)).status_code == 422
    other = await shop.dispute((await shop.captured())[0], "inquiry")
    assert (await shop.evidence(other, EVIDENCE)).status_code == 422


BROKEN: dict[str, object] = {
    "a list": [],
    "no evidences": {},
    "none": {"evidences": []},
    "no type": {"evidences": [{"notes": "x"}]},
    "nothing said": {"evidences": [{"evidence_type": "OTHER"}]},
    "too long": {"evidences": [{"evidence_type": "OTHER", "notes": "x" * 2001}]},
}


@pytest.mark.parametrize("document", BROKEN.values(), ids=BROKEN.keys())
async def test_broken_evidence_is_refused(shop: Shop, document: object) -> None:
    """Evidence that says nothing, or says it wrongly, changes nothing."""
    dispute = await shop.dispute((await shop.captured())[0])
    assert (await shop.evidence(dispute, document)).status_code == 400
    assert (await shop.disputed(dispute))["status"] == "WAITING_FOR_SELLER_RESPONSE"


async def test_evidence_comes_as_a_form(shop: Shop) -> None:
    """PayPal takes evidence as a multipart form with an `input`, and nothing else."""
    path = f"/v1/customer/disputes/{await shop.dispute((await shop.captured())[0])}/provide-evidence"
    assert (await shop.client.post(path, json=EVIDENCE)).status_code == 415
    assert (await shop.client.post(path, files={"file": b"x"})).status_code == 400
    assert (await shop.client.post(path, files={"input": b"{"})).status_code == 400


async def test_a_dispute_is_given_up(shop: Shop) -> None:
    """An accepted dispute is lost; an inquiry that is accepted takes the money then; what has ended is not accepted."""
    for kind in ("chargeback", "inquiry"):
        order, _ = await shop.captured()
        dispute = await shop.dispute(order, kind)
        path = f"/v1/customer/disputes/{dispute}/accept-claim"
        assert (await shop.post(path, {"note": "So be it.", "accept_claim_type": "REFUND"})).status_code == 200
        assert outcome(await shop.disputed(dispute)) == ("RESOLVED", "ACCEPTED")
        assert await shop.moved(order) == [("charge", 4200), ("dispute", 4200)]
        assert (await shop.post(path)).status_code == 422


async def test_disputes_are_told(shop: Shop, receiver: Receiver, webhook: str) -> None:
    """Each step of a dispute is an event with the dispute as it is then."""
    order, _ = await shop.captured()
    dispute = await shop.dispute(order, "inquiry")
    await shop.control(f"disputes/{dispute}/escalate")
    await shop.evidence(dispute, EVIDENCE)
    await shop.control(f"disputes/{dispute}/decide", outcome="won")
    await eventually(lambda: len(heard(receiver, dispute)) == 4)
    steps = [f"CUSTOMER.DISPUTE.{step}" for step in ("CREATED", "UPDATED", "UPDATED", "RESOLVED")]
    assert sorted(types(receiver, dispute)) == sorted(steps)
    (last,) = [one.event for one in heard(receiver, dispute) if one.event["event_type"].endswith("RESOLVED")]
    assert last["resource"] == await shop.disputed(dispute)


async def test_an_order_shows_its_refunds_as_before(shop: Shop) -> None:
    """A dispute is no part of the order: its capture stays completed, and no refund is listed."""
    order, _ = await shop.captured()
    await shop.dispute(order)
    seen = await shop.read(f"{ORDERS}/{order}")
    assert part(seen, "captures")["status"] == "COMPLETED"
    assert "refunds" not in seen["purchase_units"][0]["payments"]


async def refused(shop: Shop, path: str, **body: object) -> httpx.Response:
    """A control call that is refused."""
    async with shop.sandbox.browser() as browser:
        answer = await browser.post(f"/sandbox/{path}", json=body)
    assert answer.is_client_error, answer.text
    return answer
