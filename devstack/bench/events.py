"""What events cost: checkouts with and without those who carry them, without a broker, and how far behind each runs."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from typing import Any

import asyncpg  # type: ignore[import-untyped]

from devstack.bench.field import Field
from devstack.bench.load import Sample, median, run
from devstack.bench.shop_door import Door, open_door
from devstack.errors import StackError
from devstack.eventing import BROKER, MEASURED, RELAY
from ledger.engine import dsn

AT_ONCE = 20
PER_ROUND = 100
ROUNDS = 3
OUTAGE_SECONDS = 60.0
_PATIENCE = 300.0

# How long events were on the way, in milliseconds: from the books to the broker, and to each subscriber's end.
_LAGS = """
    SELECT 'relay' AS name, percentile_cont(ARRAY[0.5, 0.99]) WITHIN GROUP (
        ORDER BY extract(epoch FROM published_at - created_at) * 1000) AS ms
    FROM outbox WHERE created_at > $1 AND published_at IS NOT NULL
    UNION ALL
    SELECT subscriber, percentile_cont(ARRAY[0.5, 0.99]) WITHIN GROUP (
        ORDER BY extract(epoch FROM at - occurred_at) * 1000)
    FROM consumed_events WHERE occurred_at > $1 GROUP BY subscriber
