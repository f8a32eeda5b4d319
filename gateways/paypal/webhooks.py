"""Webhooks: proves that PayPal signed a delivery, then takes a hint from it.

PayPal signs `transmission id|time|webhook id|CRC32 of the body`, and a CRC32 can be met by a body of anybody's making:
whoever saw one delivery can have another body pass for it. So the body names a payment to look up and nothing else;
what became of that payment, its amounts and whose it is, PayPal's own answer to the look-up says.
https://developer.paypal.com/api/rest/webhooks/rest tells how the signature is made.
"""

import base64
import json
import re
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA256

from domain.errors import GatewayUnreachableError, OutcomeUnknownError, WebhookNotAuthenticError
from gateways.contract import ListedEvent, WebhookEvent
from gateways.paypal import fields
from gateways.paypal.certificates import Certificates
from gateways.paypal.options import PayPalOptions
from gateways.paypal.pieces import swapped
from gateways.strict_json import read_strictly

# PayPal repeats a delivery for three days and nowhere says that a repetition is signed anew, so a window of minutes
# would refuse genuine ones. What an old delivery can do again is name a payment to look up; the inbox knows its id.
OLDEST = timedelta(days=3, hours=1)
FURTHEST_AHEAD = timedelta(seconds=300)

WEBHOOK_EVENTS = (
    "CHECKOUT.ORDER.APPROVED",
    "CHECKOUT.ORDER.COMPLETED",
    "CHECKOUT.PAYMENT-APPROVAL.REVERSED",
    "PAYMENT.AUTHORIZATION.CREATED",
    "PAYMENT.AUTHORIZATION.VOIDED",
    "PAYMENT.CAPTURE.COMPLETED",
    "PAYMENT.CAPTURE.DECLINED",
    "PAYMENT.CAPTURE.DENIED",
    "PAYMENT.CAPTURE.PENDING",
    "PAYMENT.CAPTURE.REFUNDED",
    "PAYMENT.CAPTURE.REVERSED",
    "PAYMENT.REFUND.PENDING",
    "PAYMENT.REFUND.FAILED",
    "CUSTOMER.DISPUTE.CREATED",
    "CUSTOMER.DISPUTE.UPDATED",
    "CUSTOMER.DISPUTE.RESOLVED",
)
"""The events a webhook has to subscribe to."""

# Their resource is the refund, not the payment.
_OF_REFUNDS = frozenset(
    {"PAYMENT.CAPTURE.REFUNDED", "PAYMENT.CAPTURE.REVERSED", "PAYMENT.REFUND.PENDING", "PAYMENT.REFUND.FAILED"}
)
_OF_DISPUTES = "CUSTOMER.DISPUTE."
_ALGORITHM = "SHA256withRSA"
_TRANSMISSION = re.compile(r"[A-Za-z0-9-]{1,64}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|\+00:00)")
_SIGNATURE = re.compile(r"[A-Za-z0-9+/]{300,1024}={0,2}")
_EVENT_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_TYPE = re.compile(r"[A-Z0-9._-]{1,128}")
_PAYMENT = re.compile(r"[A-Z0-9-]{1,36}")
_REFERENCE = re.compile(r"[\x21-\x7e]{1,255}")


async def parse(
    body: bytes, headers: Mapping[str, str], options: PayPalOptions, certificates: Certificates, now: datetime
) -> list[WebhookEvent]:
    """The one event of an authentic delivery.

    Raises WebhookNotAuthenticError for any doubt, GatewayUnreachableError when the certificate cannot be had.
    """
    try:
        sent_at = await _authenticate(body, headers, options.webhook_id, certificates, now)
        return [_event(read_strictly(body), sent_at, options.live)]
    except (WebhookNotAuthenticError, GatewayUnreachableError):
        raise
    # Whatever else a hostile delivery provokes (recursion, overflow, undecodable bytes) is a delivery to refuse.
    except Exception as error:  # noqa: BLE001
        raise WebhookNotAuthenticError(f"the delivery cannot be read: {type(error).__name__}") from None


def hinted_payment(body: bytes) -> str | None:
    """The order that a delivery names, authentic or not: something to look up, nothing to believe."""
    try:
        event = read_strictly(body)
        return _payment_id(event["event_type"], event["resource"]) if isinstance(event, dict) else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def listed(stated: Mapping[str, Any], live: bool) -> ListedEvent | None:
    """An event of PayPal's own list, as a delivery would have brought it; None for one that is not relevant.

    Raises OutcomeUnknownError for one that we subscribe to and cannot read.
    """
    if stated.get("event_type") not in WEBHOOK_EVENTS:
        return None
    try:
        event = _event(dict(stated), fields.moment(stated, "create_time"), live)
    except (WebhookNotAuthenticError, AttributeError):
        raise fields.unreadable("an event of the list") from None
    return ListedEvent(event, json.dumps(stated, separators=(",", ":")).encode()) if event.relevant else None


