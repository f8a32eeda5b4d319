"""Webhook deliveries, signed by hand so that nothing of the code under test is used to make them."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from gateways.contract import WebhookEvent
from gateways.stripe import webhooks

OLD, NEW = "whsec_old", "whsec_new"
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SECOND = int(NOW.timestamp())


def event(**changes: Any) -> dict[str, Any]:
    """A delivery's body as Stripe sends it."""
    stated: dict[str, Any] = {
        "id": "evt_1",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": SECOND - 2,
        "data": {
            "object": {
                "id": "pi_1",
                "object": "payment_intent",
                "amount": 4200,
                "currency": "usd",
                "metadata": {"checkout_id": "chk_1"},
            }
        },
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": "payment_intent.succeeded",
    }
    return stated | changes


BODY = json.dumps(event()).encode()


def signature(body: bytes, secret: str = NEW, at: str = str(SECOND)) -> str:
    """The v1 signature over these very bytes."""
    return hmac.new(secret.encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest()


def header(body: bytes, secret: str = NEW, at: str = str(SECOND)) -> str:
    """A good header."""
    return f"t={at},v1={signature(body, secret, at)}"


def parse(body: bytes, header: str | None, secrets: tuple[str, ...] = (OLD, NEW)) -> WebhookEvent:
    """The one event of a delivery."""
    headers: Mapping[str, str] = {} if header is None else {"stripe-signature": header}
    (parsed,) = webhooks.parse(body, headers, secrets, NOW)
    return parsed


def parse_signed(stated: Any) -> WebhookEvent:
    """The event of a delivery with a good signature, whatever it says."""
    body = stated if isinstance(stated, bytes) else json.dumps(stated).encode()
    return parse(body, header(body))
