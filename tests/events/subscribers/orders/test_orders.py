"""The orders subscriber on a real API and a real stock: yes, no, and giving back what came to nothing."""

from typing import Any

import pytest

from domain.states import CheckoutState as S
from events.contract import Event
from events.subscribers.contract import PoisonError, TryLaterError
from events.subscribers.orders.subscriber import OUT_OF_STOCK, Orders
from ledger.contract import StoreUnavailableError
from ledger.stock import Item, Stock
from tests.api.conftest import Api
from tests.events.subscribers.orders.sales import ASKED, NOW, sale


async def test_what_is_there_is_confirmed(running: Api, stock: Stock, orders: Orders, said: list[str]) -> None:
    """The payment succeeds, the goods are set aside, the order is confirmed; heard again, nothing more happens."""
    mugs = await sale(running, stock, orders, 5)
    await running.sagas.paid(mugs.id)
    event = await mugs.tell("payment.succeeded", "paid")
    assert (await mugs.state(), await mugs.level()) == ("completed", (3, 2))
    await orders.handle(event)
    assert (await mugs.state(), await mugs.level(), said) == ("completed", (3, 2), ["confirm"])


async def test_what_is_not_there_is_rejected(running: Api, stock: Stock, orders: Orders, said: list[str]) -> None:
    """The money goes back with the reason, and the piece that is there stays for somebody else."""
    mugs = await sale(running, stock, orders, 1)
    await running.sagas.paid(mugs.id)
    event = await mugs.tell("payment.succeeded", "paid")
    await orders.handle(event)
    seen = (await running.client.get(f"/v1/checkouts/{mugs.id}")).json()
    assert (seen["state"], seen["failure"]["message"]) == ("refunding", OUT_OF_STOCK)
    assert (await mugs.level(), said) == ((1, 0), ["reject"])


async def test_a_no_stays_a_no(running: Api, stock: Stock, orders: Orders) -> None:
    """New goods come between two tries of the same event: what may have been said already is said again."""
    mugs = await sale(running, stock, orders, 0)
    await running.sagas.paid(mugs.id)
    running.sagas.down = True
    with pytest.raises(TryLaterError, match="503 temporal_down"):
        await mugs.tell("payment.succeeded", "paid")
    await stock.put(mugs.sku, 10)
    running.sagas.down = False
    await mugs.tell("payment.succeeded", "paid")
    assert (await mugs.state(), await mugs.level()) == ("refunding", (10, 0))


async def test_a_hold_is_answered_and_its_capture_not_again(running: Api, stock: Stock, orders: Orders) -> None:
    """`payment.authorized` comes first: the goods are set aside once for both events."""
    mugs = await sale(running, stock, orders, 1, capture="on_confirm")
    await running.sagas.held(mugs.id)
    await mugs.tell("payment.authorized", "authorized")
    assert (await mugs.state(), await mugs.level()) == ("canceled", (1, 0))
    more = await sale(running, stock, orders, 4)
    await running.sagas.paid(more.id)
    await more.tell("payment.authorized", "authorized")
    await more.tell("payment.succeeded", "paid")
    assert (await more.state(), await more.level()) == ("completed", (2, 2))


async def test_an_order_that_names_no_goods_is_confirmed(running: Api, stock: Stock, orders: Orders) -> None:
    """There is nothing to set aside; one piece is meant where no quantity is said."""
    bare = await sale(running, stock, orders, 3, metadata={"basket": "b-1"})
    await running.sagas.paid(bare.id)
    await bare.tell("payment.succeeded", "paid")
    assert (await bare.state(), await bare.level()) == ("completed", (3, 0))
    one = await sale(running, stock, orders, 3)
    one = await sale(running, stock, orders, 3, metadata={"sku": one.sku})
    await running.sagas.paid(one.id)
    await one.tell("payment.succeeded", "paid")
    assert await one.state() == "completed"
    assert [seen.reserved for seen in await stock.levels() if seen.sku == one.checkout["metadata"]["sku"]] == [1]


