"""A sale as the orders subscriber hears of it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from secrets import token_hex
from typing import Any

from domain.checkout import CheckoutStatus
from domain.states import CheckoutState as S
from domain.timeline import Entry
from events.contract import Event, event_id
from events.subscribers.orders.subscriber import Orders
from ledger.stock import Stock
from tests.api.conftest import Api

ASKED = {"confirmation": {"required": True, "within_seconds": 600}}
NOW = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)


@dataclass
class Sale:
    """A checkout, and the events that would tell of it."""

    api: Api
    stock: Stock
    orders: Orders
    checkout: dict[str, Any]
    sku: str
    told: int = 0

    @property
    def id(self) -> str:
        """The checkout's id."""
        return str(self.checkout["id"])

    async def tell(self, type_: str, state: str, **data: Any) -> Event:
        """An event about the checkout, handled."""
        self.told += 1
        payload = {"checkout_id": self.id, "order_id": "o", "state": state, "details": {}} | data
        at = NOW + timedelta(seconds=self.told)
        event = Event(event_id(self.id, self.told), type_, self.id, self.told, at, payload)
        await self.orders.handle(event)
        return event

    async def state(self) -> str:
        """Where the checkout stands."""
        return str((await self.api.client.get(f"/v1/checkouts/{self.id}")).json()["state"])

    async def level(self) -> tuple[int, int]:
        """How many pieces are available, how many set aside."""
        return next((one.available, one.reserved) for one in await self.stock.levels() if one.sku == self.sku)

    async def at(self, state: S) -> None:
        """The books say so."""
        await self.api.services.books.append(
            self.id, [Entry(f"{state}:{token_hex(4)}", CheckoutStatus(state), "api", datetime.now(UTC))]
        )


async def sale(running: Api, stock: Stock, orders: Orders, available: int, **changes: Any) -> Sale:
    """A checkout for two mugs of which so many are there."""
    sku = f"mug-{token_hex(4)}"
    await stock.put(sku, available)
    body = {"metadata": {"sku": sku, "quantity": "2"}} | ASKED | changes
    made = (await running.create(**body)).json()
    return Sale(running, stock, orders, made, sku)
