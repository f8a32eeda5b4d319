"""Notifications, signed by hand so that nothing of the code under test is used to make them."""

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from gateways.adyen import webhooks
from gateways.adyen.webhooks import Notification, notifications
from gateways.contract import WebhookEvent

OLD, NEW = "0123456789ABCDEF" * 4, "FEDCBA9876543210" * 4
ACCOUNT = "PaysagaECOM"
CHECKOUT = "chk_1"
LINK_ID = "PL61C53A8B97E6915A"
PAYMENT = "PSPPAYMENT000001"
START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

Item = dict[str, Any]


def item(code: str = "AUTHORISATION", **changes: Any) -> Item:
    """One item about a payment of 42 dollars, not signed yet. `data` are more of its additionalData."""
    more = changes.pop("data", {})
    stated: Item = {
        "additionalData": {"paymentLinkId": LINK_ID, **more},
        "amount": {"currency": "USD", "value": 4200},
        "eventCode": code,
        "eventDate": "2026-11-22T13:00:00+01:00",
        "merchantAccountCode": ACCOUNT,
        "merchantReference": CHECKOUT,
        "paymentMethod": "visa",
        "pspReference": PAYMENT,
        "reason": "",
        "success": "true",
    }
    return stated | changes


def done(code: str, key: str | None = None, psp: str | None = None, **changes: Any) -> Item:
    """One item about something done to that payment; its own pspReference comes from its key unless given."""
    own = psp or f"PSP{(key or code).replace(':', '').upper()}"
    return item(
        code, pspReference=own, originalReference=PAYMENT, merchantReference=f"{CHECKOUT}:{key}" if key else CHECKOUT,
        **changes,
    )  # fmt: skip


def refused(stated: Item, reason: str) -> Item:
    """The same item, telling of no success."""
    return {**stated, "success": "false", "reason": reason}


def after(stated: Item, minutes: int) -> Item:
    """The same item, generated so many minutes later."""
    return {**stated, "eventDate": (START + timedelta(minutes=minutes)).isoformat()}


def signature(stated: Item, key: str = NEW) -> str:
    """Adyen's signature of an item."""
    signed = ":".join(
        str(value)
        for value in (
            stated["pspReference"],
            stated.get("originalReference") or "",
            stated["merchantAccountCode"],
            stated["merchantReference"],
            stated["amount"]["value"],
            stated["amount"]["currency"],
            stated["eventCode"],
            stated["success"],
        )
    )
    return base64.b64encode(hmac.new(bytes.fromhex(key), signed.encode(), hashlib.sha256).digest()).decode()


def signed(stated: Item, key: str = NEW) -> Item:
    """The item with its signature."""
    data = stated.get("additionalData") or {}
    return {**stated, "additionalData": {**data, "hmacSignature": signature(stated, key)}}


def document(*items: Item, live: Any = "false") -> dict[str, Any]:
    """A delivery of these items as they are."""
    return {"live": live, "notificationItems": [{"NotificationRequestItem": one} for one in items]}


def body(*items: Item, key: str = NEW, live: Any = "false") -> bytes:
    """A delivery of these items, each of them signed."""
    return json.dumps(document(*(signed(one, key) for one in items), live=live)).encode()


def parse(delivered: bytes, keys: Sequence[str] = (OLD, NEW)) -> list[WebhookEvent]:
    """The events of a delivery."""
    return webhooks.parse(delivered, keys, ACCOUNT)


def told(*items: Item) -> list[Notification]:
    """What these items say, each delivered by itself."""
    return [n for one in items for n in notifications(body(one))]
