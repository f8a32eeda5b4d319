"""Requests of ours and answers of Adyen's that several tests start from."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from domain.money import Money
from gateways.adyen.client import Link, link_of
from gateways.contract import AuthorizePayment, CapturePayment, CreatePayment, RefundPayment, VoidPayment
from tests.gateways.adyen.notices import ACCOUNT, CHECKOUT, LINK_ID, PAYMENT
from tests.gateways.scripted import answer

PRICE = Money(4200, "USD")
CREATE = CreatePayment(f"{CHECKOUT}:create:1", CHECKOUT, "order-1", PRICE, hold=False, return_url="https://shop.test/")
AUTHORIZE = AuthorizePayment(f"{CHECKOUT}:authorize:1", LINK_ID, PRICE)
CAPTURE = CapturePayment(f"{CHECKOUT}:capture:1", LINK_ID, PRICE)
VOID = VoidPayment(f"{CHECKOUT}:void:1", LINK_ID)
REFUND = RefundPayment(f"{CHECKOUT}:refund:1", LINK_ID, PRICE)


class KeptBodies:
    """Deliveries that were kept, whatever they are about."""

    def __init__(self, *bodies: bytes) -> None:
        self.bodies = list(bodies)

    async def about(self, gateway: str, reference: str) -> Sequence[bytes]:
        """All of them: which of their items are about the reference is the adapter's to tell."""
        assert (gateway, bool(reference)) == ("adyen", True)
        return tuple(self.bodies)

    async def between(self, gateway: str, since: datetime, until: datetime) -> Sequence[bytes]:
        """All of them, in a time that is one."""
        assert gateway == "adyen"
        return tuple(self.bodies) if since < until else ()


def link(**changes: Any) -> dict[str, Any]:
    """A payment link nobody has paid yet."""
    stated: dict[str, Any] = {
        "amount": {"currency": "USD", "value": 4200},
        "expiresAt": "2026-11-23T12:00:00Z",
        "id": LINK_ID,
        "merchantAccount": ACCOUNT,
        "reference": CHECKOUT,
        "reusable": False,
        "status": "active",
        "url": f"https://test.adyen.link/{LINK_ID}",
    }
    return stated | changes


def read_link(**changes: Any) -> Link:
    """The same, read."""
    return link_of(link(**changes))


def received(key: str, amount: int | None = 4200, **changes: Any) -> bytes:
    """Adyen's answer to a modification."""
    stated: dict[str, Any] = {
        "merchantAccount": ACCOUNT,
        "paymentPspReference": PAYMENT,
        "pspReference": "PSPMODIFICATION1",
        "reference": key,
        "status": "received",
    }
    money = {} if amount is None else {"amount": {"value": amount, "currency": "USD"}}
    return answer(201, {**stated, **money, **changes})


def refusal(
    status: int,
    code: str = "702",
    message: str = "No.",
    kind: str = "validation",
    headers: dict[str, str] | None = None,
) -> bytes:
    """Adyen's error object."""
    words = {"status": status, "errorCode": code, "message": message, "errorType": kind, "pspReference": "PSPREQUEST1"}
    return answer(status, words, headers)
