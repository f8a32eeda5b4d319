"""Idempotency keys of our own API: the first request works, the same one again gets the same bytes."""

from datetime import timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from ledger.contract import KeyInUseError, KeyReusedError, StoredAnswer
from ledger.engine import statement_by_statement
from ledger.failures import translated
from ledger.tables import idempotency_keys

# No request lives that long: one still in flight belongs to a process that died.
ABANDONED_AFTER = timedelta(seconds=60)


class IdempotencyKeys:
    """Keys are told apart per API key. Every method may raise StoreUnavailableError, begin BooksError too."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = statement_by_statement(engine)

    async def begin(self, api_key_id: str, key: str, fingerprint: str) -> StoredAnswer | None:
        """None: go ahead, the key is yours. Else the answer to give again. Raises KeyInUseError, KeyReusedError."""
        k = idempotency_keys.c
        taken = (
            insert(idempotency_keys)
            .values(api_key_id=api_key_id, key=key, fingerprint=fingerprint)
            .on_conflict_do_update(
                constraint="one_use_per_key",
                set_={"started_at": func.now()},
                where=(k.finished_at.is_(None))
                & (k.fingerprint == fingerprint)
                & (k.started_at < func.now() - ABANDONED_AFTER),
            )
            .returning(k.key)
        )
        found = select(k.fingerprint, k.status, k.body, k.content_type).where(k.api_key_id == api_key_id, k.key == key)
        with translated():
            async with self._engine.connect() as connection:
                if (await connection.execute(taken)).one_or_none() is not None:
                    return None
                row = (await connection.execute(found)).one_or_none()
        if row is not None and row.fingerprint != fingerprint:
            raise KeyReusedError(key)
        if row is None or row.status is None:
            # No row: it was abandoned between the two statements, so asking once more will do.
            raise KeyInUseError(key)
        return StoredAnswer(row.status, row.body, row.content_type)

    async def finish(self, api_key_id: str, key: str, answer: StoredAnswer) -> None:
        """Keep the answer; the first one stands."""
        k = idempotency_keys.c
        change = (
            update(idempotency_keys)
            .where(k.api_key_id == api_key_id, k.key == key, k.finished_at.is_(None))
            .values(status=answer.status, body=answer.body, content_type=answer.content_type, finished_at=func.now())
        )
        with translated():
            async with self._engine.connect() as connection:
                await connection.execute(change)

    async def abandon(self, api_key_id: str, key: str) -> None:
        """Forget the key: the work did not start, so the same request may come again."""
        k = idempotency_keys.c
        gone = delete(idempotency_keys).where(k.api_key_id == api_key_id, k.key == key, k.finished_at.is_(None))
        with translated():
            async with self._engine.connect() as connection:
                await connection.execute(gone)

    async def prune(self, older_than: timedelta) -> int:
        """Forget the keys of that long ago; how many. The same request after that is a new one."""
        gone = delete(idempotency_keys).where(idempotency_keys.c.started_at < func.now() - older_than)
        with translated():
            async with self._engine.connect() as connection:
                return int((await connection.execute(gone)).rowcount)
