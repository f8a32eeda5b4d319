"""Refunds that the shop asks for: each reserves its amount, so that all together never give back more than was taken.

The amount is reserved in one short transaction, before any gateway is called; no lock is held across that call.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from domain.checkout import Failure
from domain.dispute import BLOCKS_REFUNDS
from domain.errors import BooksError
from domain.money import Money
from domain.payment import RefundStatus
from domain.refund import Refund, RefundRecord
from domain.refundable import refundable
from domain.states import CheckoutState
from domain.timeline import Entry, EventType, JsonScalar
from ledger.contract import RefundRefusedError
from ledger.dispute_rows import is_disputed
from ledger.engine import statement_by_statement
from ledger.failures import translated
from ledger.held import HeldCheckout, glance, hold
from ledger.later_tables import refund_status, refunds
from ledger.notes import standing_of
from ledger.refund_rows import insert_refund, refund_of_row, select_refunds, set_status
from ledger.tables import operations

_LONG_AGO = timedelta(hours=1)


class Refunds:
    """Every method may raise StoreUnavailableError, and a write BooksError."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._reader = statement_by_statement(engine)

    async def reserve(self, refund: Refund, cause: str = "api") -> RefundRecord:
        """Reserve the amount, or find the refund when it was reserved before. Raises RefundRefusedError.

        BooksError when there is no such checkout, or the id stands for another refund.
        """
        with translated():
            async with self._engine.begin() as connection:
                held = await hold(connection, refund.checkout_id)
                found = await _find(connection, refund.id)
                if found is not None:
                    return _same(found, refund)
                await _check(held, refund)
                await held.append([_reserved(held, refund, cause)])
                await insert_refund(connection, refund)
        return RefundRecord(refund, RefundStatus.PENDING, refund.created_at)

    async def available(self, checkout_id: str) -> Money:
        """The most that `reserve` would take now; zero when nothing is left, and while it would take nothing at all."""
        with translated():
            async with self._engine.connect() as connection:
                # One view of everything, and nobody who writes has to wait for whoever only asks.
                await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
                held = await glance(connection, checkout_id)
                minor = 0 if await _refusal(held) else await _left(held)
                return Money(minor, held.record.checkout.amount.currency)

    async def get(self, refund_id: str) -> RefundRecord | None:
        """The refund, None when there is no such."""
        found = await self._all(select_refunds().where(refunds.c.id == refund_id))
        return found[0] if found else None

    async def of_checkout(self, checkout_id: str) -> tuple[RefundRecord, ...]:
        """The shop's refunds of a checkout, oldest first."""
        return await self._all(select_refunds().where(refunds.c.checkout_id == checkout_id))

    async def fail(self, refund_id: str, failure: Failure, cause: str, at: datetime) -> RefundRecord:
        """The gateway would not take it on: what was reserved for it is free again.

        One that has failed before, or that the gateway was seen to have taken on after all, comes back unchanged.
        """
        with translated():
            async with self._engine.begin() as connection:
                held = await hold(connection, await _checkout_of(connection, refund_id))
                record = await _find(connection, refund_id)
                assert record is not None
                if record.status is not RefundStatus.PENDING or record.gateway_refund_id is not None:
                    return record
                await held.append([_failed(held, record.refund, failure, cause, at)])
                await set_status(connection, refund_id, RefundStatus.FAILED, at, None, failure)
        return RefundRecord(record.refund, RefundStatus.FAILED, at, None, failure)

    async def find_unstarted(self, older_than: timedelta, limit: int, after: str = "") -> tuple[RefundRecord, ...]:
        """Pending refunds of that long ago that nobody may be at, by id, those `after` this one.

        Either no gateway was ever asked: before a refund's workflow asks, it stores the key of its operation,
        `<checkout id>:<refund id>:<number>`. Or it was asked so long ago that its workflow may be gone.
        """
        asked = exists().where(
            operations.c.checkout_id == refunds.c.checkout_id,
            func.starts_with(operations.c.key, refunds.c.checkout_id + ":" + refunds.c.id + ":"),
        )
        query = (
            select_refunds()
            .where(refund_status.c.state == RefundStatus.PENDING, refunds.c.created_at < func.now() - older_than)
            .where(or_(~asked, refunds.c.created_at < func.now() - _LONG_AGO), refunds.c.id > after)
            .order_by(None)
            .order_by(refunds.c.id)
            .limit(limit)
        )
        return await self._all(query)

    async def _all(self, query: Select[Any]) -> tuple[RefundRecord, ...]:
        with translated():
            async with self._reader.connect() as connection:
                return tuple(refund_of_row(row) for row in await connection.execute(query))


