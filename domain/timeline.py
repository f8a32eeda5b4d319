"""The timeline: what happened to a checkout, in order, each row chained to the one before by a hash."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from domain.case import CaseMark
from domain.checkout import Checkout, CheckoutStatus, HoldPolicy
from domain.postings import Transaction
from domain.states import CheckoutState

JsonScalar = str | int | bool | None
Details = Mapping[str, JsonScalar]

CHAIN_START = "0" * 64
"""The `previous_hash` of a checkout's first row."""


class EventType(StrEnum):
    """What other services are told; each names one state change (or one decline). The last is of no checkout."""

    CHECKOUT_CREATED = "checkout.created"
    CHECKOUT_OPENED = "checkout.opened"
    CHECKOUT_COMPLETED = "checkout.completed"
    PAYMENT_AUTHORIZED = "payment.authorized"
    PAYMENT_PARTIALLY_CAPTURED = "payment.partially_captured"
    PAYMENT_SUCCEEDED = "payment.succeeded"
    PAYMENT_DECLINED = "payment.declined"
    PAYMENT_CANCELED = "payment.canceled"
    PAYMENT_EXPIRED = "payment.expired"
    ORDER_CONFIRMED = "order.confirmed"
    ORDER_REJECTED = "order.rejected"
    REFUND_CREATED = "refund.created"
    REFUND_SUCCEEDED = "refund.succeeded"
    REFUND_FAILED = "refund.failed"
    DISPUTE_OPENED = "dispute.opened"
    DISPUTE_WON = "dispute.won"
    DISPUTE_LOST = "dispute.lost"
    CASE_OPENED = "case.opened"
    CASE_CLOSED = "case.closed"
    WEBHOOK_ENDPOINT_DISABLED = "webhook_endpoint.disabled"


@dataclass(frozen=True)
class Entry:
    """One row to append: the status it leads to, why, and the money that moved with it.

    `key` is unique within the checkout, so that a repeated write changes nothing. `cause` is `api`, `poll`, `timer`,
    `operator` or `webhook:<event id>`; of a tender it may be `split`, of a split checkout `tender:<the tender's id>`.
    `details` holds ids and codes, no personal data and no secrets.
    `event` is told to other services in the same transaction; None for a row that tells nobody else. `case` opens or
    closes a case with the row.
    """

    key: str
    status: CheckoutStatus
    cause: str
    at: datetime
    details: dict[str, JsonScalar] = field(default_factory=dict)
    transactions: tuple[Transaction, ...] = ()
    event: EventType | None = None
    case: CaseMark | None = None


@dataclass(frozen=True)
class TimelineRow:
    """One row as it stands on the books."""

    checkout_id: str
    sequence: int
    key: str
    state: CheckoutState
    cause: str
    at: datetime
    details: dict[str, JsonScalar]
    previous_hash: str
    hash: str


def terms_of(checkout: Checkout) -> dict[str, JsonScalar]:
    """The details of a checkout's first row: what the shop asked for, in minor units of the currency.

    Where the rules chose the gateway, their reason and the alternatives too. A hold that nobody decides on is let go
    unless the terms say otherwise.
    """
    terms: dict[str, JsonScalar] = {
        "amount": checkout.amount.minor,
        "currency": checkout.amount.currency,
        "gateway": checkout.gateway,
        "capture": str(checkout.capture),
    }
    if checkout.route is not None:
        terms |= {"route": checkout.route, "alternatives": ",".join(checkout.alternatives)}
    if checkout.parent_id is not None:
        terms |= {"parent_id": checkout.parent_id, "leg": checkout.leg}
    if checkout.on_hold_expiry is not HoldPolicy.CANCEL:
        terms["on_hold_expiry"] = str(checkout.on_hold_expiry)
    return terms


def row_hash(
    checkout_id: str,
    sequence: int,
    previous_hash: str,
    entry_key: str,
    state: str,
    cause: str,
    at: datetime,
    details: Details,
    transactions: tuple[Transaction, ...],
) -> str:
    """SHA-256 over the row, its postings and the previous row's hash: a change anywhere breaks every later row."""
    content = {
        "checkout_id": checkout_id,
        "sequence": sequence,
        "previous_hash": previous_hash,
        "key": entry_key,
        "state": state,
        "cause": cause,
        "at": at.astimezone(UTC).isoformat(timespec="microseconds"),
        "details": dict(details),
        "transactions": [
            [str(t.kind), t.reference, [[p.account, p.currency, p.amount_minor] for p in t.postings]]
            for t in transactions
        ],
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
