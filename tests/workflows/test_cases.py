"""What a person may order about a case, kind by kind: what it leads to, and what is refused."""

import asyncio
from dataclasses import replace

import pytest
from temporalio.client import Client, WorkflowUpdateFailedError

from domain.case import ACTIONS, CaseAction, CaseAnswer, CaseKind
from domain.states import CheckoutState
from tests.workflows.agreement import agree
from tests.workflows.casebook import (
    HASTY,
    SCENARIOS,
    act,
    all_cases,
    closed_case,
    open_case,
    paid,
    refund_declined,
    refusal,
    rows_named,
    will_not_refund,
)
from tests.workflows.support import Shop, eventually

A, K = CaseAction, CaseKind

AFTER_CALM: dict[tuple[CaseKind, CaseAction], str] = {
    (K.CONTRADICTION, A.LOOK_AGAIN): "completed",
    (K.CONTRADICTION, A.RETRY_NOW): "completed",
    (K.CONTRADICTION, A.REFUND): "refunded",
    (K.CONTRADICTION, A.VOID): "refunded",
    (K.UNKNOWN_OUTCOME, A.LOOK_AGAIN): "completed",
    (K.UNKNOWN_OUTCOME, A.RETRY_NOW): "completed",
    (K.UNKNOWN_OUTCOME, A.REFUND): "canceled",
    (K.UNKNOWN_OUTCOME, A.VOID): "canceled",
    (K.KEY_EXPIRED, A.RETRY_NOW): "completed",
    (K.KEY_EXPIRED, A.REFUND): "canceled",
    (K.KEY_EXPIRED, A.VOID): "canceled",
    (K.OPERATION_MISMATCH, A.RETRY_NOW): "completed",
    (K.OPERATION_MISMATCH, A.REFUND): "canceled",
    (K.OPERATION_MISMATCH, A.VOID): "canceled",
    (K.PAYMENT_UNKNOWN, A.LOOK_AGAIN): "refunded",
    (K.PAYMENT_UNKNOWN, A.RETRY_NOW): "refunded",
    (K.VOID_DECLINED, A.RETRY_NOW): "canceled",
    (K.VOID_DECLINED, A.VOID): "canceled",
    (K.REFUND_DECLINED, A.RETRY_NOW): "refunded",
    (K.REFUND_DECLINED, A.REFUND): "refunded",
    (K.COMPENSATION_FAILING, A.LOOK_AGAIN): "refunded",
    (K.COMPENSATION_FAILING, A.RETRY_NOW): "refunded",
    (K.CAPTURE_LOST, A.RETRY_NOW): "completed",
    (K.CAPTURE_LOST, A.CLOSE): "completed",
    (K.STRAY_PAYMENT, A.LOOK_AGAIN): "paid",
    (K.STRAY_PAYMENT, A.CLOSE): "paid",
}
"""Where the checkout is led by an order once the trouble itself is over."""

IN_TROUBLE: dict[tuple[CaseKind, CaseAction], str] = {
    (K.UNKNOWN_OUTCOME, A.MARK_PAID): "completed",
    (K.KEY_EXPIRED, A.MARK_PAID): "completed",
    (K.PAYMENT_UNKNOWN, A.WRITE_OFF): "written_off",
    (K.VOID_DECLINED, A.WRITE_OFF): "written_off",
    (K.REFUND_DECLINED, A.WRITE_OFF): "written_off",
    (K.REFUND_FAILED, A.WRITE_OFF): "written_off",
    (K.CAPTURE_LOST, A.WRITE_OFF): "completed",
}
"""Where it is led while the trouble lasts: what a person settles without the gateway."""

UNSETTLED = [
    K.CONTRADICTION,
    K.KEY_EXPIRED,
    K.OPERATION_MISMATCH,
    K.PAYMENT_UNKNOWN,
    K.VOID_DECLINED,
    K.REFUND_DECLINED,
    K.REFUND_FAILED,
    K.CAPTURE_LOST,
    K.STRAY_PAYMENT,
    K.TENDER_GONE,
]
"""The kinds of which a look shows that they are as they were."""


