"""Waiting for a person where only a person can help."""

from collections.abc import Awaitable, Callable

from temporalio import workflow

from domain import postings
from domain.case import CaseAction, CaseKind, OpenCase
from domain.checkout import CheckoutStatus, Failure
from domain.money import Money
from domain.payment import PaymentSnapshot, RefundStatus
from domain.postings import Transaction
from domain.states import CheckoutState
from domain.timeline import EventType
from workflows.endings import MarkedPaidError
from workflows.journal import Journal
from workflows.mailbox import Mailbox
from workflows.orders import Orders, Waiting, WrittenOffError
from workflows.trouble import Trouble, closing

Settled = Callable[[], Awaitable[bool]]
"""Looks again; whether there is nothing left for a person to decide."""


class Cases(Trouble):
    """Whatever needs a decision is a case. Nothing ends silently: a case stays open until it is closed here."""

    def __init__(self, journal: Journal, mailbox: Mailbox, orders: Orders | None = None) -> None:
        super().__init__(journal, mailbox, orders)
        self._strays: set[tuple[str, str, str, int]] = set()

    async def review(
        self,
        kind: CaseKind,
        message: str,
        *,
        payment: PaymentSnapshot | None = None,
        event: EventType = EventType.CASE_OPENED,
        at_stake: int | None = None,
        subject: str | None = None,
        settled: Settled | None = None,
    ) -> str:
        """Open a case, wait until a person's order ends it, close it. Answers the cause: `operator`.

        `at_stake` is in minor units, the checkout's whole amount by default. `settled` looks again; without it whoever
        asked for the review does, when the case is closed. Raises what an order leads to that is not for going on here:
        NoSaleError, MarkedPaidError, WrittenOffError (with the case still open, for `write_off`).
        """
        mark = self._marked(kind, message, at_stake, subject)
        waiting = self._enter_review(mark, payment, event)
        if await self._decided(waiting, settled) is CaseAction.WRITE_OFF:
            raise WrittenOffError(waiting)
        self._leave_review(waiting)
        return "operator"

    async def capture_lost(
        self, payment: PaymentSnapshot | None = None, at_stake: int | None = None, settled: Settled | None = None
    ) -> None:
        """Money that was taken went away again when it was too late to go without it.

        `payment` is the loss as it is freshly seen; None for one that is on the books already.
        """
        waiting = self.enter_loss(payment, at_stake)
        self.leave_loss(waiting, await self._decided(waiting, settled))
        await self._journal.write()

    def enter_loss(self, payment: PaymentSnapshot | None = None, at_stake: int | None = None) -> Waiting:
        """Open the case about lost money, and do not wait."""
        message = "the gateway could not keep the money it had taken, and what it was for is done"
        mark = self._marked(CaseKind.CAPTURE_LOST, message, at_stake)
        waiting = self._enter_review(mark, payment, EventType.CASE_OPENED, doubts_sale=True)
        waiting.captured_minor = self._journal.booked.captured_minor
        return waiting

    def leave_loss(self, waiting: Waiting, action: CaseAction) -> None:
        """Close it. What it was for stays done; written off, the loss is ours."""
        lost = waiting.mark.amount_minor if action is CaseAction.WRITE_OFF else 0
        self._leave_review(waiting, (self.let_be(lost, ours=True),) if lost else ())

    def take_up(self, mark: OpenCase, before: CheckoutStatus | None) -> None:
        """A case that is open on the books has outlived the workflow that opened it; `before` as in Waiting."""
        self.orders.opened(mark, before=before).captured_minor = self._journal.booked.captured_minor

    def close(self, waiting: Waiting, transactions: tuple[Transaction, ...] = ()) -> None:
        """Close a case that no step of the story waits in. Where it put the checkout under review, that ends too."""
        if waiting.before is not None:
            self._leave_review(waiting, transactions)
            return
        self.orders.closed(waiting)
        self._journal.enter(
            self._journal.state,
            "operator",
            name="case_closed",
            event=EventType.CASE_CLOSED,
            details={"reason": waiting.mark.kind},
            transactions=transactions,
            case=closing(waiting, "operator"),
        )

    def write_off(self, waiting: Waiting) -> None:
        """End with this case: what should have gone back and did not is let be."""
        self._before = self._troubled = None
        self._lasting = False
        for other in [other for other in self.orders.open if other is not waiting]:
            self._leave(other, "operator")
        self.orders.closed(waiting)
        kept = self._journal.booked.kept_minor
        self._journal.enter(
            CheckoutState.WRITTEN_OFF,
            "operator",
            event=EventType.CASE_CLOSED,
            details={"written_off": kept, "currency": self._journal.booked.currency},
            transactions=(self.let_be(abs(kept), ours=kept < 0),) if kept else (),
            case=closing(waiting, "written off"),
            next_action=None,
            stuck=False,
            waiting_for=None,
        )

    def let_be(self, minor: int, ours: bool) -> Transaction:
        """The transaction by which a person lets a difference be."""
        amount = Money(minor, self._journal.booked.currency)
        payment_id = self._journal.status.payment_id or self._journal.command.checkout_id
        return postings.write_off(self._journal.account.gateway, payment_id, amount, ours)

    async def stray(self, payment: PaymentSnapshot, settled: Settled | None = None) -> None:
        """Money at a gateway that the saga left because nothing had happened there: neither adopted nor given back."""
        kept = payment.captured - payment.refunded(RefundStatus.SUCCEEDED)
        seen = (payment.gateway, payment.payment_id, payment.status, kept.minor)
        if seen in self._strays:
            return
        self._strays.add(seen)
        message = f"payment {payment.payment_id} at {payment.gateway}, which was left, is {payment.status}"
        subject = f"{payment.gateway}:{payment.payment_id}"
        await self.review(CaseKind.STRAY_PAYMENT, message, at_stake=kept.minor, subject=subject, settled=settled)
        await self._journal.write()

    def leave_all(self, cause: str) -> None:
        """The saga turns back while it was stuck or in review: what was waited for is settled by giving back."""
        self.compensating = True
        self._before = self._unsilenced = self._troubled = None
        self._lasting = False
        left: list[Waiting | None] = [*self.orders.open]
        if self._journal.status.stuck and not left:
            left = [None]
        for waiting in left:
            self._leave(waiting, cause)

    def _leave(self, waiting: Waiting | None, cause: str) -> None:
        if waiting is not None:
            self.orders.closed(waiting)
        self._journal.enter(
            self._journal.state,
            cause,
            name="left",
            event=EventType.CASE_CLOSED if waiting else None,
            case=closing(waiting, cause) if waiting else None,
            failure=None,
            stuck=False,
            waiting_for=None,
        )

    def _enter_review(
        self, mark: OpenCase, payment: PaymentSnapshot | None, event: EventType, doubts_sale: bool = False
    ) -> Waiting:
        """What is sold stays sold: a case about it is a mark, unless it is the sale itself that is in doubt."""
        before = self._journal.status
        sold = before.state is CheckoutState.COMPLETED and not doubts_sale
        self._journal.enter(
            CheckoutState.COMPLETED if sold else CheckoutState.NEEDS_REVIEW,
            "api" if payment is None else "poll",
            name=CheckoutState.NEEDS_REVIEW,
            payment=payment,
            event=event,
            details={"reason": mark.kind},
            case=mark,
            failure=Failure(mark.kind, mark.message),
            stuck=True,
            waiting_for=f"a person ({mark.kind})",
        )
        allowed = {CaseAction.WRITE_OFF} if doubts_sale else set()
        return self.orders.opened(mark, self._withheld(before) - allowed, before)

    def _leave_review(self, waiting: Waiting, transactions: tuple[Transaction, ...] = ()) -> None:
        before = waiting.before or CheckoutStatus(self._journal.state)
        self.orders.closed(waiting)
        self._journal.enter(
            before.state,
            "operator",
            name="review_closed",
            event=EventType.CASE_CLOSED,
            details={"reason": waiting.mark.kind},
            transactions=transactions,
            case=closing(waiting, "operator"),
            failure=before.failure,
            stuck=before.stuck,
            waiting_for=before.waiting_for,
        )

    async def _decided(self, waiting: Waiting, settled: Settled | None) -> CaseAction:
        """Wait for the order that ends the case; what it says."""
        while True:
            # Asked before there was anything to ask about: it must not close what nobody has looked at.
            self._mailbox.retry_requested = False
            await self._journal.write()
            await workflow.wait_condition(lambda: self._is_asked(waiting))
            await self._heed_overtaken()
            order = self.orders.take(waiting)
            if order is None:
                return CaseAction.RETRY_NOW
            if order.action is CaseAction.MARK_PAID:
                self._leave_review(waiting)
                raise MarkedPaidError(order.evidence or "")
            self._heed_turn(waiting, order.action)
            if order.action is not CaseAction.LOOK_AGAIN or settled is None or await settled():
                return order.action
