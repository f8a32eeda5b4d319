"""Looking payments up from their links and the notifications that were kept, and listing what moved."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.errors import OutcomeUnknownError
from domain.money import Money
from domain.payment import PaymentStatus
from gateways.adyen.adapter import AdyenGateway
from gateways.contract import GatewayTransaction, TransactionType
from tests.gateways.adyen.examples import PRICE, KeptBodies, link, refusal
from tests.gateways.adyen.notices import CHECKOUT, LINK_ID, START, after, body, done, item, refused
from tests.gateways.scripted import ScriptedServer, answer

NOW = datetime.now(UTC)


async def test_batches_are_read_item_by_item(gateway: AdyenGateway, scripted: ScriptedServer, kept: KeptBodies) -> None:
    """Of a batch only the items about this checkout count, and an item in two deliveries counts once."""
    stranger = item(merchantReference="chk_2", pspReference="PSPOTHER")
    kept.bodies[:] = [body(stranger, item()), body(item(), done("CAPTURE", "capture:1"))]
    scripted.tell(answer(200, link(status="completed")))
    payment = await gateway.lookup(LINK_ID)
    assert payment is not None
    assert (payment.status, payment.captured) == (PaymentStatus.CAPTURED, PRICE)


@pytest.mark.parametrize("broken", [b"", b"{}", b"hello", body(item()).replace(b"2026-11-22", b"yesterday")])
async def test_a_kept_delivery_that_cannot_be_read_is_no_silence(
    gateway: AdyenGateway, scripted: ScriptedServer, kept: KeptBodies, broken: bytes
) -> None:
    """Evidence that is damaged leaves the payment unknown; it never looks as if Adyen had told nothing."""
    kept.bodies[:] = [body(item()), broken]
    scripted.tell(answer(200, link(status="completed")))
    for call in (gateway.lookup(LINK_ID), gateway.find(CHECKOUT), gateway.list_transactions(NOW, NOW + timedelta(1))):
        with pytest.raises(OutcomeUnknownError):
            await call


async def test_a_tried_payment_is_found(gateway: AdyenGateway, scripted: ScriptedServer, kept: KeptBodies) -> None:
    """The link that a notification names is read, and is the payment when it names the reference itself."""
    kept.bodies[:] = [body(refused(item(), "Refused"))]
    scripted.tell(answer(200, link()))
    payment = await gateway.find(CHECKOUT)
    assert payment is not None
    assert (payment.payment_id, payment.status) == (LINK_ID, PaymentStatus.AWAITING_CUSTOMER)


async def test_a_link_of_another_reference_is_not_found(
    gateway: AdyenGateway, scripted: ScriptedServer, kept: KeptBodies
) -> None:
    """The unsigned id of a link leads nowhere unless the link belongs to the reference that was signed."""
    kept.bodies[:] = [body(item(data={"paymentLinkId": "PLSOMEBODYELSE"}))]
    scripted.tell(answer(200, link(id="PLSOMEBODYELSE", reference="chk_2")))
    assert await gateway.find(CHECKOUT) is None


async def test_nothing_is_found_without_notifications(
    gateway: AdyenGateway, scripted: ScriptedServer, kept: KeptBodies
) -> None:
    """A checkout that Adyen told nothing of is looked for nowhere; one whose link is gone is None too."""
    scripted.tell(refusal(422, "000", "Not Found"))
    assert await gateway.find(CHECKOUT) is None
    assert scripted.requests == []
    kept.bodies[:] = [body(item(merchantReference="chk_2"))]
    assert await gateway.find(CHECKOUT) is None
    assert scripted.requests == []
    kept.bodies[:] = [body(item())]
    assert await gateway.find(CHECKOUT) is None
    assert len(scripted.requests) == 1


async def test_the_weightiest_of_several_links_is_found(
    gateway: AdyenGateway, scripted: ScriptedServer, kept: KeptBodies, caplog: pytest.LogCaptureFixture
) -> None:
    """When a forgotten key opened a second link, the one that can still be paid is found before the expired one."""
    first, second = refused(item(), "Refused"), item(pspReference="PSP2", data={"paymentLinkId": "PL999"})
    kept.bodies[:] = [body(first, refused(second, "Refused"))]
    scripted.tell(answer(200, link(status="expired")), answer(200, link(id="PL999")))
    payment = await gateway.find(CHECKOUT)
    assert payment is not None
    assert payment.payment_id == "PL999"
    assert "PL999" in caplog.text


async def test_what_moved_is_listed(gateway: AdyenGateway, kept: KeptBodies) -> None:
    """Captures and refunds that succeeded, and those that failed afterwards, once each and oldest first."""
    part = {"currency": "USD", "value": 1000}
    capture, refund = after(done("CAPTURE", "capture:1"), 1), after(done("REFUND", "refund:1", amount=part), 2)
    failed = after(done("REFUND_FAILED", "refund:1", amount=part), 3)
    not_ours = done("CAPTURE", "capture:1", psp="PSPTHEIRS", merchantAccountCode="SomebodyElse")
    nothing = [item(), refused(done("CAPTURE", "capture:0"), "Refused"), done("CANCELLATION", "void:1")]
    kept.bodies[:] = [body(failed, refund), body(capture), body(capture, *nothing, not_ours)]
    refund_key = f"{CHECKOUT}:refund:1"
    assert await gateway.list_transactions(NOW, NOW + timedelta(days=1)) == [
        GatewayTransaction(
            "PSPCAPTURE1", TransactionType.CHARGE, PRICE, START + timedelta(minutes=1), LINK_ID, CHECKOUT
        ),
        GatewayTransaction(
            "PSPREFUND1", TransactionType.REFUND, Money(1000, "USD"), START + timedelta(minutes=2), LINK_ID, refund_key
        ),
        GatewayTransaction(
            "PSPREFUND1",
            TransactionType.REFUND_FAILED,
            Money(1000, "USD"),
            START + timedelta(minutes=3),
            LINK_ID,
            refund_key,
        ),
    ]
    assert await gateway.list_transactions(NOW, NOW) == []


async def test_a_capture_that_failed_is_listed_apart(gateway: AdyenGateway, kept: KeptBodies) -> None:
    """Money that the scheme took back is a row of its own beside the charge."""
    kept.bodies[:] = [body(done("CAPTURE", "capture:1"), done("CAPTURE_FAILED", "capture:1"))]
    rows = await gateway.list_transactions(NOW, NOW + timedelta(days=1))
    assert {(row.transaction_id, row.type) for row in rows} == {
        ("PSPCAPTURE1", TransactionType.CHARGE),
        ("PSPCAPTURE1", TransactionType.OTHER),
    }
