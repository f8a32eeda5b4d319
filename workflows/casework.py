"""Carrying out what a person orders about a case that no step of a saga waits in: the saga has ended, or is gone."""

from collections.abc import Awaitable, Callable

from temporalio import workflow

from activities.books import BookActivities
from activities.contract import NoteCall
from activities.disputes import DisputeActivities, ReadDispute
from domain.booked import is_at_rest
from domain.case import CaseAction, CaseKind
from domain.checkout import SPLIT
from domain.dispute import DisputeState
from domain.payment import PaymentStatus
from domain.saga import EndReason
from domain.states import ENDED, CheckoutState
from domain.timeline import EventType
from gateways.contract import Verb
from ledger.contract import Note
from workflows import options
from workflows.by_hand import enter_paid_by_hand
from workflows.cases import Cases
from workflows.desk import Desk
from workflows.journal import Journal
from workflows.orders import Waiting
from workflows.revival import revival_for
from workflows.trouble import TURNS_BACK, closing
from workflows.undo import Undo

_BESIDE = frozenset(
    {CaseKind.STRAY_PAYMENT, CaseKind.REFUND_FAILED_LATER, CaseKind.DISPUTE_UNANSWERED, CaseKind.CAPTURE_LOST}
)
"""What does not ask how the checkout itself goes on."""
_OF_ERRANDS = frozenset({CaseKind.UNKNOWN_OUTCOME, CaseKind.KEY_EXPIRED, CaseKind.OPERATION_MISMATCH})
"""What the workflows of refunds and disputes have a person look at besides."""
_REFUNDS = frozenset({CaseKind.REFUND_DECLINED, CaseKind.REFUND_FAILED})
_UNANSWERED = frozenset({DisputeState.INQUIRY, DisputeState.NEEDS_RESPONSE})


