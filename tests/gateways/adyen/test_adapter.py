"""The verbs on payment links: what is asked of Adyen, and what is answered from what is known already."""

from typing import Any

import pytest

from domain.errors import GatewayRefusedError, OutcomeUnknownError
from domain.money import Money
from domain.outcomes import Completed, Declined, Pending, RequiresAction
from domain.payment import DeclineCode, PaymentSnapshot, PaymentStatus, RefundSnapshot, RefundStatus
from gateways.adyen.adapter import AdyenGateway
from gateways.contract import CreatePayment
from tests.gateways.adyen.examples import (
    AUTHORIZE,
    CAPTURE,
    CREATE,
    PRICE,
    REFUND,
    VOID,
    KeptBodies,
    link,
    received,
    refusal,
)
from tests.gateways.adyen.notices import LINK_ID, Item, body, done, item, refused
from tests.gateways.scripted import ScriptedServer, answer

PAID = answer(200, link(status="completed"))
UNPAID = answer(200, link())
CAPTURED = [item(), done("CAPTURE", "capture:1")]
CANCELED = [item(), done("CANCELLATION", "void:1")]


def keep(kept: KeptBodies, *items: Item) -> None:
    """Adyen has told of these, and of nothing else."""
    kept.bodies[:] = [body(one) for one in items]


def posts(scripted: ScriptedServer) -> list[str]:
    """The calls that asked for something to be done."""
    return [line for line in (request.split(" HTTP")[0] for request in scripted.requests) if not line.startswith("GET")]


async def test_a_payment_is_a_link(gateway: AdyenGateway, scripted: ScriptedServer) -> None:
    """A new payment goes by the link's id and sends the customer to its address."""
    scripted.tell(answer(201, link()))
    said = await gateway.create(CREATE)
    assert isinstance(said, RequiresAction)
    assert (said.evidence.payment_id, said.evidence.status) == (LINK_ID, PaymentStatus.AWAITING_CUSTOMER)
    assert (said.action.type, said.action.url) == ("redirect", f"https://test.adyen.link/{LINK_ID}")


@pytest.mark.parametrize("hold", [False, True])
async def test_the_capture_is_always_ours(gateway: AdyenGateway, scripted: ScriptedServer, hold: bool) -> None:
    """Whether the money is to be held or not, Adyen never captures by itself: nobody would be told of it."""
    scripted.tell(answer(201, link()))
    await gateway.create(CreatePayment("k", "chk_1", "order-1", PRICE, hold))
    assert '"manualCapture":true' in scripted.requests[0]
    assert "returnUrl" not in scripted.requests[0]


async def test_an_opened_payment_that_is_paid_is_not_believed(gateway: AdyenGateway, scripted: ScriptedServer) -> None:
    """A link that nobody can have paid yet does not open as paid."""
    scripted.tell(answer(201, link(status="completed")))
    with pytest.raises(OutcomeUnknownError):
        await gateway.create(CREATE)


@pytest.mark.parametrize(
    ("said", "items", "kind"),
    [
        (UNPAID, [], Declined),
        (PAID, [], Pending),
        (PAID, [item()], Completed),
        (PAID, CAPTURED, Completed),
        (PAID, CANCELED, Declined),
    ],
    ids=["unpaid", "not told of", "held", "captured", "canceled"],
)
async def test_authorize_answers_what_is(
    gateway: AdyenGateway, scripted: ScriptedServer, kept: KeptBodies, said: bytes, items: list[Item], kind: type
) -> None:
    """The customer's own confirmation holds the money: there is nothing to ask for, and nothing is asked."""
    keep(kept, *items)
    scripted.tell(said)
    assert type(await gateway.authorize(AUTHORIZE)) is kind
    assert posts(scripted) == []


async def test_a_capture_is_received(gateway: AdyenGateway, scripted: ScriptedServer, kept: KeptBodies) -> None:
    """Adyen only says that it heard: the payment is still held, and the answer is Pending."""
    keep(kept, item())
    scripted.tell(PAID, received(CAPTURE.key))
    said = await gateway.capture(CAPTURE)
    assert isinstance(said, Pending)
    assert isinstance(said.evidence, PaymentSnapshot)
    assert (said.evidence.status, said.evidence.captured) == (PaymentStatus.AUTHORIZED, PRICE.zero())
    assert len(posts(scripted)) == 1


