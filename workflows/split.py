"""A split checkout's saga: every tender is taken, or every tender is given back."""

from collections.abc import Callable
from datetime import timedelta

from temporalio import workflow

from activities.contract import OnBooks
from domain.booked import Booked
from domain.case import CaseKind
from domain.checkout import CaptureMode, CheckoutStatus, Failure
from domain.saga import EndReason, Verdict
from domain.split import SplitCommand, is_held, is_taken, why_lost
from domain.states import ENDED, CheckoutState
from domain.timeline import EventType
from workflows.cases import Cases
from workflows.confirmation import Confirmation
from workflows.endings import ENDS, FAILURES, NoSaleError
from workflows.journal import OvertakenError
from workflows.mailbox import Decision
from workflows.saga import Saga
from workflows.shield import shielded
from workflows.split_journal import SplitJournal
from workflows.tenders import Tenders

S = CheckoutState
_WAY = (S.PROCESSING, S.AWAITING_PAYMENT, S.AUTHORIZED, S.PAID)
"""The states on the way to a sale, in order."""


@workflow.defn(name="SplitCheckout")
class SplitCheckoutWorkflow(Saga):
    """The only writer of a split checkout's state. It moves no money: it decides for its tenders."""

    @workflow.init
    def __init__(self, split: SplitCommand) -> None:
        start = OnBooks(CheckoutStatus(S.PROCESSING), Booked(split.checkout.amount.currency), 1)
        self._pen = SplitJournal(split, start)
        super().__init__(split.checkout, self._pen)
        self._cases = Cases(self._pen, self._mailbox)
        self._orders = self._cases.orders
        self._tenders = Tenders(split, self._pen, self._cases)

    @workflow.run
    async def run(self, split: SplitCommand) -> CheckoutStatus:
        """The checkout's status when all its tenders have ended. A cancelled workflow gives everything back first."""
        return await self._carry_out()

    @workflow.signal(description="A tender has written something on the books")
    def tender_moved(self, checkout_id: str) -> None:
        """Have a look."""
        self._tenders.moved()

    async def _sell(self) -> None:
        await self._take_up()
        for place in self._tenders.places:
            await self._tenders.start(place)
        await self._open()
        await self._hold()
        if self._command.capture is CaptureMode.ON_CONFIRM:
            await self._await_confirmation()
        await self._capture()
        if self._command.capture is CaptureMode.AUTOMATIC:
            await self._await_confirmation()
        await self._keep()

    async def _take_up(self) -> None:
        """After a reset the books are further than the history: what is on them stands."""
        on_books = await self._pen.read()
        if on_books.status.state in ENDED | {S.REFUNDING}:
            raise OvertakenError(on_books.status.state)
        if on_books.sequence > 1:
            self._pen.prefix = f"again{on_books.sequence}:"

    async def _open(self) -> None:
        """Until the customer has a next step for every tender."""
        await self._until(lambda: all(tender.state is not S.PROCESSING for tender in self._pen.tenders))
        self._advance(S.AWAITING_PAYMENT, EventType.CHECKOUT_OPENED, "the customer to pay")

    async def _hold(self) -> None:
        """Until every tender's money is certain."""
        await self._until(lambda: all(is_held(tender) for tender in self._pen.tenders))
        if not all(is_taken(tender) for tender in self._pen.tenders):
            asked = self._command.capture is CaptureMode.ON_CONFIRM
            self._advance(S.AUTHORIZED, EventType.PAYMENT_AUTHORIZED, self._shop_awaited() if asked else None)

    async def _capture(self) -> None:
        """One after the other: should one fail, those after it are still only held, and need no refund."""
        for place in self._tenders.places:
            await self._until(lambda: True)
            if not is_taken(self._pen.tenders[place]):
                await self._tenders.tell(place, Verdict.CAPTURE)
                await self._until(lambda place=place: is_taken(self._pen.tenders[place]))  # type: ignore[misc]
        self._advance(S.PAID, EventType.PAYMENT_SUCCEEDED, self._shop_awaited())

    async def _await_confirmation(self) -> None:
        """Until the shop confirms, where it must; its no, its silence and a lost tender end the sale."""
        if self._command.confirm_within_seconds is None:
            return
        await self._pen.write()
        deadline = workflow.now() + timedelta(seconds=self._command.confirm_within_seconds)
        await Confirmation(self._pen, self._mailbox).run(deadline, self._tenders.has_news, self._heed_tenders)

    async def _keep(self) -> None:
        """The decision that cannot be taken back: it is on the books before any tender hears of it."""
        await self._heed_tenders()
        confirmed = self._mailbox.decision is Decision.CONFIRM
        cause = "api" if confirmed else self._tenders.cause
        self._pen.enter(S.PAID, cause, name="kept", waiting_for="its tenders to complete")
        event = EventType.ORDER_CONFIRMED if confirmed else EventType.CHECKOUT_COMPLETED
        await shielded(self._complete(cause, event))

    async def _complete(self, cause: str, event: EventType) -> None:
        await self._pen.write()
        for place in self._tenders.places:
            await self._tenders.tell(place, Verdict.KEEP)
        for place in self._tenders.places:
            await self._tenders.conclude(place, Verdict.KEEP)
        await self._settle(lambda tender: tender.state is S.COMPLETED, "given back when the sale was already made")
        await self._tenders.closed()
        self._pen.enter(S.COMPLETED, cause, event=event, failure=None, waiting_for=None)
        await self._pen.write()

    async def _settle(self, as_decided: Callable[[CheckoutStatus], bool], fault: str) -> None:
        """An operator can end a tender, or reset and cancel this workflow, in the moment of the decision."""

        async def settled() -> bool:
            await self._tenders.look()
            return all(as_decided(tender) for tender in self._pen.tenders)

        odd = [str(n) for n, tender in enumerate(self._pen.tenders, start=1) if not as_decided(tender)]
        if odd:
            message = f"tender {', '.join(odd)} was {fault}"
            await self._cases.review(CaseKind.TENDER_AGAINST_DECISION, message, settled=settled)

    async def _until(self, reached: Callable[[], bool]) -> None:
        """Until the tenders are so. Raises NoSaleError when one is lost or the shop gives up."""
        await self._tenders.look()
        self._heed()
        while not reached():
            await self._tenders.pause(lambda: self._mailbox.cancel_requested)
            await self._tenders.look()
            self._heed()

    async def _heed_tenders(self) -> None:
        await self._tenders.look()
        self._heed()

    def _heed(self) -> None:
        if self._mailbox.cancel_requested:
            raise NoSaleError(EndReason.CANCELED_BY_SHOP, "api")
        for place, tender in enumerate(self._pen.tenders):
            reason = EndReason.FAILED if place in self._tenders.gone else why_lost(tender)
            if reason is not None:
                words = tender.failure or FAILURES.get(reason) or Failure(reason, "it came to no payment")
                failure = Failure(words.code, f"tender {place + 1}: {words.message}")
                raise NoSaleError(reason, self._tenders.cause, failure, tender=place + 1)

    def _advance(self, state: CheckoutState, event: EventType, waiting_for: str | None) -> None:
        """Go on to the state, unless the books are there already."""
        if self._pen.state in _WAY[: _WAY.index(state)]:
            cause = "api" if state is S.AWAITING_PAYMENT else self._tenders.cause
            self._pen.enter(state, cause, event=event, waiting_for=waiting_for)

    def _shop_awaited(self) -> str | None:
        asked = self._command.confirm_within_seconds is not None and self._mailbox.decision is None
        return "the shop to confirm the order" if asked else None

    async def _give_back(self, ending: NoSaleError) -> None:
        """In the reverse order of their places, each once the one before it has ended."""
        self._cases.leave_all(ending.cause)
        await self._tenders.look()
        if any(tender.state is S.COMPLETED for tender in self._pen.tenders):
            # Reset when the sale was made already, and then stopped: it stays made.
            await self._complete(ending.cause, EventType.CHECKOUT_COMPLETED)
            return
        self._enter_undoing(ending)
        for place in reversed(self._tenders.places):
            await self._tenders.conclude(place, Verdict.GIVE_BACK)
        await self._settle(lambda tender: tender.state is not S.COMPLETED, "completed when it was to be given back")
        await self._tenders.closed()
        self._enter_end(ending)
        await self._pen.write()

    def _enter_undoing(self, ending: NoSaleError) -> None:
        taken = self._pen.captured_minor > self._pen.refunded_minor
        state = S.REFUNDING if taken else self._pen.state
        self._pen.enter(
            state,
            ending.cause,
            name="undoing",
            event=EventType.REFUND_CREATED if taken and self._pen.state is not S.REFUNDING else None,
            details={"reason": ending.reason, "tender": ending.tender},
            failure=ending.failure or FAILURES.get(ending.reason) or self._pen.status.failure,
            waiting_for="its tenders to be given back",
        )

    def _enter_end(self, ending: NoSaleError) -> None:
        cause = self._tenders.cause
        if not self._pen.captured_minor:
            state, event = ENDS.get(ending.reason, (S.CANCELED, EventType.PAYMENT_CANCELED))
            self._pen.enter(state, cause, event=event, details={"reason": ending.reason}, waiting_for=None)
            return
        if self._pen.state is not S.REFUNDING:
            self._pen.enter(S.REFUNDING, cause, event=EventType.REFUND_CREATED, details={"reason": ending.reason})
        self._pen.enter(S.REFUNDED, cause, event=EventType.REFUND_SUCCEEDED, waiting_for=None)
