"""What the demo's shop sells, as its orders name it, and how much of it there is."""

from collections.abc import Mapping

from devstack.demo.people import Json
from ledger.engine import create_engine
from ledger.stock import Stock, StockLevel

_MUG, _POSTER = "mug", "poster"
IN_STOCK: Json = {"metadata": {"sku": _MUG, "quantity": "2"}}
SOLD_OUT: Json = {"metadata": {"sku": _POSTER}}
SHELVES: Mapping[str, int] = {_MUG: 1_000, _POSTER: 0}
"""What is on the shelves when a run begins, by sku."""


def one_of(sku: str) -> Json:
    """The terms of an order for one piece."""
    return {"metadata": {"sku": sku, "quantity": "1"}}


async def stocked(database_url: str, pieces: Mapping[str, int]) -> None:
    """Put so many pieces of each kind on the shelves."""
    engine = create_engine(database_url, pool_size=1)
    try:
        stock = Stock(engine)
        for sku, number in pieces.items():
            await stock.put(sku, number)
    finally:
        await engine.dispose()


async def levels(database_url: str) -> dict[str, StockLevel]:
    """What is there of each kind, by sku."""
    engine = create_engine(database_url, pool_size=1)
    try:
        return {level.sku: level for level in await Stock(engine).levels()}
    finally:
        await engine.dispose()
