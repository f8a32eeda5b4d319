"""The notification items that webhooks carry, and how Adyen signs them."""

import base64
import copy
import hashlib
import hmac
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sandbox.store import Json

_SIGNED = ("pspReference", "originalReference", "merchantAccountCode", "merchantReference")


def item(event_code: str, fields: Json, *, at: float, reason: str = "", success: bool = True) -> Json:
    """One notification item; `fields` are those that depend on what it is about."""
    return {
        **fields,
        "eventCode": event_code,
        "eventDate": datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds"),
        "reason": reason,
        # Text on purpose: Adyen writes "true" and "false", and they are signed as such.
        "success": "true" if success else "false",
    }


def document(items: Sequence[Json]) -> Json:
    """What is posted: one item, or several where notifications are sent in batches. Not signed yet."""
    return {"live": "false", "notificationItems": [{"NotificationRequestItem": one} for one in items]}


def items_of(notification: Json) -> list[Json]:
    """The items in a document."""
    return [wrapped["NotificationRequestItem"] for wrapped in notification["notificationItems"]]


def signature(one: Json, key: str) -> str:
    """Adyen's HMAC of one item. It covers eight fields and nothing else; colons in them are not escaped."""
    values: list[Any] = [one.get(name, "") for name in _SIGNED]
    values += [one["amount"]["value"], one["amount"]["currency"], one["eventCode"], one["success"]]
    signed = ":".join(str(value) for value in values)
    return base64.b64encode(hmac.new(bytes.fromhex(key), signed.encode(), hashlib.sha256).digest()).decode()


def signed(notification: Json, key: str) -> Json:
    """The same document with every item signed."""
    found = copy.deepcopy(notification)
    for one in items_of(found):
        one.setdefault("additionalData", {})["hmacSignature"] = signature(one, key)
    return found
