"""Cases: what waits for a person, and what was closed. They are opened and closed by timeline rows alone."""

from typing import Any

from sqlalchemy import Select, select, tuple_
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.case import Case
from ledger.case_rows import case_of
from ledger.contract import CaseFilter, CasePage
from ledger.cursors import decode_cursor, encode_cursor, page_size
from ledger.engine import statement_by_statement
from ledger.failures import translated
from ledger.later_tables import cases


class CaseBook:
    """Reads cases; every method may raise StoreUnavailableError."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = statement_by_statement(engine)

    async def list(self, wanted: CaseFilter) -> CasePage:
        """One page of cases, oldest first. Raises ValueError for a cursor that no page gave."""
        size = page_size(wanted.limit)
        found = await self._all(_listing(wanted).limit(size + 1))
        data = found[:size]
        return CasePage(data, encode_cursor(data[-1].opened_at, data[-1].id) if len(found) > size else None)

    async def get(self, case_id: str) -> Case | None:
        """The case, None when there is no such."""
        found = await self._all(select(cases).where(cases.c.id == case_id))
        return found[0] if found else None

    async def open_of(self, checkout_id: str) -> tuple[Case, ...]:
        """The checkout's open cases, oldest first."""
        about = select(cases).where(cases.c.checkout_id == checkout_id, cases.c.closed_at.is_(None))
        return await self._all(about.order_by(cases.c.sequence))

    async def _all(self, query: Select[Any]) -> tuple[Case, ...]:
        with translated():
            async with self._engine.connect() as connection:
                return tuple(case_of(row) for row in await connection.execute(query))


def _listing(wanted: CaseFilter) -> Select[Any]:
    position = (cases.c.opened_at, cases.c.id)
    query = select(cases).order_by(*position)
    if wanted.kind is not None:
        query = query.where(cases.c.kind == wanted.kind)
    if wanted.checkout_id is not None:
        query = query.where(cases.c.checkout_id == wanted.checkout_id)
    if wanted.open is not None:
        query = query.where(cases.c.closed_at.is_(None) if wanted.open else cases.c.closed_at.is_not(None))
    if wanted.cursor is not None:
        query = query.where(tuple_(*position) > decode_cursor(wanted.cursor))
    return query
