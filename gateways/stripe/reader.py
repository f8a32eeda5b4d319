"""Reading Stripe: one payment with all its refunds, by its id or by our reference, and its lists."""

import json
import logging
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from itertools import islice

from stripe.params import BalanceTransactionListParams, EventListParams, PaymentIntentListParams, RefundListParams

from domain.errors import OutcomeUnknownError, WebhookNotAuthenticError
from domain.payment import PaymentSnapshot, PaymentStatus
from gateways.contract import GatewayTransaction, ListedEvent
from gateways.refusal import RefusalError
from gateways.stripe import translate, webhooks
from gateways.stripe.client import Call, StripeConnection
from gateways.stripe.errors import MISSING
from gateways.stripe.fields import Object
from gateways.stripe.translate import REFERENCE

_log = logging.getLogger(__name__)

EXPAND = ["latest_charge.refunds"]
"""What to ask for with a PaymentIntent, so that a snapshot can be made of it."""

_PAGE = 100
_MOST_REFUND_PAGES = 20
# Search lags by up to a minute, so a payment that it misses is among the newest ones.
_RECENT_PAGES = 3
_MOST_FOUND = 10
_MOST_LIST_PAGES = 500
# Of several payments with one reference the one that has money in it matters most.
_BY_WEIGHT = (
    PaymentStatus.CAPTURED,
    PaymentStatus.PROCESSING,
    PaymentStatus.AUTHORIZED,
    PaymentStatus.REQUIRES_ACTION,
    PaymentStatus.AWAITING_CUSTOMER,
    PaymentStatus.CANCELED,
)