@pytest.mark.parametrize(
    "noted",
    [
        {"sku": "mug", "quantity": "0"},
        {"sku": "mug", "quantity": "-2"},
        {"sku": "mug", "quantity": "2.0"},
        {"sku": "mug", "quantity": "٣"},
        {"sku": "mug", "quantity": "1" * 10},
        {"sku": " mug"},
        {"sku": "m\u202eug"},
        {"sku": ""},
    ],
)
async def test_what_nobody_can_sell_is_for_a_person(
    running: Api, stock: Stock, orders: Orders, said: list[str], noted: dict[str, str]
) -> None:
    """Goods without a name or a number that can be meant: nothing is said to the API, and nothing is guessed."""
    odd = await sale(running, stock, orders, 3, metadata=noted)
    await running.sagas.paid(odd.id)
    with pytest.raises(PoisonError):
        await odd.tell("payment.succeeded", "paid")
    assert (await odd.state(), said) == ("paid", [])


async def test_an_order_that_asks_for_no_word_is_not_answered(running: Api, stock: Stock, orders: Orders) -> None:
    """A sale that is made with its payment is none of this subscriber's."""
    mugs = await sale(running, stock, orders, 5, confirmation=None)
    await running.sagas.paid(mugs.id)
    await mugs.tell("payment.succeeded", "paid")
    assert (await mugs.state(), await mugs.level()) == ("paid", (5, 0))


async def test_a_tender_is_not_an_order(running: Api, stock: Stock, orders: Orders, said: list[str]) -> None:
    """What happens to one tender of a split checkout says nothing of the order, which is answered once, as a whole."""
    unknown = "chk_" + "0" * 24
    tenders = [{"gateway": "stripe", "amount": 3000}, {"gateway": "stripe", "amount": 1200}]
    mugs = await sale(running, stock, orders, 5, tenders=tenders)
    for tender in mugs.checkout["tenders"]:
        await running.sagas.paid(tender["id"])
        await mugs.tell("payment.succeeded", "paid", checkout_id=tender["id"], parent_id=mugs.id)
    # The API is not even asked: of a checkout that it does not know it would say so.
    await mugs.tell("payment.succeeded", "paid", checkout_id=unknown, parent_id=mugs.id)
    assert (await mugs.level(), said) == ((5, 0), [])
    await running.sagas.paid(mugs.id)
    await mugs.tell("payment.succeeded", "paid")
    assert (await mugs.state(), await mugs.level()) == ("completed", (3, 2))
    await mugs.tell("payment.canceled", "canceled", checkout_id=mugs.checkout["tenders"][0]["id"], parent_id=mugs.id)
    assert await mugs.level() == (3, 2)


@pytest.mark.parametrize(
    ("type_", "state"),
    [
        ("payment.canceled", "canceled"),
        ("payment.expired", "expired"),
        ("payment.declined", "declined"),
        ("order.rejected", "paid"),
        ("order.rejected", "authorized"),
        ("refund.created", "refunding"),
        ("refund.succeeded", "refunded"),
    ],
)
async def test_an_end_without_a_sale_gives_the_goods_back_once(
    running: Api, stock: Stock, orders: Orders, type_: str, state: str
) -> None:
    """However often it is heard; and the payment's own event, heard once more, takes nothing again."""
    mugs = await sale(running, stock, orders, 5)
    await stock.reserve(mugs.id, Item(mugs.sku, 2), NOW)
    await mugs.tell(type_, state)
    await mugs.tell(type_, state)
    assert await mugs.level() == (5, 0)
    await running.sagas.paid(mugs.id)
    await mugs.tell("payment.succeeded", "paid")
    assert (await mugs.level(), await mugs.state()) == ((5, 0), "paid")


@pytest.mark.parametrize(
    ("type_", "state"),
    [("payment.declined", "awaiting_payment"), ("refund.succeeded", "completed"), ("refund.created", "completed")],
)
async def test_what_ends_no_sale_keeps_the_goods(
    running: Api, stock: Stock, orders: Orders, type_: str, state: str
) -> None:
    """A decline that leaves another try, and a refund of what is sold: whether goods came back, nobody knows here."""
    mugs = await sale(running, stock, orders, 5)
    await stock.reserve(mugs.id, Item(mugs.sku, 2), NOW)
    await mugs.tell(type_, state)
    assert await mugs.level() == (3, 2)


