"""Steps that the conformance tests share: what a saga does, written once for gateways of every kind.

Where a gateway answers no more than "received" (`Modifications.BY_WEBHOOK`) each step waits until the look-up tells its
end; elsewhere Pending has to be expected by the test.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

import pytest

from domain.checkout import CaptureMode
from domain.money import Money
from domain.outcomes import Answer, Completed, Declined, Pending, RequiresAction
from domain.payment import Decline, PaymentSnapshot, PaymentStatus, RefundSnapshot, RefundStatus
from gateways.contract import (
    AuthorizePayment,
    CapturePayment,
    CreatePayment,
    Gateway,
    Modifications,
    RefundPayment,
    VoidPayment,
)
from tests.gateways.outside import Outside, needs

PRICE = Money(4200, "EUR")
FAR_BEYOND = Money(99_900, "EUR")
"""More than any gateway's tolerance above the price."""
_PATIENCE = 15.0


def new_reference() -> str:
    """A checkout id that no other test uses."""
    return f"chk_{uuid4().hex[:20]}"


def create_request(reference: str, amount: Money = PRICE, hold: bool = False) -> CreatePayment:
    """The request that opens this checkout's payment; the same for the same checkout."""
    return CreatePayment(f"{reference}:create:1", reference, f"order-{reference}", amount, hold)


def authorize_request(payment: PaymentSnapshot, attempt: int = 1) -> AuthorizePayment:
    """Hold this payment's money."""
    return AuthorizePayment(f"{payment.reference}:authorize:{attempt}", payment.payment_id, payment.amount)


def capture_request(payment: PaymentSnapshot, amount: Money | None = None, attempt: int = 1) -> CapturePayment:
    """Take this payment's money, at once and finally."""
    return CapturePayment(f"{payment.reference}:capture:{attempt}", payment.payment_id, amount or payment.amount)


def part_request(payment: PaymentSnapshot, minor: int, total: int, attempt: int, final: bool = False) -> CapturePayment:
    """Take a part of this payment's money, which makes it so much in all; minor units of its currency."""
    part, after = (Money(count, payment.amount.currency) for count in (minor, total))
    return CapturePayment(f"{payment.reference}:capture:{attempt}", payment.payment_id, part, final, after)


def void_request(payment: PaymentSnapshot, attempt: int = 1) -> VoidPayment:
    """End this payment."""
    return VoidPayment(f"{payment.reference}:void:{attempt}", payment.payment_id)


def refund_request(payment: PaymentSnapshot, amount: Money | None = None, attempt: int = 1) -> RefundPayment:
    """Give this payment's money back."""
    return RefundPayment(f"{payment.reference}:refund:{attempt}", payment.payment_id, amount or payment.amount)


async def opened(gateway: Gateway, amount: Money = PRICE, hold: bool = False) -> PaymentSnapshot:
    """A payment that waits for its customer; the test is skipped where a hold is wanted and there are none."""
    if hold and CaptureMode.ON_CONFIRM not in gateway.capabilities.capture_modes:
        pytest.skip(f"{gateway.name}: nothing is held there, the money is taken at once")
    return shown(await gateway.create(create_request(new_reference(), amount, hold)))


def shown(answer: Answer) -> PaymentSnapshot:
    """The payment that a create shows."""
    assert isinstance(answer, RequiresAction), answer
    return answer.evidence


async def paid(
    gateway: Gateway, outside: Outside, amount: Money = PRICE, hold: bool = False, means: str = "good"
) -> PaymentSnapshot:
    """A payment that its customer has paid, or authorized when it is only to be held."""
    needs(outside, "pay", means)
    payment = await opened(gateway, amount, hold)
    await outside.pay(payment, means)
    return await brought_home(gateway, payment, hold)


async def approved(gateway: Gateway, outside: Outside, hold: bool = False) -> PaymentSnapshot:
    """A payment to which its customer has agreed, and we have done nothing since; it may be held or taken already."""
    needs(outside, "pay")
    payment = await opened(gateway, hold=hold)
    await outside.pay(payment)
    return await seen_until(gateway, payment, lambda p: p.status in _AGREED)


