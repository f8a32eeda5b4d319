"""By hand: `python -m events status`, `… replay --to NAME --since TIME`, `… replay --dead NAME`."""

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from config.environment import SettingsError
from config.settings import BrokerSettings, DatabaseSettings
from domain.errors import PaysagaError
from events.broker.contract import EVENTS, Broker, channel_to, dead_letters_of
from events.broker.registry import connect
from events.replaying import READER, dead_letters, forget, send_again
from events.subscribers.registry import NAMES
from ledger.consumed import Consumption
from ledger.contract import StoreUnavailableError
from ledger.engine import create_engine
from ledger.outbox_store import Outbox


def main() -> int:
    """Do what the command line says; 1 when it cannot be done, 2 when it makes no sense."""
    options = _parser().parse_args()
    try:
        asyncio.run(_status() if options.command == "status" else _replay(options))
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    except (PaysagaError, StoreUnavailableError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m events", description="Events, by hand.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("status", help="what waits, for the relay and for each subscriber")
    replay = commands.add_parser("replay", help="send events to one subscriber again")
    which = replay.add_mutually_exclusive_group(required=True)
    which.add_argument("--to", choices=NAMES, help="the subscriber that gets events of the books again")
    which.add_argument("--dead", choices=NAMES, help="the subscriber that gets its dead letters again")
    replay.add_argument("--since", type=_moment, help="with --to: from this time on, 2026-11-22 or 2026-11-22T10:00Z")
    replay.add_argument("--until", type=_moment, help="with --to: before this time")
    replay.add_argument("--afresh", action="store_true", help="with --to: forget first what came of them")
    replay.add_argument("--show", action="store_true", help="with --dead: list them, and leave them where they are")
    return parser


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time; 2026-11-22T10:00Z is one") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@asynccontextmanager
async def _parts() -> AsyncIterator[tuple[AsyncEngine, Broker]]:
    database, carried = DatabaseSettings.read(), BrokerSettings.read()
    engine = create_engine(database.database_url, pool_size=2)
    broker = connect(carried.broker_url.get_secret_value(), carried.event_subscribers)
    try:
        await broker.start()
        yield engine, broker
    finally:
        await broker.close()
        await engine.dispose()


async def _status() -> None:
    async with _parts() as (engine, broker):
        backlog, consumption = await Outbox(engine).backlog(), Consumption(engine)
        waits = f", the oldest for {backlog.oldest.total_seconds():.0f} s" if backlog.oldest else ""
        print(f"{backlog.unpublished} events not published{waits}")
        print(f"{'subscriber':<16}{'waiting':>9}{'sent again':>12}{'dead':>7}   last done")
        for name in NAMES:
            counts = [
                await broker.waiting(channel, group)
                for channel, group in (
                    (EVENTS, name),
                    (channel_to(name), name),
                    (dead_letters_of(name), READER),
                )
            ]
            last = await consumption.last(name)
            shown = last.astimezone(UTC).isoformat(timespec="seconds") if last else "never"
            print(f"{name:<16}{counts[0]:>9}{counts[1]:>12}{counts[2]:>7}   {shown}")


async def _replay(options: argparse.Namespace) -> None:
    if options.dead:
        await _dead(options)
        return
    if options.since is None:
        raise SettingsError("--since: say from when on; 2026-11-22T10:00Z for instance")
    async with _parts() as (engine, broker):
        since = options.since
        if options.afresh:
            since = await forget(engine, options.to, since)
            print(f"{options.to} has forgotten what came of events since {since.isoformat()}")
        sent = await send_again(Outbox(engine), broker, options.to, since, options.until)
        print(f"{sent} events sent to {options.to} again")


async def _dead(options: argparse.Namespace) -> None:
    if options.since or options.until or options.afresh:
        raise SettingsError("--dead: dead letters are sent again all; --since, --until and --afresh go with --to")
    carried = BrokerSettings.read()
    url = carried.broker_url.get_secret_value()
    letters = await dead_letters(lambda: connect(url, carried.event_subscribers), options.dead, again=not options.show)
    for letter in letters:
        print(f"{letter.id or '(no id)':<40}{letter.topic:<26}{letter.why}")
    print(f"{len(letters)} dead letters {'of' if options.show else 'sent again to'} {options.dead}")


if __name__ == "__main__":
    sys.exit(main())
