"""Disputes as they stand in the tables: that they are, and the projection of what the gateway last said of them."""

from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, exists, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.dispute import DisputeSnapshot, DisputeState, dispute_id_of
from domain.errors import BooksError
from domain.money import Money
from ledger.contract import DisputeRecord
from ledger.later_tables import dispute_status, disputes

_STATUS = (
    "payment_id", "reference", "amount_minor", "withdrawn_minor", "currency", "state", "reason", "live", "respond_by",
    "updated_at", "answered", "answered_at",
)  # fmt: skip


def select_disputes() -> Select[Any]:
    """Disputes with their status; `dispute_of_row` reads the rows."""
    return select(disputes, *(dispute_status.c[name] for name in _STATUS)).join(dispute_status)


def dispute_of_row(row: Row[Any]) -> DisputeRecord:
    """A row of `select_disputes`."""
    snapshot = DisputeSnapshot(
        gateway=row.gateway,
        dispute_id=row.gateway_dispute_id,
        payment_id=row.payment_id,
        reference=row.reference,
        amount=Money(row.amount_minor, row.currency),
        withdrawn=Money(row.withdrawn_minor, row.currency),
        state=DisputeState(row.state),
        reason=row.reason,
        live=row.live,
        respond_by=row.respond_by,
    )
    return DisputeRecord(
        row.id, row.checkout_id, snapshot, row.opened_at, row.updated_at, row.answered, row.answered_at
    )


async def dispute_on(connection: AsyncConnection, dispute_id: str) -> DisputeRecord | None:
    """The dispute of this id."""
    row = (await connection.execute(select_disputes().where(disputes.c.id == dispute_id))).one_or_none()
    return None if row is None else dispute_of_row(row)


async def known_dispute(connection: AsyncConnection, checkout_id: str, seen: DisputeSnapshot) -> DisputeRecord | None:
    """The checkout's dispute that was seen, None when it is new. Raises BooksError for one of another checkout."""
    found = await dispute_on(connection, dispute_id_of(seen.gateway, seen.dispute_id))
    if found is not None and found.checkout_id != checkout_id:
        raise BooksError(f"dispute {found.id} is about {found.checkout_id}, not about {checkout_id}")
    return found


async def is_disputed(connection: AsyncConnection, checkout_id: str, states: frozenset[DisputeState]) -> bool:
    """Whether a dispute about the checkout is in one of these states."""
    about = exists().where(
        disputes.c.checkout_id == checkout_id,
        dispute_status.c.dispute_id == disputes.c.id,
        dispute_status.c.state.in_(states),
    )
    return bool((await connection.execute(select(about))).scalar_one())


async def project_dispute(connection: AsyncConnection, checkout_id: str, seen: DisputeSnapshot, at: datetime) -> None:
    """Put into the projection what was seen; how it was answered stays."""
    id_ = dispute_id_of(seen.gateway, seen.dispute_id)
    opened = {
        "id": id_,
        "checkout_id": checkout_id,
        "gateway": seen.gateway,
        "gateway_dispute_id": seen.dispute_id,
        "opened_at": at,
    }
    await connection.execute(insert(disputes).values(opened).on_conflict_do_nothing(index_elements=["id"]))
    status = {
        "payment_id": seen.payment_id,
        "reference": seen.reference,
        "amount_minor": seen.amount.minor,
        "withdrawn_minor": seen.withdrawn.minor,
        "currency": seen.amount.currency,
        "state": seen.state,
        "reason": seen.reason,
        "live": seen.live,
        "respond_by": seen.respond_by,
        "updated_at": at,
    }
    new = insert(dispute_status).values({"dispute_id": id_} | status)
    await connection.execute(new.on_conflict_do_update(index_elements=["dispute_id"], set_=status))