async def brought_home(gateway: Gateway, payment: PaymentSnapshot, hold: bool = False) -> PaymentSnapshot:
    """What the saga does once the customer has agreed: hold or take the money where that is left to us."""
    now = await seen_until(gateway, payment, lambda p: p.status in _AGREED)
    if now.status is PaymentStatus.APPROVED and hold:
        accepted(gateway, await gateway.authorize(authorize_request(now)))
    elif now.status is PaymentStatus.APPROVED or (now.status is PaymentStatus.AUTHORIZED and not hold):
        accepted(gateway, await gateway.capture(capture_request(now)))
    wanted = PaymentStatus.AUTHORIZED if hold else PaymentStatus.CAPTURED
    return await seen_until(gateway, payment, lambda p: p.status is wanted)


_AGREED = (PaymentStatus.APPROVED, PaymentStatus.AUTHORIZED, PaymentStatus.CAPTURED)


@dataclass(frozen=True)
class Tried:
    """A try that was declined. `told`: the look-up tells it too, else only the answer to our own capture did."""

    decline: Decline
    payment: PaymentSnapshot
    told: bool


async def declined(gateway: Gateway, outside: Outside, payment: PaymentSnapshot, means: str) -> Tried:
    """A customer tries with means that are declined: at once, or when we take what they approved."""
    needs(outside, "pay", means)
    await outside.pay(payment, means)
    now = await seen_until(
        gateway,
        payment,
        lambda p: p.status is PaymentStatus.APPROVED or bool(p.decline and p.attempt != payment.attempt),
    )
    if now.status is not PaymentStatus.APPROVED:
        assert now.decline is not None
        return Tried(now.decline, now, told=True)
    answer = await gateway.capture(CapturePayment(f"{now.reference}:capture:{uuid4().hex}", now.payment_id, now.amount))
    assert isinstance(answer, Declined), answer
    return Tried(answer.decline, await seen(gateway, payment), told=False)


async def seen(gateway: Gateway, payment: PaymentSnapshot) -> PaymentSnapshot:
    """The payment as the gateway states it now."""
    now = await gateway.lookup(payment.payment_id)
    assert now is not None
    return now


async def seen_until(
    gateway: Gateway, payment: PaymentSnapshot, wanted: Callable[[PaymentSnapshot], bool]
) -> PaymentSnapshot:
    """The payment once the look-up shows it as wanted; the last sight is in the error when that never happens."""
    end = asyncio.get_running_loop().time() + _PATIENCE
    while not wanted(now := await seen(gateway, payment)):
        assert asyncio.get_running_loop().time() < end, now
        await asyncio.sleep(0.05)
    return now


async def captured(gateway: Gateway, request: CapturePayment, payment: PaymentSnapshot) -> PaymentSnapshot:
    """The payment after a capture that works."""
    now = payment_in(accepted(gateway, await gateway.capture(request)))
    return await seen_until(gateway, payment, _is_captured) if not _is_captured(now) else now


async def part_captured(gateway: Gateway, request: CapturePayment, payment: PaymentSnapshot) -> PaymentSnapshot:
    """The payment after a part of it was taken: asked for again until the look-up tells it, as a saga would."""
    wanted = PaymentStatus.CAPTURED if request.final else PaymentStatus.AUTHORIZED
    end = asyncio.get_running_loop().time() + _PATIENCE
    while True:
        accepted(gateway, await gateway.capture(request))
        now = await seen(gateway, payment)
        if (now.status, now.captured) == (wanted, request.captured_after):
            return now
        assert asyncio.get_running_loop().time() < end, now
        await asyncio.sleep(0.1)


async def voided(gateway: Gateway, request: VoidPayment, payment: PaymentSnapshot) -> PaymentSnapshot:
    """The payment after a void that works: canceled, or paid after all."""
    now = payment_in(accepted(gateway, await gateway.void(request)))
    return now if _is_over(now) else await seen_until(gateway, payment, _is_over)


