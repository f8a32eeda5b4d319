"""What every gateway does the same: the money is exactly what was asked, or the difference shows."""

from datetime import UTC, datetime

import pytest

from domain.checkout import CaptureMode
from domain.errors import AmountDoesNotFitError
from domain.money import Money
from domain.payment import PaymentSnapshot
from domain.saga import CheckoutCommand, GatewayAccount, contradiction
from gateways.contract import Gateway
from tests.gateways.checkouts import PRICE, Moved, create_request, moved, new_reference, opened, paid, seen, shown
from tests.gateways.outside import AMOUNTS, Outside, needs


@pytest.mark.parametrize("amount", AMOUNTS, ids=str)
async def test_currencies_without_and_with_decimals(adapter: Gateway, outside: Outside, amount: Money) -> None:
    """Whatever the gateway's unit, the money paid is exactly the money asked for; what it does not take is refused."""
    assert (amount.currency in adapter.capabilities.currencies) is (amount in outside.charged)
    if amount not in outside.charged:
        reference = new_reference()
        with pytest.raises(AmountDoesNotFitError):
            await adapter.create(create_request(reference, amount))
        assert await moved(outside, reference) == Moved()
        return
    payment = await paid(adapter, outside, amount)
    assert (payment.amount, payment.captured) == (amount, amount)
    assert (await moved(outside, payment)).taken == (outside.charged[amount],)


@pytest.mark.live
async def test_amounts_that_do_not_fit_are_refused(adapter: Gateway, outside: Outside) -> None:
    """An amount that the gateway cannot charge exactly never leaves the house."""
    assert outside.misfits
    for amount in outside.misfits:
        reference = new_reference()
        with pytest.raises(AmountDoesNotFitError):
            await adapter.create(create_request(reference, amount))
        assert await adapter.find(reference) is None


@pytest.mark.parametrize("kind", ["amount_off_by_one", "other_currency", "livemode_true"])
async def test_what_differs_shows(adapter: Gateway, outside: Outside, kind: str) -> None:
    """Another amount, currency or mode than asked reaches the saga as stated, which stops at it."""
    if kind == "livemode_true":
        needs(outside, "livemode_true")
    reference = new_reference()
    await outside.fault("create", kind, reference)
    created = shown(await adapter.create(create_request(reference)))
    assert created.reference == reference
    await outside.fault("lookup", kind, reference)
    looked_up = await seen(adapter, created)
    for payment in (created, looked_up):
        _differs_in(kind, payment)
        assert complaint(adapter, payment) is not None
    assert complaint(adapter, await seen(adapter, created)) is None


@pytest.mark.live
async def test_another_account_shows(adapter: Gateway) -> None:
    """What goes to the declared account is in order; where the gateway names one, any other stops the saga."""
    payment = await opened(adapter)
    assert complaint(adapter, payment) is None
    if adapter.capabilities.merchant_account is not None:
        assert payment.account == adapter.capabilities.merchant_account
    if payment.account is not None:
        assert complaint(adapter, payment, account="SomebodyElse") is not None


def complaint(adapter: Gateway, payment: PaymentSnapshot, account: str | None = None) -> str | None:
    """What the saga would stop at, had it asked for `PRICE` in test mode with our own account, or another."""
    declared = account or adapter.capabilities.merchant_account
    command = CheckoutCommand(
        checkout_id=payment.reference or "",
        order_id="order",
        amount=PRICE,
        gateway=adapter.name,
        capture=CaptureMode.AUTOMATIC,
        confirm_within_seconds=None,
        expires_at=datetime.now(UTC),
        live=False,
    )
    return contradiction(command, payment, payment.payment_id, GatewayAccount(adapter.name, False, declared))


def _differs_in(kind: str, payment: PaymentSnapshot) -> None:
    if kind == "amount_off_by_one":
        assert payment.amount == Money(PRICE.minor + 1, PRICE.currency)
    elif kind == "other_currency":
        assert payment.amount.currency != PRICE.currency
    else:
        assert (payment.live, payment.amount) == (True, PRICE)
