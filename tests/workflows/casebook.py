"""Cases on the sagas' stack: how each kind comes up, and how a person acts on it."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from domain.case import Case, CaseAction, CaseAnswer, CaseKind, CaseOrder
from domain.checkout import CaptureMode, Checkout
from domain.money import Money
from domain.outcomes import Answer, Declined
from domain.payment import Decline, DeclineCode, PaymentSnapshot
from domain.saga import Fact, SagaPolicy
from gateways.contract import CapturePayment, Verb
from ledger.cases import CaseBook
from ledger.contract import CaseFilter
from ledger.operations import fingerprint_of
from tests.workflows.splits import open_split
from tests.workflows.support import Shop, eventually

HASTY = SagaPolicy(1, 2, 1, 25, page_after_seconds=2)
CONFIRMED: dict[str, Any] = {"confirm_within_seconds": 600}
HELD: dict[str, Any] = {"capture": CaptureMode.ON_CONFIRM, "confirm_within_seconds": 600}
NO = Declined(Decline(DeclineCode.UNKNOWN, True, "not_possible", "not possible"))

Calm = Callable[[], Awaitable[None]]
"""Takes the cause of the trouble away."""


async def open_case(shop: Shop, checkout: Checkout, kind: CaseKind) -> Case:
    """The checkout's open case of this kind, once there is one."""

    async def look() -> list[Case]:
        return [case for case in await CaseBook(shop.parts.engine).open_of(checkout.id) if case.kind is kind]

    return (await eventually(look, bool))[0]


async def closed_case(shop: Shop, case: Case) -> Case:
    """The case once it is closed."""

    async def look() -> Case:
        found = await CaseBook(shop.parts.engine).get(case.id)
        assert found is not None
        return found

    return await eventually(look, lambda seen: seen.closed_at is not None)


async def all_cases(shop: Shop, checkout: Checkout) -> list[Case]:
    """Every case that the checkout ever had."""
    return [*(await CaseBook(shop.parts.engine).list(CaseFilter(checkout_id=checkout.id, open=None))).data]


async def act(
    shop: Shop,
    case: Case,
    action: CaseAction | str,
    who: str = "ann",
    evidence: str | None = None,
    at: str | None = None,
) -> CaseAnswer:
    """What a person orders, by the update that the CLI sends too."""
    order = CaseOrder(case.id, CaseAction(action), "as the runbook says", who, evidence)
    handle = shop.parts.client.get_workflow_handle(at or case.workflow_id)
    answer: CaseAnswer = await handle.execute_update("act", order, result_type=CaseAnswer)
    return answer


async def refusal(shop: Shop, case: Case, action: CaseAction, **how: Any) -> str:
    """Why the order is refused."""
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await act(shop, case, action, **how)
    cause = refused.value.cause
    assert isinstance(cause, ApplicationError)
    assert cause.type == "NotAllowed"
    return cause.message


async def rows_named(shop: Shop, checkout: Checkout, name: str) -> list[dict[str, Any]]:
    """The details of the rows of this name, whichever workflow wrote them."""
    timeline = await shop.timeline(checkout)
    return [dict(row.details) for row in timeline if name in row.key.split(":")]


async def old_operation(shop: Shop, checkout: Checkout, verb: Verb, request: Any, hours: int = 200) -> None:
    """The operation was begun so long ago that the gateway may have forgotten its key."""
    stated = {name: value for name, value in asdict(request).items() if name not in ("final", "total")}
    values = {
        "key": request.key,
        "id": checkout.id,
        "gateway": checkout.gateway,
        "verb": verb,
        "print": fingerprint_of(checkout.id, checkout.gateway, verb, stated),
        "request": json.dumps(stated),
        "age": timedelta(hours=hours),
    }
    insert = text(
        "INSERT INTO operations (key, checkout_id, gateway, verb, fingerprint, request, started_at)"
        " VALUES (:key, :id, :gateway, :verb, :print, cast(:request as jsonb), now() - cast(:age as interval))"
    )
    async with shop.parts.engine.begin() as connection:
        await connection.execute(insert, values)


