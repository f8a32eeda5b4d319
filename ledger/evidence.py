"""What the inbox keeps of a gateway's word, for gateways that tell the truth by webhook only."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncEngine

from ledger.engine import statement_by_statement
from ledger.failures import translated
from ledger.tables import webhook_inbox


class StoredEvidence:
    """Reads authentic deliveries back; every method may raise StoreUnavailableError."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = statement_by_statement(engine)

    async def about(self, gateway: str, reference: str) -> Sequence[bytes]:
        """Bodies with an event that names this reference, oldest first, each once."""
        return await self._bodies(gateway, webhook_inbox.c.reference == reference)

    async def between(self, gateway: str, since: datetime, until: datetime) -> Sequence[bytes]:
        """Bodies received in this time, oldest first, each once."""
        received = webhook_inbox.c.received_at
        return await self._bodies(gateway, received >= since, received < until)

    async def _bodies(self, gateway: str, *conditions: ColumnElement[bool]) -> Sequence[bytes]:
        w = webhook_inbox.c
        query: Any = select(w.body).where(w.gateway == gateway, w.verified, *conditions).order_by(w.received_at, w.id)
        with translated():
            async with self._engine.connect() as connection:
                bodies = (bytes(body) for body in await connection.scalars(query))
                # A batch is stored once for each of its events.
                return tuple(dict.fromkeys(bodies))
