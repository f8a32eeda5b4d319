"""Which currencies Adyen takes, and how many decimals its minor units have.

Adyen's table differs from ISO 4217: CLP and ISK have two decimals here, CVE and IDR none.
"""

_TWO = (
    "AED ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BWP BYN BZD CAD CHF CLP CNH CNY COP CRC CUP CZK"
    " DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF ILS INR ISK JMD KES KGS KHR KYD KZT"
    " LAK LBP LKR MAD MDL MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN"
    " QAR RON RSD RUB SAR SBD SCR SEK SGD SHP SLE SOS SRD STN SVC SZL THB TOP TRY TTD TWD TZS UAH USD UYU UZS WST XCD"
    " YER ZAR ZMW"
)
_NONE = "CVE DJF GNF IDR JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_THREE = "BHD IQD JOD KWD LYD OMR TND"

DECIMALS: dict[str, int] = {
    code: decimals for decimals, codes in ((2, _TWO), (0, _NONE), (3, _THREE)) for code in codes.split()
}


def readable(value: int, currency: str) -> str:
    """An amount as a person reads it."""
    decimals = DECIMALS[currency]
    if decimals == 0:
        return f"{value} {currency}"
    whole, rest = divmod(value, 10**decimals)
    return f"{whole}.{rest:0{decimals}d} {currency}"
