"""Answers that lie: every amount, currency, account or address in them is changed."""

from typing import Any

from sandbox.paypal.money import digits_of

_LIVE = (("/paypal/v", "https://api-m.paypal.com/v"), ("/paypal/approve/", "https://www.paypal.com/checkoutnow?token="))
_OTHER_MERCHANT = "X5GH7MKR2TJWN"


def lie(value: Any, kind: str) -> Any:
    """The same JSON, lying in one way wherever it can."""
    if isinstance(value, list):
        return [lie(each, kind) for each in value]
    if not isinstance(value, dict):
        return value
    told = {name: lie(each, kind) for name, each in value.items()}
    if "currency_code" in told and "value" in told:
        return _money(told, kind)
    if kind == "other_account" and "merchant_id" in told:
        told["merchant_id"] = _OTHER_MERCHANT
    if kind == "livemode_true" and "href" in told:
        told["href"] = _live(told["href"])
    return told


def _money(money: dict[str, Any], kind: str) -> dict[str, Any]:
    if kind == "other_currency":
        return {**money, "currency_code": "EUR" if money["currency_code"] != "EUR" else "USD"}
    if kind == "amount_off_by_one":
        return {**money, "value": _one_more(money["value"], digits_of(money["currency_code"]))}
    return money


def _one_more(value: str, digits: int) -> str:
    minor = int(value.replace(".", "")) + 1
    if digits == 0:
        return str(minor)
    text = f"{abs(minor):0{digits + 1}d}"
    return f"{'-' if minor < 0 else ''}{text[:-digits]}.{text[-digits:]}"


def _live(href: str) -> str:
    for ours, theirs in _LIVE:
        before, found, rest = href.partition(ours)
        if found and before.startswith("http"):
            return f"{theirs}{rest}"
    return href
