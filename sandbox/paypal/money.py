"""PayPal's amounts: decimal strings outside, integers in minor units inside."""

import re
from typing import Any

from sandbox.paypal.errors import invalid, unprocessable
from sandbox.store import Json

_SUPPORTED = "AUD BRL CAD CHF CNY CZK DKK EUR GBP HKD HUF ILS JPY MXN MYR NOK NZD PHP PLN SEK SGD THB TWD USD"
_CURRENCIES = frozenset(_SUPPORTED.split())
_WITHOUT_DECIMALS = frozenset({"HUF", "JPY", "TWD"})
_VALUE = re.compile(r"-?[0-9]+(?:\.([0-9]+))?", re.ASCII)
_LONGEST = 32
_MOST = 99_999_999_999_999_999


def digits_of(currency: str) -> int:
    """How many decimals a currency has at PayPal."""
    return 0 if currency in _WITHOUT_DECIMALS else 2


def parse(money: Any, field: str) -> tuple[int, str]:
    """The minor units and the currency of a `{"currency_code", "value"}`, or PayPal's refusal."""
    if not isinstance(money, dict):
        raise invalid(field, "MISSING_REQUIRED_PARAMETER")
    currency, value = money.get("currency_code"), money.get("value")
    for name, given in (("currency_code", currency), ("value", value)):
        if given is None:
            raise invalid(f"{field}/{name}", "MISSING_REQUIRED_PARAMETER")
    if not isinstance(currency, str) or len(currency) != 3:
        raise invalid(f"{field}/currency_code", "INVALID_STRING_LENGTH", currency)
    if not isinstance(value, str) or len(value) > _LONGEST or (match := _VALUE.fullmatch(value)) is None:
        raise invalid(f"{field}/value", "INVALID_PARAMETER_SYNTAX", value)
    if currency not in _CURRENCIES:
        raise unprocessable("INVALID_CURRENCY_CODE", f"{field}/currency_code", currency)
    return _minor(value, match.group(1) or "", currency, f"{field}/value"), currency


def _minor(value: str, decimals: str, currency: str, field: str) -> int:
    digits = digits_of(currency)
    if decimals and digits == 0:
        raise unprocessable("DECIMALS_NOT_SUPPORTED", field, value)
    if len(decimals) > digits:
        raise unprocessable("DECIMAL_PRECISION", field, value)
    minor = int(value.partition(".")[0] + decimals.ljust(digits, "0"))
    if minor <= 0:
        raise unprocessable("CANNOT_BE_ZERO_OR_NEGATIVE", field, value)
    if minor > _MOST:
        raise unprocessable("MAX_VALUE_EXCEEDED", field, value)
    return minor


def value_of(minor: int, currency: str) -> str:
    """Minor units as PayPal writes them; negative where money went out."""
    digits = digits_of(currency)
    if digits == 0:
        return str(minor)
    whole, rest = divmod(abs(minor), 10**digits)
    return f"{'-' if minor < 0 else ''}{whole}.{rest:0{digits}d}"


def money(minor: int, currency: str) -> Json:
    """An amount as it is sent."""
    return {"currency_code": currency, "value": value_of(minor, currency)}


def readable(minor: int, currency: str) -> str:
    """An amount as a person reads it."""
    return f"{value_of(minor, currency)} {currency}"
