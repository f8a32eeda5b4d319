"""Answers a payment with yes or no to its order, by what is in stock, and restocks what came to no sale."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from domain.states import CheckoutState as S
from domain.timeline import EventType
from events.contract import Event
from events.subscribers.contract import TryLaterError
from events.subscribers.orders.basket import is_by_hand, item_of
from events.subscribers.payloads import is_tenders, state_of, text_of
from events.subscribers.shop_api import ShopApi, ShopCheckout, StateConflictError
from ledger.contract import StoreUnavailableError
from ledger.stock import Reservation, Stock

OUT_OF_STOCK = "out_of_stock"
# A case may have stood between the payment and the shop's word; what is asked then is asked again when it is closed.
_ASKING = frozenset({EventType.PAYMENT_AUTHORIZED, EventType.PAYMENT_SUCCEEDED, EventType.CASE_CLOSED})
_ENDING = frozenset(
    {
        EventType.ORDER_REJECTED,
        EventType.PAYMENT_CANCELED,
        EventType.PAYMENT_EXPIRED,
        EventType.PAYMENT_DECLINED,
        EventType.REFUND_CREATED,
        EventType.REFUND_SUCCEEDED,
    }
)
_WAITING = frozenset({S.AUTHORIZED, S.PAID})
_SOLD = frozenset({S.PARTIALLY_CAPTURED, S.COMPLETED})
# A decline that leaves another try, or a refund of what is sold, stands in another state: the goods stay set aside.
_NO_SALE = frozenset({S.DECLINED, S.CANCELED, S.EXPIRED, S.REFUNDING, S.REFUNDED})
_log = logging.getLogger(__name__)


class Orders:
    """A split checkout is one order: its own events count, not those of its tenders."""

    name = "orders"
    wanted = _ASKING | _ENDING

    def __init__(self, stock: Stock, api: ShopApi) -> None:
        self._stock, self._api = stock, api

    async def handle(self, event: Event) -> None:
        """Decide on the order, once, or give back what was set aside for it, once."""
        if is_tenders(event):
            return
        checkout_id = text_of(event, "checkout_id")
        with _store_later():
            if event.type == EventType.ORDER_REJECTED or state_of(event) in _NO_SALE:
                await self._give_back(checkout_id, event)
            elif event.type in _ASKING:
                await self._consider(checkout_id, event)

    async def forget(self, since: datetime) -> None:
        """What was decided from then on is decided again; what the API was told stays said, and it says so."""
        with _store_later():
            await self._stock.forget(since)

    async def _consider(self, checkout_id: str, event: Event) -> None:
        checkout = await self._api.checkout(checkout_id)
        if not checkout.asked or is_by_hand(checkout.metadata):
            return
        if checkout.state in _WAITING:
            await self._answer(checkout, event)
        elif checkout.state in _SOLD and await self._set_aside(checkout, event) is Reservation.REFUSED:
            # Somebody of the shop's has said yes before, or this is heard a second time: a sale stays a sale.
            _log.warning("%s is sold, and there is not enough in stock for it", checkout.id)

    async def _answer(self, checkout: ShopCheckout, event: Event) -> None:
        decision, key = await self._set_aside(checkout, event), f"orders:{event.id}"
        try:
            match decision:
                case Reservation.REFUSED:
                    await self._api.reject(checkout.id, OUT_OF_STOCK, key)
                case Reservation.RESERVED | None:
                    await self._api.confirm(checkout.id, key)
                case Reservation.RETURNED:
                    # Its end is known here before the API shows it.
                    return
        except StateConflictError as conflict:
            await self._too_late(checkout.id, conflict.state, event)
        else:
            _log.info("%s is %s", checkout.id, "rejected" if decision is Reservation.REFUSED else "confirmed")

    async def _set_aside(self, checkout: ShopCheckout, event: Event) -> Reservation | None:
        item = item_of(checkout.metadata)
        return None if item is None else await self._stock.reserve(checkout.id, item, event.time)

    async def _too_late(self, checkout_id: str, state: S, event: Event) -> None:
        """The shop's word is not waited for any more, unless a person looks first: then the goods wait as well."""
        if state is not S.NEEDS_REVIEW:
            await self._give_back(checkout_id, event)

    async def _give_back(self, checkout_id: str, event: Event) -> None:
        if await self._stock.give_back(checkout_id, event.time):
            _log.info("%s is no sale: its goods are back in stock", checkout_id)


@contextmanager
def _store_later() -> Iterator[None]:
    try:
        yield
    except StoreUnavailableError as error:
        raise TryLaterError("the database cannot be reached") from error
