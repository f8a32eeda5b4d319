"""Figures to watch: what waits, for how long, counted in the database."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.case import CaseKind
from domain.dispute import OPEN
from domain.payment import RefundStatus
from ledger.engine import statement_by_statement
from ledger.failures import translated
from ledger.later_tables import cases, dispute_status, refund_status, refunds
from ledger.tables import checkout_status, webhook_inbox


@dataclass(frozen=True)
class Figures:
    """How much waits now, and the moment since which the oldest of each kind does; None where nothing waits.

    `oldest_stuck_at` is when the checkout that is longest stuck was last written to.
    """

    unprocessed: int
    oldest_unprocessed_at: datetime | None
    refunds_pending: int
    oldest_refund_at: datetime | None
    disputes_open: int
    cases_open: dict[CaseKind, int]
    oldest_case_at: datetime | None
    stuck: int
    oldest_stuck_at: datetime | None


async def read_figures(engine: AsyncEngine) -> Figures:
    """Count; raises StoreUnavailableError. Every statement reads an index of what waits, however much is done."""
    inbox, status = webhook_inbox.c, checkout_status.c
    events = select(func.count(), func.min(inbox.received_at)).where(inbox.processed_at.is_(None))
    pending = (
        select(func.count(), func.min(refunds.c.created_at))
        .join(refund_status)
        .where(refund_status.c.state == RefundStatus.PENDING)
    )
    disputed = select(func.count()).select_from(dispute_status).where(dispute_status.c.state.in_(OPEN))
    open_cases = (
        select(cases.c.kind, func.count(), func.min(cases.c.opened_at))
        .where(cases.c.closed_at.is_(None))
        .group_by(cases.c.kind)
    )
    stuck = select(func.count(), func.min(status.updated_at)).where(status.stuck)
    with translated():
        async with statement_by_statement(engine).connect() as connection:
            unprocessed, oldest_event = (await connection.execute(events)).one()
            refunding, oldest_refund = (await connection.execute(pending)).one()
            disputes = (await connection.execute(disputed)).scalar_one()
            by_kind = (await connection.execute(open_cases)).all()
            stopped, oldest_stuck = (await connection.execute(stuck)).one()
    return Figures(
        unprocessed,
        oldest_event,
        refunding,
        oldest_refund,
        disputes,
        {CaseKind(kind): number for kind, number, _ in by_kind},
        min((opened for *_, opened in by_kind), default=None),
        stopped,
        oldest_stuck,
    )