@pytest.mark.parametrize(("kind", "action"), AFTER_CALM, ids=lambda value: str(value))
async def test_an_order_is_carried_out_once_the_trouble_is_over(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, kind: CaseKind, action: CaseAction
) -> None:
    """The case is closed with a row that says who ordered what, and the saga goes where the order says."""
    checkout, calm = await SCENARIOS[kind](shop, monkeypatch)
    case = await open_case(shop, checkout, kind)
    await calm()
    assert await act(shop, case, action) is CaseAnswer.DONE
    await closed_case(shop, case)
    status = await shop.until(checkout, AFTER_CALM[kind, action])
    assert not status.stuck
    [told] = await rows_named(shop, checkout, "case_action")
    assert (told["case"], told["action"], told["who"]) == (case.id, action, "ann")
    if kind not in (K.STRAY_PAYMENT, K.CAPTURE_LOST):
        await agree(shop, checkout)


@pytest.mark.parametrize(("kind", "action"), IN_TROUBLE, ids=lambda value: str(value))
async def test_a_person_settles_what_the_gateway_does_not(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, kind: CaseKind, action: CaseAction
) -> None:
    """Marked as paid, or written off: the books say so, and by whom, and the case is closed."""
    checkout, _ = await SCENARIOS[kind](shop, monkeypatch)
    case = await open_case(shop, checkout, kind)
    evidence = "ch_seen_in_the_dashboard" if action is A.MARK_PAID else None
    assert await act(shop, case, action, evidence=evidence) is CaseAnswer.DONE
    await closed_case(shop, case)
    status = await shop.until(checkout, IN_TROUBLE[kind, action])
    postings = [(row.kind, row.reference) for row in await shop.books.postings(checkout.id)]
    if action is A.MARK_PAID:
        assert status.captured_minor == 4200
        assert ("capture", evidence) in postings
    elif kind is not K.VOID_DECLINED:
        assert "write_off" in {name for name, _ in postings}
    assert not [open_ for open_ in await all_cases(shop, checkout) if open_.closed_at is None]


@pytest.mark.parametrize("kind", UNSETTLED)
async def test_a_look_that_settles_nothing_leaves_the_case_open(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, kind: CaseKind
) -> None:
    """The gateway shows what it showed before: the same case is open still, and takes another order."""
    checkout, _ = await SCENARIOS[kind](shop, monkeypatch)
    case = await open_case(shop, checkout, kind)
    assert await act(shop, case, A.LOOK_AGAIN) is CaseAnswer.DONE
    await eventually(lambda: rows_named(shop, checkout, "case_action"), lambda rows: len(rows) == 1)
    await asyncio.sleep(1)
    assert (await open_case(shop, checkout, kind)).id == case.id
    assert await act(shop, case, A.LOOK_AGAIN, who="bob") is CaseAnswer.DONE


@pytest.mark.parametrize("kind", SCENARIOS)
async def test_what_a_kind_of_case_does_not_allow_is_refused(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, kind: CaseKind
) -> None:
    """The refusal names what can be ordered; the case is open as before, with no row more."""
    checkout, _ = await SCENARIOS[kind](shop, monkeypatch)
    case = await open_case(shop, checkout, kind)
    for action in set(CaseAction) - ACTIONS[kind]:
        message = await refusal(shop, case, action, evidence="x")
        assert "what can" in message, message
    assert (await open_case(shop, checkout, kind)).id == case.id
    assert not await rows_named(shop, checkout, "case_action")


