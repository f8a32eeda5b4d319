"""Checkouts in every state at the puppet's gateway, and everything that it can show of each."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError

from domain.booked import Booked, booked
from domain.case import CaseAction, CaseOrder
from domain.checkout import CaptureMode, Checkout
from domain.money import Money
from domain.outcomes import Declined, Pending
from domain.payment import NextAction, PaymentSnapshot, PaymentStatus, RefundSnapshot, RefundStatus
from domain.reactions import Sight
from domain.saga import CaptureOrder, Fact
from domain.states import CheckoutState
from ledger.cases import CaseBook
from ledger.movements import transactions_of
from tests.workflows.puppet import NAME, NO, Puppet
from tests.workflows.support import Shop, eventually

S, G = CheckoutState, Sight
HELD: dict[str, Any] = {"capture": CaptureMode.ON_CONFIRM, "confirm_within_seconds": 600}
CONFIRMED: dict[str, Any] = {"confirm_within_seconds": 600}
PART = 1000


class Stage:
    """A shop whose gateway is a puppet."""

    def __init__(self, shop: Shop, puppet: Puppet) -> None:
        self.shop = shop
        self.puppet = puppet

    def payment(self, checkout: Checkout) -> PaymentSnapshot:
        """As the gateway has it now."""
        return self.puppet.payments[f"pay_{checkout.id}"]

    async def show(self, checkout: Checkout, payment: PaymentSnapshot) -> None:
        """From now on the gateway shows this, and the running workflow hears of it."""
        self.puppet.payments[payment.payment_id] = payment
        await self.shop.sagas().deliver(checkout, Fact(payment, "webhook:evt_shown"))

    async def books(self, checkout: Checkout) -> Booked:
        """The money that is on the books."""
        rows = await self.shop.books.postings(checkout.id)
        return booked(checkout.amount.currency, transactions_of(rows))

    async def pays(self, state: str, **terms: Any) -> Checkout:
        """A checkout whose customer has paid."""
        checkout = await self.shop.open(gateway=NAME, **terms)
        held = terms.get("capture") is CaptureMode.ON_CONFIRM
        payment, amount = self.payment(checkout), checkout.amount
        status = PaymentStatus.AUTHORIZED if held else PaymentStatus.CAPTURED
        captured = amount.zero() if held else amount
        await self.show(checkout, replace(payment, status=status, captured=captured, next_action=None))
        await self.shop.until(checkout, state)
        return checkout

    async def rejected(self, state: str, end: RefundStatus | None) -> Checkout:
        """Paid, and rejected by the shop."""
        checkout = await self.pays("paid", **CONFIRMED)
        if end is not None:
            self.puppet.refunds_end[f"pay_{checkout.id}"] = end
        await self.shop.tell(checkout, "reject", "out of stock")
        await self.shop.until(checkout, state)
        if end is RefundStatus.PENDING:
            # What it writes of this is the last that it writes by itself.
            await eventually(lambda: self.books(checkout), lambda books: bool(books.refunds))
        return checkout


async def processing(stage: Stage) -> Checkout:
    """The gateway is still at work on what was opened."""
    checkout = await stage.shop.record(gateway=NAME, **HELD)
    stage.puppet.openings[checkout.id] = lambda payment: Pending(replace(payment, status=PaymentStatus.PROCESSING))
    await stage.shop.sagas().start(checkout)
    await eventually(lambda: stage.puppet.lookup(f"pay_{checkout.id}"), lambda payment: payment is not None)
    return checkout


async def awaiting(stage: Stage) -> Checkout:
    """The customer has a next step."""
    return await stage.shop.open(gateway=NAME, **HELD)


async def authorized(stage: Stage) -> Checkout:
    """Held; a part was asked for, and it seemed to be refused."""
    checkout = await stage.pays("authorized", **HELD)
    stage.puppet.refusing.add(f"pay_{checkout.id}")
    order = CaptureOrder(PART, final=False)
    with pytest.raises(WorkflowUpdateFailedError):
        await stage.shop.handle(checkout).execute_update("capture", order)
    stage.puppet.refusing.discard(f"pay_{checkout.id}")
    return checkout


async def partially_captured(stage: Stage) -> Checkout:
    """A part is taken."""
    checkout = await stage.pays("authorized", **HELD)
    await stage.shop.handle(checkout).execute_update("capture", CaptureOrder(PART, final=False))
    return checkout


async def declined(stage: Stage) -> Checkout:
    """The gateway would not open it."""
    checkout = await stage.shop.record(gateway=NAME)
    stage.puppet.openings[checkout.id] = lambda payment: Declined(NO)
    await stage.shop.sagas().open(checkout, 20)
    await stage.shop.until(checkout, "declined")
    return checkout


async def canceled(stage: Stage) -> Checkout:
    """The shop gave it up."""
    checkout = await stage.shop.open(gateway=NAME)
    await stage.shop.sagas().cancel(checkout, 20)
    return checkout


async def expired(stage: Stage) -> Checkout:
    """Nobody came."""
    checkout = await stage.shop.open(gateway=NAME, expires_at=datetime.now(UTC) + timedelta(seconds=1))
    await stage.shop.until(checkout, "expired")
    return checkout


async def written_off(stage: Stage) -> Checkout:
    """A refund was refused, and a person let it be."""
    checkout = await stage.rejected("needs_review", None)
    (case,) = await CaseBook(stage.shop.parts.engine).open_of(checkout.id)
    order = CaseOrder(case.id, CaseAction.WRITE_OFF, "nothing helps", "ops")
    await stage.shop.handle(checkout).execute_update("act", order)
    await stage.shop.until(checkout, "written_off")
    return checkout


async def needs_review(stage: Stage) -> Checkout:
    """The gateway's payment is not what was asked for, once it is paid."""
    checkout = await stage.pays("paid", **CONFIRMED)
    payment = stage.payment(checkout)
    await stage.show(checkout, replace(payment, amount=Money(1, checkout.amount.currency)))
    await stage.shop.until(checkout, "needs_review")
    stage.puppet.payments[payment.payment_id] = payment
    return checkout


