"""Money that moved after a checkout had ended: given back where there was no sale, put on the books in any case."""

from temporalio import workflow

from activities.contract import OnBooks
from domain.booked import Booked
from domain.checkout import CheckoutStatus
from domain.saga import CheckoutCommand
from domain.states import CheckoutState
from workflows.aftermath import Aftermath
from workflows.cases import Cases
from workflows.desk import Desk
from workflows.journal import Journal
from workflows.reachable import Reachable
from workflows.shield import shielded


@workflow.defn(name="LatePayment")
class LatePaymentWorkflow(Reachable):
    """Writes the state of a checkout whose own workflow has ended. It never charges.

    At most one runs for a checkout at a time. It may run again: whatever it does is keyed by what is on the books.
    """

    @workflow.init
    def __init__(self, command: CheckoutCommand) -> None:
        super().__init__()
        unread = OnBooks(CheckoutStatus(CheckoutState.PROCESSING), Booked(command.amount.currency), 0)
        self._journal = Journal(command, unread)

    @workflow.run
    async def run(self, command: CheckoutCommand) -> CheckoutStatus:
        """The checkout's status once gateway and books agree. A cancel changes nothing: the money is not ours."""
        return await shielded(self._settle())

    async def _settle(self) -> CheckoutStatus:
        on_books = await self._journal.read()
        self._journal.prefix = f"late{on_books.sequence}:"
        cases = Cases(self._journal, self._mailbox)
        await cases.take_up_loss()
        desk = Desk(self._journal, self._mailbox, cases, on_books)
        aftermath = Aftermath(self._journal, desk, cases, self._mailbox)
        if not self._mailbox.facts:
            await aftermath.settle("poll")
        await aftermath.run()
        return self._journal.status