async def test_the_shops_own_word_stands(running: Api, stock: Stock, orders: Orders, said: list[str]) -> None:
    """Confirmed before this was heard: sold, so the goods are set aside; too few of them do not undo the sale."""
    for available, left in ((5, (3, 2)), (1, (1, 0))):
        mugs = await sale(running, stock, orders, available)
        await running.sagas.paid(mugs.id)
        assert (await running.client.post(f"/v1/checkouts/{mugs.id}/confirm")).status_code == 200
        await mugs.tell("payment.succeeded", "paid")
        assert (await mugs.state(), await mugs.level()) == ("completed", left)
    assert said == []


async def test_a_word_that_comes_too_late_gives_the_goods_back(
    running: Api, stock: Stock, orders: Orders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checkout is ended between the look and the word: the API says 409, and nothing stays set aside."""
    mugs = await sale(running, stock, orders, 5)
    await running.sagas.paid(mugs.id)
    before = Stock.reserve

    async def ended_meanwhile(self: Stock, *arguments: Any) -> Any:
        await mugs.at(S.CANCELED)
        return await before(self, *arguments)

    monkeypatch.setattr(Stock, "reserve", ended_meanwhile)
    await mugs.tell("payment.succeeded", "paid")
    assert (await mugs.state(), await mugs.level()) == ("canceled", (5, 0))


async def test_a_case_in_between_only_delays_the_word(
    running: Api, stock: Stock, orders: Orders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a person looks the goods wait; when the case is closed the order is confirmed."""
    mugs = await sale(running, stock, orders, 2)
    await running.sagas.paid(mugs.id)
    before = Stock.reserve

    async def reviewed_meanwhile(self: Stock, *arguments: Any) -> Any:
        await mugs.at(S.NEEDS_REVIEW)
        return await before(self, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(Stock, "reserve", reviewed_meanwhile)
        await mugs.tell("payment.succeeded", "paid")
    assert (await mugs.state(), await mugs.level()) == ("needs_review", (0, 2))
    await mugs.at(S.PAID)
    await mugs.tell("case.closed", "paid")
    assert (await mugs.state(), await mugs.level()) == ("completed", (0, 2))


@pytest.mark.parametrize("gone", ["chk_" + "0" * 24, "chk_x", "../x", "chk_x/../../y", "\u202e"])
async def test_an_event_of_no_checkout_is_poison(running: Api, orders: Orders, gone: str) -> None:
    """The API knows no such checkout, and never will."""
    event = Event("x:1", "payment.succeeded", "x", 1, NOW, {"checkout_id": gone, "state": "paid"})
    with pytest.raises(PoisonError, match="404"):
        await orders.handle(event)


@pytest.mark.parametrize(
    "data", [{}, {"checkout_id": 7, "state": "paid"}, {"checkout_id": "chk_x"}, {"checkout_id": "c", "state": "odd"}]
)
async def test_an_event_that_says_too_little_is_poison(orders: Orders, data: dict[str, object]) -> None:
    """Whoever wrote it, trying again cannot help."""
    with pytest.raises(PoisonError):
        await orders.handle(Event("x:1", "payment.succeeded", "x", 1, NOW, data))


async def test_without_its_database_it_waits(
    running: Api, orders: Orders, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event is tried again; nothing was said to the API meanwhile."""
    made = (await running.create(metadata={"sku": "mug"}, **ASKED)).json()
    await running.sagas.paid(made["id"])

    async def down(*_: object) -> None:
        raise StoreUnavailableError("Postgres cannot be reached")

    monkeypatch.setattr(Stock, "reserve", down)
    with pytest.raises(TryLaterError, match="database"):
        await orders.handle(
            Event("x:1", "payment.succeeded", "x", 1, NOW, {"checkout_id": made["id"], "state": "paid"})
        )
    assert said == []


async def test_all_sent_again_leads_to_the_same_stock(
    running: Api, stock: Stock, orders: Orders, said: list[str]
) -> None:
    """Forgotten from the start and heard once more: sold goods are set aside again, and the API hears nothing new."""
    mugs = await sale(running, stock, orders, 5)
    await running.sagas.paid(mugs.id)
    event = await mugs.tell("payment.succeeded", "paid")
    await orders.forget(event.time)
    assert await mugs.level() == (5, 0)
    await orders.handle(event)
    assert (await mugs.level(), said) == ((3, 2), ["confirm"])
