"""Money operations: the key is on the books before the gateway is called, the answer is kept and given again."""

import hashlib
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.errors import BooksError, OperationMismatchError
from ledger.contract import Operation, OperationState
from ledger.engine import statement_by_statement
from ledger.failures import translated
from ledger.tables import operation_answers, operations

_FINISH_TRIES = 10


class Operations:
    """Every call commits before it returns; all may raise StoreUnavailableError.

    What begins is dated by `clock`, and by the database's own where none is given.
    """

    def __init__(self, engine: AsyncEngine, clock: Callable[[], datetime] | None = None) -> None:
        self._engine, self._clock = statement_by_statement(engine), clock

    async def begin(
        self, key: str, checkout_id: str, gateway: str, verb: str, request: dict[str, Any]
    ) -> tuple[Operation, bool]:
        """Store the key with its request, or find it; True when it is new. Raises OperationMismatchError."""
        fingerprint = fingerprint_of(checkout_id, gateway, verb, request)
        new = (
            insert(operations)
            .values(
                key=key,
                checkout_id=checkout_id,
                gateway=gateway,
                verb=verb,
                fingerprint=fingerprint,
                request=request,
                **({"started_at": self._clock()} if self._clock else {}),
            )
            .on_conflict_do_nothing(index_elements=["key"])
            .returning(operations.c.started_at)
        )
        with translated():
            async with self._engine.connect() as connection:
                started_at = (await connection.execute(new)).scalar_one_or_none()
        if started_at is not None:
            state = OperationState.STARTED
            return Operation(key, checkout_id, gateway, verb, fingerprint, state, started_at), True
        found = await self.get(key)
        if found is None or found.fingerprint != fingerprint:
            raise OperationMismatchError(key)
        return found, False

    async def finish(self, key: str, state: OperationState, answer: str | None) -> None:
        """Record how a call ended: `unknown` or `finished`. The first `finished` stands, later ones are dropped.

        Raises BooksError for a key that was never begun.
        """
        # Two attempts may count the same number at once; the second then counts again.
        for _ in range(_FINISH_TRIES):
            with translated():
                async with self._engine.connect() as connection:
                    written = (await connection.execute(_answer(key, state, answer))).scalar_one_or_none()
            if written is not None:
                return
            found = await self.get(key)
            if found is None:
                raise BooksError(f"operation {key!r} was never begun")
            if found.state is OperationState.FINISHED:
                return
        raise BooksError(f"operation {key!r} is being answered by too many at once")

    async def get(self, key: str) -> Operation | None:
        """The operation of this key."""
        found = await self._all(_select().where(operations.c.key == key))
        return found[0] if found else None

    async def of_checkout(self, checkout_id: str) -> tuple[Operation, ...]:
        """All operations of a checkout, oldest first."""
        query = _select().where(operations.c.checkout_id == checkout_id)
        return await self._all(query.order_by(operations.c.started_at, operations.c.key))

    async def _all(self, query: Select[Any]) -> tuple[Operation, ...]:
        with translated():
            async with self._engine.connect() as connection:
                return tuple(_operation_of(row) for row in await connection.execute(query))


def fingerprint_of(checkout_id: str, gateway: str, verb: str, request: dict[str, Any]) -> str:
    """SHA-256 of everything that the call says, whatever the order of its fields."""
    text = json.dumps([checkout_id, gateway, verb, request], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _answer(key: str, state: OperationState, answer: str | None) -> Any:
    """Insert the next answer, unless a final one is there or another attempt has just taken the number."""
    mine = operation_answers.c.operation_key == key
    count = select(func.count()).where(mine).scalar_subquery()
    finished = select(1).where(mine, operation_answers.c.state == OperationState.FINISHED).exists()
    row = select(operations.c.key, count + 1, literal(str(state)), literal(answer)).where(
        operations.c.key == key, ~finished
    )
    columns = ["operation_key", "attempt", "state", "answer"]
    new = insert(operation_answers).from_select(columns, row).on_conflict_do_nothing()
    return new.returning(operation_answers.c.attempt)


def _select() -> Select[Any]:
    final_first = (operation_answers.c.state == OperationState.FINISHED).desc(), operation_answers.c.attempt.desc()
    latest = (
        select(operation_answers.c.state, operation_answers.c.answer)
        .where(operation_answers.c.operation_key == operations.c.key)
        .order_by(*final_first)
        .limit(1)
        .lateral("latest")
    )
    return select(operations, latest.c.state, latest.c.answer).outerjoin(latest, literal(True))


def _operation_of(row: Row[Any]) -> Operation:
    state = OperationState(row.state) if row.state else OperationState.STARTED
    return Operation(
        row.key, row.checkout_id, row.gateway, row.verb, row.fingerprint, state, row.started_at, row.answer
    )
