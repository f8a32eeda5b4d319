"""Real checkouts, answered by the orders subscriber and told of by mail: API, worker, Temporal, sandbox, SMTP."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Any

import httpx
import pytest
from sqlalchemy import text

import worker
from devstack.mailbox import Mailbox, listening
from devstack.ports import HOST, any_free
from devstack.temporal import temporal_server
from domain.checkout import Checkout
from events.outbox import event_of
from events.subscribers import analytics, notifications, orders
from events.subscribers.contract import Subscriber, TryLaterError
from events.wire import from_message, to_message
from ledger.analytics import Analytics, Difference
from ledger.books import Books
from ledger.keys import ApiKeys
from ledger.outbox_store import Outbox
from ledger.stock import Stock
from tests.api.conftest import bearer
from tests.conftest import new_database
from tests.events.subscribers.postbox import Postbox
from tests.workflows.after_sale import open_dispute
from tests.workflows.sandboxes import sandbox_builders, sandbox_process
from tests.workflows.splits import TENDERS
from tests.workflows.support import PATIENCE, Shop, api_settings, eventually, parts_of, running_api

BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
ASKED = {"required": True, "within_seconds": 600}
SPLIT = [{"gateway": gateway, "amount": amount} for gateway, amount in TENDERS]


@dataclass
class Market:
    """A shop with customers, and its subscribers. `done`: how far each has come, by its name."""

    shop: Shop
    client: httpx.AsyncClient
    postbox: Postbox
    stock: Stock
    subscribers: tuple[Subscriber, ...]
    done: dict[str, set[int]] = field(default_factory=dict)

    async def work(self) -> None:
        """What relay, broker and the subscribers' processes do, as far as each gets."""
        for subscriber in self.subscribers:
            with suppress(TryLaterError):
                await self._work_of(subscriber)

    async def _work_of(self, subscriber: Subscriber) -> None:
        """Let it act on every event that it has not had, in the order of the books."""
        done = self.done.setdefault(subscriber.name, set())
        async for row in Outbox(self.shop.parts.engine).since(BEGINNING):
            event = from_message(to_message(event_of(row)))
            if row.id not in done and event.type in subscriber.wanted:
                await subscriber.handle(event)
            done.add(row.id)

    async def buy(self, sku: str, quantity: int, **changes: Any) -> Checkout:
        """Ada orders mugs and pays for them."""
        body = {
            "order_id": f"order-{token_hex(8)}",
            "amount": 4200,
            "currency": "USD",
            "gateway": "stripe",
            "confirmation": ASKED,
            "customer": {"email": "ada@customer.example"},
            "metadata": {"sku": sku, "quantity": str(quantity)},
        } | changes
        answer = await self.client.post("/v1/checkouts", json=body)
        assert answer.status_code == 201, answer.text
        made = answer.json()
        for checkout_id in [tender["id"] for tender in made["tenders"] or ()] or [made["id"]]:
            await self.shop.pay_with(await self.checkout(checkout_id), "good")
        return await self.checkout(made["id"])

    async def checkout(self, checkout_id: str) -> Checkout:
        """What was asked for."""
        record = await self.shop.books.get(checkout_id)
        assert record is not None
        return record.checkout

    async def until(self, checkout: Checkout, *states: str) -> str:
        """Work until the checkout has ended in one of these states, and everything is told of it; gives the state."""
        end = asyncio.get_running_loop().time() + PATIENCE
        while (seen := (await self.shop.status(checkout)).state) not in states:
            assert asyncio.get_running_loop().time() < end, f"it is {seen}"
            await self.work()
            await asyncio.sleep(0.1)
        await self.work()
        return seen

    async def level(self, sku: str) -> tuple[int, int]:
        """How many pieces are available, how many set aside."""
        return next((one.available, one.reserved) for one in await self.stock.levels() if one.sku == sku)

    def subjects(self, checkout: Checkout) -> list[str]:
        """What was written about the order, in the order in which it came."""
        told = [mail["Subject"] for mail in self.postbox.mails() if checkout.order_id in mail["Subject"]]
        return [subject.replace(checkout.order_id, "O") for subject in told]


