"""Which events each subscriber has dealt with."""

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from ledger.engine import statement_by_statement
from ledger.failures import translated
from ledger.tables import consumed_events


class Consumption:
    """Every method may raise StoreUnavailableError."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = statement_by_statement(engine)

    async def has(self, subscriber: str, event_id: str) -> bool:
        """Whether the subscriber is done with the event."""
        c = consumed_events.c
        query = select(c.at).where(c.subscriber == subscriber, c.event_id == event_id)
        with translated():
            async with self._engine.connect() as connection:
                return (await connection.scalar(query)) is not None

    async def mark(self, subscriber: str, event_id: str, occurred_at: datetime) -> None:
        """The subscriber is done with the event; once is as good as twice."""
        new = insert(consumed_events).values(subscriber=subscriber, event_id=event_id, occurred_at=occurred_at)
        with translated():
            async with self._engine.connect() as connection:
                await connection.execute(new.on_conflict_do_nothing())

    async def forget(self, subscriber: str, since: datetime) -> int:
        """The subscriber is to deal anew with what occurred from then on; how many events that are."""
        c = consumed_events.c
        gone = delete(consumed_events).where(c.subscriber == subscriber, c.occurred_at >= since)
        with translated():
            async with self._engine.connect() as connection:
                return int((await connection.execute(gone)).rowcount)

    async def last(self, subscriber: str) -> datetime | None:
        """When the subscriber was done with the newest event that it has had; None when it had none."""
        c = consumed_events.c
        query = select(c.at).where(c.subscriber == subscriber).order_by(c.occurred_at.desc()).limit(1)
        with translated():
            async with self._engine.connect() as connection:
                at: datetime | None = await connection.scalar(query)
                return at
