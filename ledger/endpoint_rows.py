"""Endpoints as rows: read, held by one writer at a time, and disabled together with what was under way to them."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.errors import BooksError
from domain.webhook import DeliveryState, DisabledBecause, EndpointState
from ledger.endpoint_tables import webhook_deliveries, webhook_endpoints, webhook_secrets
from ledger.webhook_contract import ActiveSecret, Endpoint


def endpoint_of(row: Row[Any], secrets: tuple[ActiveSecret, ...]) -> Endpoint:
    """The endpoint of a row."""
    return Endpoint(
        id=row.id,
        url=row.url,
        events=tuple(row.events),
        state=EndpointState(row.state),
        created_at=row.created_at,
        updated_at=row.updated_at,
        failing_since=row.failing_since,
        disabled_at=row.disabled_at,
        disabled_reason=None if row.disabled_reason is None else DisabledBecause(row.disabled_reason),
        secrets=secrets,
    )


async def active_secrets(
    connection: AsyncConnection, endpoint_ids: Collection[str]
) -> dict[str, tuple[ActiveSecret, ...]]:
    """The secrets that each of these endpoints is signed for with now, newest first."""
    s = webhook_secrets.c
    active = or_(s.expires_at.is_(None), s.expires_at > func.now())
    query = select(s.endpoint_id, s.secret, s.created_at, s.expires_at)
    query = query.where(s.endpoint_id.in_(endpoint_ids), active).order_by(s.id.desc())
    found: dict[str, tuple[ActiveSecret, ...]] = {}
    for row in await connection.execute(query):
        found[row.endpoint_id] = (
            *found.get(row.endpoint_id, ()),
            ActiveSecret(row.secret, row.created_at, row.expires_at),
        )
    return found


async def hold_endpoint(connection: AsyncConnection, endpoint_id: str) -> Row[Any]:
    """The endpoint's row, which nobody else changes until the transaction ends. Raises BooksError where there is none.

    Held before any of its deliveries: who disables it writes to all of them. New deliveries need not wait for it.
    """
    e = webhook_endpoints.c
    query = select(webhook_endpoints).where(e.id == endpoint_id).with_for_update(key_share=True)
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise BooksError(f"there is no endpoint {endpoint_id!r}")
    return row


async def disable(
    connection: AsyncConnection,
    endpoint_id: str,
    reason: DisabledBecause,
    at: datetime | None = None,
    state: EndpointState = EndpointState.DISABLED,
) -> None:
    """Nothing is sent to a held endpoint any more; what was under way to it ends."""
    e, d = webhook_endpoints.c, webhook_deliveries.c
    moment = func.now() if at is None else at
    change = update(webhook_endpoints).where(e.id == endpoint_id)
    await connection.execute(
        change.values(state=state, disabled_at=moment, disabled_reason=reason, updated_at=func.now())
    )
    ended = update(webhook_deliveries).where(d.endpoint_id == endpoint_id, d.state == DeliveryState.PENDING)
    await connection.execute(
        ended.values(state=DeliveryState.ENDPOINT_DISABLED, finished_at=moment, next_attempt_at=None)
    )
