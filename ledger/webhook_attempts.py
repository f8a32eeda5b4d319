"""What each try of a delivery came to, and what that means for the delivery and for its endpoint."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import ColumnElement, Row, case, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from domain.errors import BooksError
from domain.timeline import EventType
from domain.webhook import DeliveryState, DisabledBecause, EndpointState, Verdict, verdict_of
from ledger.endpoint_rows import disable, hold_endpoint
from ledger.endpoint_tables import webhook_attempts, webhook_deliveries, webhook_endpoints
from ledger.failures import translated
from ledger.tables import outbox
from ledger.webhook_contract import Tried

_D, _E = webhook_deliveries.c, webhook_endpoints.c


@dataclass
class WebhookAttempts:
    """Writes tries down. `patience`: an endpoint that has only failed for this long is disabled."""

    engine: AsyncEngine
    patience: timedelta

    async def record(self, endpoint_id: str, tried: Tried, retry_at: datetime | None) -> DeliveryState:
        """Write a try down, and answer how the delivery stands then. `retry_at`: the next one, if it has failed.

        What was delivered once stays so, however a try by hand ends. Raises StoreUnavailableError and BooksError.
        """
        verdict = verdict_of(tried.status)
        with translated():
            async with self.engine.begin() as connection:
                failing = await connection.scalar(select(_E.failing_since).where(_E.id == endpoint_id))
                # Nearly always it takes what it gets, and then its tries need not wait for each other.
                held = None
                if verdict is not Verdict.TAKEN or failing is not None:
                    held = await hold_endpoint(connection, endpoint_id)
                number = await _end_try(connection, tried, retry_at, verdict)
                await connection.execute(insert(webhook_attempts).values(**_columns(tried, number)))
                if held is not None:
                    await self._judge(connection, held, tried, verdict)
                return await _state(connection, tried.delivery_id)

    async def refuse(self, delivery_id: str, at: datetime) -> DeliveryState:
        """The endpoint is not enabled, so nothing was tried. Answers how the delivery stands."""
        pending = update(webhook_deliveries).where(_D.id == delivery_id, _D.state == DeliveryState.PENDING)
        with translated():
            async with self.engine.begin() as connection:
                await connection.execute(
                    pending.values(state=DeliveryState.ENDPOINT_DISABLED, finished_at=at, next_attempt_at=None)
                )
                return await _state(connection, delivery_id)

    async def _judge(self, connection: AsyncConnection, held: Row[Any], tried: Tried, verdict: Verdict) -> None:
        """What the try means for a held endpoint."""
        since = None if verdict is Verdict.TAKEN else held.failing_since or tried.at
        await connection.execute(update(webhook_endpoints).where(_E.id == held.id).values(failing_since=since))
        if held.state != EndpointState.ENABLED or since is None:
            return
        if verdict is Verdict.GONE:
            await _disable(connection, held, DisabledBecause.GONE, tried.at)
        elif tried.at - since >= self.patience:
            await _disable(connection, held, DisabledBecause.FAILING, tried.at)


async def _end_try(connection: AsyncConnection, tried: Tried, retry_at: datetime | None, verdict: Verdict) -> int:
    """Write to the delivery how it stands after the try, and answer the try's number."""
    after = DeliveryState.DELIVERED
    if verdict is not Verdict.TAKEN:
        after = DeliveryState.FAILED if retry_at is None else DeliveryState.PENDING
    over = after is not DeliveryState.PENDING
    # What had ended while this try was under way, with its endpoint for instance, does not wait for another one.
    stays = _D.state == DeliveryState.DELIVERED if over else _D.state != DeliveryState.PENDING
    change = (
        update(webhook_deliveries)
        .where(_D.id == tried.delivery_id)
        .values(
            attempts=_D.attempts + 1,
            state=_unless(stays, _D.state, after),
            finished_at=_unless(stays, _D.finished_at, tried.at if over else None),
            next_attempt_at=_unless(stays, _D.next_attempt_at, retry_at if not over else None),
        )
    )
    number: int | None = await connection.scalar(change.returning(_D.attempts))
    if number is None:
        raise BooksError(f"there is no delivery {tried.delivery_id!r}")
    return number


def _unless(stays: ColumnElement[bool], before: ColumnElement[Any], after: object) -> ColumnElement[Any]:
    return case((stays, before), else_=after)


async def _state(connection: AsyncConnection, delivery_id: str) -> DeliveryState:
    return DeliveryState((await connection.execute(select(_D.state).where(_D.id == delivery_id))).scalar_one())


async def _disable(connection: AsyncConnection, held: Row[Any], reason: DisabledBecause, at: datetime) -> None:
    """Disable a held endpoint, and tell so in the same transaction."""
    await disable(connection, held.id, reason, at)
    told = select(func.count()).where(outbox.c.subject == held.id)
    before: int = (await connection.execute(told)).scalar_one()
    payload = {
        "endpoint_id": held.id,
        "host": urlsplit(held.url).hostname or "",
        "disabled_at": at.isoformat(),
        "reason": str(reason),
    }
    row = {"subject": held.id, "sequence": before + 1, "type": EventType.WEBHOOK_ENDPOINT_DISABLED, "payload": payload}
    await connection.execute(insert(outbox).values(**row))


def _columns(tried: Tried, number: int) -> dict[str, Any]:
    return {
        "delivery_id": tried.delivery_id,
        "number": number,
        "at": tried.at,
        "by_hand": tried.by_hand,
        "status": tried.status,
        "error": tried.error,
        "milliseconds": tried.milliseconds,
        "answer": tried.answer,
    }
