"""Deliveries to shops: planned once for each endpoint and event, started by whoever comes first, and listed."""

from collections.abc import Collection
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, Select, any_, func, literal, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.webhook import ALL_EVENTS, DeliveryState, EndpointState, delivery_id_of
from ledger.cursors import decode_cursor, encode_cursor, page_size
from ledger.endpoint_rows import active_secrets
from ledger.endpoint_tables import webhook_attempts, webhook_deliveries, webhook_endpoints, webhook_messages
from ledger.engine import statement_by_statement
from ledger.failures import translated
from ledger.webhook_contract import (
    AttemptRecord,
    DeliveryFilter,
    DeliveryPage,
    DeliveryRecord,
    Outgoing,
    OutgoingMessage,
    Unstarted,
)

CHANNEL = "webhook_deliveries"
"""Postgres notifies it of every commit that planned deliveries."""

_D, _E, _M = webhook_deliveries.c, webhook_endpoints.c, webhook_messages.c
_SHOWN = (
    *(_D[name] for name in ("id", "endpoint_id", "event_id", "state", "attempts")),
    *(_D[name] for name in ("created_at", "next_attempt_at", "finished_at")),
    *(_M[name] for name in ("type", "subject", "sequence")),
)


class WebhookDeliveries:
    """Every method may raise StoreUnavailableError, and a write BooksError."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine, self._single = engine, statement_by_statement(engine)

    async def plan(self, message: OutgoingMessage) -> int:
        """A delivery for every endpoint that is to hear of it; how many are new. The same again changes nothing.

        An endpoint hears of what happens once it is there: events of before, sent again for whatever reason, are not
        for it.
        """
        hears = or_(literal(message.type) == any_(_E.events), literal(ALL_EVENTS) == any_(_E.events))
        listening = select(_E.id).where(_E.state == EndpointState.ENABLED, hears, _E.created_at <= message.occurred_at)
        with translated():
            async with self._engine.begin() as connection:
                ids = list(await connection.scalars(listening))
                if not ids:
                    return 0
                kept = insert(webhook_messages).values(**_columns(message))
                await connection.execute(kept.on_conflict_do_nothing())
                rows = [
                    {"id": delivery_id_of(id_, message.event_id), "endpoint_id": id_, "event_id": message.event_id}
                    for id_ in sorted(ids)
                ]
                planned = insert(webhook_deliveries).values(rows).on_conflict_do_nothing().returning(_D.id)
                return len(list(await connection.scalars(planned)))

    async def claim(self, limit: int, lease: timedelta) -> tuple[Unstarted, ...]:
        """Some deliveries that nobody has started, oldest first; nobody else gets them until the lease ends."""
        free = or_(_D.leased_until.is_(None), _D.leased_until < func.now())
        due = (
            select(_D.id)
            .where(_D.started_at.is_(None), _D.state == DeliveryState.PENDING, free)
            .order_by(_D.created_at, _D.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
            .cte("due")
        )
        taken = (
            update(webhook_deliveries)
            .where(_D.id == due.c.id, _M.event_id == _D.event_id)
            .values(leased_until=func.now() + lease)
            .returning(_D.id, _D.endpoint_id, _M.type)
        )
        with translated():
            async with self._single.connect() as connection:
                return tuple(Unstarted(**row._mapping) for row in await connection.execute(taken))

    async def started(self, delivery_ids: Collection[str]) -> None:
        """The workflows of these deliveries were started."""
        change = update(webhook_deliveries).where(_D.id.in_(delivery_ids), _D.started_at.is_(None))
        with translated():
            async with self._single.connect() as connection:
                await connection.execute(change.values(started_at=func.now(), leased_until=None))

    async def outgoing(self, delivery_id: str) -> Outgoing | None:
        """What is to be sent, as it stands now."""
        query = (
            select(_D.endpoint_id, _D.state, _E.state.label("endpoint_state"), _E.url, _M.event_id, _M.body)
            .where(_D.id == delivery_id)
            .join_from(webhook_deliveries, webhook_endpoints, _E.id == _D.endpoint_id)
            .join(webhook_messages, _M.event_id == _D.event_id)
        )
        with translated():
            async with self._single.connect() as connection:
                row = (await connection.execute(query)).one_or_none()
                if row is None:
                    return None
                active = await active_secrets(connection, [row.endpoint_id])
        return Outgoing(
            endpoint_id=row.endpoint_id,
            endpoint_state=EndpointState(row.endpoint_state),
            state=DeliveryState(row.state),
            url=row.url,
            secrets=tuple(found.secret for found in active[row.endpoint_id]),
            event_id=row.event_id,
            body=row.body,
        )

    async def get(self, endpoint_id: str, delivery_id: str) -> DeliveryRecord | None:
        """The delivery, where it is one to this endpoint."""
        found = await self._all(_select().where(_D.id == delivery_id, _D.endpoint_id == endpoint_id))
        return found[0] if found else None

    async def list(self, wanted: DeliveryFilter) -> DeliveryPage:
        """One page of an endpoint's deliveries, newest first. Raises ValueError for a cursor that no page gave."""
        size = page_size(wanted.limit)
        found = await self._all(_listing(wanted).limit(size + 1))
        data = found[:size]
        return DeliveryPage(data, encode_cursor(data[-1].created_at, data[-1].id) if len(found) > size else None)

    async def attempts(self, delivery_id: str) -> tuple[AttemptRecord, ...]:
        """Every try, in order."""
        a = webhook_attempts.c
        query = select(webhook_attempts).where(a.delivery_id == delivery_id).order_by(a.number)
        with translated():
            async with self._single.connect() as connection:
                return tuple(_attempt_of(row) for row in await connection.execute(query))

    async def body(self, event_id: str) -> bytes | None:
        """The event as it is sent."""
        with translated():
            async with self._single.connect() as connection:
                body: bytes | None = await connection.scalar(select(_M.body).where(_M.event_id == event_id))
                return body

    async def _all(self, query: Select[Any]) -> tuple[DeliveryRecord, ...]:
        with translated():
            async with self._single.connect() as connection:
                return tuple(_delivery_of(row) for row in await connection.execute(query))


def _columns(message: OutgoingMessage) -> dict[str, Any]:
    return {
        "event_id": message.event_id,
        "type": message.type,
        "subject": message.subject,
        "sequence": message.sequence,
        "occurred_at": message.occurred_at,
        "body": message.body,
    }


def _select() -> Select[Any]:
    return select(*_SHOWN).join_from(webhook_deliveries, webhook_messages, _M.event_id == _D.event_id)


def _listing(wanted: DeliveryFilter) -> Select[Any]:
    position = (_D.created_at, _D.id)
    query = _select().where(_D.endpoint_id == wanted.endpoint_id).order_by(*(column.desc() for column in position))
    if wanted.state is not None:
        query = query.where(_D.state == wanted.state)
    if wanted.type is not None:
        query = query.where(_M.type == wanted.type)
    if wanted.cursor is not None:
        query = query.where(tuple_(*position) < decode_cursor(wanted.cursor))
    return query


def _delivery_of(row: Row[Any]) -> DeliveryRecord:
    return DeliveryRecord(**{**row._mapping, "state": DeliveryState(row.state)})


def _attempt_of(row: Row[Any]) -> AttemptRecord:
    return AttemptRecord(row.number, row.at, row.by_hand, row.status, row.error, row.milliseconds, row.answer)
