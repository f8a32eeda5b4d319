"""Late money over the gateways: given back exactly once, whatever ended the checkout and what is forgotten since."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from api.sagas import CommandRefusedError, SagaEndedError
from domain.case import CaseAction, CaseKind
from domain.checkout import Checkout
from domain.saga import Fact
from tests.workflows.agreement import agree
from tests.workflows.casebook import act, held, open_case, refund_declined, refuse
from tests.workflows.splits import open_split
from tests.workflows.support import Shop, eventually
from tests.workflows.test_adversarial import forget


async def given_up(shop: Shop, **changes: Any) -> Checkout:
    """A checkout that the shop gave up before anybody paid."""
    checkout = await shop.open(**changes)
    await shop.sagas().cancel(checkout, 20)
    await shop.until(checkout, "canceled")
    await shop.handle(checkout).result()
    return checkout


async def pay_late(shop: Shop, checkout: Checkout) -> None:
    """The gateway takes the customer's money for a payment that had been ended."""
    payment_id = (await shop.status(checkout)).payment_id
    answer = await shop.sandbox.post(f"/sandbox/payments/{payment_id}/pay_late")
    assert answer.is_success, answer.text


async def refunded_once(shop: Shop, checkout: Checkout) -> None:
    """All went back, once, and books and gateway agree."""
    status = await shop.until(checkout, "refunded")
    await shop.all_dispatched(status.payment_id)
    moved = await shop.moved(checkout)
    assert moved["refund"] == [checkout.amount.minor], moved
    await agree(shop, checkout)


@pytest.mark.parametrize("forgotten", [False, True], ids=["known", "forgotten"])
async def test_money_after_a_cancel_goes_back_once(shop: Shop, forgotten: bool) -> None:
    """Told twice, and also when Temporal knows nothing of the checkout any more: Postgres is the record."""
    checkout = await given_up(shop)
    if forgotten:
        await forget(shop, checkout.workflow_id)
    await shop.fault("webhook", "duplicate", checkout, count=50)
    await pay_late(shop, checkout)
    await refunded_once(shop, checkout)


async def test_money_for_a_tender_that_was_given_back_goes_back_once(shop: Shop) -> None:
    """A tender of a split checkout that came to no sale: its own late path, the whole stays as it ended."""
    split = await open_split(shop)
    await shop.sagas().cancel(split.whole, 20)
    await shop.until(split.whole, "canceled")
    for leg in split.legs:
        await shop.handle(leg).result()
    await pay_late(shop, split.legs[0])
    await refunded_once(shop, split.legs[0])
    assert (await shop.status(split.whole)).state == "canceled"


async def test_money_after_a_write_off_goes_back_once(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hold that could not be released was let be; then somebody captures it: that goes back."""
    checkout = await held(shop)
    refuse(shop, monkeypatch, checkout, "void")
    await shop.tell(checkout, "reject", "out of stock")
    case = await open_case(shop, checkout, CaseKind.VOID_DECLINED)
    await act(shop, case, CaseAction.WRITE_OFF)
    status = await shop.until(checkout, "written_off")
    await shop.handle(checkout).result()
    monkeypatch.undo()
    headers = {"Authorization": "Bearer sk_test_x"}
    answer = await shop.sandbox.post(f"/v1/payment_intents/{status.payment_id}/capture", headers=headers)
    assert answer.is_success, answer.text
    await refunded_once(shop, checkout)


async def test_what_was_written_off_is_not_given_back_later(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person let the money be: a stale word of the gateway's does not start the refund again."""
    checkout, calm = await refund_declined(shop, monkeypatch)
    case = await open_case(shop, checkout, CaseKind.REFUND_DECLINED)
    await act(shop, case, CaseAction.WRITE_OFF)
    status = await shop.until(checkout, "written_off")
    await shop.handle(checkout).result()
    await calm()
    payment = await shop.parts.gateways["stripe"].lookup(status.payment_id or "")
    assert payment is not None
    await shop.sagas().deliver_late(checkout, Fact(payment, "webhook:evt_again"))
    await asyncio.sleep(2)
    assert (await shop.status(checkout)).state == "written_off"
    assert "refund" not in await shop.moved(checkout)


@pytest.mark.parametrize("gateway", ["paypal", "adyen"])
async def test_money_of_another_gateway_after_the_end_goes_back_once(shop: Shop, gateway: str) -> None:
    """The customer pays in the moment of the cancel: taken or held, nothing of it stays."""
    checkout = await shop.open(gateway=gateway)
    cancelling = asyncio.create_task(shop.sagas().cancel(checkout, 20))
    with suppress(AssertionError):  # the page may say that it is over, which is as good
        await shop.pay_with(checkout, "good")
    with suppress(CommandRefusedError, SagaEndedError):  # the money may have come first
        await cancelling
    status = await eventually(
        lambda: shop.status(checkout), lambda seen: seen.state in ("canceled", "refunded", "completed")
    )
    await shop.all_dispatched(status.payment_id)
    await agree(shop, checkout)