async def _authenticate(
    body: bytes, headers: Mapping[str, str], webhook_id: str, certificates: Certificates, now: datetime
) -> datetime:
    """When PayPal sent it, which the signature covers."""
    if _header(headers, "auth-algo", 64) != _ALGORITHM:
        raise WebhookNotAuthenticError("the delivery is not signed with SHA256withRSA")
    transmission, time = _header(headers, "transmission-id", 64), _header(headers, "transmission-time", 64)
    signature, url = _header(headers, "transmission-sig", 1026), _header(headers, "cert-url", 500)
    if not (_TRANSMISSION.fullmatch(transmission) and _TIME.fullmatch(time) and _SIGNATURE.fullmatch(signature)):
        raise WebhookNotAuthenticError("the PayPal-Transmission headers are none that PayPal would send")
    sent_at = datetime.fromisoformat(time)
    if not -FURTHEST_AHEAD <= now - sent_at <= OLDEST:
        raise WebhookNotAuthenticError("the transmission time is too far from now")
    signer = await certificates.signer(url, now)
    signed = f"{transmission}|{time}|{webhook_id}|{zlib.crc32(body)}".encode()
    signer.key.verify(base64.b64decode(signature, validate=True), signed, padding.PKCS1v15(), SHA256())
    return sent_at.astimezone(UTC)


def _header(headers: Mapping[str, str], name: str, longest: int) -> str:
    value = headers.get(f"paypal-{name}")
    if not value or len(value) > longest or not value.isascii():
        raise WebhookNotAuthenticError(f"there is no PayPal-{name} header that PayPal would send")
    return value


def _event(event: Any, sent_at: datetime, live: bool) -> WebhookEvent:
    """The event names no mode, but the signature covers the webhook's id, which belongs to one mode only: ours.

    When it happened is its own word, as the rest of it is, so that PayPal's list tells the same event; `sent_at` is for
    those that do not say.
    """
    if not isinstance(event, dict) or not isinstance(event.get("resource"), dict):
        raise WebhookNotAuthenticError("the body is no PayPal event")
    kind, resource = _word(event, "event_type", _TYPE), event["resource"]
    payment_id, reference = _payment_id(kind, resource), _reference(kind, resource)
    dispute_id = _dispute(kind, resource)
    return WebhookEvent(
        event_id=_word(event, "id", _EVENT_ID),
        type=kind,
        payment_id=payment_id,
        reference=reference,
        occurred_at=_happened(event, sent_at),
        live=live,
        relevant=(payment_id or reference or dispute_id) is not None and kind in WEBHOOK_EVENTS,
        dispute_id=dispute_id,
    )


def _happened(event: dict[str, Any], otherwise: datetime) -> datetime:
    try:
        return fields.moment(event, "create_time")
    except OutcomeUnknownError:
        return otherwise


def _payment_id(kind: str, resource: dict[str, Any]) -> str | None:
    if kind.startswith("CHECKOUT.ORDER."):
        named = resource.get("id")
    elif kind == "CHECKOUT.PAYMENT-APPROVAL.REVERSED":
        named = resource.get("order_id")
    elif kind.startswith("PAYMENT."):
        named = ((resource.get("supplementary_data") or {}).get("related_ids") or {}).get("order_id")
    else:
        return None
    return named if isinstance(named, str) and _PAYMENT.fullmatch(named) else None


def _reference(kind: str, resource: dict[str, Any]) -> str | None:
    """The checkout's id: an order has it in its unit, payments have it themselves, a refund's key begins with it."""
    if kind.startswith(_OF_DISPUTES):
        custom = _first(resource, "disputed_transactions").get("custom")
    else:
        custom = (_first(resource, "purchase_units") or resource).get("custom_id")
    if not isinstance(custom, str):
        return None
    reference = swapped(custom).partition(":")[0] if kind in _OF_REFUNDS else custom
    return reference if _REFERENCE.fullmatch(reference) else None


def _first(resource: dict[str, Any], name: str) -> dict[str, Any]:
    found = resource.get(name)
    return found[0] if isinstance(found, list) and found and isinstance(found[0], dict) else {}


def _dispute(kind: str, resource: dict[str, Any]) -> str | None:
    named = resource.get("dispute_id") if kind.startswith(_OF_DISPUTES) else None
    return named if isinstance(named, str) and _PAYMENT.fullmatch(named) else None


def _word(stated: dict[str, Any], field: str, form: re.Pattern[str]) -> str:
    value = stated.get(field)
    if not isinstance(value, str) or not form.fullmatch(value):
        raise WebhookNotAuthenticError(f"the event has no valid {field}")
    return value
