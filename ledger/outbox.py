"""What other services are told of a timeline row: ids, codes and amounts, nothing personal and no secret."""

import re
from typing import Any

from domain.checkout import Checkout
from domain.timeline import Entry, EventType, JsonScalar

# Ids and codes have no spaces and no @; free text and addresses do.
_CODE = re.compile(r"[A-Za-z0-9_.:/-]{1,200}", re.ASCII)


def event_payload(checkout: Checkout, sequence: int, entry: Entry) -> dict[str, Any]:
    """The payload of the event that the entry tells. A leg names its split checkout as `parent_id`.

    What a split checkout took is on its legs' books; its own rows name the sums.
    """
    status, sums = entry.status, entry.details if checkout.is_split else {}
    payload = {
        "checkout_id": checkout.id,
        "order_id": checkout.order_id,
        "timeline_sequence": sequence,
        "state": status.state,
        "amount": checkout.amount.minor,
        "currency": checkout.amount.currency,
        "gateway": status.gateway or checkout.gateway,
        "amount_captured": sums.get("captured", status.captured_minor),
        "amount_refunded": sums.get("refunded", status.refunded_minor),
        "cause_kind": entry.cause.partition(":")[0],
        "at": entry.at.isoformat(timespec="microseconds"),
        "details": {name: value for name, value in entry.details.items() if _may_leave(name, value)},
    }
    return payload if checkout.parent_id is None else payload | {"parent_id": checkout.parent_id}


def event_row(checkout: Checkout, sequence: int, entry: Entry, event: EventType) -> dict[str, Any]:
    """The event as a row of the outbox."""
    return {"sequence": sequence, "type": event, "payload": event_payload(checkout, sequence, entry)}


def _may_leave(name: str, value: JsonScalar) -> bool:
    if "secret" in name:
        return False
    return not isinstance(value, str) or ("_secret_" not in value and _CODE.fullmatch(value) is not None)
