"""How PayPal counts each currency it takes, and its decimal strings.

Source: developer.paypal.com/docs/api/reference/currency-codes. BRL, CNY and MYR are for accounts of their country only;
another account's payment in them ends in a decline that says so.
"""

import re

from domain.currency import CurrencyRule, exponent_of
from domain.errors import AmountDoesNotFitError, InvalidMoneyError
from domain.money import Money

_TWO_DECIMALS = "AUD BRL CAD CHF CNY CZK DKK EUR GBP HKD ILS MXN MYR NOK NZD PHP PLN RUB SEK SGD THB USD"
# HUF and TWD have hundredths in ISO 4217; PayPal refuses any.
_NO_DECIMALS = "HUF JPY TWD"
# The API takes fifteen digits, which no account may be paid at once: a wallet's single payment ends far below this.
_LARGEST = 999_999_999

CURRENCIES: dict[str, CurrencyRule] = {
    code: CurrencyRule(exponent, largest=_LARGEST)
    for codes, exponent in ((_TWO_DECIMALS, 2), (_NO_DECIMALS, 0))
    for code in codes.split()
}

_DECIMAL = re.compile(r"([0-9]{1,18})(?:\.([0-9]{1,6}))?")


def stated(amount: Money) -> dict[str, str]:
    """The amount as PayPal takes it. Raises AmountDoesNotFitError."""
    rule = CURRENCIES.get(amount.currency)
    if rule is None:
        raise AmountDoesNotFitError(amount.minor, amount.currency, "PayPal does not take this currency")
    units = rule.to_gateway(amount.minor, amount.currency)
    whole, fraction = divmod(units, 10**rule.exponent)
    value = f"{whole}.{fraction:0{rule.exponent}d}" if rule.exponent else str(whole)
    return {"currency_code": amount.currency, "value": value}


def read(value: str, currency: str) -> Money:
    """PayPal's decimal string in our minor units.

    Raises InvalidMoneyError when it is negative, of no currency we know or no whole number of our minor units.
    """
    exponent = exponent_of(currency)
    digits = _DECIMAL.fullmatch(value)
    if digits is None:
        raise InvalidMoneyError("an amount is a plain decimal number")
    whole, fraction = digits[1], digits[2] or ""
    if fraction[exponent:].strip("0"):
        raise InvalidMoneyError(f"{currency} has no more than {exponent} decimals")
    return Money(int(whole + fraction[:exponent].ljust(exponent, "0")), currency)
