"""Settlement: what moved, as the reporting API tells it three hours later."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.paypal import shapes
from sandbox.paypal.call import Call
from sandbox.paypal.errors import invalid
from sandbox.paypal.gateway import ORDER, Gateway, moment
from sandbox.paypal.money import money
from sandbox.store import Json

_LATE_SECONDS = 3 * 3600
_LONGEST = timedelta(days=31)
_DEFAULT_SIZE, _LARGEST_SIZE = 100, 500
# Transaction event codes: a checkout payment, its refund, a payment that was sent and came back, the hold for a dispute
# and its end. The two of a dispute share their transaction id, as PayPal's do.
_CODES = {
    "charge": "T0006",
    "capture": "T0006",
    "refund": "T1107",
    "refund_failure": "T1106",
    "dispute": "T1110",
    "dispute_reversed": "T1111",
}


def transactions(gateway: Gateway, call: Call) -> Json:
    """Movements between two dates, oldest first; ids repeat where a refund came back."""
    start, end = _date(call.query, "start_date"), _date(call.query, "end_date")
    if end < start or end - start > _LONGEST:
        raise invalid("end_date", "INVALID_PARAMETER_VALUE", call.query["end_date"], "query")
    size = _number(call.query, "page_size", _DEFAULT_SIZE, _LARGEST_SIZE)
    page = _number(call.query, "page", 1, 2**31 - 1)
    known_until = gateway.clock.now() - _LATE_SECONDS
    until = min(end.timestamp(), known_until)
    rows = [
        row
        for row in gateway.books.rows(gateway.name)
        if row["operation"] in _CODES and start.timestamp() <= row["at"] <= until and _wanted(row, call.query)
    ]
    shown = rows[(page - 1) * size : page * size]
    return {
        "transaction_details": [{"transaction_info": _shape(gateway, row)} for row in shown],
        "account_number": gateway.merchant_id,
        "start_date": call.query["start_date"],
        "end_date": call.query["end_date"],
        "last_refreshed_datetime": moment(known_until),
        "page": page,
        "total_items": len(rows),
        "total_pages": -(-len(rows) // size),
        "links": [shapes.link(f"{call.origin.api_url}/v1/reporting/transactions", "self")],
    }


def _wanted(row: dict[str, Any], query: dict[str, str]) -> bool:
    wanted = query.get("transaction_id")
    return wanted is None or wanted == _id(row)


def _id(row: dict[str, Any]) -> str:
    """The id of one movement; a dispute's is made of the dispute's, because its form has no hyphens."""
    found: str = row["refund"] or (row["dispute"] or "").replace("-", "") or row["movement_id"]
    return found


def _shape(gateway: Gateway, row: dict[str, Any]) -> Json:
    order = gateway.store.get(ORDER, row["payment"]) or {"unit": {}}
    later = row["operation"] not in ("charge", "capture")
    out = row["operation"] in ("refund", "dispute")
    at = moment(row["at"])
    info: Json = {
        "paypal_account_id": shapes.PAYER_ID,
        "transaction_id": _id(row),
        "paypal_reference_id": row["movement_id"] if later else row["payment"],
        "paypal_reference_id_type": "TXN" if later else "ODR",
        "transaction_event_code": _CODES[row["operation"]],
        "transaction_initiation_date": at,
        "transaction_updated_date": at,
        "transaction_amount": money(-row["amount"] if out else row["amount"], row["currency"].upper()),
        "transaction_status": "S",
    }
    names = (("invoice_id", "invoice_id"), ("custom_id", "custom_field"))
    return info | {told: order["unit"][name] for name, told in names if name in order["unit"]}


def _date(query: dict[str, str], name: str) -> datetime:
    given = query.get(name)
    if given is None:
        raise invalid(name, "MISSING_REQUIRED_PARAMETER", None, "query")
    try:
        found = datetime.fromisoformat(given)
    except ValueError as error:
        raise invalid(name, "INVALID_PARAMETER_SYNTAX", given, "query") from error
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _number(query: dict[str, str], name: str, default: int, most: int) -> int:
    given = query.get(name, str(default))
    if not given.isascii() or not given.isdigit() or not 1 <= int(given) <= most:
        raise invalid(name, "INVALID_PARAMETER_VALUE", given, "query")
    return int(given)
