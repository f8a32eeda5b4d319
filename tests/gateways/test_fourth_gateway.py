"""A gateway that nobody foresaw needs its adapter and nothing else: here is one, and a shop that sells by it."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from devstack.temporal import temporal_server
from domain.checkout import CaptureMode, Checkout
from domain.currency import CurrencyRule
from domain.errors import WebhookNotAuthenticError
from domain.money import Money
from domain.outcomes import Answer, Completed, Declined, RequiresAction
from domain.payment import (
    Decline,
    DeclineCode,
    NextAction,
    PaymentSnapshot,
    PaymentStatus,
    RefundSnapshot,
    RefundStatus,
)
from domain.saga import SagaPolicy
from gateways.contract import (
    AuthorizePayment,
    Capabilities,
    CapturePayment,
    CreatePayment,
    GatewayTransaction,
    Modifications,
    RefundPayment,
    Verb,
    VoidPayment,
    WebhookAuthentication,
    WebhookEvent,
)
from gateways.registry import Builder
from tests.workflows.support import Shop, running_shop

PRICE = Money(4200, "EUR")
IMPATIENT = SagaPolicy(poll_after_seconds=0.2, poll_at_most_seconds=0.5, stuck_after_seconds=30)


class BankTransfer:
    """Customers transfer the money themselves: it is asked for and given back, not held; the bank calls no one."""

    name = "bank"
    capabilities = Capabilities(
        live=False,
        key_lifetime=dict.fromkeys(Verb, timedelta(days=365)),
        hold_lifetime=timedelta(0),
        currencies={"EUR": CurrencyRule(2)},
        capture_modes=frozenset({CaptureMode.AUTOMATIC}),
        partial_capture=False,
        several_captures=False,
        void_before_authorization=True,
        modifications=Modifications.SYNCHRONOUS,
        webhook_authentication=WebhookAuthentication.HMAC_BODY,
        lookup_by_reference=True,
    )

    def __init__(self) -> None:
        self.payments: dict[str, PaymentSnapshot] = {}

    async def create(self, request: CreatePayment) -> Answer:
        """Write a slip that the customer pays by."""
        slip = NextAction("redirect", url=f"https://bank.example/slips/{request.reference}")
        asked = (PaymentStatus.AWAITING_CUSTOMER, request.amount, request.amount.zero())
        opened = PaymentSnapshot(self.name, request.key, request.reference, *asked, live=False, next_action=slip)
        return RequiresAction(self.payments.setdefault(request.key, opened), slip)

    async def authorize(self, request: AuthorizePayment | CapturePayment) -> Answer:
        """What has been transferred is ours; what has not can be neither held nor taken."""
        payment = self.payments[request.payment_id]
        no = Decline(DeclineCode.INVALID_REQUEST, True, "not_transferred", "the customer has transferred nothing")
        return Completed(payment) if payment.status is PaymentStatus.CAPTURED else Declined(no, payment)

    capture = authorize

    async def void(self, request: VoidPayment) -> Answer:
        """Tear the slip up, unless it was paid."""
        payment = self.payments[request.payment_id]
        if payment.status is PaymentStatus.AWAITING_CUSTOMER:
            payment = self.payments[request.payment_id] = replace(payment, status=PaymentStatus.CANCELED)
        return Completed(payment)

    async def refund(self, request: RefundPayment) -> Answer:
        """Transfer money back, once for each key."""
        payment = self.payments[request.payment_id]
        refund = RefundSnapshot(request.key, request.amount, RefundStatus.SUCCEEDED, request.key)
        if refund not in payment.refunds:
            self.payments[request.payment_id] = replace(payment, refunds=(*payment.refunds, refund))
        return Completed(refund)

    async def lookup(self, payment_id: str) -> PaymentSnapshot | None:
        """The slip as it is."""
        return self.payments.get(payment_id)

    async def find(self, reference: str) -> PaymentSnapshot | None:
        """The slip of this checkout."""
        return next((payment for payment in self.payments.values() if payment.reference == reference), None)

    async def list_transactions(self, since: datetime, until: datetime) -> list[GatewayTransaction]:
        """Not told: this bank sends its statements by post."""
        return []

    async def parse_webhook(self, body: bytes, headers: Mapping[str, str], now: datetime) -> list[WebhookEvent]:
        """Nothing is the bank's."""
        raise WebhookNotAuthenticError("the bank sends no webhooks")

    async def close(self) -> None:
        """Nothing is open."""


