"""Orders that the shop decides on itself."""

from events.subscribers.orders.subscriber import Orders
from ledger.stock import Stock
from tests.api.conftest import Api
from tests.events.subscribers.orders.sales import sale


async def test_what_the_shop_decides_itself_is_left_to_it(
    running: Api, stock: Stock, orders: Orders, said: list[str]
) -> None:
    """An order that is marked so is neither confirmed nor rejected, and nothing is set aside for it."""
    bare = await sale(running, stock, orders, 3, metadata={"order": "by_hand"})
    named = await sale(running, stock, orders, 3, metadata={"order": "by_hand", "sku": bare.sku})
    for order in (bare, named):
        await running.sagas.paid(order.id)
        await order.tell("payment.succeeded", "paid")
        assert (await order.state(), await order.level()) == ("paid", (3, 0))
    assert said == []


async def test_another_word_marks_nothing(running: Api, stock: Stock, orders: Orders) -> None:
    """Only that very mark keeps an order for the shop."""
    mugs = await sale(running, stock, orders, 3, metadata={"order": "by_handcart"})
    await running.sagas.paid(mugs.id)
    await mugs.tell("payment.succeeded", "paid")
    assert await mugs.state() == "completed"