NOT_CAPTURED: dict[str, tuple[bytes, list[Item], DeclineCode]] = {
    "unpaid": (UNPAID, [], DeclineCode.INVALID_REQUEST),
    "not told of": (PAID, [], DeclineCode.INVALID_REQUEST),
    "canceled": (PAID, CANCELED, DeclineCode.INVALID_REQUEST),
    "its own failure told": (
        PAID,
        [item(), refused(done("CAPTURE", "capture:1"), "Capture Failed")],
        DeclineCode.TRY_AGAIN_LATER,
    ),
}


@pytest.mark.parametrize(("said", "items", "code"), NOT_CAPTURED.values(), ids=NOT_CAPTURED.keys())
async def test_a_capture_that_cannot_be(
    gateway: AdyenGateway, scripted: ScriptedServer, kept: KeptBodies, said: bytes, items: list[Item], code: DeclineCode
) -> None:
    """What holds nothing, or has failed under this very key, is declined with the payment, and nothing is asked."""
    keep(kept, *items)
    scripted.tell(said)
    declined = await gateway.capture(CAPTURE)
    assert isinstance(declined, Declined)
    assert (declined.decline.code, declined.evidence is None) == (code, False)
    assert posts(scripted) == []


async def test_a_new_key_captures_after_a_failure(
    gateway: AdyenGateway, scripted: ScriptedServer, kept: KeptBodies
) -> None:
    """A capture that failed under another key keeps nobody from trying again."""
    keep(kept, item(), refused(done("CAPTURE", "capture:0"), "Capture Failed"))
    scripted.tell(PAID, received(CAPTURE.key))
    assert isinstance(await gateway.capture(CAPTURE), Pending)
    assert len(posts(scripted)) == 1


async def test_what_is_captured_is_not_captured_again(
    gateway: AdyenGateway, scripted: ScriptedServer, kept: KeptBodies
) -> None:
    """Under any key, captured money is Completed without another call."""
    keep(kept, *CAPTURED)
    scripted.tell(PAID)
    said = await gateway.capture(CAPTURE)
    assert isinstance(said, Completed)
    assert isinstance(said.evidence, PaymentSnapshot)
    assert (said.evidence.captured, posts(scripted)) == (PRICE, [])


async def test_an_unpaid_link_is_expired(gateway: AdyenGateway, scripted: ScriptedServer) -> None:
    """A void before anybody paid makes the link unpayable, at once."""
    scripted.tell(UNPAID, answer(200, link(status="expired")))
    said = await gateway.void(VOID)
    assert isinstance(said, Completed)
    assert isinstance(said.evidence, PaymentSnapshot)
    assert said.evidence.status is PaymentStatus.CANCELED


async def test_a_link_that_is_paid_meanwhile_is_not_expired(
    gateway: AdyenGateway, scripted: ScriptedServer, kept: KeptBodies
) -> None:
    """When the customer was faster, the payment is read anew: Pending, for its end is still to come."""
    scripted.tell(UNPAID, refusal(422, "130", "Payment link is completed"), PAID)
    said = await gateway.void(VOID)
    assert isinstance(said, Pending)
    scripted.tell(UNPAID, refusal(422, "130", "No"), UNPAID)
    with pytest.raises(GatewayRefusedError):
        await gateway.void(VOID)


async def test_a_payment_told_of_while_its_link_is_expired(
    gateway: AdyenGateway, scripted: ScriptedServer, kept: KeptBodies
) -> None:
    """An authorisation that arrives late is held money, though its link has expired: the void is not done."""
    scripted.tell(UNPAID, answer(200, link(status="expired")))
    before = kept.about

    async def about(gateway: str, reference: str) -> Any:
        found = await before(gateway, reference)
        keep(kept, item())
        return found

    kept.about = about  # type: ignore[method-assign] # the notification comes between the two readings
    said = await gateway.void(VOID)
    assert isinstance(said, Pending)
    assert isinstance(said.evidence, PaymentSnapshot)
    assert said.evidence.status is PaymentStatus.AUTHORIZED


async def test_a_hold_is_cancelled(gateway: AdyenGateway, scripted: ScriptedServer, kept: KeptBodies) -> None:
    """A cancel is received, and declined when asked for again with its key once it is known to have failed."""
    keep(kept, item())
    scripted.tell(PAID, received(VOID.key, None))
    assert isinstance(await gateway.void(VOID), Pending)
    assert len(posts(scripted)) == 1
    keep(kept, item(), refused(done("CANCELLATION", "void:1"), "Payment was already captured"))
    scripted.tell(PAID)
    said = await gateway.void(VOID)
    assert isinstance(said, Declined)
    assert posts(scripted) == []