@pytest.fixture(scope="module")
def bank() -> BankTransfer:
    """The bank, which worker and API reach as one."""
    return BankTransfer()


@pytest.fixture(scope="module")
async def shop(bank: BankTransfer, tmp_path_factory: pytest.TempPathFactory, database_url: str) -> AsyncIterator[Shop]:
    """The running product, to which the bank is handed as one more gateway."""

    def further(_: object) -> Mapping[str, Builder]:
        return {bank.name: lambda evidence: bank}

    async with (
        temporal_server(tmp_path_factory.mktemp("temporal")) as address,
        running_shop(tmp_path_factory.mktemp("shop"), database_url, address, further) as running,
    ):
        yield running
        # The SDK's native threads end before the interpreter does (temporalio/sdk-python#300).
        await asyncio.sleep(0.2)


def transfer(bank: BankTransfer, checkout: Checkout) -> None:
    """The customer's transfer arrives."""
    for key, payment in bank.payments.items():
        if payment.reference == checkout.id:
            paid = replace(payment, status=PaymentStatus.CAPTURED, captured=payment.amount, attempt=f"transfer-{key}")
            bank.payments[key] = replace(paid, next_action=None)


async def test_a_checkout_is_paid_by_it(shop: Shop, bank: BankTransfer) -> None:
    """The customer is sent to the bank, the transfer is found by asking, the sale is made and on the books."""
    checkout = await shop.open(IMPATIENT, gateway=bank.name, amount=PRICE)
    status = await shop.status(checkout)
    assert status.next_action == NextAction("redirect", url=f"https://bank.example/slips/{checkout.id}")
    transfer(bank, checkout)
    status = await shop.until(checkout, "completed")
    assert (status.captured_minor, status.refunded_minor, status.stuck) == (4200, 0, False)
    booked = {(row.account, row.amount_minor) for row in await shop.books.postings(checkout.id)}
    assert booked == {("bank:balance", 4200), ("bank:sales", -4200)}


async def test_a_rejected_order_is_given_back(shop: Shop, bank: BankTransfer) -> None:
    """The shop says no to a paid order: the money goes back by one transfer."""
    checkout = await shop.open(IMPATIENT, gateway=bank.name, amount=PRICE, confirm_within_seconds=600)
    transfer(bank, checkout)
    await shop.until(checkout, "paid")
    assert await shop.sagas().reject(checkout, "out of stock", 20)
    status = await shop.until(checkout, "refunded")
    assert (status.captured_minor, status.refunded_minor) == (4200, 4200)
    payment = await bank.find(checkout.id)
    assert payment is not None
    assert [refund.amount for refund in payment.refunds] == [PRICE]


async def test_an_unpaid_order_is_cancelled(shop: Shop, bank: BankTransfer) -> None:
    """The shop gives an unpaid checkout up: the slip is torn up and can be paid no more."""
    checkout = await shop.open(IMPATIENT, gateway=bank.name, amount=PRICE)
    assert await shop.sagas().cancel(checkout, 20)
    await shop.until(checkout, "canceled")
    payment = await bank.find(checkout.id)
    assert payment is not None
    assert payment.status is PaymentStatus.CANCELED


def test_it_is_small() -> None:
    """The adapter above is all there is to it: sixty lines that are not blank."""
    lines = [line for line in inspect.getsource(BankTransfer).splitlines() if line.strip()]
    assert len(lines) <= 60