async def nothing() -> None:
    """There is nothing to take away."""


async def contradiction(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> tuple[Checkout, Calm]:
    """The gateway shows another amount than was asked for."""
    checkout = await shop.open(HASTY)
    await shop.fault("payment_intents.retrieve", "amount_off_by_one", checkout, count=1000)
    await shop.pay(checkout)
    return checkout, lambda: no_faults(shop)


async def no_faults(shop: Shop) -> None:
    """The sandbox behaves again."""
    await shop.sandbox.delete("/sandbox/faults")


async def unknown_outcome(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> tuple[Checkout, Calm]:
    """A capture that the gateway does not answer."""
    checkout = await held(shop)
    await shop.fault("payment_intents.capture", "unavailable_503", checkout, count=1000)
    await shop.tell(checkout, "confirm")
    return checkout, lambda: no_faults(shop)


async def key_expired(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> tuple[Checkout, Calm]:
    """A capture that was asked for so long ago that its key may mean a new one."""
    checkout = await held(shop)
    await old_operation(shop, checkout, Verb.CAPTURE, await capture_of(shop, checkout, checkout.amount))
    await shop.tell(checkout, "confirm")
    return checkout, nothing


async def operation_mismatch(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> tuple[Checkout, Calm]:
    """The capture's key stands for a capture of another amount."""
    checkout = await held(shop)
    await old_operation(shop, checkout, Verb.CAPTURE, await capture_of(shop, checkout, Money(1, "USD")), hours=0)
    await shop.tell(checkout, "confirm")
    return checkout, nothing


async def payment_unknown(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> tuple[Checkout, Calm]:
    """The gateway shows nothing any more of what was captured."""
    checkout = await paid(shop)
    gateway, mine = shop.parts.gateways["stripe"], (await shop.status(checkout)).payment_id
    look_up = gateway.lookup

    async def blind(payment_id: str) -> PaymentSnapshot | None:
        return None if payment_id == mine else await look_up(payment_id)

    monkeypatch.setattr(gateway, "lookup", blind)
    await shop.tell(checkout, "reject", "out of stock")
    return checkout, lambda: undone(monkeypatch)


async def void_declined(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> tuple[Checkout, Calm]:
    """The gateway will not release the hold."""
    checkout = await held(shop)
    refuse(shop, monkeypatch, checkout, "void")
    await shop.tell(checkout, "reject", "out of stock")
    return checkout, lambda: undone(monkeypatch)


async def refund_declined(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> tuple[Checkout, Calm]:
    """The gateway will not give the money back."""
    checkout = await paid(shop)
    await will_not_refund(shop, monkeypatch, checkout)
    return checkout, lambda: undone(monkeypatch)


async def will_not_refund(shop: Shop, monkeypatch: pytest.MonkeyPatch, checkout: Checkout) -> None:
    """The shop gives this paid checkout up, and the gateway declines to give its money back."""
    refuse(shop, monkeypatch, checkout, "refund")
    await shop.tell(checkout, "reject", "out of stock")


async def refund_failed(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> tuple[Checkout, Calm]:
    """The refund was taken on, and came to nothing."""
    checkout = await paid(shop, "pm_card_pendingRefund")
    await shop.tell(checkout, "reject", "out of stock")
    rows = await eventually(
        lambda: shop.gateway_rows(checkout), lambda seen: any(row["operation"] == "refund" for row in seen)
    )
    refund_id = next(row["refund"] for row in rows if row["operation"] == "refund")
    headers = {"Authorization": "Bearer sk_test_x"}
    assert (await shop.sandbox.post(f"/v1/refunds/{refund_id}/cancel", headers=headers)).is_success
    return checkout, nothing


async def compensation_failing(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> tuple[Checkout, Calm]:
    """Money must go back, and the gateway does not answer."""
    checkout = await paid(shop)
    await shop.fault("refunds.create", "unavailable_503", checkout, count=1000)
    await shop.tell(checkout, "reject", "out of stock")
    return checkout, lambda: no_faults(shop)


async def capture_lost(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> tuple[Checkout, Calm]:
    """The money of a sale went away again."""
    checkout = await shop.open(HASTY, gateway="adyen")
    await shop.pay(checkout, method="capture_fails")
    await shop.until(checkout, "completed")
    await shop.handle(checkout).result()
    await shop.world("adyen").settle()
    return checkout, nothing


async def stray_payment(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> tuple[Checkout, Calm]:
    """Money at a gateway that is not this checkout's any more."""
    checkout, other = await paid(shop), await paid(shop, gateway="paypal")
    payment = await shop.parts.gateways["paypal"].lookup((await shop.status(other)).payment_id or "")
    assert payment is not None
    await shop.sagas().deliver(checkout, Fact(payment, "webhook:evt_stray"))

    async def given_back() -> None:
        await shop.sagas().reject(other, "out of stock", 20)
        await shop.until(other, "refunded")

    return checkout, given_back


async def tender_gone(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> tuple[Checkout, Calm]:
    """The workflow of a tender was terminated."""
    split = await open_split(shop, HASTY)
    await shop.handle(split.legs[1]).terminate("test")
    return split.whole, nothing


def refuse(shop: Shop, monkeypatch: pytest.MonkeyPatch, checkout: Checkout, verb: str) -> None:
    """From now on this checkout's gateway declines the verb, for this checkout alone."""
    gateway = shop.parts.gateways[checkout.gateway]
    does = getattr(gateway, verb)

    async def declining(request: Any) -> Answer:
        return NO if request.key.startswith(checkout.id) else await does(request)

    monkeypatch.setattr(gateway, verb, declining)


async def undone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway is as it was."""
    monkeypatch.undo()


async def held(shop: Shop, **changes: Any) -> Checkout:
    """A checkout that is held and waits for the shop."""
    checkout = await shop.open(HASTY, **(HELD | changes))
    await shop.pay_with(checkout, "good")
    await shop.until(checkout, "authorized")
    return checkout


async def paid(shop: Shop, method: str | None = None, policy: SagaPolicy = HASTY, **changes: Any) -> Checkout:
    """A checkout that is paid and waits for the shop."""
    checkout = await shop.open(policy, **(CONFIRMED | changes))
    await (shop.pay(checkout, method=method) if method else shop.pay_with(checkout, "good"))
    await shop.until(checkout, "paid")
    return checkout


async def capture_of(shop: Shop, checkout: Checkout, amount: Money) -> CapturePayment:
    """The request that the saga makes for its first capture, over this amount."""
    payment_id = (await shop.status(checkout)).payment_id
    assert payment_id is not None
    return CapturePayment(f"{checkout.id}:capture:1", payment_id, amount)


SCENARIOS: dict[CaseKind, Callable[[Shop, pytest.MonkeyPatch], Awaitable[tuple[Checkout, Calm]]]] = {
    CaseKind.CONTRADICTION: contradiction,
    CaseKind.UNKNOWN_OUTCOME: unknown_outcome,
    CaseKind.KEY_EXPIRED: key_expired,
    CaseKind.OPERATION_MISMATCH: operation_mismatch,
    CaseKind.PAYMENT_UNKNOWN: payment_unknown,
    CaseKind.VOID_DECLINED: void_declined,
    CaseKind.REFUND_DECLINED: refund_declined,
    CaseKind.REFUND_FAILED: refund_failed,
    CaseKind.COMPENSATION_FAILING: compensation_failing,
    CaseKind.CAPTURE_LOST: capture_lost,
    CaseKind.STRAY_PAYMENT: stray_payment,
    CaseKind.TENDER_GONE: tender_gone,
}
"""How each kind comes up: the checkout, and what takes the trouble away."""