async def refunded(gateway: Gateway, request: RefundPayment, payment: PaymentSnapshot) -> RefundSnapshot:
    """The refund after asking for it, once it has succeeded."""
    made = refund_in(accepted(gateway, await gateway.refund(request)))
    if made.status is RefundStatus.PENDING:
        made = await refund_until(gateway, request, payment, lambda r: r.status is not RefundStatus.PENDING)
    assert made.status is RefundStatus.SUCCEEDED, made
    return made


async def refund_until(
    gateway: Gateway, request: RefundPayment, payment: PaymentSnapshot, wanted: Callable[[RefundSnapshot], bool]
) -> RefundSnapshot:
    """The refund that was asked for with this request, once the look-up shows it as wanted."""

    def ours(now: PaymentSnapshot) -> list[RefundSnapshot]:
        return [refund for refund in now.refunds if refund.reference == request.key]

    now = await seen_until(gateway, payment, lambda p: any(wanted(refund) for refund in ours(p)))
    (refund,) = ours(now)
    return refund


async def not_captured(gateway: Gateway, request: CapturePayment, payment: PaymentSnapshot) -> Decline:
    """The decline of a capture that the gateway will not do."""
    answer = await gateway.capture(request)
    if isinstance(answer, Declined):
        return answer.decline
    accepted(gateway, answer)
    assert isinstance(answer, Pending)
    refused = (await seen_until(gateway, payment, lambda p: p.decline is not None)).decline
    assert refused is not None
    return refused


async def not_refunded(gateway: Gateway, request: RefundPayment, payment: PaymentSnapshot) -> None:
    """Ask for a refund that the gateway will not give: declined at once as our mistake, or failed a moment later."""
    answer = await gateway.refund(request)
    if isinstance(answer, Declined):
        assert answer.decline.hard
        return
    accepted(gateway, answer)
    assert isinstance(answer, Pending)
    await refund_until(gateway, request, payment, lambda r: r.status is RefundStatus.FAILED)


def accepted(gateway: Gateway, answer: Answer) -> Answer:
    """The answer of an operation that the gateway took on: Pending only from one that tells every end by webhook."""
    only_received = gateway.capabilities.modifications is Modifications.BY_WEBHOOK
    assert isinstance(answer, Completed | Pending if only_received else Completed), answer
    return answer


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


@dataclass(frozen=True)
class Moved:
    """What the gateway's own books say, in the gateway's unit: amounts by what they did."""

    held: tuple[int, ...] = ()
    taken: tuple[int, ...] = ()
    released: tuple[int, ...] = ()
    returned: tuple[int, ...] = ()
    undone: tuple[int, ...] = ()
    withdrawn: tuple[int, ...] = ()
    reinstated: tuple[int, ...] = ()


async def moved(outside: Outside, payment: PaymentSnapshot | str) -> Moved:
    """What the gateway's books say of this payment's checkout, or of the checkout with this id."""
    reference = payment if isinstance(payment, str) else payment.reference
    assert reference is not None
    rows = await outside.movements(reference)
    by_kind = {kind: tuple(amount for word, amount in rows if word in words) for kind, words in _WORDS.items()}
    assert sum(map(len, by_kind.values())) == len(rows), rows
    return Moved(**by_kind)


_WORDS = {
    "held": ("authorization",),
    "taken": ("charge", "capture"),
    "released": ("release",),
    "returned": ("refund",),
    "undone": ("capture_failure", "refund_failure", "refund_cancellation"),
    "withdrawn": ("dispute",),
    "reinstated": ("dispute_reversed",),
}


def _is_captured(payment: PaymentSnapshot) -> bool:
    return payment.status is PaymentStatus.CAPTURED


def _is_over(payment: PaymentSnapshot) -> bool:
    return payment.status in (PaymentStatus.CANCELED, PaymentStatus.CAPTURED)