@pytest.mark.parametrize(
    ("said", "items", "kind"),
    [(PAID, CAPTURED, Completed), (PAID, CANCELED, Completed), (PAID, [], Pending)],
    ids=["captured", "canceled", "not told of"],
)
async def test_a_void_of_what_is_not_held(
    gateway: AdyenGateway, scripted: ScriptedServer, kept: KeptBodies, said: bytes, items: list[Item], kind: type
) -> None:
    """Where there is nothing to release, the payment is answered as it is, and nothing is asked."""
    keep(kept, *items)
    scripted.tell(said)
    assert type(await gateway.void(VOID)) is kind
    assert posts(scripted) == []


async def test_a_refund_is_received(gateway: AdyenGateway, scripted: ScriptedServer, kept: KeptBodies) -> None:
    """The refund is pending under Adyen's reference of the request and our key."""
    keep(kept, *CAPTURED)
    scripted.tell(PAID, received(REFUND.key))
    said = await gateway.refund(REFUND)
    assert said == Pending(RefundSnapshot("PSPMODIFICATION1", PRICE, RefundStatus.PENDING, REFUND.key))


async def test_a_refund_that_was_told_of_is_the_answer(
    gateway: AdyenGateway, scripted: ScriptedServer, kept: KeptBodies
) -> None:
    """Asked for again with its key, a refund is what became of it, and is not asked for twice."""
    keep(kept, *CAPTURED, done("REFUND", "refund:1"))
    scripted.tell(PAID)
    said = await gateway.refund(REFUND)
    assert isinstance(said, Completed)
    assert isinstance(said.evidence, RefundSnapshot)
    assert said.evidence.status is RefundStatus.SUCCEEDED
    keep(kept, *CAPTURED, done("REFUND", "refund:1"), done("REFUND_FAILED", "refund:1", reason="Refund Failed"))
    declined = await gateway.refund(REFUND)
    assert isinstance(declined, Declined)
    assert declined.decline.gateway_code == "Refund Failed"
    assert posts(scripted) == []


@pytest.mark.parametrize(("said", "items"), [(UNPAID, []), (PAID, [item()])], ids=["unpaid", "held"])
async def test_what_was_not_captured_is_not_given_back(
    gateway: AdyenGateway, scripted: ScriptedServer, kept: KeptBodies, said: bytes, items: list[Item]
) -> None:
    """A refund of money that was not taken is declined without a call."""
    keep(kept, *items)
    scripted.tell(said)
    declined = await gateway.refund(REFUND)
    assert isinstance(declined, Declined)
    assert (declined.decline.code, declined.decline.hard) == (DeclineCode.INVALID_REQUEST, True)
    assert posts(scripted) == []


async def test_a_refund_goes_to_the_payment_that_was_captured(
    gateway: AdyenGateway, scripted: ScriptedServer, kept: KeptBodies
) -> None:
    """Of two authorised payments the one with money in it gives it back."""
    keep(kept, *CAPTURED, item(pspReference="PSPPAYMENT000000"))
    scripted.tell(PAID, received(REFUND.key))
    await gateway.refund(REFUND)
    assert "/payments/PSPPAYMENT000001/refunds" in posts(scripted)[0]


async def test_a_payment_that_is_not_there_is_refused(gateway: AdyenGateway, scripted: ScriptedServer) -> None:
    """Nothing can be done to a link that this account does not have."""
    scripted.tell(refusal(422, "000", "Not Found"))
    calls = (gateway.authorize(AUTHORIZE), gateway.capture(CAPTURE), gateway.void(VOID), gateway.refund(REFUND))
    for call in calls:
        with pytest.raises(GatewayRefusedError, match="payment_link_not_found"):
            await call


async def test_the_same_amount_twice_is_two_refunds(
    gateway: AdyenGateway, scripted: ScriptedServer, kept: KeptBodies
) -> None:
    """Refunds are told apart by their keys, however alike they are."""
    half = {"currency": "USD", "value": 2100}
    keep(kept, *CAPTURED, *(done("REFUND", f"refund:{n}", amount=half) for n in (1, 2)))
    scripted.tell(PAID)
    payment = await gateway.lookup(LINK_ID)
    assert payment is not None
    assert payment.refunded(RefundStatus.SUCCEEDED) == Money(4200, "USD")
    assert len({refund.reference for refund in payment.refunds}) == 2
