"""How Stripe counts: every amount fits exactly or is refused before any call."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.currency import EXPONENTS
from domain.errors import AmountDoesNotFitError, InvalidMoneyError
from domain.money import Money
from gateways.contract import Verb
from gateways.stripe.capabilities import capabilities
from gateways.stripe.currencies import CURRENCIES, charge_amount, part_amount, stated_amount


@pytest.mark.parametrize(
    ("minor", "currency", "amount"),
    [
        (4200, "USD", 4200),
        (50, "USD", 50),
        (30, "GBP", 30),
        (4200, "JPY", 4200),
        (500, "KRW", 500),
        (5, "ISK", 500),
        (7, "UGX", 700),
        (4200, "MGA", 42),
        (17500, "HUF", 17500),
        (12345, "TWD", 12345),
        (5120, "KWD", 5120),
        (10, "TND", 10),
        (99_999_999, "EUR", 99_999_999),
    ],
)
def test_amounts_in_stripes_unit(minor: int, currency: str, amount: int) -> None:
    """Zero-, two- and three-decimal currencies and Stripe's own exceptions are counted as Stripe counts them."""
    assert charge_amount(Money(minor, currency)) == amount
    assert stated_amount(amount, currency.lower()) == Money(minor, currency)


@pytest.mark.parametrize(
    ("minor", "currency"),
    [
        (49, "USD"),
        (0, "EUR"),
        (100_000_000, "USD"),
        (5124, "KWD"),
        (4201, "MGA"),
        (1_000_000, "ISK"),
        (49, "JPY"),
        (4200, "IRR"),
        (4200, "CLF"),
    ],
)
def test_amounts_that_do_not_fit(minor: int, currency: str) -> None:
    """Too small, too large, too fine or a currency that Stripe lacks: refused, never rounded."""
    with pytest.raises(AmountDoesNotFitError):
        charge_amount(Money(minor, currency))


def test_parts_may_be_smaller_than_a_charge() -> None:
    """A refund or capture of a few cents is possible where a charge of them is not; its grain stays."""
    assert part_amount(Money(1, "USD")) == 1
    for minor, currency in ((0, "USD"), (5, "KWD"), (100_000_000, "USD")):
        with pytest.raises(AmountDoesNotFitError):
            part_amount(Money(minor, currency))


@given(currency=st.sampled_from(sorted(CURRENCIES)), amount=st.integers(1, 99_999_999))
def test_there_and_back(currency: str, amount: int) -> None:
    """Whatever Stripe takes comes back as exactly the money that was asked for."""
    rule = CURRENCIES[currency]
    asked = rule.smallest + amount * rule.step
    if asked <= rule.largest:
        assert charge_amount(stated_amount(asked, currency.lower())) == asked


@pytest.mark.parametrize(
    ("amount", "currency"), [(501, "isk"), (-1, "usd"), (100, "xxx"), (100, ""), (100, "usdc"), (2**60, "usd")]
)
def test_statements_that_are_no_money(amount: int, currency: str) -> None:
    """A fraction of our unit, less than nothing or an unknown currency is never turned into money."""
    with pytest.raises(InvalidMoneyError):
        stated_amount(amount, currency)


def test_a_currency_that_we_do_not_sell_in_is_still_read() -> None:
    """A statement in a currency outside the table keeps its currency, so that comparisons fail on it."""
    assert stated_amount(4200, "irr") == Money(4200, "IRR")


def test_rules_are_consistent() -> None:
    """Every rule is of a known currency and its smallest charge can be charged."""
    for code, rule in CURRENCIES.items():
        assert code in EXPONENTS
        assert rule.smallest % rule.step == 0
        assert charge_amount(stated_amount(rule.smallest, code)) == rule.smallest


def test_capabilities_tell_limits_of_keys_and_holds() -> None:
    """A key lives a day for every verb, a hold a week; live is what the account is."""
    stated = capabilities(live=True)
    assert stated.live
    assert {stated.key_lifetime[verb].total_seconds() for verb in Verb} == {86400.0}
    assert stated.hold_lifetime.days == 7
    assert stated.currencies["USD"].smallest == 50
