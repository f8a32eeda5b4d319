"""How Stripe counts each currency it takes.

Source: docs.stripe.com/currencies (presentment currencies, zero- and three-decimal currencies, special cases, minimum
and maximum charge amounts). Stripe's minimum belongs to the currency the account settles in, so an amount above the
one here can still be refused by Stripe; the call then ends in a decline that says so.
"""

from dataclasses import replace

from domain.currency import CurrencyRule, exponent_of
from domain.errors import AmountDoesNotFitError
from domain.money import Money

_TWO_DECIMALS = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BWP BYN BZD CAD CDF CHF CNY COP CRC CVE CZK "
    "DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR JMD KES KGS KHR KYD KZT LAK "
    "LBP LKR LRD LSL MAD MDL MKD MMK MNT MOP MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN "
    "QAR RON RSD RUB SAR SBD SCR SEK SGD SHP SLE SOS SRD SZL THB TJS TOP TRY TTD TWD TZS UAH USD UYU UZS WST XCD "
    "XCG YER ZAR ZMW"
)
_ZERO_DECIMALS = "BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF"
# Both lost their decimals in ISO 4217, Stripe goes on counting hundredths and refuses fractions.
_WHOLE_UNITS_IN_HUNDREDTHS = "ISK UGX"
# The card networks behind Stripe know only two of the three decimals.
_THREE_DECIMALS_LAST_ZERO = "BHD JOD KWD OMR TND"

_SMALLEST = {
    "AED": 200,
    "AUD": 50,
    "BRL": 50,
    "CAD": 50,
    "CHF": 50,
    "CZK": 1500,
    "DKK": 250,
    "EUR": 50,
    "GBP": 30,
    "HKD": 400,
    "HUF": 17500,
    "INR": 50,
    "JPY": 50,
    "MXN": 1000,
    "MYR": 200,
    "NOK": 300,
    "NZD": 50,
    "PLN": 200,
    "RON": 200,
    "SEK": 300,
    "SGD": 50,
    "THB": 1000,
    "USD": 50,
}
_LARGEST = 99_999_999


def _rules() -> dict[str, CurrencyRule]:
    kinds = (
        (_TWO_DECIMALS, 2, 1),
        (_ZERO_DECIMALS, 0, 1),
        (_WHOLE_UNITS_IN_HUNDREDTHS, 2, 100),
        (_THREE_DECIMALS_LAST_ZERO, 3, 10),
    )
    return {
        code: CurrencyRule(exponent, step, smallest=_SMALLEST.get(code, step), largest=_LARGEST)
        for codes, exponent, step in kinds
        for code in codes.split()
    }


CURRENCIES: dict[str, CurrencyRule] = _rules()


def charge_amount(amount: Money) -> int:
    """The amount of a new payment in Stripe's unit. Raises AmountDoesNotFitError."""
    return _rule(amount).to_gateway(amount.minor, amount.currency)


def part_amount(amount: Money) -> int:
    """The amount of a capture or refund in Stripe's unit: parts may lie below the smallest charge.

    Raises AmountDoesNotFitError.
    """
    rule = _rule(amount)
    return replace(rule, smallest=rule.step).to_gateway(amount.minor, amount.currency)


def stated_amount(amount: int, currency: str) -> Money:
    """Stripe's amount in our minor units; `currency` as Stripe writes it.

    Raises InvalidMoneyError when it is negative, of no currency we know or no whole number of our minor units.
    """
    code = currency.upper()
    rule = CURRENCIES.get(code) or CurrencyRule(exponent_of(code))
    return Money(rule.from_gateway(amount, code), code)


def _rule(amount: Money) -> CurrencyRule:
    try:
        return CURRENCIES[amount.currency]
    except KeyError:
        raise AmountDoesNotFitError(amount.minor, amount.currency, "Stripe does not take this currency") from None
