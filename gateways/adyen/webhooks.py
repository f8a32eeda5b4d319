"""Notifications: proves that every item of a delivery comes from Adyen, and reads what the items say.

The signature covers eight fields and nothing else, see `Notification`, and it has no time in it: an old delivery
verifies for ever. What keeps a replay from doing harm is that an event has the same id each time, and that a payment is
understood from the set of its notifications, so that one more copy of one of them says nothing new.

Source: docs.adyen.com/development-resources/webhooks/secure-webhooks/verify-hmac-signatures.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain.errors import WebhookNotAuthenticError
from gateways.contract import WebhookEvent
from gateways.strict_json import read_strictly

PAYMENT_EVENTS = (
    "AUTHORISATION",
    "CAPTURE",
    "CAPTURE_FAILED",
    "CANCELLATION",
    "TECHNICAL_CANCEL",
    "CANCEL_OR_REFUND",
    "EXPIRE",
    "REFUND",
    "REFUND_FAILED",
    "REFUNDED_REVERSED",
)
"""The events that a payment is understood from."""
DISPUTE_EVENTS = (
    "REQUEST_FOR_INFORMATION",
    "NOTIFICATION_OF_CHARGEBACK",
    "CHARGEBACK",
    "INFORMATION_SUPPLIED",
    "CHARGEBACK_REVERSED",
    "SECOND_CHARGEBACK",
    "DISPUTE_DEFENSE_PERIOD_ENDED",
    "ISSUER_RESPONSE_TIMEFRAME_EXPIRED",
    "PREARBITRATION_OPEN",
    "PREARBITRATION_WON",
    "PREARBITRATION_LOST",
    "PREARBITRATION_ISSUER_WITHDRAWN",
    "SCHEME_ARBITRATION",
    "SCHEME_ARBITRATION_WON",
    "SCHEME_ARBITRATION_LOST",
)
"""The events that a dispute is understood from; all of them carry its pspReference and the payment's reference."""
WEBHOOK_EVENTS = PAYMENT_EVENTS + DISPUTE_EVENTS
"""What has to be switched on at Adyen, which leaves some of them out by default."""

