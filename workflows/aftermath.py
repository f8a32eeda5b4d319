"""What is left to do when money moves after a checkout has ended."""

from domain.booked import catch_up, is_lost
from domain.saga import EndReason
from domain.states import CheckoutState
from workflows.cases import Cases
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

    async def run(self) -> None:
        """Until no fact in the mailbox says anything that is not on the books."""
        while self._mailbox.facts:
            fact = self._mailbox.facts.popleft()
            if fact.payment.gateway != self._journal.account.gateway:
                await self._cases.stray(fact.payment)
            elif catch_up(self._journal.booked, fact.payment):
                await self.settle(fact.cause)

    async def settle(self, cause: str) -> None:
        """Look at the gateway once more and do what that asks for."""
        if self._journal.state is not CheckoutState.COMPLETED:
            await Undo(self._journal, self._desk, self._cases, EndReason.LATE_MONEY, cause).run()
            return
        payment = await self._desk.look_up()
        if payment is None or not catch_up(self._journal.booked, payment):
            return
        if is_lost(self._journal.booked, payment):
            await self._cases.capture_lost(payment)
        else:
            self._journal.enter(CheckoutState.COMPLETED, cause, name="found_at_gateway", payment=payment)
            await self._journal.write()