"""


async def measure(field: Field) -> dict[str, Any]:
    """All of it, on a stack with every part."""
    connection = await asyncpg.connect(dsn(field.stack.addresses.database_url))
    try:
        beside = await _beside(field)
        lags = await _lags(field, connection)
        outage = await _without_broker(field, connection)
        deliveries = await _deliveries(field)
        return {
            "at_once": AT_ONCE,
            "checkouts_per_round": PER_ROUND,
            "checkouts_per_second": beside,
            "lag_ms": lags,
            "outage": outage,
            "deliveries": deliveries,
            "catching_up": await _catching_up(field, connection),
        }
    finally:
        await connection.close()


async def _checkout(field: Field) -> None:
    checkout = await field.create()
    await field.pay(checkout)
    await field.temporal.get_workflow_handle(f"checkout/{checkout['id']}").result()


async def _round(field: Field) -> Sample:
    return await run(lambda: _checkout(field), PER_ROUND, AT_ONCE)


@asynccontextmanager
async def _only(field: Field, parts: Collection[str]) -> AsyncIterator[None]:
    """Of the relay and the subscribers these alone run for as long as this is entered."""
    stopped = [name for name in MEASURED if name not in parts]
    for name in stopped:
        field.stack.kill(name)
    try:
        yield
    finally:
        await asyncio.gather(*map(field.stack.start_part, stopped))


async def _beside(field: Field) -> dict[str, Any]:
    """In turns: nobody carries events, the relay alone, the relay and every subscriber."""
    sets: dict[str, Collection[str]] = {"nobody": (), "relay": (RELAY,), "all": MEASURED}
    rates: dict[str, list[float]] = {name: [] for name in sets}
    await _round(field)
    for _ in range(ROUNDS):
        for name, parts in sets.items():
            async with _only(field, parts):
                rates[name].append((await _round(field)).rate)
            # What gathered meanwhile is not the next round's matter.
            await _caught_up(field)
    middle = {name: median(found) for name, found in rates.items()}
    ratios = {f"{name}_ratio": round(middle[name] / middle["nobody"], 2) for name in ("relay", "all")}
    return middle | ratios | {"rounds": {name: [round(one, 1) for one in found] for name, found in rates.items()}}


async def _lags(field: Field, connection: asyncpg.Connection) -> dict[str, dict[str, float]]:
    """Under the load of checkouts."""
    since = await connection.fetchval("SELECT clock_timestamp()")
    await _round(field)
    await _caught_up(field)
    rows = await connection.fetch(_LAGS, since)
    return {row["name"]: {"p50": round(row["ms"][0], 1), "p99": round(row["ms"][1], 1)} for row in rows}


async def _without_broker(field: Field, connection: asyncpg.Connection) -> dict[str, Any]:
    """The broker is dead for a minute; checkouts run on, and afterwards nothing is missing anywhere."""
    before = await _round(field)
    field.stack.kill(BROKER)
    began, rates = time.monotonic(), []
    while time.monotonic() - began < OUTAGE_SECONDS:
        rates.append((await _round(field)).rate)
    waited = await connection.fetchval("SELECT count(*) FROM outbox WHERE published_at IS NULL")
    await field.stack.start_part(BROKER)
    back = time.monotonic()
    await _caught_up(field)
    seconds = time.monotonic() - back
    after = await _round(field)
    await _caught_up(field)
    around = (before.rate + after.rate) / 2
    return {
        "seconds": round(back - began),
        "checkouts_per_second": median(rates),
        "around_it": round(around, 2),
        "ratio": round(median(rates) / around, 2),
        "events_that_waited": waited,
        "caught_up_after_s": round(seconds, 1),
        "missing_at_analytics": await _missing(connection),
    }


async def _missing(connection: asyncpg.Connection) -> int:
    """How many events analytics has not consumed, of all that there are of checkouts."""
    return int(
        await connection.fetchval(
            """
            SELECT count(*) FROM outbox AS o WHERE checkout_id IS NOT NULL AND NOT EXISTS (
                SELECT FROM consumed_events AS c
                WHERE c.subscriber = 'analytics' AND c.event_id = o.subject || ':' || o.sequence)
            """
        )
    )


async def _deliveries(field: Field) -> dict[str, Any]:
    """Every event to one address of a shop."""
    async with open_door(field) as door:
        began = time.monotonic()
        await _round(field)
        await _until(lambda: _taken(field, door))
        seconds = max(door.last - began, 0.001)
        lags = Sample(seconds, tuple(door.lags.values()))
        await door.shut()
    return {
        "events": len(lags.each),
        "per_second": round(lags.rate, 1),
        "lag_ms": {"p50": lags.quantile_ms(0.5), "p99": lags.quantile_ms(0.99)},
        "came_twice": door.twice,
    }


async def _taken(field: Field, door: Door) -> bool:
    """Whether everything that was planned for the door has been taken there."""
    connection = await asyncpg.connect(dsn(field.stack.addresses.database_url))
    try:
        due = int(await connection.fetchval("SELECT count(*) FROM outbox WHERE created_at > $1", door.since))
    finally:
        await connection.close()
    return len(door.lags) >= due


async def _catching_up(field: Field, connection: asyncpg.Connection) -> dict[str, Any]:
    """All events once more, at an empty broker: what a relay and a subscriber do when nothing else is to be done."""
    for name in (*MEASURED, BROKER):
        field.stack.kill(name)
    await asyncio.to_thread(shutil.rmtree, field.stack.options.layout.nats)
    field.stack.options.layout.make()
    await connection.execute("UPDATE outbox SET published_at = NULL")
    await connection.execute("TRUNCATE consumed_events, analytics_daily, analytics_checkouts")
    await field.stack.start_part(BROKER)
    events = await connection.fetchval("SELECT count(*) FROM outbox")
    await field.stack.start_part(RELAY)
    await _until(lambda: _published(connection))
    spread = "SELECT extract(epoch FROM max({0}) - min({0}))::float FROM {1}"
    relay = events / await connection.fetchval(spread.format("published_at", "outbox"))
    await field.stack.start_part("analytics")

    async def consumed() -> bool:
        return await _missing(connection) == 0

    await _until(consumed)
    analytics = events / await connection.fetchval(spread.format("at", "consumed_events"))
    await asyncio.gather(*(field.stack.start_part(name) for name in MEASURED if name not in (RELAY, "analytics")))
    return {"events": events, "relay_per_second": round(relay), "analytics_per_second": round(analytics)}


async def _published(connection: asyncpg.Connection) -> bool:
    return bool(await connection.fetchval("SELECT count(*) FROM outbox WHERE published_at IS NULL") == 0)


async def _caught_up(field: Field) -> None:
    """Wait until the relay has nothing left and analytics has consumed everything."""
    connection = await asyncpg.connect(dsn(field.stack.addresses.database_url))

    async def done() -> bool:
        return await _published(connection) and await _missing(connection) == 0

    try:
        await _until(done)
    finally:
        await connection.close()


async def _until(done: Callable[[], Awaitable[bool]]) -> None:
    until = time.monotonic() + _PATIENCE
    while not await done():
        if time.monotonic() > until:
            raise StackError(f"events were not where they belong after {_PATIENCE:.0f} s")
        await asyncio.sleep(0.2)