@pytest.fixture(scope="module")
async def market(
    tmp_path_factory: pytest.TempPathFactory, server_url: str, template_database: str
) -> AsyncIterator[Market]:
    """Everything, on books of its own; the subscribers are built from the environment, as their processes do."""
    folder = tmp_path_factory.mktemp("market")
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(new_database(server_url, template_database))
        address = await stack.enter_async_context(temporal_server(folder))
        shop, api = await stack.enter_async_context(selling(folder, url, address))
        postbox = Postbox(await stack.enter_async_context(listening(Mailbox(folder / "m"), 0)), folder / "m")
        keys = ApiKeys(shop.parts.engine)
        secret = (await keys.create("subscribers", ("read", "write", "customers")))[1]
        own = (await keys.create("shop", ("read", "write", "refund")))[1]
        client = await stack.enter_async_context(httpx.AsyncClient(base_url=api, headers=bearer(own), timeout=30))
        environment = stack.enter_context(pytest.MonkeyPatch.context())
        for name, value in {
            "DATABASE_URL": url,
            "PAYSAGA_API_URL": api,
            "PAYSAGA_API_KEY": secret,
            "SMTP_URL": f"smtp://{HOST}:{postbox.port}",
            "MAIL_FROM": "Mugs <mail@shop.example>",
            "MAIL_SHOP": "disputes@shop.example",
        }.items():
            environment.setenv(name, value)
        built = [await stack.enter_async_context(part.build()) for part in (orders, notifications, analytics)]
        yield Market(shop, client, postbox, Stock(shop.parts.engine), tuple(built))


@asynccontextmanager
async def selling(folder: Path, database_url: str, temporal_address: str) -> AsyncIterator[tuple[Shop, str]]:
    """Sandbox, API and worker, and the API's address."""
    port = any_free()
    async with sandbox_process(folder, f"http://{HOST}:{port}/webhooks") as announced:
        settings = api_settings(database_url, temporal_address, sandbox_builders(announced))
        async with (
            running_api(settings, port) as url,
            parts_of(settings) as parts,
            worker.running(parts),
            httpx.AsyncClient(base_url=announced.url, timeout=60) as sandbox,
        ):
            yield Shop(parts, Books(parts.engine), sandbox, announced), url


async def stocked(market: Market, available: int) -> str:
    """New goods of which so many are there."""
    sku = f"mug-{token_hex(4)}"
    await market.stock.put(sku, available)
    return sku


async def test_a_hold_for_what_is_there_is_captured(market: Market) -> None:
    """Held, confirmed by the subscriber, captured, once; Ada gets one receipt."""
    sku = await stocked(market, 5)
    checkout = await market.buy(sku, 2, capture="on_confirm")
    await market.until(checkout, "completed")
    assert await market.shop.moved(checkout) == {"authorization": [4200], "capture": [4200]}
    assert await market.level(sku) == (3, 2)
    assert market.subjects(checkout) == ["Receipt for order O: 42.00 USD"]


async def test_a_hold_for_what_is_not_there_is_released(market: Market) -> None:
    """Nothing is taken, nobody is written to, and the books say why."""
    sku = await stocked(market, 1)
    checkout = await market.buy(sku, 2, capture="on_confirm")
    await market.until(checkout, "canceled")
    assert await market.shop.moved(checkout) == {"authorization": [4200], "release": [4200]}
    failure = (await market.shop.status(checkout)).failure
    assert failure is not None
    assert (failure.code, failure.message) == ("rejected_by_shop", "out_of_stock")
    assert await market.level(sku) == (1, 0)
    assert market.subjects(checkout) == []


async def test_a_payment_for_what_is_not_there_goes_back(market: Market) -> None:
    """It was taken with the payment: all of it is given back, and Ada is told of both."""
    checkout = await market.buy(await stocked(market, 0), 1)
    await market.until(checkout, "refunded")
    assert (await market.shop.moved(checkout))["refund"] == [4200]
    assert market.subjects(checkout) == ["Receipt for order O: 42.00 USD", "Refund for order O: 42.00 USD"]


async def test_the_last_piece_is_sold_once(market: Market) -> None:
    """Three pay for it: one order is kept, two payments go back."""
    sku = await stocked(market, 1)
    bought = [await market.buy(sku, 1) for _ in range(3)]
    ends = [await market.until(checkout, "completed", "refunded") for checkout in bought]
    assert sorted(ends) == ["completed", "refunded", "refunded"]
    assert await market.level(sku) == (0, 1)


