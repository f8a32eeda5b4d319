"""From a hold to a sale: the shop's captures one after the other, and what the hold's end makes of it."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from temporalio import workflow

from domain.payment import Decline, DeclineCode
from domain.saga import EndReason
from domain.states import CheckoutState
from domain.timeline import EventType
from workflows.capture_orders import HELD, CaptureQueue, Ticket
from workflows.endings import NoSaleError, failure_of
from workflows.hold import Hold
from workflows.journal import Journal
from workflows.mailbox import Decision, Mailbox
from workflows.taking import HOLD_OVER, Refusal, Taking

_NOTHING_TO_RELEASE = Decline(
    DeclineCode.INVALID_REQUEST, True, "nothing_captured", "no capture has been made that would leave a rest to release"
)


class Capturing:
    """Ends when the money is taken; also when the only order was refused, for the shop may then decide anew.

    `cause` is what the last order came by.
    """

    def __init__(self, journal: Journal, mailbox: Mailbox, taking: Taking, orders: CaptureQueue, hold: Hold) -> None:
        self._journal = journal
        self._mailbox = mailbox
        self._taking = taking
        self._orders = orders
        self._hold = hold
        self.cause = "api"

    async def run(self, heed: Callable[[], Awaitable[None]]) -> None:
        """Carry out order after order; `heed` what happens elsewhere in between."""
        while self._journal.state in HELD:
            if self._orders.waiting:
                await self._carry_out(self._orders.waiting[0])
            elif self._journal.state is CheckoutState.PARTIALLY_CAPTURED:
                await self._pause()
                await heed()
            elif self._mailbox.decision is Decision.CONFIRM:
                self._orders.everything()
            else:
                return
        for ticket in list(self._orders.waiting):
            # The gateway takes no more. Whoever asked for all that is left, or for nothing, has what they wanted.
            self._orders.finish(ticket, HOLD_OVER if ticket.order.amount_minor else None)

    async def _pause(self) -> None:
        """Until the shop orders more, something happens elsewhere, or the hold has to be seen to."""
        await self._journal.write()
        due = self._hold.due()
        try:
            await workflow.wait_condition(
                lambda: bool(self._orders.waiting or self._mailbox.facts),
                timeout=None if due is None else max(due.at - workflow.now(), timedelta()),
                timeout_summary="the hold has to be seen to",
            )
        except TimeoutError:
            if due is not None and not self._orders.waiting:
                await self._hold.see_to(due)

    async def _carry_out(self, ticket: Ticket) -> None:
        self.cause = ticket.cause
        refusal = await self._take(ticket)
        if refusal is None:
            if self._journal.state in HELD:
                # What makes the sale is written together with it.
                await self._journal.write()
            self._orders.finish(ticket)
            return
        taken = self._journal.state is not CheckoutState.AUTHORIZED
        if ticket.order.final and not taken:
            raise NoSaleError(EndReason.DECLINED, refusal.cause, failure_of(refusal.decline))
        await self._go_on_without(ticket, refusal)

    async def _take(self, ticket: Ticket) -> Refusal | None:
        amount = self._orders.begin(ticket)
        if amount.minor:
            refusal = await self._taking.part(amount, ticket.order.final)
            ticket.taken = refusal is None
            return refusal
        if self._journal.state is CheckoutState.AUTHORIZED:
            return Refusal(_NOTHING_TO_RELEASE, ticket.cause)
        await self._taking.release()
        return None

    async def _go_on_without(self, ticket: Ticket, refusal: Refusal) -> None:
        """What is taken stays sold; where nothing is, the shop has not decided. Unless the hold itself is gone."""
        decline = refusal.decline
        if self._journal.state in HELD:
            self._journal.enter(
                self._journal.state,
                refusal.cause,
                name="capture_declined",
                event=EventType.PAYMENT_DECLINED,
                details={"code": decline.code, "gateway_code": decline.gateway_code},
                failure=failure_of(decline),
            )
        await self._journal.write()
        if self._journal.state is CheckoutState.AUTHORIZED and len(self._orders.waiting) == 1:
            self._mailbox.decision = None
        self._orders.finish(ticket, decline)
        if self._journal.state in HELD and (reason := await self._taking.look()) is not None:
            raise NoSaleError(reason, "poll")