class Casework:
    """`settle` brings books and gateway together, whatever that takes."""

    def __init__(self, journal: Journal, desk: Desk, cases: Cases, settle: Callable[[str], Awaitable[None]]) -> None:
        self._journal = journal
        self._desk = desk
        self._cases = cases
        self._settle = settle

    async def carry_out(self, waiting: Waiting, action: CaseAction, evidence: str = "") -> None:
        """Do what was ordered; the case is closed by it, unless a look shows that nothing is settled yet."""
        if self._journal.command.gateway == SPLIT:
            await self._conclude_split(waiting, action)
        elif self._journal.sold or self._journal.state in ENDED or waiting.mark.kind in _BESIDE:
            await self._close(waiting, action)
        else:
            await self._end(waiting, action, evidence)

    async def _close(self, waiting: Waiting, action: CaseAction) -> None:
        """A case beside a checkout that stays where it is."""
        if waiting.mark.kind in _OF_ERRANDS and (revival := await revival_for(self._journal, waiting)) is not None:
            # Whatever is ordered about an answer that is missing means: ask for it again.
            self._cases.close(waiting)
            await self._journal.write()
            await revival.start()
            return
        if action is CaseAction.LOOK_AGAIN and not await self._is_settled(waiting):
            return
        # Money that was lost is ours; a refund that came back is the customer's money.
        ours = waiting.mark.kind is CaseKind.CAPTURE_LOST
        minor = waiting.mark.amount_minor if action is CaseAction.WRITE_OFF else 0
        if minor and not ours:
            # It may have gone back by another refund meanwhile.
            await self._settle("operator")
            minor = max(0, min(minor, self._journal.booked.kept_minor))
        self._cases.close(waiting, (self._cases.let_be(minor, ours),) if minor else ())
        if waiting.mark.kind is CaseKind.CAPTURE_LOST and not self._journal.sold and self._journal.state not in ENDED:
            # It came up while everything was being given back, and whoever did that is gone.
            await self._settle("operator")

    async def _is_settled(self, waiting: Waiting) -> bool:
        match waiting.mark.kind:
            case CaseKind.STRAY_PAYMENT:
                gateway, _, payment_id = (waiting.mark.subject or "").partition(":")
                return await self._desk.is_settled_elsewhere(gateway, payment_id)
            case CaseKind.DISPUTE_UNANSWERED:
                return await self._is_answered(waiting.mark.subject or "")
            case CaseKind.CAPTURE_LOST:
                if self._journal.sold:
                    await self._settle("operator")
                payment = await self._desk.look_up()
                wanted = waiting.captured_minor + waiting.mark.amount_minor
                return payment is not None and payment.captured.minor >= wanted
            case _:
                # A refund that came back has failed for good: a look only brings the books up to date.
                await self._settle("operator")
                return False

    async def _is_answered(self, dispute_id: str) -> bool:
        """Whether the gateway waits for an answer no more; what it shows goes on the books."""
        checkout_id = self._journal.command.checkout_id
        found = await workflow.execute_local_activity_method(
            DisputeActivities.read_dispute,
            ReadDispute(dispute_id, checkout_id),
            start_to_close_timeout=options.BOOKS_ATTEMPT,
            retry_policy=options.BOOKS_RETRY,
        )
        if found.record is None:
            return False
        known = found.record.snapshot
        seen = await self._desk.look_up_dispute(known.gateway, known.dispute_id)
        if seen is None:
            return False
        await workflow.execute_local_activity_method(
            BookActivities.note,
            NoteCall(checkout_id, Note("operator", workflow.now(), dispute=seen)),
            start_to_close_timeout=options.BOOKS_ATTEMPT,
            retry_policy=options.BOOKS_RETRY,
        )
        return seen.state not in _UNANSWERED

    async def _end(self, waiting: Waiting, action: CaseAction, evidence: str) -> None:
        """The saga that would have gone on is gone: it is ended here, as the person orders."""
        match action:
            case CaseAction.MARK_PAID:
                self._cases.orders.closed(waiting)
                enter_paid_by_hand(self._journal, evidence, case=closing(waiting, "marked as paid"))
                self._journal.enter(CheckoutState.COMPLETED, "operator", event=EventType.CHECKOUT_COMPLETED)
            case CaseAction.WRITE_OFF:
                self._cases.write_off(waiting)
            case CaseAction.LOOK_AGAIN if not await self._has_come_to_an_end():
                return
            case _:
                if waiting.mark.kind in _REFUNDS:
                    # What it was refused under would only be refused again; what there is of it is seen first.
                    self._desk.next_attempt(Verb.REFUND)
                turned_back = action in TURNS_BACK
                reason = EndReason.CANCELED_BY_OPERATOR if turned_back else EndReason.LATE_MONEY
                await Undo(self._journal, self._desk, self._cases, reason, "operator").run()

    async def _has_come_to_an_end(self) -> bool:
        payment = await self._desk.look_up()
        ended = payment is not None and payment.status in (PaymentStatus.CAPTURED, PaymentStatus.CANCELED)
        return payment is not None and ended and is_at_rest(payment)

    async def _conclude_split(self, waiting: Waiting, action: CaseAction) -> None:
        """The workflow that decided for the tenders is gone: once they have ended, they say how the whole did."""
        tenders = await workflow.execute_local_activity_method(
            BookActivities.read_tenders,
            self._journal.command.checkout_id,
            start_to_close_timeout=options.BOOKS_ATTEMPT,
            retry_policy=options.BOOKS_RETRY,
        )
        all_ended = all(tender.state in ENDED for tender in tenders)
        if action is CaseAction.LOOK_AGAIN and not all_ended:
            return
        self._cases.close(waiting)
        if not all_ended or self._journal.state in ENDED:
            return
        if any(tender.state is CheckoutState.COMPLETED for tender in tenders):
            way = [CheckoutState.PAID, CheckoutState.COMPLETED]
        elif any(tender.captured_minor for tender in tenders):
            way = [CheckoutState.REFUNDING, CheckoutState.REFUNDED]
        else:
            way = [CheckoutState.CANCELED]
        for state in way:
            if state is not self._journal.state:
                self._journal.enter(state, "operator", stuck=False, waiting_for=None)
