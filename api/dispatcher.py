"""Takes stored webhook events to their workflows, and starts the workflows that nobody started.

Nothing that was answered 200 is lost: an event stays in the inbox until this loop has written down what became of it.
It runs in every worker process; rows are claimed, so several loops share the work.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from activities.books import transactions_of
from activities.guard import LOOK_UP, GatewayGuard
from api.sagas import SagaEndedError, Sagas, TemporalDownError
from domain.booked import booked, catch_up
from domain.checkout import Checkout, CheckoutRecord
from domain.errors import PaysagaError
from domain.payment import PaymentSnapshot, PaymentStatus, RefundStatus
from domain.saga import Fact
from domain.states import ENDED, CheckoutState
from gateways.contract import Gateway
from ledger.books import Books
from ledger.contract import InboxItem
from ledger.inbox import Inbox

logger = logging.getLogger(__name__)

BATCH = 50
AT_ONCE = 16
# Longer than the slowest look-up and signal together; a claim whose process died is free again after it.
LEASE = timedelta(seconds=60)
PAUSE = timedelta(seconds=2)
UNOPENED_AFTER = timedelta(seconds=10)
# An event may come before our own commit; later than this it is somebody else's.
UNKNOWN_TRIES = 12
LONGEST_DELAY = timedelta(minutes=10)
_HARMLESS = frozenset(
    {
        PaymentStatus.AWAITING_CUSTOMER,
        PaymentStatus.REQUIRES_ACTION,
        PaymentStatus.APPROVED,
        PaymentStatus.CANCELED,
    }
)
"""Nothing is held or taken, nor about to be."""


def _is_harmless(payment: PaymentSnapshot) -> bool:
    """Nothing is held or kept there, nor about to be."""
    returned = bool(payment.captured.minor) and payment.refunded(RefundStatus.SUCCEEDED) == payment.captured
    return returned or payment.status in _HARMLESS


@dataclass
class Dispatcher:
    """The loop between the inbox and the workflows."""

    books: Books
    inbox: Inbox
    gateways: Mapping[str, Gateway]
    sagas: Sagas
    guard: GatewayGuard

    async def run(self) -> None:
        """Work until cancelled. A database or server that is down costs a pause, never an event."""
        at_once = asyncio.Semaphore(AT_ONCE)
        while True:
            try:
                items = await self.inbox.claim(BATCH, LEASE)
                await asyncio.gather(*(self._guarded(item, at_once) for item in items))
                if not items:
                    await self.start_unopened()
                    await self.inbox.wait_for_news(PAUSE)
            except Exception:
                logger.exception("the dispatcher goes on after a pause")
                await asyncio.sleep(PAUSE.total_seconds())

    async def start_unopened(self) -> None:
        """Start what was recorded while the Temporal server was down, or whose API process died before the start."""
        for record in await self.books.find_unopened(UNOPENED_AFTER, BATCH):
            try:
                await self._start(record.checkout)
            except TemporalDownError:
                return
            except Exception:
                # The oldest come first: one that can never be started must not keep the others waiting.
                logger.exception("%s cannot be started", record.checkout.id)

    async def _guarded(self, item: InboxItem, at_once: asyncio.Semaphore) -> None:
        async with at_once:
            try:
                outcome = await self.dispatch(item)
            except PaysagaError as error:
                logger.warning("event %s of %s waits: %s", item.event_id, item.gateway, error)
                await self._postpone(item, type(error).__name__)
            except Exception:
                logger.exception("event %s of %s waits", item.event_id, item.gateway)
                await self._postpone(item, "error")
            else:
                if outcome is None:
                    await self._postpone(item, "not_yet")
                else:
                    await self.inbox.finish(item.id, outcome)

    async def dispatch(self, item: InboxItem) -> str | None:
        """Take one event to its workflow. Answers what became of it, None: try again later."""
        record = await self._checkout_of(item)
        if record is None:
            if item.attempts < UNKNOWN_TRIES:
                return None
            logger.error("event %s of %s is about an unknown payment %s", item.event_id, item.gateway, item.payment_id)
            return "unknown_payment"
        payment_id = item.payment_id or record.status.payment_id
        if record.gateway != item.gateway:
            return await self._left_behind(item, record)
        if record.status.payment_id not in (None, payment_id):
            # It carries our reference, but this saga did not open it: neither adopted nor given back, a person looks.
            logger.error("event %s: payment %s is not %s's own", item.event_id, payment_id, record.checkout.id)
            return "another_payment"
        # The body is only a hint: the gateway itself is asked before anything is decided.
        payment = await self._look_up(item.gateway, payment_id)
        if payment is None:
            # It may only look so from here: a gateway's reads can lag, and a key can be another account's for a while.
            if item.attempts < UNKNOWN_TRIES:
                return None
            logger.error("event %s names payment %s, which %s has not", item.event_id, payment_id, item.gateway)
            return "no_such_payment"
        if record.status.payment_id is None and payment.reference not in (None, record.checkout.id):
            # Where the body is not proven, somebody may have put our reference beside the payment of another.
            logger.error("event %s: payment %s is not %s's own", item.event_id, payment_id, record.checkout.id)
            return "another_payment"
        return await self._deliver(item, record, Fact(payment, f"webhook:{item.event_id}"))

    async def _left_behind(self, item: InboxItem, record: CheckoutRecord) -> str | None:
        """The saga went on to another gateway because nothing had happened at this one; so nothing may happen there."""
        payment = await self._look_up(item.gateway, item.payment_id, record.checkout.id)
        if payment is None and item.attempts < UNKNOWN_TRIES:
            return None
        if payment is None or payment.reference not in (None, record.checkout.id) or _is_harmless(payment):
            return "left_behind"
        logger.error("event %s: payment %s is %s after a failover", item.event_id, item.payment_id, payment.status)
        return await self._deliver(item, record, Fact(payment, f"webhook:{item.event_id}"))

    async def _look_up(
        self, gateway: str, payment_id: str | None, reference: str | None = None
    ) -> PaymentSnapshot | None:
        """By the gateway's id, else by our reference; None without either."""
        if payment_id is None and reference is None:
            return None
        async with self.guard.call(gateway, LOOK_UP):
            if payment_id is not None:
                return await self.gateways[gateway].lookup(payment_id)
            return await self.gateways[gateway].find(reference or "")

    async def _checkout_of(self, item: InboxItem) -> CheckoutRecord | None:
        """By the gateway's id; before our own commit of that id, by the reference that the gateway keeps."""
        record = await self.books.find_by_payment(item.gateway, item.payment_id) if item.payment_id else None
        if record is None and item.reference:
            record = await self.books.get(item.reference)
        own = record and item.gateway in (record.gateway, record.checkout.gateway, *record.checkout.alternatives)
        return record if own else None

    async def _deliver(self, item: InboxItem, record: CheckoutRecord, fact: Fact) -> str | None:
        if record.status.state in ENDED:
            return await self._deliver_late(record, fact)
        try:
            await self.sagas.deliver(record.checkout, fact)
        except SagaEndedError:
            return await self._deliver_without_saga(item, record.checkout, fact)
        return "delivered"

    async def _deliver_without_saga(self, item: InboxItem, checkout: Checkout, fact: Fact) -> str | None:
        """The workflow is not there: never started, just ended, terminated, or followed by the late path.

        Only one that did nothing yet may be started; a second run of any other would be a second writer.
        """
        record = await self.books.get(checkout.id)
        assert record is not None, "a checkout is never deleted"
        if record.status.state is CheckoutState.PROCESSING and item.attempts < UNKNOWN_TRIES:
            await self._start(checkout)
            return None
        return await self._deliver_late(record, fact)

    async def _start(self, checkout: Checkout) -> None:
        """A tender is started by its split checkout alone, whose workflow may be the one that is missing."""
        if checkout.parent_id is not None:
            record = await self.books.get(checkout.parent_id)
            assert record is not None, "a checkout is never deleted"
            checkout = record.checkout
        legs = await self.books.legs(checkout.id) if checkout.is_split else ()
        await self.sagas.start(checkout, [leg.checkout for leg in legs])

    async def _deliver_late(self, record: CheckoutRecord, fact: Fact) -> str:
        rows = await self.books.postings(record.checkout.id)
        on_books = booked(record.checkout.amount.currency, transactions_of(rows))
        if fact.payment.gateway == record.gateway and not catch_up(on_books, fact.payment):
            return "already_booked"
        await self.sagas.deliver_late(record.checkout, fact)
        return "late"

    async def _postpone(self, item: InboxItem, outcome: str) -> None:
        delay = min(timedelta(seconds=0.5 * 2 ** min(item.attempts, 12)), LONGEST_DELAY)
        await self.inbox.postpone(item.id, delay, outcome)
