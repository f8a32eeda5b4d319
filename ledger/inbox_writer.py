"""One writer for all deliveries: while a batch is being committed the next one gathers.

Measured: one connection that batches acknowledges more deliveries than ten that each commit their own.
"""

import asyncio
import json
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import asyncpg  # type: ignore[import-untyped]
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.errors import BooksError
from ledger.contract import Delivery, StoreUnavailableError
from ledger.engine import connect
from ledger.failures import DRIVER_ERRORS, as_store_error

CHANNEL = "webhook_inbox"
IRRELEVANT = "not_relevant"
_LARGEST_BATCH = 500
_SECONDS_FOR_A_BATCH = 10

_log = logging.getLogger(__name__)

# An event that nobody waits for is kept as evidence and is done at once. Postgres folds a transaction's equal
# notifications into one.
_INSERT = f"""
    WITH new AS (
        INSERT INTO webhook_inbox (
            gateway, event_id, type, payment_id, reference, live, relevant, body, headers, verified, received_at,
            dispute_id, source, processed_at, outcome)
        SELECT gateway, event_id, type, payment_id, reference, live, relevant, body, headers::jsonb, true, received_at,
            dispute_id, source, CASE WHEN NOT relevant THEN now() END, CASE WHEN NOT relevant THEN '{IRRELEVANT}' END
        FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::boolean[], $7::boolean[],
            $8::bytea[], $9::text[], $10::text[], $11::text[], $12::timestamptz[])
            AS d(gateway, event_id, type, payment_id, reference, live, relevant, body, dispute_id, source, headers,
                received_at)
        ON CONFLICT (gateway, event_id) DO NOTHING
        RETURNING gateway, event_id, relevant
    )
    SELECT gateway, event_id, CASE WHEN relevant THEN pg_notify('{CHANNEL}', '') END FROM new
"""  # noqa: S608 (both are constants of this module)


@dataclass(frozen=True)
class _Waiting:
    delivery: Delivery
    answer: "asyncio.Future[bool]"


class InboxWriter:
    """Stores deliveries; each caller is answered after the commit of its own. Belongs to one event loop."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._queue: asyncio.Queue[_Waiting | None] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._connection: asyncpg.Connection | None = None

    def start(self) -> None:
        """Begin to write."""
        assert self._task is None
        self._task = asyncio.create_task(self._run(), name="inbox-writer")

    async def close(self) -> None:
        """Write what waits, then stop; a delivery handed over from now on is refused."""
        task, self._task = self._task, None
        if task is not None:
            self._queue.put_nowait(None)
            await task
        await self._disconnect()

    async def store(self, delivery: Delivery) -> bool:
        """Whether the event is new. Raises BooksError for a row that cannot be stored, StoreUnavailableError."""
        if self._task is None:
            raise StoreUnavailableError("the inbox is not open")
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._queue.put_nowait(_Waiting(delivery, answer))
        return await answer

    async def _run(self) -> None:
        going_on = True
        while going_on:
            batch, going_on = await self._gather()
            try:
                await self._write(batch)
            except Exception:  # noqa: BLE001 (logged, and told to everyone who waits)
                # Whatever it was, it must not end the writer: every later delivery would wait for ever.
                _log.exception("a batch of %d deliveries failed in an unforeseen way", len(batch))
                self._fail(batch, StoreUnavailableError("the delivery could not be stored"))

    async def _gather(self) -> tuple[list[_Waiting], bool]:
        """Everything that waits now, at least one; False when nothing comes after it."""
        batch: list[_Waiting] = []
        item = await self._queue.get()
        while item is not None:
            batch.append(item)
            if self._queue.empty() or len(batch) == _LARGEST_BATCH:
                return batch, True
            item = self._queue.get_nowait()
        return batch, False

    async def _write(self, batch: Sequence[_Waiting]) -> None:
        """Write the batch as one; when that fails, row by row, so that a bad row fails alone."""
        if not batch:
            return
        try:
            self._answer(batch, await self._insert(batch))
            return
        except (BooksError, StoreUnavailableError) as error:
            _log.warning("a batch of %d deliveries goes row by row: %s", len(batch), type(error).__name__)
        for position, waiting in enumerate(batch):
            try:
                self._answer([waiting], await self._insert([waiting]))
            except BooksError as error:
                self._fail([waiting], error)
            except StoreUnavailableError as error:
                # No use in asking for each: the senders are told to come again.
                self._fail(batch[position:], error)
                return

    async def _insert(self, batch: Sequence[_Waiting]) -> set[tuple[str, str]]:
        """The keys that are new. An insert whose answer got lost may be repeated: it changes nothing then."""
        rows = [waiting.delivery for waiting in batch]
        columns = (
            *([getattr(row, name) for row in rows] for name in _PLAIN),
            [json.dumps(row.headers) for row in rows],
            [row.received_at for row in rows],
        )
        try:
            async with asyncio.timeout(_SECONDS_FOR_A_BATCH):
                if self._connection is None or self._connection.is_closed():
                    self._connection = await connect(self._engine)
                found = await self._connection.fetch(_INSERT, *columns)
        except DRIVER_ERRORS as error:
            failure = as_store_error(error)
            if isinstance(failure, StoreUnavailableError):
                await self._disconnect()
            raise failure from error
        return {(row["gateway"], row["event_id"]) for row in found}

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None and not connection.is_closed():
            with suppress(*DRIVER_ERRORS):
                await connection.close(timeout=5)

    @staticmethod
    def _answer(batch: Sequence[_Waiting], new: set[tuple[str, str]]) -> None:
        """The first of several deliveries of one event was the new one."""
        for waiting in batch:
            key = (waiting.delivery.gateway, waiting.delivery.event_id)
            if not waiting.answer.done():
                waiting.answer.set_result(key in new)
            new.discard(key)

    @staticmethod
    def _fail(batch: Sequence[_Waiting], error: Exception) -> None:
        for waiting in batch:
            if not waiting.answer.done():
                waiting.answer.set_exception(error)


_PLAIN = ("gateway", "event_id", "type", "payment_id", "reference", "live", "relevant", "body", "dispute_id", "source")
