"""Reading PayPal: one order with all that was done with it, the orders of a reference, the lists of what happened."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from urllib.parse import parse_qsl, urlsplit

from domain.errors import OutcomeUnknownError
from domain.payment import PaymentSnapshot, PaymentStatus
from gateways.contract import Evidence, GatewayTransaction, ListedEvent
from gateways.paypal import fields, translate, webhooks
from gateways.paypal.client import PayPalConnection
from gateways.paypal.errors import MISSING
from gateways.paypal.fields import Object
from gateways.paypal.translate import NAME, Payments
from gateways.refusal import RefusalError

_log = logging.getLogger(__name__)

_MOST_FOUND = 10
_PAGE = 500
# PayPal lists no more than ten thousand rows of one window, and no window longer than 31 days.
_MOST_PAGES = 20
_WINDOW = timedelta(days=31)
_EVENTS = "/v1/notifications/webhooks-events"
_EVENTS_PAGE, _MOST_EVENT_PAGES = 100, 200
# Of several payments with one reference the one that has money in it matters most.
_BY_WEIGHT = (
    PaymentStatus.CAPTURED,
    PaymentStatus.PROCESSING,
    PaymentStatus.AUTHORIZED,
    PaymentStatus.APPROVED,
    PaymentStatus.REQUIRES_ACTION,
    PaymentStatus.AWAITING_CUSTOMER,
    PaymentStatus.CANCELED,
)


@dataclass(frozen=True)
class Order:
    """An order as we understand it, and its payments as PayPal states them."""

    payment: PaymentSnapshot
    payments: Payments


class PayPalReader:
    """Look-ups on one PayPal account."""

    def __init__(self, connection: PayPalConnection, evidence: Evidence, live: bool) -> None:
        self._connection = connection
        self._evidence = evidence
        self._live = live

    async def order(self, payment_id: str) -> Order | None:
        """The order as it is now; None when this account has no such order. Raises GatewayError."""
        if not fields.is_id(payment_id):
            return None
        stated = await self.read_if_there(f"/v2/checkout/orders/{payment_id}")
        return await self.understood(stated) if stated is not None else None

    async def understood(self, stated: Object) -> Order:
        """An order that PayPal has just stated, with the parts that it does not state fully read one by one."""
        complete = await self._completed(stated)
        return Order(translate.payment_of(complete, self._live), translate.payments_of(complete))

    async def refund(self, refund_id: str) -> Object:
        """One refund in full. Raises GatewayError."""
        return await self._read_part("refunds", refund_id)

    async def find(self, reference: str) -> PaymentSnapshot | None:
        """The payment with this reference among those that authentic deliveries named. Raises GatewayError."""
        bodies = await self._evidence.about(NAME, reference)
        hinted = dict.fromkeys(id_ for id_ in map(webhooks.hinted_payment, bodies) if id_ is not None)
        # Whoever forges deliveries can only add to those that were there before, so the oldest are the ones to read.
        orders = [await self.order(id_) for id_ in islice(hinted, _MOST_FOUND)]
        # Deliveries are hints that anybody may have bent: only the order itself says whose it is.
        payments = [order.payment for order in orders if order is not None and order.payment.reference == reference]
        if len(payments) > 1:
            _log.error("several PayPal orders carry the reference %s: %s", reference, [p.payment_id for p in payments])
        return min(payments, key=lambda payment: _BY_WEIGHT.index(payment.status), default=None)

    async def transactions(self, since: datetime, until: datetime) -> list[GatewayTransaction]:
        """What moved in this time, oldest first. Raises GatewayError."""
        found: list[GatewayTransaction] = []
        start = since.astimezone(UTC)
        while start < until:
            end = min(start + _WINDOW, until.astimezone(UTC))
            found += await self._window(start, end)
            start = end
        # PayPal's windows take seconds at both ends, so neighbours share the rows between them.
        unique = {(row.transaction_id, row.type): row for row in found if since <= row.at < until}
        return sorted(unique.values(), key=lambda row: (row.at, row.transaction_id, row.type))

    async def events(self, since: datetime, until: datetime) -> list[ListedEvent]:
        """The relevant webhook events of this time, oldest first, each once. Raises GatewayError.

        PayPal states seconds, so an event belongs to the whole of the second that it happened in.
        """
        start, end = since.astimezone(UTC).replace(microsecond=0), until.astimezone(UTC)
        params = {"start_time": _time(start), "end_time": _time(end), "page_size": str(_EVENTS_PAGE)}
        found: dict[str, ListedEvent] = {}
        for _ in range(_MOST_EVENT_PAGES):
            stated = await self._list(_EVENTS, params)
            listed = [webhooks.listed(event, self._live) for event in fields.several(stated, "events")]
            found |= {each.event.event_id: each for each in listed if each and start <= each.event.occurred_at < until}
            further = fields.link(stated, "next")
            if further is None:
                return sorted(found.values(), key=lambda each: (each.event.occurred_at, each.event.event_id))
            # Only the query of the address is followed: where PayPal's list is, we know.
            params = dict(parse_qsl(urlsplit(further).query))
        raise OutcomeUnknownError("PayPal has more events in this time than can be read: ask for less of it")

    async def _window(self, start: datetime, end: datetime) -> list[GatewayTransaction]:
        rows: list[GatewayTransaction | None] = []
        for page in range(1, _MOST_PAGES + 1):
            stated = await self._page(start, end, page)
            rows += [translate.transaction_of(row) for row in fields.several(stated, "transaction_details")]
            pages = stated.get("total_pages")
            if type(pages) is not int:
                raise fields.unreadable("total_pages")
            if page >= pages:
                return [row for row in rows if row is not None]
        raise OutcomeUnknownError("PayPal has more transactions in this time than can be read: ask for less of it")

    async def _page(self, start: datetime, end: datetime, page: int) -> Object:
        params = {
            "start_date": _time(start),
            "end_date": _time(end),
            "fields": "transaction_info",
            "page_size": str(_PAGE),
            "page": str(page),
        }
        return await self._list("/v1/reporting/transactions", params)

    async def _list(self, path: str, params: Mapping[str, str]) -> Object:
        try:
            return await self._connection.read(path, params)
        except RefusalError as refusal:
            raise refusal.as_error() from None

    async def _completed(self, order: Object) -> Object:
        """Refunds without our reference and holds without their end are read where PayPal states them in full."""
        unit, payments = translate.unit_of(order), translate.payments_of(order)
        holds = await self._filled(payments.authorizations, "authorizations", "expiration_time")
        captures = payments.captures
        # Whether the rest of a hold is still there depends on which capture of it was the last.
        if any(held.get("status") == "PARTIALLY_CAPTURED" for held in holds):
            captures = await self._filled(captures, "captures", "final_capture")
        refunds = await self._filled(payments.refunds, "refunds", "custom_id")
        parts = {"authorizations": holds, "captures": captures, "refunds": refunds}
        stated = {**fields.inner(unit, "payments"), **parts}
        return {**order, "purchase_units": [{**unit, "payments": stated}]}

    async def _filled(self, parts: Sequence[Object], kind: str, needed: str) -> list[Object]:
        async def whole(part: Object) -> Object:
            missing = part.get(needed) in (None, "")
            return {**part, **await self._read_part(kind, fields.id_of(part))} if missing else part

        return list(await asyncio.gather(*(whole(part) for part in parts)))

    async def _read_part(self, kind: str, id_: str) -> Object:
        try:
            return await self._connection.read(f"/v2/payments/{kind}/{id_}")
        except RefusalError as refusal:
            raise OutcomeUnknownError(f"PayPal states one of its {kind} in part and not in full: {refusal}") from None

    async def read_if_there(self, path: str) -> Object | None:
        """What is at this path; None when there is nothing. Raises GatewayError."""
        try:
            return await self._connection.read(path)
        except RefusalError as refusal:
            if refusal.code == MISSING:
                return None
            raise refusal.as_error() from None


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
