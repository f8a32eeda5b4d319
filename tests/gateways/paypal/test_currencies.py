"""How PayPal counts: every amount fits exactly or is refused before any call."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.currency import EXPONENTS
from domain.errors import AmountDoesNotFitError, InvalidMoneyError
from domain.money import Money
from gateways.contract import Verb
from gateways.paypal import currencies
from gateways.paypal.capabilities import capabilities
from gateways.paypal.currencies import CURRENCIES
from tests.gateways.paypal.conftest import options_for


@pytest.mark.parametrize(
    ("minor", "currency", "value"),
    [
        (4200, "USD", "42.00"),
        (1, "EUR", "0.01"),
        (105, "GBP", "1.05"),
        (500, "JPY", "500"),
        (17_500, "HUF", "175"),
        (10_000, "TWD", "100"),
        (999_999_999, "USD", "9999999.99"),
    ],
)
def test_amounts_as_paypal_takes_them(minor: int, currency: str, value: str) -> None:
    """Decimal strings, without decimals for the three currencies in which PayPal refuses any."""
    assert currencies.stated(Money(minor, currency)) == {"currency_code": currency, "value": value}
    assert currencies.read(value, currency) == Money(minor, currency)


@pytest.mark.parametrize(
    ("minor", "currency"),
    [(0, "USD"), (1_000_000_000, "USD"), (17_550, "HUF"), (1, "TWD"), (5120, "KWD"), (900, "ISK"), (100, "INR")],
)
def test_amounts_that_do_not_fit(minor: int, currency: str) -> None:
    """Nothing, too much, a fraction that PayPal refuses, or a currency that it lacks: refused, never rounded."""
    with pytest.raises(AmountDoesNotFitError):
        currencies.stated(Money(minor, currency))


@given(currency=st.sampled_from(sorted(CURRENCIES)), units=st.integers(1, 999_999_999))
def test_there_and_back(currency: str, units: int) -> None:
    """Whatever PayPal takes comes back as exactly the money that was asked for."""
    asked = Money(CURRENCIES[currency].from_gateway(units, currency), currency)
    assert currencies.read(currencies.stated(asked)["value"], currency) == asked


@pytest.mark.parametrize(
    ("value", "currency", "minor"),
    [
        ("10", "USD", 1000),
        ("10.5", "USD", 1050),
        ("10.50", "USD", 1050),
        ("10.500", "USD", 1050),
        ("500.00", "JPY", 500),
    ],
)
def test_other_spellings_of_the_same_amount(value: str, currency: str, minor: int) -> None:
    """Missing or needless zeros change nothing."""
    assert currencies.read(value, currency) == Money(minor, currency)


@pytest.mark.parametrize(
    ("value", "currency"),
    [
        ("10.001", "USD"),
        ("500.5", "JPY"),
        ("-10.00", "USD"),
        ("+10.00", "USD"),
        ("1e3", "USD"),
        ("1_000", "USD"),
        ("1,000.00", "USD"),
        ("10.", "USD"),
        (".5", "USD"),
        ("", "USD"),
        ("NaN", "USD"),
        ("٤٢", "USD"),
        ("9" * 18, "USD"),
        ("9" * 400, "USD"),
        ("10.00", "XXX"),
        ("10.00", "usd"),
    ],
)
def test_statements_that_are_no_money(value: str, currency: str) -> None:
    """What is no plain decimal number of whole minor units of a known currency is never turned into money."""
    with pytest.raises(InvalidMoneyError):
        currencies.read(value, currency)


def test_rules_are_consistent() -> None:
    """PayPal's 25 currencies, each known, three of them without decimals."""
    assert len(CURRENCIES) == 25
    assert set(CURRENCIES) <= set(EXPONENTS)
    assert {code for code, rule in CURRENCIES.items() if rule.exponent == 0} == {"HUF", "JPY", "TWD"}


def test_capabilities_tell_limits_of_keys_and_holds() -> None:
    """Orders keep keys for six hours, payments for 45 days; a hold lasts 29 days; the account is ours by its id."""
    stated = capabilities(options_for("https://api-m.paypal.com", merchant_id="7KNGBPH2U58GQ"))
    hours = {verb: stated.key_lifetime[verb].total_seconds() / 3600 for verb in Verb}
    later = dict.fromkeys(("void", "refund", "reauthorize", "submit_evidence", "accept_dispute"), 45 * 24)
    assert hours == {"create": 6, "authorize": 6, "capture": 6, **later}
    assert (stated.live, stated.hold_lifetime.days, stated.merchant_account) == (True, 29, "7KNGBPH2U58GQ")
    assert not capabilities(options_for("https://api-m.sandbox.paypal.com")).live
