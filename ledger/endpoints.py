"""Endpoints of shops: made, changed and removed, with the secrets that what is sent to them is signed with."""

import base64
import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import func, or_, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from domain.webhook import MOST_ENDPOINTS, MOST_SECRETS, DisabledBecause, EndpointState
from ledger.cursors import decode_cursor, encode_cursor, page_size
from ledger.endpoint_rows import active_secrets, disable, endpoint_of, hold_endpoint
from ledger.endpoint_tables import webhook_endpoints, webhook_secrets
from ledger.engine import statement_by_statement
from ledger.failures import translated
from ledger.webhook_contract import (
    ActiveSecret,
    Endpoint,
    EndpointChange,
    EndpointPage,
    EndpointRemovedError,
    SecretsActiveError,
    TooManyEndpointsError,
)

_E = webhook_endpoints.c
# Whoever makes an endpoint holds this lock: two at once must not both be the last that there may be.
_MAKING = text("SELECT pg_advisory_xact_lock(hashtext('webhook_endpoints'))")


class Endpoints:
    """Every method may raise StoreUnavailableError, and a write BooksError."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine, self._single = engine, statement_by_statement(engine)

    async def create(self, url: str, events: Sequence[str], by: str, request: str | None = None) -> Endpoint:
        """A new endpoint with its first secret. The same `request` again is answered with what it made.

        Raises TooManyEndpointsError.
        """
        id_ = f"we_{request[:24] if request else secrets.token_hex(12)}"
        new = insert(webhook_endpoints).values(id=id_, url=url, events=list(events), created_by=by)
        with translated():
            async with self._engine.begin() as connection:
                await connection.execute(_MAKING)
                there = select(func.count()).where(_E.state != EndpointState.REMOVED, _E.id != id_)
                if (await connection.execute(there)).scalar_one() >= MOST_ENDPOINTS:
                    raise TooManyEndpointsError(f"there are {MOST_ENDPOINTS} endpoints already")
                made = await connection.scalar(new.on_conflict_do_nothing().returning(_E.id))
                if made is not None:
                    await connection.execute(_secret(id_, None))
                return await _read(connection, id_)

    async def get(self, endpoint_id: str) -> Endpoint | None:
        """The endpoint of this id, a removed one too."""
        with translated():
            async with self._single.connect() as connection:
                found = await _all(connection, select(webhook_endpoints).where(_E.id == endpoint_id))
        return found[0] if found else None

    async def list(self, state: EndpointState | None, cursor: str | None, limit: int) -> EndpointPage:
        """One page, oldest first; of those that are not removed where no state is asked for.

        Raises ValueError for a cursor that no page gave.
        """
        size = page_size(limit)
        wanted = _E.state != EndpointState.REMOVED if state is None else _E.state == state
        query = select(webhook_endpoints).where(wanted).order_by(_E.created_at, _E.id).limit(size + 1)
        if cursor is not None:
            query = query.where(tuple_(_E.created_at, _E.id) > decode_cursor(cursor))
        with translated():
            async with self._single.connect() as connection:
                found = await _all(connection, query)
        data = found[:size]
        more = encode_cursor(data[-1].created_at, data[-1].id) if len(found) > size else None
        return EndpointPage(data, more)

    async def change(self, endpoint_id: str, change: EndpointChange) -> Endpoint:
        """Make it so. Raises EndpointRemovedError."""
        with translated():
            async with self._engine.begin() as connection:
                held = await hold_endpoint(connection, endpoint_id)
                if held.state == EndpointState.REMOVED:
                    raise EndpointRemovedError(f"{endpoint_id} was removed")
                if values := _changed(change):
                    changed = update(webhook_endpoints).where(_E.id == endpoint_id)
                    await connection.execute(changed.values(updated_at=func.now(), **values))
                if change.enabled is False and held.state == EndpointState.ENABLED:
                    await disable(connection, endpoint_id, DisabledBecause.BY_HAND)
                return await _read(connection, endpoint_id)

    async def remove(self, endpoint_id: str) -> Endpoint:
        """Disable it for good; once is as good as twice."""
        with translated():
            async with self._engine.begin() as connection:
                held = await hold_endpoint(connection, endpoint_id)
                if held.state != EndpointState.REMOVED:
                    await disable(connection, endpoint_id, DisabledBecause.BY_HAND, state=EndpointState.REMOVED)
                return await _read(connection, endpoint_id)

    async def rotate(self, endpoint_id: str, overlap: timedelta, request: str | None = None) -> Endpoint:
        """A new secret, active at once; the one before stays active for the overlap. Without any, all others end now.

        The same `request` again changes nothing. Raises EndpointRemovedError, and SecretsActiveError where two are
        active and both would have to stay.
        """
        with translated():
            async with self._engine.begin() as connection:
                held = await hold_endpoint(connection, endpoint_id)
                if held.state == EndpointState.REMOVED:
                    raise EndpointRemovedError(f"{endpoint_id} was removed")
                if not await _was_made(connection, endpoint_id, request):
                    await _refuse_a_third(connection, endpoint_id, overlap)
                    await connection.execute(_end_of_others(endpoint_id, overlap))
                    await connection.execute(_secret(endpoint_id, request))
                return await _read(connection, endpoint_id)


def _changed(change: EndpointChange) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if change.url is not None:
        values |= {"url": change.url, "failing_since": None}
    if change.events is not None:
        values |= {"events": list(change.events)}
    if change.enabled is True:
        # It begins anew: what it failed at before does not count against it.
        values |= {"state": EndpointState.ENABLED, "disabled_at": None, "disabled_reason": None, "failing_since": None}
    return values


def _secret(endpoint_id: str, request: str | None) -> Any:
    # As the specification wants it: 24 to 64 random bytes in base64.
    made = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    return insert(webhook_secrets).values(endpoint_id=endpoint_id, secret=made, request=request)


async def _was_made(connection: AsyncConnection, endpoint_id: str, request: str | None) -> bool:
    s = webhook_secrets.c
    if request is None:
        return False
    query = select(s.id).where(s.endpoint_id == endpoint_id, s.request == request)
    return (await connection.scalar(query)) is not None


async def _refuse_a_third(connection: AsyncConnection, endpoint_id: str, overlap: timedelta) -> None:
    """To end one before its time would break a shop that has not come to the newest yet: it has to say so."""
    active = (await active_secrets(connection, [endpoint_id])).get(endpoint_id, ())
    if overlap and len(active) >= MOST_SECRETS:
        oldest = active[-1].expires_at
        assert oldest is not None, "only the newest secret has no end"
        raise SecretsActiveError(oldest)


def _end_of_others(endpoint_id: str, overlap: timedelta) -> Any:
    s = webhook_secrets.c
    still = or_(s.expires_at.is_(None), s.expires_at > func.now() + overlap)
    return update(webhook_secrets).where(s.endpoint_id == endpoint_id, still).values(expires_at=func.now() + overlap)


async def _read(connection: AsyncConnection, endpoint_id: str) -> Endpoint:
    (found,) = await _all(connection, select(webhook_endpoints).where(_E.id == endpoint_id))
    return found


async def _all(connection: AsyncConnection, query: Any) -> tuple[Endpoint, ...]:
    rows = (await connection.execute(query)).all()
    active: dict[str, tuple[ActiveSecret, ...]] = await active_secrets(connection, [row.id for row in rows])
    return tuple(endpoint_of(row, active.get(row.id, ())) for row in rows)
