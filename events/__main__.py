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
from events.subscribers.registry import FORGETFUL, NAMES
from ledger.consumed import Consumption
from ledger.contract import StoreUnavailableError
from ledger.engine import create_engine
from ledger.outbox_store import Outbox


class OptionError(Exception):
    """The options do not go together; the message names the one that is wrong."""


def main() -> int:
    """Do what the command line says; 1 when it cannot be done, 2 when it makes no sense."""
    options = _parser().parse_args()
    try:
        asyncio.run(_status() if options.command == "status" else _replay(options))
    except (OptionError, SettingsError) as error:
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
    replay.add_argument(
        "--afresh",
        action="store_true",
        help="with --to: forget first what came of them, and of all since that UTC day began",
    )
    replay.add_argument("--show", action="store_true", help="with --dead: list them, and leave them where they are")
    return parser


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time; 2026-11-22T10:00Z is one") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@asynccontextmanager
async def _books() -> AsyncIterator[AsyncEngine]:
    engine = create_engine(DatabaseSettings.read().database_url, pool_size=2)
    try:
        yield engine
    finally:
        await engine.dispose()


def _broker() -> Broker:
    carried = BrokerSettings.read()
    return connect(carried.broker_url.get_secret_value(), carried.event_subscribers)


@asynccontextmanager
async def _connected() -> AsyncIterator[Broker]:
    broker = _broker()
    try:
        await broker.start()
        yield broker
    finally:
        await broker.close()


async def _status() -> None:
    async with _books() as engine:
        backlog, consumption = await Outbox(engine).backlog(), Consumption(engine)
        waits = f", the oldest for {backlog.oldest.total_seconds():.0f} s" if backlog.oldest else ""
        print(f"{backlog.unpublished} events not published{waits}")
        async with _connected() as broker:
            print(f"{'subscriber':<16}{'waiting':>9}{'sent again':>12}{'dead':>7}   last done")
            for name in NAMES:
                print(await _line(name, broker, consumption))


async def _line(name: str, broker: Broker, consumption: Consumption) -> str:
    new, again = await broker.waiting(EVENTS, name), await broker.waiting(channel_to(name), name)
    dead, last = await broker.waiting(dead_letters_of(name), READER), await consumption.last(name)
    shown = last.astimezone(UTC).isoformat(timespec="seconds") if last else "never"
    return f"{name:<16}{new:>9}{again:>12}{dead:>7}   {shown}"


async def _replay(options: argparse.Namespace) -> None:
    if options.dead:
        await _dead(options)
        return
    _check_range(options)
    async with _books() as engine, _connected() as broker:
        since = options.since
        if options.afresh:
            since = await forget(engine, options.to, since)
            print(f"{options.to} has forgotten what came of events since {since.isoformat()}")
        sent = await send_again(Outbox(engine), broker, options.to, since, options.until)
        print(f"{sent} {'event' if sent == 1 else 'events'} sent to {options.to} again")


def _check_range(options: argparse.Namespace) -> None:
    if options.show:
        raise OptionError("--show: goes with --dead")
    if options.since is None:
        raise OptionError("--since: say from when on; 2026-11-22T10:00Z for instance")
    if options.until is not None and options.until <= options.since:
        raise OptionError("--until: must be after --since")
    if options.afresh and options.until is not None:
        raise OptionError("--until: not with --afresh, which forgets everything from --since on")
    if options.afresh and options.to not in FORGETFUL:
        raise OptionError(
            f"--afresh: {options.to} cannot forget, what it has sent stays sent; without it, {options.to} gets what it "
            "is not done with"
        )


async def _dead(options: argparse.Namespace) -> None:
    if options.since or options.until or options.afresh:
        raise OptionError("--dead: all dead letters are sent again; --since, --until and --afresh go with --to")
    letters = await dead_letters(_broker, options.dead, again=not options.show)
    for letter in letters:
        print(f"{letter.id or '(no id)':<40} {letter.topic:<26} {letter.why}")
    told = "dead letter" if len(letters) == 1 else "dead letters"
    print(f"{len(letters)} {told} {'of' if options.show else 'sent again to'} {options.dead}")


if __name__ == "__main__":
    sys.exit(main())
