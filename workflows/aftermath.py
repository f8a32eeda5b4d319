"""What is left to do when money moves after a checkout has ended."""

from temporalio import workflow

from domain.booked import catch_up, is_lost
from domain.case import CaseAction, CaseKind
from domain.saga import EndReason, Fact
from domain.states import CheckoutState
from workflows import patches
from workflows.cases import Cases
from workflows.casework import Casework
from workflows.desk import Desk
from workflows.journal import Journal
from workflows.mailbox import Mailbox
from workflows.undo import Undo


class Aftermath:
    """Brings books and gateway together again: a sale stays a sale and is put on the books, all else is given back."""

    def __init__(self, journal: Journal, desk: Desk, cases: Cases, mailbox: Mailbox) -> None:
        self._journal = journal
        self._desk = desk
        self._cases = cases
        self._mailbox = mailbox
        self._casework = Casework(journal, desk, cases, self.settle)
        self._lost_since = 0
        cases.ended = True

    async def run(self) -> None:
        """Until no fact in the mailbox says anything that is not on the books, and no case waits for a person."""
        while True:
            while self._mailbox.facts:
                await self._heed(self._mailbox.facts.popleft())
            await self._carry_out_orders()
            if not self._mailbox.facts and not self._cases.orders.open:
                return
            await self._journal.write()
            await workflow.wait_condition(self._has_work)

    async def _heed(self, fact: Fact) -> None:
        if fact.payment.gateway != self._journal.account.gateway:
            await self._desk.stray(fact.payment)
        elif catch_up(self._journal.booked, fact.payment):
            await self.settle(fact.cause)

    def _has_work(self) -> bool:
        asked = self._mailbox.retry_requested or self._cases.orders.pending()
        return asked or bool(self._mailbox.facts) or self._journal.overtaken is not None

    async def _carry_out_orders(self) -> None:
        """What was asked for before there was anything to ask about is over: `retry_now` means the cases of now."""
        asked, self._mailbox.retry_requested = self._mailbox.retry_requested, False
        for waiting in self._cases.orders.open:
            order = self._cases.orders.take(waiting)
            if not any(waiting is still for still in self._cases.orders.open):
                continue  # closed by what was ordered about another
            if order is not None:
                await self._casework.carry_out(waiting, order.action, order.evidence or "")
            elif asked:
                await self._casework.carry_out(waiting, CaseAction.RETRY_NOW)
        self.heed_loss(self._lost_since)
        await self._journal.write()

    async def settle(self, cause: str) -> None:
        """Look at the gateway once more and do what that asks for."""
        if not self._journal.sold:
            await Undo(self._journal, self._desk, self._cases, EndReason.LATE_MONEY, cause).run()
            return
        payment = await self._desk.look_up()
        if payment is None or not catch_up(self._journal.booked, payment):
            return
        if patches.notes_after_sale():
            self.heed_loss((await self._journal.note(payment, cause)).lost_minor)
        elif is_lost(self._journal.booked, payment):
            await self._cases.capture_lost(payment)
        else:
            self._journal.enter(CheckoutState.COMPLETED, cause, name="found_at_gateway", payment=payment)
            await self._journal.write()

    def heed_loss(self, lost_minor: int) -> None:
        """Open a case about what is lost of a sale. What is lost while one is open waits until that ends."""
        known = any(waiting.mark.kind is CaseKind.CAPTURE_LOST for waiting in self._cases.orders.open)
        self._lost_since = lost_minor if known else 0
        if lost_minor and not known:
            self._cases.enter_loss(at_stake=lost_minor)
