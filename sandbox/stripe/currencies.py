"""Which amounts Stripe takes, per currency, in minor units."""

from sandbox.stripe.errors import StripeError, invalid

_SUPPORTED = (
    "aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd bwp byn bzd cad cdf chf clp"
    " cny cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gnf gtq gyd hkd hnl htg huf idr ils inr"
    " isk jmd jod jpy kes kgs khr kmf krw kwd kyd kzt lak lbp lkr lrd lsl mad mdl mga mkd mmk mnt mop mur mvr mwk mxn"
    " myr mzn nad ngn nio nok npr nzd omr pab pen pgk php pkr pln pyg qar ron rsd rub rwf sar sbd scr sek sgd shp sle"
    " sos srd std szl thb tjs tnd top try ttd twd tzs uah ugx usd uyu uzs vnd vuv wst xaf xcd xof xpf yer zar zmw"
)
_WITHOUT_DECIMALS = "bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf"
_CODES = frozenset(_SUPPORTED.split())
_ZERO_DECIMAL = frozenset(_WITHOUT_DECIMALS.split())
_STEPS = {"isk": 100, "ugx": 100, "bhd": 10, "jod": 10, "kwd": 10, "omr": 10, "tnd": 10}
_MINIMUM = {
    "aed": 200, "aud": 50, "bgn": 100, "brl": 50, "cad": 50, "chf": 50, "czk": 1500, "dkk": 250, "eur": 50, "gbp": 30,
    "hkd": 400, "huf": 17500, "inr": 50, "jpy": 50, "mxn": 1000, "myr": 200, "nok": 300, "nzd": 50, "pln": 200,
    "ron": 200, "sek": 300, "sgd": 50, "thb": 1000, "usd": 50,
}  # fmt: skip
_MAXIMUM = 99_999_999


def check_currency(currency: str) -> str:
    """The currency's code in lower case, or Stripe's refusal."""
    code = currency.lower()
    if code not in _CODES:
        raise invalid(f"Invalid currency: {currency}.", "currency")
    return code


def check_charge(amount: int, currency: str) -> None:
    """Refuse an amount that Stripe would not charge."""
    minimum = _MINIMUM.get(currency, 1)
    if amount < minimum:
        raise invalid(f"Amount must be at least {readable(minimum, currency)}", "amount", "amount_too_small")
    if amount > _MAXIMUM:
        message = f"Amount must be no more than {readable(_MAXIMUM, currency)}"
        raise invalid(message, "amount", "amount_too_large")
    check_step(amount, currency, "amount")


def check_step(amount: int, currency: str, param: str) -> None:
    """Refuse an amount with digits this currency's card networks do not carry."""
    step = _STEPS.get(currency, 1)
    if amount % step:
        raise _unfit(amount, currency, step, param)


def _unfit(amount: int, currency: str, step: int, param: str) -> StripeError:
    message = f"Invalid amount {amount} for {currency}: it must be divisible by {step}."
    return invalid(message, param, "parameter_invalid_integer")


def readable(amount: int, currency: str) -> str:
    """An amount as a person reads it."""
    if currency in _ZERO_DECIMAL:
        return f"{amount} {currency.upper()}"
    digits = 3 if _STEPS.get(currency) == 10 else 2
    whole, rest = divmod(amount, 10**digits)
    return f"{whole}.{rest:0{digits}d} {currency.upper()}"
