"""Requests of ours and objects of Stripe's that several tests start from."""

from domain.money import Money
from gateways.contract import CapturePayment, CreatePayment, RefundPayment, VoidPayment
from tests.gateways.scripted import answer

TEN = Money(1000, "USD")
CREATE = CreatePayment("key-1", "chk_1", "order-1", TEN, hold=False)
CAPTURE = CapturePayment("key-2", "pi_1", TEN)
VOID = VoidPayment("key-3", "pi_1")
REFUND = RefundPayment("key-4", "pi_1", TEN)

INTENT = {
    "id": "pi_1",
    "object": "payment_intent",
    "status": "succeeded",
    "amount": 1000,
    "amount_received": 1000,
    "currency": "usd",
    "livemode": False,
    "client_secret": "pi_1_secret_x",
    "metadata": {"checkout_id": "chk_1"},
    "latest_charge": None,
}


def refund(**changes: object) -> dict[str, object]:
    """A refund of ours."""
    stated = {"id": "re_1", "object": "refund", "amount": 1000, "currency": "usd", "status": "succeeded"}
    return {**stated, "metadata": {"reference": "key-4"}, **changes}


def refunds(*stated: dict[str, object], has_more: bool = False) -> bytes:
    """One page of refunds."""
    return answer(200, {"object": "list", "data": list(stated), "has_more": has_more, "url": "/v1/refunds"})
