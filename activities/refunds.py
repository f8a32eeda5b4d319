"""What a refund's workflow reads and writes on the books; idempotent, so that these may run as local activities."""

from dataclasses import dataclass
from datetime import datetime

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.failures import failure
from domain.checkout import CheckoutStatus, Failure
from domain.dispute import BLOCKS_REFUNDS, DisputeState
from domain.errors import PaysagaError
from domain.refund import RefundRecord
from ledger.books import Books
from ledger.disputes import Disputes
from ledger.operations import Operations
from ledger.refunds import Refunds


@dataclass(frozen=True)
class RefundOnBooks:
    """Where a refund and its checkout stand; `sequence` is that of the checkout's last timeline row.

    `asked`: the number of the last key under which the gateway was asked for it, 0 when it never was. `blocked`: a
    dispute has the money. `inquiries`: the disputes, by our ids, that a refund answers.
    """

    record: RefundRecord
    status: CheckoutStatus
    sequence: int
    asked: int
    blocked: bool
    inquiries: tuple[str, ...]


@dataclass(frozen=True)
class FailRefund:
    """The gateway has never taken the refund on, and never will."""

    refund_id: str
    failure: Failure
    cause: str
    at: datetime


@dataclass
class RefundActivities:
    """The refund's pen."""

    books: Books
    refunds: Refunds
    disputes: Disputes
    operations: Operations

    @activity.defn
    async def read_refund(self, refund_id: str) -> RefundOnBooks:
        """Where it stands, with what has a say in whether it can be made."""
        record = await self.refunds.get(refund_id)
        if record is None:
            raise ApplicationError(f"no refund {refund_id} on the books", type="NotOnBooks", non_retryable=True)
        checkout_id = record.refund.checkout_id
        checkout = await self.books.get(checkout_id)
        assert checkout is not None, "a checkout is never deleted"
        disputes = await self.disputes.of_checkout(checkout_id)
        own = f"{checkout_id}:{refund_id}:"
        asked = (op.key for op in await self.operations.of_checkout(checkout_id) if op.key.startswith(own))
        return RefundOnBooks(
            record,
            checkout.status,
            checkout.sequence,
            max((int(key.rpartition(":")[2]) for key in asked), default=0),
            any(dispute.snapshot.state in BLOCKS_REFUNDS for dispute in disputes),
            tuple(dispute.id for dispute in disputes if dispute.snapshot.state is DisputeState.INQUIRY),
        )

    @activity.defn
    async def fail_refund(self, call: FailRefund) -> RefundRecord:
        """Release what was reserved. Answers the refund as it stands, taken on after all where somebody knew better."""
        try:
            return await self.refunds.fail(call.refund_id, call.failure, call.cause, call.at)
        except PaysagaError as error:
            raise failure(error) from error
