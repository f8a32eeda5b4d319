"""Webhooks signed as Stripe signs them."""

import hashlib
import hmac
import json
import secrets
import time

from sandbox.ids import new_id
from sandbox.webhooks.deliveries import Letter, Variant

_HEADERS = {
    "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
    "Content-Type": "application/json; charset=utf-8",
    "Accept": "*/*; q=0.5, application/xml",
    "Cache-Control": "no-cache",
}


def signature(body: bytes, keys: list[str], at: int) -> str:
    """The Stripe-Signature header: one `v1` per secret that is active."""
    signed = f"{at}.".encode() + body
    parts = [f"v1={hmac.new(key.encode(), signed, hashlib.sha256).hexdigest()}" for key in keys]
    return ",".join([f"t={at}", *parts])


def letter(body: bytes, keys: list[str], variant: Variant) -> Letter:
    """One event as it is posted; a forged one has an id of its own and a signature nobody's secret made."""
    # The machine's time signs, not the virtual one: receivers compare it with their own clock.
    at = int(time.time())
    if variant == "forged":
        body = json.dumps({**json.loads(body), "id": new_id("evt")}).encode()
        keys = [f"whsec_{secrets.token_hex(16)}"]
    return Letter({**_HEADERS, "Stripe-Signature": signature(body, keys, at)}, body)