STAGES: dict[CheckoutState, Callable[[Stage], Awaitable[Checkout]]] = {
    S.PROCESSING: processing,
    S.AWAITING_PAYMENT: awaiting,
    S.AUTHORIZED: authorized,
    S.PARTIALLY_CAPTURED: partially_captured,
    S.PAID: lambda stage: stage.pays("paid", **CONFIRMED),
    S.COMPLETED: lambda stage: stage.pays("completed"),
    S.DECLINED: declined,
    S.CANCELED: canceled,
    S.EXPIRED: expired,
    S.REFUNDING: lambda stage: stage.rejected("refunding", RefundStatus.PENDING),
    S.REFUNDED: lambda stage: stage.rejected("refunded", RefundStatus.SUCCEEDED),
    S.WRITTEN_OFF: written_off,
    S.NEEDS_REVIEW: needs_review,
}
"""How a checkout comes to each state, through the workflow itself."""

_STATUS = {
    G.UNPAID: PaymentStatus.AWAITING_CUSTOMER,
    G.ACTION: PaymentStatus.REQUIRES_ACTION,
    G.APPROVED: PaymentStatus.APPROVED,
    G.PROCESSING: PaymentStatus.PROCESSING,
    G.HELD: PaymentStatus.AUTHORIZED,
    G.PARTLY_CAPTURED: PaymentStatus.AUTHORIZED,
    G.CAPTURED: PaymentStatus.CAPTURED,
    G.RETURNED: PaymentStatus.CAPTURED,
    G.CANCELED: PaymentStatus.CANCELED,
    G.LOST: PaymentStatus.CANCELED,
    G.LOST_HELD: PaymentStatus.AUTHORIZED,
}


def sight_of(sight: Sight, state: CheckoutState, payment: PaymentSnapshot, on_books: Booked) -> PaymentSnapshot:
    """The payment as the gateway shows it when it is to be seen as this."""
    nothing, whole = payment.amount.zero(), payment.amount
    taken = Money(on_books.captured_minor, whole.currency)
    captured = {
        G.PROCESSING: taken,
        G.PARTLY_CAPTURED: Money(PART, whole.currency),
        G.CAPTURED: whole,
        G.RETURNED: taken if taken.minor else whole,
    }.get(sight, nothing)
    # What is taken stays told with the words that say nothing of a loss.
    told_of_loss = sight is G.LOST_HELD or (sight is G.UNPAID and not taken.minor)
    action = NextAction("redirect", url="https://example.com/step") if sight is G.ACTION else None
    return replace(
        payment,
        status=_STATUS[sight],
        captured=captured,
        decline=NO if told_of_loss else None,
        attempt="try_2" if told_of_loss else None,
        next_action=action,
        refunds=_refunds(sight, state, payment, captured),
    )


def _refunds(
    sight: Sight, state: CheckoutState, payment: PaymentSnapshot, captured: Money
) -> tuple[RefundSnapshot, ...]:
    if sight is G.RETURNED:
        succeeded = tuple(r for r in payment.refunds if r.status is RefundStatus.SUCCEEDED)
        return succeeded or (RefundSnapshot("re_all", captured, RefundStatus.SUCCEEDED),)
    if sight is G.CAPTURED and state is S.REFUNDED:
        return tuple(replace(refund, status=RefundStatus.FAILED, failure_code="no") for refund in payment.refunds)
    if sight is G.CAPTURED and state in (S.PAID, S.COMPLETED):
        return (RefundSnapshot("re_part", Money(PART, captured.currency), RefundStatus.PENDING),)
    return () if sight is G.PROCESSING else payment.refunds
