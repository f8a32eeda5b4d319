"""Steps that the conformance tests share."""

from uuid import uuid4

from domain.money import Money
from domain.outcomes import Answer, Completed, Pending, RequiresAction
from domain.payment import PaymentSnapshot, PaymentStatus, RefundSnapshot
from gateways.contract import CapturePayment, CreatePayment, Gateway, RefundPayment, VoidPayment
from tests.gateways.outside import Outside

PRICE = Money(4200, "USD")


def new_reference() -> str:
    """A checkout id that no other test uses."""
    return f"chk_{uuid4().hex[:20]}"


def create_request(reference: str, amount: Money = PRICE, hold: bool = False) -> CreatePayment:
    """The request that opens this checkout's payment; the same for the same checkout."""
    return CreatePayment(f"{reference}:create:1", reference, f"order-{reference}", amount, hold)


def capture_request(payment: PaymentSnapshot, amount: Money | None = None, attempt: int = 1) -> CapturePayment:
    """Take this payment's hold."""
    return CapturePayment(f"{payment.reference}:capture:{attempt}", payment.payment_id, amount or payment.amount)


def void_request(payment: PaymentSnapshot, attempt: int = 1) -> VoidPayment:
    """End this payment."""
    return VoidPayment(f"{payment.reference}:void:{attempt}", payment.payment_id)


def refund_request(payment: PaymentSnapshot, amount: Money | None = None, attempt: int = 1) -> RefundPayment:
    """Give this payment's money back."""
    return RefundPayment(f"{payment.reference}:refund:{attempt}", payment.payment_id, amount or payment.amount)


async def opened(gateway: Gateway, amount: Money = PRICE, hold: bool = False) -> PaymentSnapshot:
    """A payment that waits for its customer."""
    answer = await gateway.create(create_request(new_reference(), amount, hold))
    assert isinstance(answer, RequiresAction), answer
    return answer.evidence


async def paid(
    gateway: Gateway, outside: Outside, amount: Money = PRICE, hold: bool = False, means: str = "good"
) -> PaymentSnapshot:
    """A payment that its customer has paid, or authorized when it is only to be held."""
    payment = await opened(gateway, amount, hold)
    await outside.pay(payment, means)
    now = await seen(gateway, payment)
    assert now.status is (PaymentStatus.AUTHORIZED if hold else PaymentStatus.CAPTURED)
    return now


async def seen(gateway: Gateway, payment: PaymentSnapshot) -> PaymentSnapshot:
    """The payment as the gateway states it now."""
    now = await gateway.lookup(payment.payment_id)
    assert now is not None
    return now


def payment_in(answer: Answer) -> PaymentSnapshot:
    """The payment that an accepted operation shows."""
    assert isinstance(answer, Completed | Pending), answer
    assert isinstance(answer.evidence, PaymentSnapshot)
    return answer.evidence


def refund_in(answer: Answer) -> RefundSnapshot:
    """The refund that an accepted operation shows."""
    assert isinstance(answer, Completed | Pending), answer
    assert isinstance(answer.evidence, RefundSnapshot)
    return answer.evidence
