"""How far each gateway's own list of events has been read."""

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from ledger.engine import statement_by_statement
from ledger.failures import translated
from ledger.later_tables import poll_marks


class PollMarks:
    """Every method may raise StoreUnavailableError."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = statement_by_statement(engine)

    async def read(self, gateway: str) -> datetime | None:
        """Until when the gateway's list has been read; None when it never was."""
        with translated():
            async with self._engine.connect() as connection:
                query = select(poll_marks.c.listed_until).where(poll_marks.c.gateway == gateway)
                until: datetime | None = await connection.scalar(query)
                return until

    async def move(self, gateway: str, until: datetime) -> None:
        """The list has been read until then. A mark does not go back: a slower reader has seen no more than others."""
        new = insert(poll_marks).values(gateway=gateway, listed_until=until)
        later = func.greatest(poll_marks.c.listed_until, new.excluded.listed_until)
        moved = new.on_conflict_do_update(index_elements=["gateway"], set_={"listed_until": later, "at": func.now()})
        with translated():
            async with self._engine.connect() as connection:
                await connection.execute(moved)
