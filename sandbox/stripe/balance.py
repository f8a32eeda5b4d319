"""The balance and balance_transactions calls: the books as Stripe's settlement shows them."""

from typing import Any

from sandbox.store import Json
from sandbox.stripe import params as p
from sandbox.stripe.call import Call
from sandbox.stripe.errors import missing
from sandbox.stripe.gateway import Gateway
from sandbox.stripe.lists import LIST_CHECKS, cursors, page_size

_KIND, _PREFIX = "balance_transaction", "txn_"
_LIST = {**LIST_CHECKS, "currency": p.text, "source": p.text, "type": p.text}
# What each movement is at Stripe: its type, its reporting category, which way its money goes. Holds move none.
_TYPES = {
    "charge": ("charge", "charge", 1),
    "capture": ("charge", "charge", 1),
    "refund": ("refund", "refund", -1),
    "refund_failure": ("refund_failure", "refund_failure", 1),
    "refund_cancellation": ("refund_failure", "refund_failure", 1),
    "dispute": ("adjustment", "dispute", -1),
    "dispute_reversed": ("adjustment", "dispute_reversal", 1),
}
_DESCRIPTIONS = {"dispute": "Chargeback withdrawal for {}", "dispute_reversed": "Chargeback reversal for {}"}


def balance(gateway: Gateway, call: Call) -> Json:
    """What the merchant holds, as the books have it; nothing is ever paid out here."""
    p.check(call.params, {"expand": p.words})
    held = gateway.books.balances(gateway.name) or {"usd": 0}
    return {
        "object": "balance",
        "available": [
            {"amount": amount, "currency": currency, "source_types": {"card": amount}}
            for currency, amount in held.items()
        ],
        "connect_reserved": [{"amount": 0, "currency": currency} for currency in held],
        "livemode": False,
        "pending": [{"amount": 0, "currency": currency, "source_types": {"card": 0}} for currency in held],
    }


def transaction(gateway: Gateway, call: Call) -> Json:
    """Read one movement of the balance."""
    p.check(call.params, {"expand": p.words})
    for found in _transactions(gateway):
        if found["id"] == call.ids[0]:
            return found
    raise missing(_KIND, call.ids[0], "id")


def transactions(gateway: Gateway, call: Call) -> Json:
    """Movements of the balance, newest first."""
    params = p.check(call.params, _LIST)
    limit = page_size(params)
    everything = _transactions(gateway)
    before, after = (_at(everything, cursor, name) for name, cursor in cursors(params))
    bounds = slice(0 if before is None else before + 1, after)
    found = [each for each in everything[bounds] if _wanted(each, params)]
    # With `ending_before` the page is the one nearest to the cursor, not the newest one.
    page = found[-limit:] if after is not None else found[:limit]
    return {"object": "list", "data": page, "has_more": len(found) > limit, "url": "/v1/balance_transactions"}


def of_dispute(gateway: Gateway, dispute: Json) -> list[Json]:
    """What a dispute has moved so far, oldest first."""
    rows = gateway.books.rows(gateway.name, dispute["payment_intent"])
    return [_shape(row) for row in rows if row["dispute"] == dispute["id"]]


def _at(everything: list[Json], cursor: str | None, name: str) -> int | None:
    if cursor is None:
        return None
    for at, each in enumerate(everything):
        if each["id"] == cursor:
            return at
    raise missing(_KIND, cursor, name)


def _wanted(found: Json, params: Json) -> bool:
    if any(name in params and found[name] != params[name] for name in ("currency", "source", "type")):
        return False
    created: int = found["created"]
    fits = {"gte": created.__ge__, "gt": created.__gt__, "lte": created.__le__, "lt": created.__lt__}
    return all(fits[name](bound) for name, bound in params.get("created", {}).items())


def _transactions(gateway: Gateway) -> list[Json]:
    rows = gateway.books.rows(gateway.name)
    return [_shape(row) for row in reversed(rows) if row["operation"] in _TYPES]


def _shape(row: dict[str, Any]) -> Json:
    kind, category, sign = _TYPES[row["operation"]]
    description = _DESCRIPTIONS.get(row["operation"])
    amount = sign * row["amount"]
    return {
        "id": f"{_PREFIX}{row['sequence']:024d}",
        "object": _KIND,
        "amount": amount,
        "available_on": row["at"],
        "balance_type": "payments",
        "created": row["at"],
        "currency": row["currency"],
        "description": None if description is None else description.format(row["movement_id"]),
        "exchange_rate": None,
        "fee": 0,
        "fee_details": [],
        "net": amount,
        "reporting_category": category,
        "source": row["dispute"] or row["refund"] or row["movement_id"],
        "status": "available",
        "type": kind,
    }
