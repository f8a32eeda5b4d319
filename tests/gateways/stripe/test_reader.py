"""Looking payments up: all refunds, and the right payment for a reference."""

from domain.payment import PaymentStatus
from gateways.stripe.adapter import StripeGateway
from tests.gateways.scripted import ScriptedServer, answer, error
from tests.gateways.stripe.examples import INTENT, refund, refunds


async def test_every_refund_is_read(gateway: StripeGateway, scripted: ScriptedServer) -> None:
    """Stripe shows the first refunds only: the others are read page by page."""
    charge = {"id": "ch_1", "object": "charge", "refunds": {"object": "list", "data": [refund()], "has_more": True}}
    scripted.tell(
        answer(200, {**INTENT, "latest_charge": charge}),
        refunds(refund(), has_more=True),
        refunds(refund(id="re_2", amount=1)),
    )
    payment = await gateway.lookup("pi_1")
    assert payment is not None
    assert [r.refund_id for r in payment.refunds] == ["re_1", "re_2"]
    assert "starting_after=re_1" in scripted.requests[2]


async def test_find_without_search_reads_the_newest(gateway: StripeGateway, scripted: ScriptedServer) -> None:
    """Where search is refused or finds nothing, the newest payments are listed and the one with money wins."""
    unpaid = {**INTENT, "id": "pi_2", "status": "canceled", "amount_received": 0}
    stranger = {**INTENT, "id": "pi_3", "metadata": {"checkout_id": "chk_10"}}
    listed = answer(200, {"object": "list", "data": [unpaid, stranger, INTENT], "has_more": False})
    for nothing in (error(400), answer(200, {"object": "search_result", "data": [], "has_more": False})):
        scripted.tell(nothing, listed, answer(200, unpaid), answer(200, INTENT))
        payment = await gateway.find("chk_1")
        assert payment is not None
        assert (payment.payment_id, payment.status) == ("pi_1", PaymentStatus.CAPTURED)
    scripted.tell(nothing, listed)
    assert await gateway.find("chk_404") is None


async def test_a_reference_cannot_leave_its_quotes(gateway: StripeGateway, scripted: ScriptedServer) -> None:
    """A reference with a quote in it searches for itself and for nothing else."""
    empty = {"object": "search_result", "data": [], "has_more": False}
    scripted.tell(answer(200, empty))
    assert await gateway.find("chk' OR status:'succeeded") is None
    assert "chk%5C%27+OR" in scripted.requests[0]
