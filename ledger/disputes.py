"""Disputes on the books, and what the shop says for itself in them.

Evidence may hold personal data: it is kept here, and read only to be sent to the gateway.
"""

import secrets
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from domain.dispute import OPEN, DisputeEvidence, dispute_id_of
from domain.errors import BooksError
from domain.timeline import Entry, JsonScalar
from ledger.contract import DisputeFilter, DisputePage, DisputeRecord
from ledger.cursors import decode_cursor, encode_cursor, page_size
from ledger.dispute_rows import dispute_of_row, dispute_on, select_disputes
from ledger.engine import statement_by_statement
from ledger.failures import translated
from ledger.held import hold
from ledger.later_tables import dispute_evidence, dispute_status, disputes


class Disputes:
    """Every method may raise StoreUnavailableError, and a write BooksError."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._single = statement_by_statement(engine)

    async def get(self, dispute_id: str) -> DisputeRecord | None:
        """The dispute of this id, which is ours."""
        return await self._one(select_disputes().where(disputes.c.id == dispute_id))

    async def find(self, gateway: str, gateway_dispute_id: str) -> DisputeRecord | None:
        """The dispute that the gateway calls so."""
        return await self.get(dispute_id_of(gateway, gateway_dispute_id))

    async def of_checkout(self, checkout_id: str) -> tuple[DisputeRecord, ...]:
        """The disputes about a checkout, oldest first."""
        about = select_disputes().where(disputes.c.checkout_id == checkout_id)
        return await self._all(about.order_by(disputes.c.opened_at, disputes.c.id))

    async def list(self, wanted: DisputeFilter) -> DisputePage:
        """One page of disputes, newest first. Raises ValueError for a cursor that no page gave."""
        size = page_size(wanted.limit)
        found = await self._all(_listing(wanted).limit(size + 1))
        data = found[:size]
        return DisputePage(data, encode_cursor(data[-1].opened_at, data[-1].id) if len(found) > size else None)

    async def save_evidence(self, dispute_id: str, evidence: DisputeEvidence, by: str) -> str:
        """Keep what the shop says; the id under which it is found again. Raises BooksError for an unknown dispute."""
        id_ = f"evi_{secrets.token_hex(12)}"
        new = insert(dispute_evidence).values(id=id_, dispute_id=dispute_id, by=by, evidence=asdict(evidence))
        with translated():
            async with self._single.connect() as connection:
                await connection.execute(new)
        return id_

    async def evidence(self, evidence_id: str) -> DisputeEvidence | None:
        """What was kept under this id."""
        e = dispute_evidence.c
        with translated():
            async with self._single.connect() as connection:
                kept = await connection.scalar(select(e.evidence).where(e.id == evidence_id))
        return None if kept is None else DisputeEvidence(**kept)

    async def evidence_of(self, dispute_id: str) -> tuple[str, ...]:
        """The ids of all that was kept for a dispute, oldest first."""
        e = dispute_evidence.c
        query = select(e.id).where(e.dispute_id == dispute_id).order_by(e.at, e.id)
        with translated():
            async with self._single.connect() as connection:
                return tuple(await connection.scalars(query))

    async def answered(
        self,
        dispute_id: str,
        verb: str,
        at: datetime,
        cause: str = "api",
        who: str | None = None,
        evidence_id: str | None = None,
    ) -> DisputeRecord:
        """The gateway took the shop's answer: note how and when, on the timeline too. The same again changes nothing.

        Raises BooksError for an unknown dispute.
        """
        details: dict[str, JsonScalar] = {"dispute_id": dispute_id, "verb": verb}
        details |= {n: v for n, v in (("who", who), ("evidence_id", evidence_id)) if v is not None}
        key = f"dispute:{dispute_id}:answered:{verb}:{at.isoformat()}"
        with translated():
            async with self._engine.begin() as connection:
                held = await hold(connection, (await _there(connection, dispute_id)).checkout_id)
                before = held.record.sequence
                record = await held.append([Entry(key, held.record.status, cause, at, details)])
                if record.sequence > before:
                    await connection.execute(_answer(dispute_id, verb, at))
                return await _there(connection, dispute_id)

    async def _one(self, query: Select[Any]) -> DisputeRecord | None:
        found = await self._all(query)
        return found[0] if found else None

    async def _all(self, query: Select[Any]) -> tuple[DisputeRecord, ...]:
        with translated():
            async with self._single.connect() as connection:
                return tuple(dispute_of_row(row) for row in await connection.execute(query))


async def _there(connection: AsyncConnection, dispute_id: str) -> DisputeRecord:
    found = await dispute_on(connection, dispute_id)
    if found is None:
        raise BooksError(f"there is no dispute {dispute_id!r}")
    return found


def _answer(dispute_id: str, verb: str, at: datetime) -> Any:
    change = update(dispute_status).where(dispute_status.c.dispute_id == dispute_id)
    return change.values(answered=verb, answered_at=at, updated_at=at)


def _listing(wanted: DisputeFilter) -> Select[Any]:
    position = (disputes.c.opened_at, disputes.c.id)
    query = select_disputes().order_by(*(column.desc() for column in position))
    if wanted.state is not None:
        query = query.where(dispute_status.c.state == wanted.state)
    if wanted.gateway is not None:
        query = query.where(disputes.c.gateway == wanted.gateway)
    if wanted.checkout_id is not None:
        query = query.where(disputes.c.checkout_id == wanted.checkout_id)
    if wanted.open is not None:
        state = dispute_status.c.state
        query = query.where(state.in_(OPEN) if wanted.open else state.not_in(OPEN))
    if wanted.cursor is not None:
        query = query.where(tuple_(*position) < decode_cursor(wanted.cursor))
    return query
