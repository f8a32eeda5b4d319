"""The part of the stand-in that comes after a sale: refunds, disputes and cases, on real books."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

from domain.case import Case, CaseAnswer, CaseOrder, CloseCase, OpenCase
from domain.checkout import Checkout, CheckoutRecord
from domain.dispute import DisputeSnapshot, DisputeState
from domain.money import Money
from domain.payment import PaymentSnapshot, PaymentStatus, RefundSnapshot, RefundStatus
from domain.refund import RefundRecord
from domain.timeline import Entry
from ledger.books import Books
from ledger.contract import DisputeRecord, Note


class AfterSale:
    """`refund_status`: what the gateway says to refunds. `orders` and `answers`: what was told to workflows."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def reset_after_sale(self) -> None:
        """Refunds succeed, nothing was told."""
        self.refund_status = RefundStatus.SUCCEEDED
        self.answers: list[tuple[str, ...]] = []
        self.orders: list[tuple[CaseOrder, str | None]] = []

    async def start_refund(self, record: RefundRecord, checkout: CheckoutRecord, patience: float = 0) -> bool:
        """The gateway takes the refund on and says what it says."""
        if not await self._reached("refund", checkout.checkout):
            return False
        refund = record.refund
        shown = RefundSnapshot(f"re_{refund.id}", refund.amount, self.refund_status, f"{refund.id}:refund:1")
        await self.gateway_shows(refund.checkout_id, shown)
        return self.refund_status is not RefundStatus.PENDING

    async def submit_evidence(
        self, dispute: DisputeRecord, checkout: CheckoutRecord, evidence_id: str, who: str, patience: float = 3.0
    ) -> bool:
        """The gateway reviews it from now on."""
        if not await self._reached("evidence", checkout.checkout):
            return False
        self.answers.append(("evidence", evidence_id, who))
        await self.disputed(replace(dispute.snapshot, state=DisputeState.UNDER_REVIEW), dispute.checkout_id)
        return True

    async def accept(self, dispute: DisputeRecord, checkout: CheckoutRecord, who: str, patience: float = 3.0) -> bool:
        """The dispute is lost."""
        if not await self._reached("accept", checkout.checkout):
            return False
        self.answers.append(("accept", who))
        await self.disputed(replace(dispute.snapshot, state=DisputeState.LOST), dispute.checkout_id)
        return True

    async def act(
        self, case: Case, checkout: Checkout, order: CaseOrder, patience: float = 3.0, update_id: str | None = None
    ) -> CaseAnswer | None:
        """What many know as much as one: the first of two who order the same waits for the second."""
        if not await self._reached("act", checkout):
            return None
        first = next((o.who for o, _ in self.orders if (o.case_id, o.action) == (order.case_id, order.action)), None)
        self.orders.append((order, update_id))
        details = {"case": case.id, "action": str(order.action), "who": order.who, "reason": order.reason}
        if first in (None, order.who):
            await self._mark(checkout.id, f"{len(self.orders)}:case_proposed", details)
            return CaseAnswer.AWAITS_SECOND
        closing = CloseCase(case.kind, str(order.action), case.subject)
        await self._mark(checkout.id, f"{len(self.orders)}:case_action", details | {"first": first}, closing)
        return CaseAnswer.DONE

    async def gateway_shows(self, checkout_id: str, *refunds: RefundSnapshot) -> None:
        """The gateway's payment has these refunds, and the books learn it."""
        record = await self._books.get(checkout_id)
        assert record is not None
        checkout, captured = record.checkout, Money(record.status.captured_minor, record.checkout.amount.currency)
        payment = PaymentSnapshot(
            gateway=checkout.gateway,
            payment_id=record.status.payment_id or "",
            reference=checkout.id,
            status=PaymentStatus.CAPTURED,
            amount=checkout.amount,
            captured=captured,
            live=False,
            refunds=refunds,
        )
        await self._books.note(checkout_id, Note("poll", datetime.now(UTC), payment=payment))

    async def disputed(self, dispute: DisputeSnapshot, checkout_id: str) -> DisputeRecord:
        """The gateway states this dispute, and the books learn it."""
        noted = await self._books.note(checkout_id, Note("poll", datetime.now(UTC), dispute=dispute))
        assert noted.dispute is not None
        return noted.dispute

    async def open_case(self, checkout_id: str, case: OpenCase) -> None:
        """Something waits for a person."""
        await self._mark(checkout_id, f"case:{case.kind}:{case.subject}", {}, case)

    async def _mark(
        self, checkout_id: str, key: str, details: dict[str, str], case: OpenCase | CloseCase | None = None
    ) -> None:
        record = await self._books.get(checkout_id)
        assert record is not None
        entry = Entry(key, record.status, "operator", datetime.now(UTC), dict(details), case=case)
        await self._books.append(checkout_id, [entry])

    calls: Counter[str]

    async def _reached(self, name: str, checkout: Checkout) -> bool:
        raise NotImplementedError