class StripeReader:
    """Look-ups on one Stripe account."""

    def __init__(self, connection: StripeConnection, payment_page: str | None) -> None:
        self._connection = connection
        self._payment_page = payment_page

    async def lookup(self, payment_id: str) -> PaymentSnapshot | None:
        """The payment as it is now; None when this account has no such PaymentIntent. Raises GatewayError."""
        intent = await self.intent(payment_id)
        return None if intent is None else await self.snapshot(intent)

    async def intent(self, payment_id: str) -> Object | None:
        """The PaymentIntent itself; None when this account has no such one. Raises GatewayError."""
        try:
            return await self._connection.read(
                lambda client: client.v1.payment_intents.retrieve_async(payment_id, {"expand": EXPAND})
            )
        except RefusalError as refusal:
            if refusal.code == MISSING:
                return None
            raise refusal.as_error() from None

    async def find(self, reference: str) -> PaymentSnapshot | None:
        """The payment with this reference, by search and else among the newest payments. Raises GatewayError."""
        intents = await self._search(reference)
        if not intents:
            intents = [intent async for intent in self._recent() if _refers_to(intent, reference)]
        # Search shows payments as they were when it indexed them, so each is read again.
        read = [await self.lookup(str(intent.get("id"))) for intent in islice(intents, _MOST_FOUND)]
        payments = [payment for payment in read if payment is not None]
        if len(payments) > 1:
            ids = ", ".join(payment.payment_id for payment in payments)
            _log.error("several Stripe payments carry the reference %s: %s", reference, ids)
        return min(payments, key=lambda payment: _BY_WEIGHT.index(payment.status), default=None)

    async def snapshot(self, intent: Object) -> PaymentSnapshot:
        """A PaymentIntent with all its refunds; Stripe shows only the first few within the charge."""
        shown = translate.latest_charge(intent).get("refunds")
        refunds: list[Object] = []
        if isinstance(shown, Mapping) and not shown.get("has_more"):
            refunds = _data(shown)
        elif intent.get("latest_charge") is not None:
            refunds = await self.refunds(str(intent.get("id")))
        return translate.payment_of(intent, refunds, self._payment_page)

    async def refunds(self, payment_id: str) -> list[Object]:
        """Every refund of the payment. Raises GatewayError."""
        refunds: list[Object] = []
        params: RefundListParams = {"payment_intent": payment_id, "limit": _PAGE}
        for _ in range(_MOST_REFUND_PAGES):
            page = await self._refund_page(params)
            refunds += _data(page)
            if not page.get("has_more"):
                return refunds
            params = {**params, "starting_after": _last_id(page)}
        raise OutcomeUnknownError(f"Stripe payment {payment_id} has more refunds than can be read")

    async def transactions(self, since: datetime, until: datetime) -> list[GatewayTransaction]:
        """The balance transactions created in this time, oldest first. Raises GatewayError."""
        found: list[GatewayTransaction] = []
        params: BalanceTransactionListParams = {
            "created": {"gte": int(since.timestamp()), "lt": int(until.timestamp())},
            "limit": _PAGE,
            "expand": ["data.source"],
        }
        for _ in range(_MOST_LIST_PAGES):
            page = await self._transaction_page(params)
            found += [translate.transaction_of(row) for row in _data(page)]
            if not page.get("has_more"):
                return found[::-1]
            params = {**params, "starting_after": _last_id(page)}
        raise OutcomeUnknownError("Stripe has more transactions in this time than can be read: ask for less of it")

    async def events(self, since: datetime, until: datetime) -> list[ListedEvent]:
        """The events of this time that are relevant to us, oldest first. Raises GatewayError."""
        found: list[ListedEvent] = []
        params: EventListParams = {
            "created": {"gte": int(since.timestamp()), "lt": int(until.timestamp())},
            "limit": _PAGE,
            "types": list(webhooks.WEBHOOK_EVENTS),
        }
        for _ in range(_MOST_LIST_PAGES):
            page = await self._event_page(params)
            found += [listed for stated in _data(page) if (listed := _listed(stated)) is not None]
            if not page.get("has_more"):
                return found[::-1]
            params = {**params, "starting_after": _last_id(page)}
        raise OutcomeUnknownError("Stripe has more events in this time than can be read: ask for less of it")

    async def _event_page(self, params: EventListParams) -> Object:
        return await self._page(lambda client: client.v1.events.list_async(params))

    async def _transaction_page(self, params: BalanceTransactionListParams) -> Object:
        return await self._page(lambda client: client.v1.balance_transactions.list_async(params))

    async def _search(self, reference: str) -> list[Object]:
        quoted = reference.replace("\\", "\\\\").replace("'", "\\'")
        query = f"metadata['{REFERENCE}']:'{quoted}'"
        try:
            page = await self._connection.read(
                lambda client: client.v1.payment_intents.search_async({"query": query, "limit": _MOST_FOUND})
            )
        except RefusalError:
            # Accounts of some countries have no search; the list serves them.
            return []
        return [intent for intent in _data(page) if _refers_to(intent, reference)]

    async def _recent(self) -> AsyncIterator[Object]:
        params: PaymentIntentListParams = {"limit": _PAGE}
        for _ in range(_RECENT_PAGES):
            page = await self._recent_page(params)
            for intent in _data(page):
                yield intent
            if not page.get("has_more"):
                return
            params = {**params, "starting_after": _last_id(page)}

    async def _refund_page(self, params: RefundListParams) -> Object:
        return await self._page(lambda client: client.v1.refunds.list_async(params))

    async def _recent_page(self, params: PaymentIntentListParams) -> Object:
        return await self._page(lambda client: client.v1.payment_intents.list_async(params))

    async def _page(self, call: Call) -> Object:
        try:
            return await self._connection.read(call)
        except RefusalError as refusal:
            raise refusal.as_error() from None


def _refers_to(intent: Object, reference: str) -> bool:
    metadata = intent.get("metadata")
    return isinstance(metadata, Mapping) and metadata.get(REFERENCE) == reference


def _listed(stated: Object) -> ListedEvent | None:
    try:
        event = webhooks.event_of(stated)
    # One event that nobody can read must not keep all that follow it from being seen.
    except (WebhookNotAuthenticError, LookupError, TypeError, ValueError, OverflowError, OSError) as error:
        _log.error("an event in Stripe's list cannot be read and is left out: %s", type(error).__name__)
        return None
    return ListedEvent(event, json.dumps(stated, default=str).encode()) if event.relevant else None


def _data(page: Object) -> list[Object]:
    data = page.get("data")
    if not isinstance(data, list) or not all(isinstance(item, Mapping) for item in data):
        raise OutcomeUnknownError("Stripe's list cannot be read")
    return data


def _last_id(page: Object) -> str:
    data = _data(page)
    if not data:
        raise OutcomeUnknownError("Stripe's list goes on without having begun")
    return str(data[-1].get("id"))
