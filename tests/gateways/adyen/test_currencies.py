"""How Adyen counts: every amount fits exactly or is refused before any call."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.checkout import CaptureMode
from domain.currency import EXPONENTS
from domain.errors import AmountDoesNotFitError, OutcomeUnknownError
from domain.money import Money
from gateways.adyen.capabilities import capabilities
from gateways.adyen.currencies import CURRENCIES, asked_amount, stated_amount
from gateways.adyen.options import AdyenOptions
from gateways.contract import Modifications, Verb, WebhookAuthentication


@pytest.mark.parametrize(
    ("minor", "currency", "value"),
    [
        (4200, "USD", 4200),
        (1, "EUR", 1),
        (4200, "JPY", 4200),
        (5, "ISK", 500),
        (5, "CLP", 500),
        (500, "CVE", 5),
        (150_000, "IDR", 1500),
        (7, "UGX", 7),
        (17_500, "HUF", 17_500),
        (12_345, "TWD", 12_345),
        (5124, "KWD", 5124),
        (999_999_999_999, "EUR", 999_999_999_999),
    ],
)
def test_amounts_in_adyens_unit(minor: int, currency: str, value: int) -> None:
    """Zero-, two- and three-decimal currencies and Adyen's own exceptions are counted as Adyen counts them."""
    assert asked_amount(Money(minor, currency)) == {"value": value, "currency": currency}
    assert stated_amount(value, currency) == Money(minor, currency)


@pytest.mark.parametrize(
    ("minor", "currency"),
    [(0, "USD"), (1_000_000_000_000, "USD"), (4250, "CVE"), (1, "IDR"), (4200, "MGA"), (4200, "IRR"), (10**10, "ISK")],
)
def test_amounts_that_do_not_fit(minor: int, currency: str) -> None:
    """Nothing, too much, too fine or a currency that Adyen lacks: refused, never rounded."""
    with pytest.raises(AmountDoesNotFitError):
        asked_amount(Money(minor, currency))


@given(currency=st.sampled_from(sorted(CURRENCIES)), amount=st.integers(1, 99_999_999))
def test_there_and_back(currency: str, amount: int) -> None:
    """Whatever Adyen takes comes back as exactly the money that was asked for."""
    asked = amount * CURRENCIES[currency].step
    assert asked_amount(stated_amount(asked, currency)) == {"value": asked, "currency": currency}


@pytest.mark.parametrize(
    ("value", "currency"),
    [(501, "ISK"), (501, "CLP"), (-1, "USD"), (100, "XXX"), (100, ""), (100, "usd"), (2**60, "USD"), (10**30, "USD")],
)
def test_statements_that_are_no_money(value: int, currency: str) -> None:
    """A fraction of our unit, less than nothing or an unknown currency is never turned into money."""
    with pytest.raises(OutcomeUnknownError):
        stated_amount(value, currency)


def test_a_currency_that_we_do_not_sell_in_is_still_read() -> None:
    """A statement in a currency outside the table keeps its currency, so that comparisons fail on it."""
    assert stated_amount(4200, "IRR") == Money(4200, "IRR")


def test_where_adyen_differs_from_the_standard() -> None:
    """Adyen names four currencies whose decimals are not those of ISO 4217; a typing error would make a fifth."""
    differing = {code for code, rule in CURRENCIES.items() if rule.exponent != EXPONENTS[code]}
    assert differing == {"CLP", "CVE", "IDR", "ISK"}
    for rule in CURRENCIES.values():
        assert rule.smallest % rule.step == 0


def test_capabilities() -> None:
    """Keys live seven days at least, every end comes by webhook under an HMAC of fields, and there is no search."""
    stated = capabilities(AdyenOptions("AQEkey", "PaysagaECOM", (), "https://checkout.test/v72", live=True))
    assert (stated.live, stated.merchant_account) == (True, "PaysagaECOM")
    assert {stated.key_lifetime[verb].days for verb in Verb} == {7}
    assert stated.hold_lifetime.days == 7
    assert stated.modifications is Modifications.BY_WEBHOOK
    assert stated.webhook_authentication is WebhookAuthentication.HMAC_FIELDS
    assert stated.capture_modes == frozenset(CaptureMode)
    assert (stated.partial_capture, stated.several_captures) == (True, False)
    assert (stated.reauthorize_after, stated.answers_disputes, stated.lists_events) == (None, frozenset(), False)
    assert (stated.void_before_authorization, stated.lookup_by_reference) == (True, False)
