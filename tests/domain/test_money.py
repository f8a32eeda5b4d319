"""Money is exact or it is not money; gateways' units are exact or refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from iso4217 import Currency

from domain.currency import EXPONENTS, CurrencyRule, exponent_of
from domain.errors import AmountDoesNotFitError, CurrencyMismatchError, InvalidMoneyError, UnknownCurrencyError
from domain.money import LARGEST_MINOR, Money

CODES = st.sampled_from(sorted(EXPONENTS))
AMOUNTS = st.integers(0, LARGEST_MINOR)
# Funds, bonds, metals and the codes for tests and for no currency: nobody sells in them.
NOT_FOR_SALE = {"XAG", "XAU", "XBA", "XBB", "XBC", "XBD", "XDR", "XPD", "XPT", "XSU", "XTS", "XUA", "XXX"}


def published() -> dict[str, int]:
    """The published list's currencies with a minor unit."""
    return {c.code: c.exponent for c in Currency if c.exponent is not None and c.code not in NOT_FOR_SALE}


def test_the_exponents_are_the_published_ones() -> None:
    """Every currency that both lists know has the same digits."""
    both = EXPONENTS.keys() & published().keys()
    assert len(both) > 150
    assert {code: EXPONENTS[code] for code in both} == {code: published()[code] for code in both}


@given(AMOUNTS, CODES)
def test_money_keeps_what_it_is_given(minor: int, currency: str) -> None:
    """The amount and currency are those given, and equal money is equal."""
    money = Money(minor, currency)
    assert (money.minor, money.currency) == (minor, currency)
    assert money == Money(minor, currency)
    assert hash(money) == hash(Money(minor, currency))
    assert money.zero() == Money(0, currency)


@given(st.one_of(st.floats(), st.booleans(), st.text(), st.none(), st.decimals(allow_nan=False)))
def test_only_integers_are_amounts(amount: object) -> None:
    """Floats, booleans, strings and decimals are refused, also those that look whole."""
    with pytest.raises(InvalidMoneyError):
        Money(amount, "EUR")  # type: ignore[arg-type]


@pytest.mark.parametrize("amount", [-1, LARGEST_MINOR + 1, -(10**30), 10**30])
def test_amounts_have_bounds(amount: int) -> None:
    """Negative amounts and those that no JSON reader keeps exactly are refused."""
    with pytest.raises(InvalidMoneyError):
        Money(amount, "EUR")


@pytest.mark.parametrize("currency", ["eur", "EU", "EURO", "", " EUR", "XXX", "HRK", "€", None, 978, ["EUR"], {}])
def test_only_active_codes_are_currencies(currency: object) -> None:
    """Small letters, retired codes, numbers and other types are refused with a typed error."""
    with pytest.raises(UnknownCurrencyError):
        Money(1, currency)  # type: ignore[arg-type]


@given(st.integers(0, LARGEST_MINOR // 2), st.integers(0, LARGEST_MINOR // 2), CODES)
def test_sums_and_differences_are_exact(one: int, other: int, currency: str) -> None:
    """Adding and taking away undo each other; taking away more than there is is refused."""
    a, b = Money(one, currency), Money(other, currency)
    assert a + b == b + a == Money(one + other, currency)
    assert a + b - b == a
    if one < other:
        with pytest.raises(InvalidMoneyError):
            _ = a - b


@given(AMOUNTS, AMOUNTS, st.tuples(CODES, CODES).filter(lambda pair: pair[0] != pair[1]))
def test_currencies_do_not_mix(one: int, other: int, codes: tuple[str, str]) -> None:
    """Neither a sum nor a difference of two currencies exists."""
    a, b = Money(one, codes[0]), Money(other, codes[1])
    for mix in (a.__add__, a.__sub__):
        with pytest.raises(CurrencyMismatchError):
            mix(b)


@given(AMOUNTS, CODES)
def test_people_read_the_exact_amount(minor: int, currency: str) -> None:
    """The text has the currency's digits and reads back to the same amount."""
    digits, code = str(Money(minor, currency)).split(" ")
    assert code == currency
    _, point, fraction = digits.partition(".")
    assert (len(fraction), bool(point)) == (exponent_of(currency), exponent_of(currency) > 0)
    assert int(digits.replace(".", "")) == minor


@pytest.mark.parametrize(
    ("money", "text"),
    [(Money(4200, "USD"), "42.00 USD"), (Money(4200, "JPY"), "4200 JPY"), (Money(5, "KWD"), "0.005 KWD")],
)
def test_known_amounts_read_as_people_write_them(money: Money, text: str) -> None:
    """Two, no and three decimals."""
    assert str(money) == text


@given(st.integers(0, 10**12), CODES, st.integers(0, 4), st.sampled_from([1, 5, 10, 100]))
def test_a_gateways_unit_is_exact_or_refused(minor: int, currency: str, exponent: int, step: int) -> None:
    """What a gateway accepts comes back as the same amount, obeys its step and limits; nothing is rounded."""
    rule = CurrencyRule(exponent, step, smallest=10, largest=10**9)
    try:
        amount = rule.to_gateway(minor, currency)
    except AmountDoesNotFitError:
        exact = minor * 10**exponent % 10 ** exponent_of(currency) == 0
        theirs = minor * 10**exponent // 10 ** exponent_of(currency)
        assert not exact or theirs % step or not 10 <= theirs <= 10**9
    else:
        assert rule.from_gateway(amount, currency) == minor
        assert amount % step == 0
        assert 10 <= amount <= 10**9


@pytest.mark.parametrize(
    ("rule", "currency", "minor", "amount"),
    [
        (CurrencyRule(2), "EUR", 4200, 4200),
        (CurrencyRule(0), "JPY", 4200, 4200),
        (CurrencyRule(2, step=100), "ISK", 42, 4200),
        (CurrencyRule(3, step=10), "KWD", 42_000, 42_000),
        (CurrencyRule(0), "HUF", 4200, 42),
    ],
)
def test_known_currencies_count_as_the_gateways_do(rule: CurrencyRule, currency: str, minor: int, amount: int) -> None:
    """Same digits, more digits, fewer digits, and steps."""
    assert rule.to_gateway(minor, currency) == amount
    assert rule.from_gateway(amount, currency) == minor


@pytest.mark.parametrize(
    ("rule", "currency", "minor", "reason"),
    [
        (CurrencyRule(0), "HUF", 4250, "multiples of 100"),
        (CurrencyRule(3, step=10), "KWD", 42_001, "multiples of 10"),
        (CurrencyRule(2, smallest=50), "EUR", 49, "takes 50 to"),
        (CurrencyRule(2, largest=100), "EUR", 101, "to 100"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(
    rule: CurrencyRule, currency: str, minor: int, reason: str
) -> None:
    """The error says in our own units what would fit."""
    with pytest.raises(AmountDoesNotFitError, match=reason):
        rule.to_gateway(minor, currency)


def test_a_gateways_fraction_of_our_unit_is_refused() -> None:
    """An amount that is no whole number of our minor units is not guessed at."""
    with pytest.raises(AmountDoesNotFitError):
        CurrencyRule(3).from_gateway(4205, "EUR")
