"""Webhooks: proves that raw bytes come from Stripe, then takes a hint from them.

The SDK's own check accepts any time in the future, takes the first of two timestamps and fails in several ways on
hostile headers, so the few lines are here: https://docs.stripe.com/webhooks#verify-manually says how.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from domain.errors import WebhookNotAuthenticError
from gateways.contract import WebhookEvent
from gateways.strict_json import read_strictly
from gateways.stripe.translate import REFERENCE

SIGNATURE_HEADER = "stripe-signature"
TOLERANCE_SECONDS = 300

WEBHOOK_EVENTS = (
    "payment_intent.succeeded",
    "payment_intent.payment_failed",
    "payment_intent.canceled",
    "payment_intent.amount_capturable_updated",
    "payment_intent.requires_action",
    "payment_intent.processing",
    "charge.refunded",
    "charge.refund.updated",
    "refund.updated",
    "refund.failed",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.closed",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
)
"""The events a webhook endpoint has to subscribe to."""

# A header holds one timestamp and one signature per active secret; hashing is not started for anything longer.
_LONGEST_HEADER = 4096
_MOST_ITEMS = 32
_TIMESTAMP = re.compile(r"[0-9]{1,12}")
_SIGNATURE = re.compile(r"[0-9a-f]{64}")
_DISPUTE = "charge.dispute."
_WORD = re.compile(r"[A-Za-z0-9_.]{1,255}")
_REFERENCE = re.compile(r"[\x21-\x7e]{1,255}")


def parse(body: bytes, headers: Mapping[str, str], secrets: Sequence[str], now: datetime) -> list[WebhookEvent]:
    """The one event of an authentic delivery. Raises WebhookNotAuthenticError for any doubt, and nothing else."""
    try:
        _authenticate(body, headers.get(SIGNATURE_HEADER), secrets, now.timestamp())
        return [event_of(read_strictly(body))]
    except WebhookNotAuthenticError:
        raise
    # Whatever else a hostile delivery provokes (recursion, overflow, undecodable bytes) is a delivery to refuse.
    except Exception as error:  # noqa: BLE001
        raise WebhookNotAuthenticError(f"the delivery cannot be read: {type(error).__name__}") from None


def _authenticate(body: bytes, header: str | None, secrets: Sequence[str], now: float) -> None:
    if not header:
        raise WebhookNotAuthenticError("there is no Stripe-Signature header")
    if len(header) > _LONGEST_HEADER or header.count(",") >= _MOST_ITEMS or not header.isascii():
        raise WebhookNotAuthenticError("the Stripe-Signature header is none that Stripe would send")
    items = [item.partition("=") for item in header.split(",")]
    times = [value for name, _, value in items if name == "t"]
    signatures = [value for name, _, value in items if name == "v1" and _SIGNATURE.fullmatch(value)]
    if len(times) != 1 or not _TIMESTAMP.fullmatch(times[0]):
        raise WebhookNotAuthenticError("the Stripe-Signature header has no single timestamp")
    if abs(now - int(times[0])) > TOLERANCE_SECONDS:
        raise WebhookNotAuthenticError("the signature's timestamp is too far from now")
    signed = times[0].encode() + b"." + body
    expected = [hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets if secret.strip()]
    # Every pair is compared, so that the time it takes tells nothing about which secret or signature came close.
    if not sum(hmac.compare_digest(ours, theirs) for ours in expected for theirs in signatures):
        raise WebhookNotAuthenticError("no signature fits an active secret")


def event_of(event: Any) -> WebhookEvent:
    """What an event of Stripe's hints at. Raises WebhookNotAuthenticError, and others for what is none of Stripe's."""
    if not isinstance(event, dict) or event.get("object") != "event":
        raise WebhookNotAuthenticError("the body is no Stripe event")
    kind = _word(event, "type")
    created, live = event.get("created"), event.get("livemode")
    if type(created) is not int or not isinstance(live, bool):
        raise WebhookNotAuthenticError("the event has no valid created or livemode")
    subject = event["data"]["object"]
    if not isinstance(subject, dict):
        raise WebhookNotAuthenticError("the event has no object")
    payment_id = _payment_id(kind, subject)
    return WebhookEvent(
        event_id=_word(event, "id"),
        type=kind,
        payment_id=payment_id,
        reference=_reference(subject),
        occurred_at=datetime.fromtimestamp(created, UTC),
        live=live,
        relevant=payment_id is not None and kind in WEBHOOK_EVENTS,
        dispute_id=_word(subject, "id") if kind.startswith(_DISPUTE) else None,
    )


def _payment_id(kind: str, subject: dict[str, Any]) -> str | None:
    if kind.startswith("payment_intent."):
        return _word(subject, "id")
    if kind.startswith(("charge.", "refund.")) and subject.get("payment_intent") is not None:
        return _word(subject, "payment_intent")
    return None


def _reference(subject: dict[str, Any]) -> str | None:
    metadata = subject.get("metadata")
    value = metadata.get(REFERENCE) if isinstance(metadata, dict) else None
    return value if isinstance(value, str) and _REFERENCE.fullmatch(value) else None


def _word(stated: dict[str, Any], field: str) -> str:
    value = stated.get(field)
    if not isinstance(value, str) or not _WORD.fullmatch(value):
        raise WebhookNotAuthenticError(f"the event has no valid {field}")
    return value
