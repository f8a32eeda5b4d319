"""Refunds of the shop's as they stand in the tables: what was asked for, and the projection of where it stands."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.checkout import Failure
from domain.money import Money
from domain.payment import RefundStatus
from domain.refund import Refund, RefundRecord
from ledger.later_tables import refund_status, refunds
from ledger.projections import RefundTold


def select_refunds() -> Select[Any]:
    """Refunds with their status, oldest first; `refund_of_row` reads the rows."""
    s = refund_status.c
    query = select(refunds, s.state, s.gateway_refund_id, s.failure, s.updated_at).join(refund_status)
    return query.order_by(refunds.c.created_at, refunds.c.id)


def refund_of_row(row: Row[Any]) -> RefundRecord:
    """A row of `select_refunds`."""
    refund = Refund(row.id, row.checkout_id, Money(row.amount_minor, row.currency), row.reason, row.created_at)
    failure = Failure(**row.failure) if row.failure else None
    return RefundRecord(refund, RefundStatus(row.state), row.updated_at, row.gateway_refund_id, failure)


async def refunds_of(connection: AsyncConnection, checkout_id: str) -> dict[str, RefundRecord]:
    """The shop's refunds of a checkout by their ids, oldest first."""
    found = await connection.execute(select_refunds().where(refunds.c.checkout_id == checkout_id))
    return {row.id: refund_of_row(row) for row in found}


async def insert_refund(connection: AsyncConnection, refund: Refund) -> None:
    """A new refund, pending from the moment it was asked for."""
    asked = {
        "id": refund.id,
        "checkout_id": refund.checkout_id,
        "amount_minor": refund.amount.minor,
        "currency": refund.amount.currency,
        "reason": refund.reason,
        "created_at": refund.created_at,
    }
    await connection.execute(insert(refunds).values(asked))
    status = {"refund_id": refund.id, "state": RefundStatus.PENDING, "updated_at": refund.created_at}
    await connection.execute(insert(refund_status).values(status))


async def project_refunds(connection: AsyncConnection, told: Mapping[str, RefundTold], at: datetime) -> None:
    """Put into the projection what new rows told."""
    for refund_id, told_of in told.items():
        failure = None
        if told_of.state == RefundStatus.FAILED:
            code = told_of.code or "refund_failed"
            failure = Failure(code, f"the gateway could not give the money back: {code}")
        await set_status(connection, refund_id, RefundStatus(told_of.state), at, told_of.gateway_refund_id, failure)


async def set_status(
    connection: AsyncConnection,
    refund_id: str,
    state: RefundStatus,
    at: datetime,
    gateway_refund_id: str | None,
    failure: Failure | None,
) -> None:
    """Where a refund stands from now on."""
    change = update(refund_status).where(refund_status.c.refund_id == refund_id)
    await connection.execute(
        change.values(
            state=state,
            gateway_refund_id=gateway_refund_id,
            failure=asdict(failure) if failure else None,
            updated_at=at,
        )
    )