async def test_a_split_order_is_answered_as_one(market: Market) -> None:
    """Two tenders are held, one yes, both are captured; one receipt over both, and the goods are taken once."""
    sku = await stocked(market, 5)
    checkout = await market.buy(sku, 2, gateway=None, tenders=SPLIT, capture="on_confirm")
    await market.until(checkout, "completed")
    for leg in await market.shop.books.legs(checkout.id):
        amount = leg.checkout.amount.minor
        assert await market.shop.moved(leg.checkout) == {"authorization": [amount], "capture": [amount]}
    assert await market.level(sku) == (3, 2)
    assert market.subjects(checkout) == ["Receipt for order O: 42.00 USD"]


async def test_a_split_order_for_what_is_not_there_goes_back_as_one(market: Market) -> None:
    """Every tender is given back; Ada reads of the sum, not of the tenders."""
    sku = await stocked(market, 1)
    checkout = await market.buy(sku, 2, gateway=None, tenders=SPLIT, capture="automatic")
    await market.until(checkout, "refunded")
    taken = [await market.shop.moved(leg.checkout) for leg in await market.shop.books.legs(checkout.id)]
    assert [moved.get("refund") for moved in taken] == [[3000], [1200]]
    assert await market.level(sku) == (1, 0)
    assert market.subjects(checkout)[-1] == "Refund for order O: 42.00 USD"
    assert len(market.subjects(checkout)) == 2


@pytest.mark.parametrize("behaviour", ["answer 451", "drop", "slow 0.5"])
async def test_a_mail_server_in_trouble_holds_up_no_checkout(market: Market, behaviour: str) -> None:
    """Orders are confirmed and captured as ever; the receipts come when the server is well, each once."""
    market.postbox.told(behaviour)
    sku = await stocked(market, 9)
    bought = [await market.buy(sku, 1, capture="on_confirm") for _ in range(2)]
    for checkout in bought:
        await market.until(checkout, "completed")
    assert await market.level(sku) == (7, 2)
    if not behaviour.startswith("slow"):
        assert [market.subjects(checkout) for checkout in bought] == [[], []]
    market.postbox.told("")
    await market.work()
    assert [market.subjects(checkout) for checkout in bought] == [["Receipt for order O: 42.00 USD"]] * 2


async def test_what_happens_after_the_sale_is_told(market: Market) -> None:
    """A part is given back and Ada reads of it; the rest is disputed and the shop does. The goods stay sold."""
    sku = await stocked(market, 5)
    checkout = await market.buy(sku, 2)
    await market.until(checkout, "completed")
    refund = await market.client.post(f"/v1/checkouts/{checkout.id}/refunds", json={"amount": 1200})
    assert refund.status_code == 201, refund.text
    await open_dispute(market.shop, checkout, minor=3000)
    end = asyncio.get_running_loop().time() + PATIENCE
    while len(market.subjects(checkout)) < 3:
        assert asyncio.get_running_loop().time() < end, market.subjects(checkout)
        await market.work()
        await asyncio.sleep(0.1)
    told = market.subjects(checkout)
    assert told[0] == "Receipt for order O: 42.00 USD"
    assert sorted(told[1:]) == ["Dispute over 30.00 USD for order O", "Refund for order O: 12.00 USD"]
    to = {mail["To"] for mail in market.postbox.mails() if mail["Subject"].startswith("Dispute")}
    assert to == {"disputes@shop.example"}
    assert await market.level(sku) == (3, 2)


async def test_daily_totals_are_those_of_the_books(market: Market) -> None:
    """Over all that was sold, given back, disputed and come to nothing here; the API shows them by gateway."""
    totals = Analytics(market.shop.parts.engine)

    async def differences() -> Sequence[Difference]:
        await market.work()
        return await totals.differences()

    await eventually(differences, lambda found: found == [])
    answer = await market.client.get("/v1/analytics/daily")
    shown = answer.json()["data"]
    assert {day["gateway"] for day in shown} >= {"stripe"}
    assert "split" not in {day["gateway"] for day in shown}
    async with market.shop.parts.engine.connect() as connection:
        query = text("SELECT sum(captured_minor), sum(refunded_minor) FROM checkout_status WHERE gateway <> 'split'")
        captured, refunded = (await connection.execute(query)).one()
    assert captured > refunded > 0
    assert sum(day["captured"]["amount"] for day in shown) == captured
    assert sum(day["refunded"]["amount"] for day in shown) == refunded
    assert sum(day["disputes"]["opened_amount"] for day in shown) == 3000
