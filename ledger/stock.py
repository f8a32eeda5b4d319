"""The stock of those who take orders: set aside with the payment, given back where there is no sale. Never below zero.

One row for each checkout says what was decided, so that an event that comes again, or to two processes at once, takes
nothing twice and gives nothing back twice.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, Update, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ledger.contract import StoreUnavailableError
from ledger.failures import translated
from ledger.order_tables import orders_reservations, orders_stock


class Reservation(StrEnum):
    """What was decided about a checkout's goods."""

    RESERVED = "reserved"
    REFUSED = "refused"
    """There were not enough of them."""
    RETURNED = "returned"
    """They were set aside, and there was no sale."""


@dataclass(frozen=True)
class Item:
    """What is bought: so many pieces of one kind."""

    sku: str
    quantity: int


@dataclass(frozen=True)
class StockLevel:
    """How many pieces may still be sold, and how many are set aside or sold."""

    sku: str
    available: int
    reserved: int


class Stock:
    """Every method may raise StoreUnavailableError, and BooksError for what the database refuses."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def put(self, sku: str, available: int) -> None:
        """From now on so many may be sold, besides those that are set aside."""
        stocked = insert(orders_stock).values(sku=sku, available=available)
        changed = stocked.on_conflict_do_update(
            index_elements=[orders_stock.c.sku],
            set_={"available": stocked.excluded.available, "changed_at": func.now()},
        )
        with translated():
            async with self._engine.begin() as connection:
                await connection.execute(changed)

    async def levels(self) -> tuple[StockLevel, ...]:
        """Everything that was ever in stock, by its name."""
        s, r = orders_stock.c, orders_reservations.c
        reserved = (
            select(func.coalesce(func.sum(r.quantity), 0))
            .where(r.sku == s.sku, r.state == Reservation.RESERVED)
            .scalar_subquery()
        )
        query = select(s.sku, s.available, reserved.label("reserved")).order_by(s.sku)
        with translated():
            async with self._engine.connect() as connection:
                rows = await connection.execute(query)
                return tuple(StockLevel(row.sku, row.available, int(row.reserved)) for row in rows)

    async def reserve(self, checkout_id: str, item: Item, at: datetime) -> Reservation:
        """Set the goods aside, all of them or none. What was decided about this checkout before stands."""
        new = insert(orders_reservations).values(
            checkout_id=checkout_id,
            sku=item.sku,
            quantity=item.quantity,
            state=Reservation.REFUSED,
            decided_at=at,
        )
        mine = new.on_conflict_do_nothing().returning(orders_reservations.c.checkout_id)
        with translated():
            async with self._engine.begin() as connection:
                # Another process that decides on the same checkout is waited for here, until it has committed.
                if (await connection.execute(mine)).one_or_none() is None:
                    return await _decided(connection, checkout_id)
                if not await _take(connection, item):
                    return Reservation.REFUSED
                await connection.execute(_change(checkout_id, Reservation.REFUSED, state=Reservation.RESERVED))
                return Reservation.RESERVED

    async def give_back(self, checkout_id: str, at: datetime) -> bool:
        """Whether goods were set aside for this checkout; now they are not."""
        r = orders_reservations.c
        returned = _change(checkout_id, Reservation.RESERVED, state=Reservation.RETURNED, returned_at=at)
        with translated():
            async with self._engine.begin() as connection:
                row = (await connection.execute(returned.returning(r.sku, r.quantity))).one_or_none()
                if row is None:
                    return False
                await connection.execute(_restock(row.quantity).where(orders_stock.c.sku == row.sku))
                return True

    async def forget(self, since: datetime) -> int:
        """Undo every decision made from then on, and answer how many there were. What they took is there again.

        A return made since then stays: the events that lead to it come again and find it done.
        """
        r = orders_reservations.c
        gone = (
            delete(orders_reservations).where(r.decided_at >= since).returning(r.sku, r.quantity, r.state).cte("gone")
        )
        freed = (
            select(gone.c.sku, func.sum(gone.c.quantity).label("quantity"))
            .where(gone.c.state == Reservation.RESERVED)
            .group_by(gone.c.sku)
            .cte("freed")
        )
        restocked = _restock(freed.c.quantity).where(orders_stock.c.sku == freed.c.sku).returning(orders_stock.c.sku)
        counted = select(func.count()).select_from(gone).add_cte(restocked.cte("restocked"))
        with translated():
            async with self._engine.begin() as connection:
                return int((await connection.execute(counted)).scalar_one())


async def _decided(connection: AsyncConnection, checkout_id: str) -> Reservation:
    r = orders_reservations.c
    state = (await connection.execute(select(r.state).where(r.checkout_id == checkout_id))).scalar_one_or_none()
    if state is None:
        # Forgotten in this very moment, by somebody who has all events sent again.
        raise StoreUnavailableError(f"the reservation of {checkout_id} is just being undone")
    return Reservation(state)


async def _take(connection: AsyncConnection, item: Item) -> bool:
    """Whether there were enough: the row itself is asked, under its lock, so that two cannot have the last piece."""
    s = orders_stock.c
    taken = _restock(-item.quantity).where(s.sku == item.sku, s.available >= item.quantity)
    return (await connection.execute(taken.returning(s.sku))).one_or_none() is not None


def _restock(more: int | ColumnElement[int]) -> Update:
    s = orders_stock.c
    return update(orders_stock).values(available=s.available + more, changed_at=func.now())


def _change(checkout_id: str, found: Reservation, **values: object) -> Update:
    """The change of a reservation where it is found as it should be; its row is locked before any of the stock."""
    r = orders_reservations.c
    return update(orders_reservations).where(r.checkout_id == checkout_id, r.state == found).values(**values)
