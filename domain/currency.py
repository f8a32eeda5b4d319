"""ISO 4217: the active currencies and how many decimal digits their minor unit has.

Source: ISO 4217 maintenance agency, list one, amendment of 2026-01-01; a test compares the table with a published copy.
How many digits a *gateway* uses is the gateway's own matter, see `CurrencyRule`.
"""

from dataclasses import dataclass

from domain.errors import AmountDoesNotFitError, UnknownCurrencyError

_BY_EXPONENT = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: (
        "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW "
        "CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF "
        "IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK "
        "MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP "
        "SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG "
        "YER ZAR ZMW ZWG"
    ),
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
EXPONENTS: dict[str, int] = {code: exponent for exponent, codes in _BY_EXPONENT.items() for code in codes.split()}


def exponent_of(currency: str) -> int:
    """Decimal digits of the currency's minor unit. Raises UnknownCurrencyError."""
    try:
        return EXPONENTS[currency]
    except (KeyError, TypeError):
        raise UnknownCurrencyError(currency) from None


@dataclass(frozen=True)
class CurrencyRule:
    """How one gateway counts one currency.

    `exponent`: decimal digits of the gateway's own unit. `step`: the gateway's amount must be a multiple of it.
    `smallest` and `largest`: the gateway's limits for one charge, in the gateway's unit.
    """

    exponent: int
    step: int = 1
    smallest: int = 1
    largest: int = 99_999_999

    def to_gateway(self, minor: int, currency: str) -> int:
        """Our minor units in the gateway's unit. Raises AmountDoesNotFitError; nothing is ever rounded."""
        ours, theirs = _unit(exponent_of(currency)), _unit(self.exponent)
        amount, rest = divmod(minor * theirs, ours)
        if rest or amount % self.step:
            grain = max(1, self.step * ours // theirs)
            raise AmountDoesNotFitError(minor, currency, f"the gateway takes multiples of {grain}")
        if not self.smallest <= amount <= self.largest:
            low, high = (limit * ours // theirs for limit in (self.smallest, self.largest))
            raise AmountDoesNotFitError(minor, currency, f"the gateway takes {low} to {high}")
        return amount

    def from_gateway(self, amount: int, currency: str) -> int:
        """The gateway's amount in our minor units. Raises AmountDoesNotFitError when it is no whole number of them."""
        minor, rest = divmod(amount * _unit(exponent_of(currency)), _unit(self.exponent))
        if rest:
            raise AmountDoesNotFitError(amount, currency, "the gateway's amount is no whole number of minor units")
        return minor


def _unit(exponent: int) -> int:
    """How many minor units make one unit of the currency."""
    return int(10**exponent)
