"""Notifications as they are posted: one item or a batch, each signed."""

import json

from sandbox.adyen import notifications
from sandbox.adyen.errors import new_reference
from sandbox.adyen.gateway import new_hmac_key
from sandbox.adyen.shapes import lying
from sandbox.webhooks.deliveries import Letter, Variant

_HEADERS = {
    "User-Agent": "Adyen HttpClient 1.0",
    "Content-Type": "application/json; charset=UTF-8",
    "Accept": "application/json",
}


def letter(events: list[bytes], key: str, variant: Variant) -> Letter:
    """Items in one document; forged ones have references of their own and a signature nobody's key made.

    Items that lie about their money are signed as well as true ones.
    """
    items = [json.loads(event) for event in events]
    if variant == "forged":
        items = [{**one, "pspReference": new_reference()} for one in items]
        key = new_hmac_key()
    document = notifications.document([lying(one, variant) for one in items])
    if variant == "livemode_true":
        document["live"] = "true"
    document = notifications.signed(document, key)
    return Letter(_HEADERS, json.dumps(document, separators=(",", ":")).encode())
