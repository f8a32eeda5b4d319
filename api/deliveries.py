"""Where each stored event goes: to the workflow that is to know of it, or to none, and why."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from activities.guard import LOOK_UP, GatewayGuard
from api.sagas import SagaEndedError, Sagas
from api.starting import Starter
from domain.booked import booked, catch_up
from domain.checkout import Checkout, CheckoutRecord
from domain.dispute import DisputeSnapshot
from domain.payment import PaymentSnapshot, PaymentStatus, RefundStatus
from domain.postings import Transaction, TransactionKind
from domain.refund import refund_of
from domain.saga import Fact
from domain.states import ENDED, CheckoutState
from gateways.contract import Gateway
from ledger.books import Books
from ledger.contract import InboxItem, PostingRow
from ledger.movements import transactions_of

logger = logging.getLogger(__name__)

# An event may come before our own commit; later than this it is somebody else's.
UNKNOWN_TRIES = 12
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


def _is_loss_of_sale(record: CheckoutRecord, rows: Iterable[PostingRow]) -> bool:
    """Whether money went away again and the sale is not under review: whoever booked it may have opened no case.

    The late path finds out; where a person has seen to the loss already, it ends at once.
    """
    sold = record.status.state is CheckoutState.COMPLETED
    return sold and any(row.kind == TransactionKind.CAPTURE_FAILED for row in rows)


@dataclass
class Deliveries:
    """Takes one event to its workflow. The event is only a hint: the gateway itself is asked what there is to know."""

    books: Books
    gateways: Mapping[str, Gateway]
    sagas: Sagas
    guard: GatewayGuard
    starter: Starter

    async def dispatch(self, item: InboxItem) -> str | None:
        """Take one event to its workflow. Answers what became of it, None: try again later."""
        if item.dispute_id is not None:
            return await self._dispatch_dispute(item, item.dispute_id)
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
            await self.starter.start(checkout)
            return None
        return await self._deliver_late(record, fact)

    async def _deliver_late(self, record: CheckoutRecord, fact: Fact) -> str:
        rows = await self.books.postings(record.checkout.id)
        on_books = booked(record.checkout.amount.currency, transactions_of(rows))
        if fact.payment.gateway == record.gateway:
            missing = catch_up(on_books, fact.payment)
            if missing:
                if await self._tell_refunds(missing, fact):
                    return "delivered"
            elif not _is_loss_of_sale(record, rows):
                return "already_booked"
        await self.sagas.deliver_late(record.checkout, fact)
        return "late"

    async def _tell_refunds(self, missing: Iterable[Transaction], fact: Fact) -> bool:
        """Whether all that is not on the books is for workflows of the shop's refunds to write, which were told."""
        by_refund = {refund.refund_id: refund_of(refund.reference) for refund in fact.payment.refunds}
        concerned = {by_refund.get(transaction.reference) for transaction in missing}
        told = [refund_id is not None and await self.sagas.tell_refund(refund_id, fact) for refund_id in concerned]
        return all(told)

    async def _dispatch_dispute(self, item: InboxItem, dispute_id: str) -> str | None:
        async with self.guard.call(item.gateway, LOOK_UP):
            dispute = await self.gateways[item.gateway].lookup_dispute(dispute_id)
        if dispute is None:
            if item.attempts < UNKNOWN_TRIES:
                return None
            logger.error("event %s names dispute %s, which %s has not", item.event_id, dispute_id, item.gateway)
            return "no_such_dispute"
        record = await self._disputed(item, dispute)
        if record is None:
            if item.attempts < UNKNOWN_TRIES:
                return None
            logger.error("event %s: dispute %s is about an unknown payment", item.event_id, dispute_id)
            return "unknown_payment"
        if record.status.payment_id not in (None, dispute.payment_id or record.status.payment_id):
            logger.error(
                "event %s: dispute %s is not about %s's own payment", item.event_id, dispute_id, record.checkout.id
            )
            return "another_payment"
        if not record.status.captured_minor and item.attempts < UNKNOWN_TRIES:
            # It came before our own commit of the capture, or before the event of that, which may be lost.
            payment = await self._look_up(item.gateway, dispute.payment_id, record.checkout.id)
            if payment is not None:
                await self._deliver(item, record, Fact(payment, f"webhook:{item.event_id}"))
            return None
        await self.sagas.deliver_dispute(dispute, record, f"webhook:{item.event_id}")
        return "dispute"

    async def _disputed(self, item: InboxItem, dispute: DisputeSnapshot) -> CheckoutRecord | None:
        """The checkout whose payment is disputed, by what the gateway says of it now, else by what the event said."""
        payment_id = dispute.payment_id or item.payment_id
        record = await self.books.find_by_payment(item.gateway, payment_id) if payment_id else None
        if record is None and (reference := dispute.reference or item.reference):
            record = await self.books.get(reference)
        return record if record and record.gateway == item.gateway else None
