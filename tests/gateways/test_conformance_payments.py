"""What every gateway does the same: opening, paying, capturing and voiding payments."""

import pytest

from domain.errors import AmountDoesNotFitError
from domain.money import Money
from domain.outcomes import Completed, Declined, RequiresAction
from domain.payment import DeclineCode, PaymentStatus
from gateways.contract import Gateway
from tests.gateways.checkouts import (
    PRICE,
    capture_request,
    create_request,
    new_reference,
    opened,
    paid,
    payment_in,
    seen,
    void_request,
)
from tests.gateways.outside import Outside


async def test_a_payment_opens(adapter: Gateway, outside: Outside) -> None:
    """A new payment waits for its customer, carries our reference and has moved nothing."""
    reference = new_reference()
    answer = await adapter.create(create_request(reference))
    assert isinstance(answer, RequiresAction)
    payment = answer.evidence
    assert (payment.gateway, payment.reference, payment.status) == (
        adapter.name,
        reference,
        PaymentStatus.AWAITING_CUSTOMER,
    )
    assert (payment.amount, payment.captured, payment.live) == (PRICE, PRICE.zero(), False)
    assert answer.action == payment.next_action
    assert answer.action.client_secret or answer.action.url
    assert await outside.movements(reference) == []


async def test_the_customer_pays(adapter: Gateway, outside: Outside) -> None:
    """Paid money is captured in full, told with the attempt that paid it, and on the gateway's books once."""
    payment = await paid(adapter, outside)
    assert (payment.status, payment.captured) == (PaymentStatus.CAPTURED, PRICE)
    assert payment.attempt is not None
    assert (payment.decline, payment.next_action, payment.refunds) == (None, None, ())
    assert await outside.movements(payment.reference or "") == [("charge", 4200)]


@pytest.mark.parametrize(
    ("means", "code", "hard"),
    [
        ("declined_soft", DeclineCode.INSUFFICIENT_FUNDS, False),
        ("declined_hard", DeclineCode.FRAUD_SUSPECTED, True),
    ],
)
async def test_a_decline_leaves_it_payable(
    adapter: Gateway, outside: Outside, means: str, code: DeclineCode, hard: bool
) -> None:
    """A declined try is told in our words, under an attempt of its own, and another try can pay."""
    payment = await opened(adapter)
    await outside.pay(payment, means)
    declined = await seen(adapter, payment)
    assert declined.status is PaymentStatus.AWAITING_CUSTOMER
    assert declined.decline is not None
    assert (declined.decline.code, declined.decline.hard) == (code, hard)
    await outside.pay(declined, means)
    again = await seen(adapter, payment)
    assert None not in (again.attempt, declined.attempt)
    assert again.attempt != declined.attempt
    await outside.pay(again)
    good = await seen(adapter, payment)
    assert (good.status, good.decline, good.captured) == (PaymentStatus.CAPTURED, None, PRICE)


async def test_a_challenge_that_is_passed(adapter: Gateway, outside: Outside) -> None:
    """The bank's question is a redirect; once it is answered the money is there."""
    payment = await opened(adapter)
    await outside.pay(payment, "challenged")
    asked = await seen(adapter, payment)
    assert asked.status is PaymentStatus.REQUIRES_ACTION
    assert asked.next_action is not None
    await outside.authenticate(asked.next_action, approve=True)
    assert (await seen(adapter, payment)).captured == PRICE


async def test_a_challenge_that_is_failed(adapter: Gateway, outside: Outside) -> None:
    """A customer who does not pass is declined softly, the try has a name, and nothing has moved."""
    payment = await opened(adapter)
    await outside.pay(payment, "challenged")
    asked = await seen(adapter, payment)
    assert asked.next_action is not None
    await outside.authenticate(asked.next_action, approve=False)
    failed = await seen(adapter, payment)
    assert failed.status is PaymentStatus.AWAITING_CUSTOMER
    assert failed.decline is not None
    assert (failed.decline.code, failed.decline.hard) == (DeclineCode.AUTHENTICATION_FAILED, False)
    assert failed.attempt is not None
    assert await outside.movements(payment.reference or "") == []


async def test_a_hold_is_captured(adapter: Gateway, outside: Outside) -> None:
    """A held payment has taken nothing and says until when; the capture takes it once, however often it is asked."""
    held = await paid(adapter, outside, hold=True)
    assert held.captured == PRICE.zero()
    assert held.authorized_until is not None
    first = await adapter.capture(capture_request(held))
    assert isinstance(first, Completed)
    assert payment_in(first).captured == PRICE
    for attempt in (1, 2):
        repeated = await adapter.capture(capture_request(held, attempt=attempt))
        assert isinstance(repeated, Completed)
        assert payment_in(repeated).captured == PRICE
    assert await outside.movements(held.reference or "") == [("authorization", 4200), ("capture", 4200)]


