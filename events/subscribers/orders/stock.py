"""The stock by hand: `python -m events.subscribers.orders.stock set SKU N`, `list`. Needs DATABASE_URL."""

import argparse
import asyncio
import sys
from collections.abc import Sequence

from config.environment import SettingsError
from config.settings import DatabaseSettings
from domain.errors import BooksError
from events.subscribers.orders.basket import LONGEST_SKU, is_sku
from ledger.contract import StoreUnavailableError
from ledger.engine import create_engine
from ledger.stock import Stock

_MOST = 10**12


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says. 1 when it cannot be done, 2 when the command line or environment is wrong."""
    chosen = _parser().parse_args(arguments)
    try:
        return asyncio.run(_run(chosen, DatabaseSettings.read().database_url))
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except (StoreUnavailableError, BooksError) as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m events.subscribers.orders.stock", description="What the orders subscriber may sell."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    put = commands.add_parser("set", help="say how many may be sold from now on, besides those set aside")
    put.add_argument("sku", type=_sku)
    put.add_argument("available", type=_available, metavar="N")
    commands.add_parser("list", help="show what may be sold, and what is set aside or sold")
    return parser


def _sku(text: str) -> str:
    if not is_sku(text):
        raise argparse.ArgumentTypeError(f"must be 1 to {LONGEST_SKU} printable characters, no spaces around them")
    return text


def _available(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > _MOST:
        raise argparse.ArgumentTypeError(f"must be a number of pieces from 0 to {_MOST}")
    return int(text)


async def _run(chosen: argparse.Namespace, database_url: str) -> int:
    engine = create_engine(database_url, pool_size=1)
    try:
        stock = Stock(engine)
        if chosen.command == "set":
            await stock.put(chosen.sku, chosen.available)
        for level in await stock.levels():
            if chosen.command == "list" or level.sku == chosen.sku:
                sys.stdout.write(f"{level.sku}  {level.available} available, {level.reserved} set aside or sold\n")
    finally:
        await engine.dispose()
    return 0


if __name__ == "__main__":
    sys.exit(main())
