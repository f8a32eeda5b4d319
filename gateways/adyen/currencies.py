"""How Adyen counts each currency it takes.

Source: docs.adyen.com/development-resources/currency-codes. Adyen's decimals differ from ISO 4217 for CLP, CVE, IDR and
ISK. It publishes no smallest or largest amount; the amount field of card networks (ISO 8583) has twelve digits.
"""

from domain.currency import CurrencyRule, exponent_of
from domain.errors import AmountDoesNotFitError, InvalidMoneyError, OutcomeUnknownError
from domain.money import Money

_TWO_DECIMALS = (
    "AED ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BWP BYN BZD CAD CHF CLP CNY COP CRC CUP CZK DKK "
    "DOP DZD EGP ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF ILS INR ISK JMD KES KGS KHR KYD KZT LAK "
    "LBP LKR MAD MDL MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR "
    "RON RSD RUB SAR SBD SCR SEK SGD SHP SLE SOS SRD STN SVC SZL THB TOP TRY TTD TWD TZS UAH USD UYU UZS WST XCD YER "
    "ZAR ZMW"
)
_ZERO_DECIMALS = "CVE DJF GNF IDR JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_THREE_DECIMALS = "BHD IQD JOD KWD LYD OMR TND"

_LARGEST = 999_999_999_999


def _rules() -> dict[str, CurrencyRule]:
    kinds = ((_TWO_DECIMALS, 2), (_ZERO_DECIMALS, 0), (_THREE_DECIMALS, 3))
    return {
        code: CurrencyRule(exponent, step=_step(code, exponent), smallest=_step(code, exponent), largest=_LARGEST)
        for codes, exponent in kinds
        for code in codes.split()
    }


def _step(code: str, exponent: int) -> int:
    """Where Adyen counts finer than the currency is, only whole units of the currency are amounts of it."""
    return int(10 ** max(0, exponent - exponent_of(code)))


CURRENCIES: dict[str, CurrencyRule] = _rules()


def asked_amount(amount: Money) -> dict[str, object]:
    """Adyen's Amount object for a payment or a part of one. Raises AmountDoesNotFitError."""
    rule = CURRENCIES.get(amount.currency)
    if rule is None:
        raise AmountDoesNotFitError(amount.minor, amount.currency, "Adyen does not take this currency")
    return {"value": rule.to_gateway(amount.minor, amount.currency), "currency": amount.currency}


def stated_amount(value: int, currency: str) -> Money:
    """Adyen's amount in our minor units.

    Raises OutcomeUnknownError when it is negative, of no currency we know or no whole number of our minor units: what
    cannot be read exactly proves nothing, and rounding it could make a wrong amount look right.
    """
    try:
        rule = CURRENCIES.get(currency) or CurrencyRule(exponent_of(currency))
        return Money(rule.from_gateway(value, currency), currency)
    except InvalidMoneyError as error:
        raise OutcomeUnknownError(f"Adyen states an amount that cannot be trusted: {error}") from None