async def test_a_part_is_captured(adapter: Gateway, outside: Outside) -> None:
    """Less than what is held can be taken, and the snapshot says how much it was."""
    held = await paid(adapter, outside, hold=True)
    part = payment_in(await adapter.capture(capture_request(held, Money(1500, "USD"))))
    assert (part.status, part.amount, part.captured) == (PaymentStatus.CAPTURED, PRICE, Money(1500, "USD"))


async def test_more_than_is_held_is_declined(adapter: Gateway, outside: Outside) -> None:
    """The gateway does not take more than the customer agreed to; the hold stays as it is."""
    held = await paid(adapter, outside, hold=True)
    answer = await adapter.capture(capture_request(held, Money(4201, "USD")))
    assert isinstance(answer, Declined)
    assert (answer.decline.code, answer.decline.hard) == (DeclineCode.INVALID_REQUEST, True)
    assert (await seen(adapter, held)).status is PaymentStatus.AUTHORIZED


async def test_a_hold_is_released(adapter: Gateway, outside: Outside) -> None:
    """A voided hold is canceled and nothing was taken, also when asked again; a capture after it is declined."""
    held = await paid(adapter, outside, hold=True)
    for attempt in (1, 1, 2):
        answer = await adapter.void(void_request(held, attempt))
        assert isinstance(answer, Completed)
        payment = payment_in(answer)
        assert (payment.status, payment.captured) == (PaymentStatus.CANCELED, PRICE.zero())
    late = await adapter.capture(capture_request(held))
    assert isinstance(late, Declined)
    assert late.decline.hard
    assert (await outside.movements(held.reference or ""))[-1][0] == "release"


async def test_an_unpaid_payment_is_made_unpayable(adapter: Gateway, outside: Outside) -> None:
    """A void before the customer came leaves nothing to pay."""
    payment = await opened(adapter)
    assert payment_in(await adapter.void(void_request(payment))).status is PaymentStatus.CANCELED
    assert await outside.movements(payment.reference or "") == []


async def test_a_void_after_the_money_came(adapter: Gateway, outside: Outside) -> None:
    """Money that is taken cannot be voided: the answer shows that it was paid after all."""
    payment = await paid(adapter, outside)
    answer = await adapter.void(void_request(payment))
    assert isinstance(answer, Completed)
    assert (payment_in(answer).status, payment_in(answer).captured) == (PaymentStatus.CAPTURED, PRICE)


@pytest.mark.parametrize(
    "amount", [Money(500, "JPY"), Money(5120, "KWD"), Money(900, "ISK"), Money(50_000, "MGA"), Money(17_500, "HUF")]
)
async def test_currencies_without_and_with_decimals(adapter: Gateway, outside: Outside, amount: Money) -> None:
    """Whatever the gateway's unit is, the money paid is exactly the money asked for."""
    payment = await paid(adapter, outside, amount)
    assert (payment.amount, payment.captured) == (amount, amount)
    ((_, counted),) = await outside.movements(payment.reference or "")
    assert counted == adapter.capabilities.currencies[amount.currency].to_gateway(amount.minor, amount.currency)


@pytest.mark.parametrize("amount", [Money(5124, "KWD"), Money(10**12, "USD"), Money(0, "USD")])
async def test_amounts_that_do_not_fit_are_refused(adapter: Gateway, outside: Outside, amount: Money) -> None:
    """An amount that the gateway cannot charge exactly never leaves the house."""
    reference = new_reference()
    with pytest.raises(AmountDoesNotFitError):
        await adapter.create(create_request(reference, amount))
    assert await adapter.find(reference) is None


@pytest.mark.parametrize("lag", [0.0, 60.0])
async def test_find_by_reference(adapter: Gateway, outside: Outside, lag: float) -> None:
    """A payment is found by our reference at once, also while the gateway's search lags."""
    await outside.search_lags(lag)
    try:
        payment = await paid(adapter, outside)
        found = await adapter.find(payment.reference or "")
        assert found == payment
        assert await adapter.find(new_reference()) is None
    finally:
        await outside.search_lags(0)


async def test_an_unknown_payment_is_none(adapter: Gateway) -> None:
    """A payment that this account does not have is None and no error."""
    assert await adapter.lookup("pi_3NoSuchPaymentAnywhere") is None
