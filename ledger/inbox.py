"""The webhook inbox: stored before it is acknowledged, dispatched from here, never lost in between."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, Update, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from ledger.contract import Delivery, EventSource, InboxFilter, InboxItem, InboxPage, StoredEvent
from ledger.cursors import encode_cursor, page_size
from ledger.engine import statement_by_statement
from ledger.failures import translated
from ledger.inbox_rows import again_due, conditions, event_of, listing, select_events
from ledger.inbox_writer import CHANNEL, InboxWriter
from ledger.listener import Listener
from ledger.tables import webhook_inbox

_ITEM = tuple(
    webhook_inbox.c[name]
    for name in (
        "id",
        "gateway",
        "event_id",
        "type",
        "payment_id",
        "reference",
        "received_at",
        "attempts",
        "dispute_id",
        "replays",
    )
)


class Inbox:
    """`start` before the first `store`, `close` at the end; reading and claiming need neither.

    Every method may raise StoreUnavailableError.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = statement_by_statement(engine)
        self._writer = InboxWriter(engine)
        self._listener = Listener(engine, CHANNEL)

    async def start(self) -> None:
        """Begin to take deliveries."""
        self._writer.start()

    async def close(self) -> None:
        """Store what waits, then take no more and stop listening."""
        await self._writer.close()
        await self._listener.close()

    async def store(self, delivery: Delivery) -> bool:
        """Store the event and commit, then answer whether it is new. Raises BooksError for what cannot be stored.

        An event that is not relevant is kept as evidence and counts as processed.
        """
        return await self._writer.store(delivery)

    async def claim(self, limit: int, lease: timedelta) -> tuple[InboxItem, ...]:
        """Take up to `limit` events that are due, oldest first; nobody else gets them until the lease ends."""
        w = webhook_inbox.c
        free = or_(w.leased_until.is_(None), w.leased_until < func.now())
        due = (
            select(w.id)
            .where(w.processed_at.is_(None), w.next_attempt_at <= func.now(), free)
            .order_by(w.received_at, w.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
            .cte("due")
        )
        taken = (
            update(webhook_inbox)
            .where(w.id == due.c.id)
            .values(attempts=w.attempts + 1, leased_until=func.now() + lease)
            .returning(*_ITEM)
        )
        with translated():
            async with self._engine.connect() as connection:
                items = [InboxItem(**row._mapping) for row in await connection.execute(taken)]
        return tuple(sorted(items, key=lambda item: (item.received_at, item.id)))

    async def finish(self, item: InboxItem, outcome: str) -> None:
        """The event is dealt with, for good; unless somebody has ordered meanwhile that it be dispatched again."""
        await self._change(item, processed_at=func.now(), leased_until=None, outcome=outcome)

    async def postpone(self, item: InboxItem, delay: timedelta, outcome: str) -> None:
        """Not now: the event comes back after the delay; `outcome` says why it waits."""
        await self._change(item, next_attempt_at=func.now() + delay, leased_until=None, outcome=outcome)

    async def wait_for_news(self, timeout: timedelta) -> bool:  # noqa: ASYNC109 (running out of time is an answer)
        """Whether new events came before the time was over. Look into the inbox either way: news can get lost."""
        return await self._listener.wait(timeout)

    async def unprocessed(self) -> int:
        """How many events wait."""
        query = select(func.count()).where(webhook_inbox.c.processed_at.is_(None))
        with translated():
            async with self._engine.connect() as connection:
                return int((await connection.execute(query)).scalar_one())

    async def get(self, gateway: str, event_id: str) -> dict[str, Any] | None:
        """The event's whole row, as it stands in the table."""
        w = webhook_inbox.c
        query = select(webhook_inbox).where(w.gateway == gateway, w.event_id == event_id)
        with translated():
            async with self._engine.connect() as connection:
                row = (await connection.execute(query)).one_or_none()
        return None if row is None else dict(row._mapping)

    async def listed(self, wanted: InboxFilter) -> InboxPage:
        """One page of stored events, newest first. Raises ValueError for a cursor that no page gave."""
        size = page_size(wanted.limit)
        found = await self._events(listing(wanted).limit(size + 1))
        data = found[:size]
        return InboxPage(data, encode_cursor(data[-1].received_at, str(data[-1].id)) if len(found) > size else None)

    async def stored(self, item_id: int) -> StoredEvent | None:
        """The event of this number."""
        found = await self._events(select_events().where(webhook_inbox.c.id == item_id))
        return found[0] if found else None

    async def by_event_id(self, event_id: str) -> tuple[StoredEvent, ...]:
        """The events that a gateway calls so; different gateways may use the same id."""
        return await self._events(select_events().where(webhook_inbox.c.event_id == event_id))

    async def replay(self, ids: Collection[int]) -> int:
        """Dispatch these events again, as if they had just come; how many. Those that are not relevant never are."""
        return await self._replay(webhook_inbox.c.id.in_(ids)) if ids else 0

    async def replay_matching(self, wanted: InboxFilter) -> int:
        """The same for all events of a filter, whatever its cursor and limit."""
        return await self._replay(*conditions(wanted))

    async def known(self, gateway: str, event_ids: Collection[str]) -> set[str]:
        """Which of these events of a gateway are stored already."""
        w = webhook_inbox.c
        query = select(w.event_id).where(w.gateway == gateway, w.event_id.in_(event_ids))
        with translated():
            async with self._engine.connect() as connection:
                return set(await connection.scalars(query))

    async def sources(self, since: datetime) -> dict[str, dict[EventSource, int]]:
        """How many relevant events came since then, by gateway and by how they came."""
        w = webhook_inbox.c
        query = (
            select(w.gateway, w.source, func.count())
            .where(w.received_at >= since, w.relevant)
            .group_by(w.gateway, w.source)
        )
        counted: dict[str, dict[EventSource, int]] = {}
        with translated():
            async with self._engine.connect() as connection:
                for gateway, source, number in await connection.execute(query):
                    counted.setdefault(gateway, {})[EventSource(source)] = number
        return counted

    async def _replay(self, *which: ColumnElement[bool]) -> int:
        """An event that somebody works on right now keeps its lease, and is due again when that ends."""
        again = again_due(*which).returning(webhook_inbox.c.id)
        with translated():
            async with self._engine.connect() as connection:
                number = len((await connection.execute(again)).all())
                if number:
                    await connection.execute(select(func.pg_notify(CHANNEL, "")))
        return number

    async def _events(self, query: Select[Any]) -> tuple[StoredEvent, ...]:
        with translated():
            async with self._engine.connect() as connection:
                return tuple(event_of(row) for row in await connection.execute(query))

    async def _change(self, item: InboxItem, **values: Any) -> None:
        """Change an event that is not processed yet; a late answer of somebody whose lease ran out changes nothing.

        Where it was ordered again since the claim, the claim alone ends: what it came to is of before the order.
        """
        w = webhook_inbox.c
        mine = update(webhook_inbox).where(w.id == item.id, w.processed_at.is_(None))
        ended: Update = mine.where(w.replays == item.replays).values(**values)
        let_go: Update = mine.where(w.replays != item.replays).values(leased_until=None)
        with translated():
            async with self._engine.connect() as connection:
                await connection.execute(ended)
                await connection.execute(let_go)