async def test_words_are_required(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Money is marked as there with evidence only, and nobody orders anything without a name."""
    checkout, _ = await SCENARIOS[K.KEY_EXPIRED](shop, monkeypatch)
    case = await open_case(shop, checkout, K.KEY_EXPIRED)
    assert "evidence" in await refusal(shop, case, A.MARK_PAID)
    assert "who" in await refusal(shop, case, A.RETRY_NOW, who=" ")


async def test_a_case_that_is_closed_takes_no_order(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second click comes when the case is closed: a clear no, and nothing is done twice."""
    checkout, calm = await refund_declined(shop, monkeypatch)
    case = await open_case(shop, checkout, K.REFUND_DECLINED)
    await calm()
    answers = await asyncio.gather(*(act(shop, case, A.REFUND) for _ in range(3)), return_exceptions=True)
    assert CaseAnswer.DONE in answers
    assert all(answer is CaseAnswer.DONE or isinstance(answer, WorkflowUpdateFailedError) for answer in answers)
    await shop.until(checkout, "refunded")
    assert await shop.moved(checkout) == {"charge": [4200], "refund": [4200]}
    assert len(await rows_named(shop, checkout, "case_action")) == 1


async def test_what_moves_much_takes_two_people(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above the amount the first order is a proposal; the same person is not the second, another one is."""
    checkout = await paid(shop, policy=replace(HASTY, four_eyes_above=41))
    await will_not_refund(shop, monkeypatch, checkout)
    case = await open_case(shop, checkout, K.REFUND_DECLINED)
    assert case.amount_minor == 4200
    assert await act(shop, case, A.WRITE_OFF) is CaseAnswer.AWAITS_SECOND
    assert await act(shop, case, A.WRITE_OFF) is CaseAnswer.AWAITS_SECOND
    assert (await shop.status(checkout)).state == "needs_review"
    assert await act(shop, case, A.WRITE_OFF, who="bob") is CaseAnswer.DONE
    await shop.until(checkout, "written_off")
    assert [row["who"] for row in await rows_named(shop, checkout, "case_proposed")] == ["ann"]
    [done] = await rows_named(shop, checkout, "case_action")
    assert (done["who"], done["first"]) == ("bob", "ann")


async def test_the_second_has_to_order_the_same(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """One wants to write it off, the other to ask again: asking again takes nobody's yes, and settles the case."""
    checkout = await paid(shop, policy=replace(HASTY, four_eyes_above=41))
    await will_not_refund(shop, monkeypatch, checkout)
    case = await open_case(shop, checkout, K.REFUND_DECLINED)
    assert await act(shop, case, A.WRITE_OFF) is CaseAnswer.AWAITS_SECOND
    monkeypatch.undo()
    assert await act(shop, case, A.RETRY_NOW, who="bob") is CaseAnswer.DONE
    await shop.until(checkout, "refunded")
    assert "write_off" not in {row.kind for row in await shop.books.postings(checkout.id)}


async def test_at_the_amount_one_person_suffices(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four eyes are for more than the amount."""
    checkout = await paid(shop, policy=replace(HASTY, four_eyes_above=42))
    await will_not_refund(shop, monkeypatch, checkout)
    case = await open_case(shop, checkout, K.REFUND_DECLINED)
    assert await act(shop, case, A.WRITE_OFF) is CaseAnswer.DONE
    await shop.until(checkout, "written_off")


async def test_the_temporal_cli_can_act(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain JSON by a client that knows nothing of ours: it is what the CLI and the UI send."""
    checkout, calm = await refund_declined(shop, monkeypatch)
    case = await open_case(shop, checkout, K.REFUND_DECLINED)
    await calm()
    plain = await Client.connect(shop.parts.client.service_client.config.target_host)
    order = {"case_id": case.id, "action": "retry_now", "reason": "the bank says it works", "who": "ann"}
    answer = await plain.get_workflow_handle(case.workflow_id).execute_update("act", order)
    assert answer == "done"
    await shop.until(checkout, "refunded")


async def test_nothing_is_open_so_nothing_can_be_ordered(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """An order that is sent to the workflow of another checkout's case is refused there."""
    checkout, _ = await refund_declined(shop, monkeypatch)
    case = await open_case(shop, checkout, K.REFUND_DECLINED)
    other = await paid(shop)
    message = await refusal(shop, case, A.REFUND, at=other.workflow_id)
    assert "no open case" in message
    assert (await shop.status(other)).state is CheckoutState.PAID