_LARGEST_BODY = 1024 * 1024
_MOST_ITEMS = 500
_SIGNATURE = re.compile(r"[A-Za-z0-9+/]{43}=")
# No signed field but the reference may hold a colon: with the fields joined by colons, the same signed text could
# otherwise be read as other fields.
_WORD = re.compile(r"[A-Za-z0-9_.\-]{1,128}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_REFERENCE = re.compile(r"[\x21-\x39\x3b-\x7e]{1,255}")
_LINK = re.compile(r"PL[A-Za-z0-9]{1,62}")
_LONGEST_REFERENCE = 1000
_FLAGS = {"true": True, "false": False}


@dataclass(frozen=True)
class Notification:
    """One item. The fields up to `success` are those that Adyen signs; the others serve people and ordering only.

    `reference` is the merchantReference: our checkout's id for a payment, our key for what was done to one.
    `original_reference` is the payment that a modification belongs to, empty for a payment itself.
    """

    psp_reference: str
    original_reference: str
    account: str
    reference: str
    value: int
    currency: str
    code: str
    success: bool
    at: datetime
    live: bool
    reason: str = ""
    link_id: str | None = None
    action: str | None = None
    respond_by: datetime | None = None

    @property
    def signed(self) -> tuple[str | int | bool, ...]:
        """What Adyen's signature vouches for."""
        return (self.psp_reference, self.original_reference, self.account, self.reference, self.value,
                self.currency, self.code, self.success)  # fmt: skip

    @property
    def event_id(self) -> str:
        """The same for every copy of this notification."""
        return f"{self.psp_reference}:{self.code}:{_word_of(self.success)}"

    @property
    def checkout_id(self) -> str | None:
        """Our checkout's id, with which every reference of ours begins; None for what cannot be one."""
        first = self.reference.partition(":")[0]
        return first if _REFERENCE.fullmatch(first) else None

    @property
    def dispute_id(self) -> str | None:
        """The dispute by our name for it: the checkout leads to its notifications, the pspReference picks them out."""
        told = self.code in DISPUTE_EVENTS and self.checkout_id is not None
        return f"{self.checkout_id}:{self.psp_reference}" if told else None

    @property
    def key(self) -> str | None:
        """The operation key under which we asked for it; None for payments and for what others asked for."""
        return self.reference if ":" in self.reference else None


def parse(body: bytes, keys: Sequence[str], account: str) -> list[WebhookEvent]:
    """The events of an authentic delivery; one item in doubt puts the whole delivery in doubt.

    Events of another merchant account are kept as irrelevant. Raises WebhookNotAuthenticError, and nothing else.
    """
    try:
        items, live = _items(body)
        for item in items:
            _authenticate(item, keys)
        found = [_notification(item, live) for item in items]
        return list({n.event_id: _event(n, account) for n in found}.values())
    except WebhookNotAuthenticError:
        raise
    # Whatever else a hostile delivery provokes (recursion, overflow, undecodable bytes) is a delivery to refuse.
    except Exception as error:  # noqa: BLE001
        raise WebhookNotAuthenticError(f"the delivery cannot be read: {type(error).__name__}") from None


def notifications(body: bytes) -> list[Notification]:
    """What a delivery says that was found authentic before. Raises WebhookNotAuthenticError or ValueError."""
    items, live = _items(body)
    return [_notification(item, live) for item in items]


def _items(body: bytes) -> tuple[list[dict[str, Any]], bool]:
    if len(body) > _LARGEST_BODY:
        raise WebhookNotAuthenticError("the delivery is larger than any of Adyen's")
    document = read_strictly(body)
    wrapped = document.get("notificationItems") if isinstance(document, dict) else None
    if not isinstance(document, dict) or not isinstance(wrapped, list) or not 1 <= len(wrapped) <= _MOST_ITEMS:
        raise WebhookNotAuthenticError("the body is no delivery of notifications")
    items = [wrapper.get("NotificationRequestItem") if isinstance(wrapper, dict) else None for wrapper in wrapped]
    if not all(isinstance(item, dict) for item in items):
        raise WebhookNotAuthenticError("the delivery has an item that is no notification")
    return [item for item in items if isinstance(item, dict)], _flag(document, "live")


def _authenticate(item: dict[str, Any], keys: Sequence[str]) -> None:
    data = item.get("additionalData")
    signature = data.get("hmacSignature") if isinstance(data, dict) else None
    if not isinstance(signature, str) or not _SIGNATURE.fullmatch(signature):
        raise WebhookNotAuthenticError("an item has no signature")
    signed = _signed_text(item)
    expected = [_signature(signed, key) for key in keys if key.strip()]
    # Every key is tried, so that the time it takes tells nothing about which of them came close.
    if not sum(hmac.compare_digest(ours, signature) for ours in expected):
        raise WebhookNotAuthenticError("the signature of an item fits no active key")


def _signature(signed: bytes, key: str) -> str:
    return base64.b64encode(hmac.new(bytes.fromhex(key), signed, hashlib.sha256).digest()).decode()


def _signed_text(item: dict[str, Any]) -> bytes:
    """The eight fields as Adyen joins them, each checked first; nothing in them is escaped."""
    value, currency = _amount(item)
    words = (_word(item, "pspReference"), _original(item), _word(item, "merchantAccountCode"), _reference(item),
             str(value), currency, _word(item, "eventCode"), _word_of(_flag(item, "success")))  # fmt: skip
    return ":".join(words).encode()


def _notification(item: dict[str, Any], live: bool) -> Notification:
    value, currency = _amount(item)
    data, reason, at = item.get("additionalData"), item.get("reason"), datetime.fromisoformat(item["eventDate"])
    if at.tzinfo is None:
        raise WebhookNotAuthenticError("an item's eventDate has no time zone")
    told = data if isinstance(data, dict) else {}
    link, action = told.get("paymentLinkId"), told.get("modification.action")
    return Notification(
        psp_reference=_word(item, "pspReference"),
        original_reference=_original(item),
        account=_word(item, "merchantAccountCode"),
        reference=_reference(item),
        value=value,
        currency=currency,
        code=_word(item, "eventCode"),
        success=_flag(item, "success"),
        at=at,
        live=live,
        reason=reason if isinstance(reason, str) else "",
        link_id=link if isinstance(link, str) and _LINK.fullmatch(link) else None,
        action=action if isinstance(action, str) else None,
        respond_by=_moment(told.get("defensePeriodEndsAt")),
    )


def _event(said: Notification, account: str) -> WebhookEvent:
    ours = said.account == account and said.checkout_id is not None
    return WebhookEvent(
        event_id=said.event_id,
        type=said.code,
        payment_id=said.link_id if ours else None,
        reference=said.checkout_id,
        occurred_at=said.at,
        live=said.live,
        relevant=ours and said.code in WEBHOOK_EVENTS,
        dispute_id=said.dispute_id if ours else None,
    )


def _moment(stated: object) -> datetime | None:
    """A date outside of the signature: one that cannot be read is left out, and never costs the delivery."""
    try:
        read = datetime.fromisoformat(stated) if isinstance(stated, str) else None
    except ValueError:
        return None
    return read if read is not None and read.tzinfo is not None else None


def _amount(item: dict[str, Any]) -> tuple[int, str]:
    amount = item.get("amount")
    value, currency = (amount.get("value"), amount.get("currency")) if isinstance(amount, dict) else (None, None)
    if type(value) is not int or not isinstance(currency, str) or not _CURRENCY.fullmatch(currency):
        raise WebhookNotAuthenticError("an item has no valid amount")
    return value, currency


def _original(item: dict[str, Any]) -> str:
    return _word(item, "originalReference") if item.get("originalReference") not in (None, "") else ""


def _reference(item: dict[str, Any]) -> str:
    value = item.get("merchantReference")
    value = "" if value is None else value
    if not isinstance(value, str) or len(value) > _LONGEST_REFERENCE:
        raise WebhookNotAuthenticError("an item has no valid merchantReference")
    return value


def _word(stated: dict[str, Any], field: str) -> str:
    value = stated.get(field)
    if not isinstance(value, str) or not _WORD.fullmatch(value):
        raise WebhookNotAuthenticError(f"an item has no valid {field}")
    return value


def _flag(stated: dict[str, Any], field: str) -> bool:
    """Adyen writes truth as text."""
    value = stated.get(field)
    if not isinstance(value, str) or value not in _FLAGS:
        raise WebhookNotAuthenticError(f"the delivery has no valid {field}")
    return _FLAGS[value]


def _word_of(flag: bool) -> str:
    return "true" if flag else "false"