async def _find(connection: AsyncConnection, refund_id: str) -> RefundRecord | None:
    row = (await connection.execute(select_refunds().where(refunds.c.id == refund_id))).one_or_none()
    return None if row is None else refund_of_row(row)


async def _checkout_of(connection: AsyncConnection, refund_id: str) -> str:
    checkout_id: str | None = await connection.scalar(select(refunds.c.checkout_id).where(refunds.c.id == refund_id))
    if checkout_id is None:
        raise BooksError(f"there is no refund {refund_id!r}")
    return checkout_id


def _same(found: RefundRecord, refund: Refund) -> RefundRecord:
    if (found.refund.checkout_id, found.refund.amount) != (refund.checkout_id, refund.amount):
        raise BooksError(f"refund {refund.id!r} exists with other content")
    return found


async def _check(held: HeldCheckout, refund: Refund) -> None:
    currency = held.record.checkout.amount.currency
    if refund.amount.currency != currency:
        raise BooksError(f"{held.id} is in {currency}, to be refunded was {refund.amount}")
    refusal = await _refusal(held)
    if refusal is not None:
        raise refusal
    left = await _left(held)
    if refund.amount.minor > left:
        message = f"{refund.amount} is more than the {Money(left, currency)} that can still be given back"
        raise RefundRefusedError("amount_exceeds_available", message, left)


async def _refusal(held: HeldCheckout) -> RefundRefusedError | None:
    """Why nothing can be given back now, however little; None when something could be."""
    status = held.record.status
    if status.state is not CheckoutState.COMPLETED or not status.captured_minor:
        message = f"the checkout is {status.state}, with nothing of it sold that could be given back"
        return RefundRefusedError("nothing_to_refund", message)
    if status.payment_id is None:
        message = "a person marked it as paid, and no payment at the gateway is known that could be refunded there"
        return RefundRefusedError("nothing_to_refund", message)
    if await is_disputed(held.connection, held.id, BLOCKS_REFUNDS):
        return RefundRefusedError("dispute_open", "the money is with the bank until an open dispute is decided")
    return None


async def _left(held: HeldCheckout) -> int:
    standing = await standing_of(held)
    return refundable(standing.booked, standing.refunds.values())


def _reserved(held: HeldCheckout, refund: Refund, cause: str) -> Entry:
    """The shop's own words for the reason may be personal, so they stay in the refund's table."""
    details: dict[str, JsonScalar] = {"refund_id": refund.id, "status": str(RefundStatus.PENDING)}
    return _entry(held, refund, f"refund:{refund.id}", cause, refund.created_at, details, EventType.REFUND_CREATED)


def _failed(held: HeldCheckout, refund: Refund, failure: Failure, cause: str, at: datetime) -> Entry:
    status = str(RefundStatus.FAILED)
    details: dict[str, JsonScalar] = {"refund_id": refund.id, "status": status, "code": failure.code}
    return _entry(held, refund, f"refund:{refund.id}:failed", cause, at, details, EventType.REFUND_FAILED)


def _entry(
    held: HeldCheckout,
    refund: Refund,
    key: str,
    cause: str,
    at: datetime,
    details: dict[str, JsonScalar],
    event: EventType,
) -> Entry:
    details |= {"amount": refund.amount.minor, "currency": refund.amount.currency}
    return Entry(key, held.record.status, cause, at, details, (), event)
