"""Gateways' amounts in our minor units. Not taken from the adapters on purpose: those are judged here."""

from decimal import Decimal
from typing import Any

from devstack.demo.evidence import Kind, Movement
from domain.currency import exponent_of

# How many decimals each gateway counts where that differs from ISO 4217.
_DECIMALS: dict[str, dict[str, int]] = {
    "stripe": {"ISK": 2, "UGX": 2},
    "paypal": {"HUF": 0, "TWD": 0},
    "adyen": {"CLP": 2, "CVE": 0, "IDR": 0, "ISK": 2},
}


def movement(kind: Kind, gateway: str, reference: str, amount: int, currency: str) -> Movement:
    """A movement that a gateway tells of in its own unit."""
    code = currency.upper()
    ours = exponent_of(code)
    theirs = _DECIMALS[gateway].get(code, ours)
    minor, rest = divmod(amount * 10**ours, 10**theirs)
    # What is no whole amount of ours stays in the gateway's unit, where it equals nothing on our books.
    return Movement(kind, gateway, reference, *((amount, f"{code}/{10**theirs}") if rest else (minor, code)))


def stated_movement(kind: Kind, gateway: str, reference: str, money: dict[str, Any]) -> Movement:
    """A movement over an amount that is written as a decimal number, `{"currency_code", "value"}`."""
    code, minor = str(money["currency_code"]), Decimal(money["value"]).scaleb(exponent_of(money["currency_code"]))
    if minor != minor.to_integral_value():
        return Movement(kind, gateway, reference, 0, f"{code} {money['value']}")
    return Movement(kind, gateway, reference, int(minor), code)
