"""Between rows and values: how a checkout, its status and its timeline stand in the tables."""

from dataclasses import asdict
from typing import Any

from sqlalchemy import Row, Select, select

from domain.checkout import CaptureMode, Checkout, CheckoutRecord, CheckoutStatus, Failure, HoldPolicy
from domain.money import Money
from domain.payment import NextAction
from domain.states import CheckoutState
from domain.timeline import TimelineRow
from ledger.tables import checkout_status, checkouts

_STATUS_COLUMNS = (
    "state", "payment_id", "captured_minor", "refunded_minor", "next_action", "failure", "stuck", "waiting_for",
    "last_sequence", "last_hash", "updated_at",
)  # fmt: skip


def select_records() -> Select[Any]:
    """Checkouts with their status; `record_of` reads the rows."""
    columns = (checkout_status.c[name] for name in _STATUS_COLUMNS)
    return select(checkouts, *columns, checkout_status.c.gateway.label("payment_gateway")).join(checkout_status)


def checkout_values(checkout: Checkout) -> dict[str, Any]:
    """The checkout as a row."""
    values = asdict(checkout)
    money = values.pop("amount")
    return values | {"amount_minor": money["minor"], "currency": money["currency"]}


def status_values(status: CheckoutStatus) -> dict[str, Any]:
    """The status as columns of the projection, the gateway among them only where it is not the checkout's own."""
    values = asdict(status)
    return values if status.gateway is not None else {n: v for n, v in values.items() if n != "gateway"}


def checkout_of(row: Row[Any]) -> Checkout:
    """The checkout in a row that holds all its columns."""
    return Checkout(
        id=row.id,
        order_id=row.order_id,
        amount=Money(row.amount_minor, row.currency),
        gateway=row.gateway,
        capture=CaptureMode(row.capture),
        confirm_within_seconds=row.confirm_within_seconds,
        created_at=row.created_at,
        expires_at=row.expires_at,
        return_url=row.return_url,
        email=row.email,
        metadata=row.metadata,
        alternatives=tuple(row.alternatives),
        route=row.route,
        parent_id=row.parent_id,
        leg=row.leg,
        on_hold_expiry=HoldPolicy(row.on_hold_expiry),
    )


def status_of(row: Row[Any]) -> CheckoutStatus:
    """The status in a row that holds all the projection's columns."""
    return CheckoutStatus(
        state=CheckoutState(row.state),
        payment_id=row.payment_id,
        captured_minor=row.captured_minor,
        refunded_minor=row.refunded_minor,
        next_action=NextAction(**row.next_action) if row.next_action else None,
        failure=Failure(**row.failure) if row.failure else None,
        stuck=row.stuck,
        waiting_for=row.waiting_for,
        gateway=row.payment_gateway if row.payment_gateway != row.gateway else None,
    )


def record_of(row: Row[Any]) -> CheckoutRecord:
    """A row of `select_records`."""
    return CheckoutRecord(checkout_of(row), status_of(row), row.last_sequence, row.updated_at)


def timeline_row_of(row: Row[Any]) -> TimelineRow:
    """A row of the timeline."""
    return TimelineRow(
        checkout_id=row.checkout_id,
        sequence=row.sequence,
        key=row.key,
        state=CheckoutState(row.state),
        cause=row.cause,
        at=row.at,
        details=row.details,
        previous_hash=row.previous_hash,
        hash=row.hash,
    )
