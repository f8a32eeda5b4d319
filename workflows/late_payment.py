"""Money that moved after a checkout had ended: given back where there was no sale, put on the books in any case."""

from temporalio import workflow

from activities.books import BookActivities
from activities.contract import OnBooks, OpenOnBooks
from domain.booked import Booked
from domain.case import Case, CaseOrder
from domain.checkout import SPLIT, CheckoutStatus
from domain.saga import CheckoutCommand, SagaPolicy
from domain.states import ENDED, CheckoutState
from workflows import options, patches
from workflows.aftermath import Aftermath
from workflows.cases import Cases
from workflows.desk import Desk
from workflows.journal import Journal
from workflows.orders import Acting, Orders, Pen, Waiting, as_mark, check_words
from workflows.reachable import Reachable
from workflows.shield import shielded


class _LateOrders(Orders):
    """Takes up whatever case an order is about: who orders it here has found nobody else to order it from."""

    def __init__(self, checkout_id: str, currency: str, policy: SagaPolicy, pen: Pen) -> None:
        super().__init__(checkout_id, currency, policy, pen)
        self.ready = self.asked = False
        self.before: dict[str, CheckoutStatus | None] = {}
        self.known: set[str] = set()

    def check(self, order: CaseOrder) -> None:
        """Which cases are open is on the books, and read there."""
        check_words(order)

    async def _meant(self, order: CaseOrder) -> Waiting:
        self.asked = True
        await workflow.wait_condition(lambda: self.ready)
        return await super()._meant(order)

    def _found(self, case: Case) -> Waiting | None:
        """A case is taken up once: one that is no more here was read as open just before it was closed."""
        found = super()._found(case)
        if found is None and case.id not in self.known:
            found = self.opened(as_mark(case), before=self.before.get(case.id))
        self.known.add(case.id)
        return found


@workflow.defn(name="LatePayment")
class LatePaymentWorkflow(Acting, Reachable):
    """Writes the state of a checkout whose own workflow has ended. It never charges.

    At most one runs for a checkout at a time. It may run again: whatever it does is keyed by what is on the books.
    """

    @workflow.init
    def __init__(self, command: CheckoutCommand) -> None:
        super().__init__()
        self._command = command
        unread = OnBooks(CheckoutStatus(CheckoutState.PROCESSING), Booked(command.amount.currency), 0)
        self._journal = Journal(command, unread)
        self._late = _LateOrders(command.checkout_id, command.amount.currency, command.policy, self._journal)
        self._orders = self._late

    @workflow.run
    async def run(self, command: CheckoutCommand) -> CheckoutStatus:
        """The checkout's status once gateway and books agree. A cancel changes nothing: the money is not ours."""
        return await shielded(self._settle())

    async def _settle(self) -> CheckoutStatus:
        on_books = await self._journal.read()
        self._journal.prefix = f"late{on_books.sequence}:"
        cases = Cases(self._journal, self._mailbox, self._late)
        desk = Desk(self._journal, self._mailbox, cases, on_books)
        aftermath = Aftermath(self._journal, desk, cases, self._mailbox)
        if patches.notes_after_sale():
            await self._take_up(cases)
            aftermath.heed_loss(on_books.lost_minor)
        self._late.ready = True
        await workflow.wait_condition(lambda: not self._late.asked or self._is_answered())
        nobody_asks = not self._mailbox.facts and not self._late.open and not self._late.asked
        if nobody_asks and self._command.gateway != SPLIT:
            await aftermath.settle("poll")
        await aftermath.run()
        while not workflow.all_handlers_finished() or self._mailbox.facts or self._late.open:
            await workflow.wait_condition(lambda: workflow.all_handlers_finished() or bool(self._late.open))
            await aftermath.run()
        return self._journal.status

    def _is_answered(self) -> bool:
        """An order that came with the start is heard before anything is looked at: it may say what is to be done."""
        return workflow.all_handlers_finished() or self._late.pending()

    async def _take_up(self, cases: Cases) -> None:
        """The open cases of which the workflow that opened them is certainly gone; others are taken up by an order.

        That of a checkout's own workflow is where the checkout has not ended: else it may be closing its last cases.
        """
        found: tuple[OpenOnBooks, ...] = await workflow.execute_local_activity_method(
            BookActivities.read_cases,
            self._command.checkout_id,
            start_to_close_timeout=options.BOOKS_ATTEMPT,
            retry_policy=options.BOOKS_RETRY,
        )
        gone = {workflow.info().workflow_id}
        if self._journal.state not in ENDED:
            gone.add(f"checkout/{self._command.checkout_id}")
        for seen in found:
            self._late.before[seen.case.id] = seen.before
            if seen.case.workflow_id in gone:
                self._late.known.add(seen.case.id)
                cases.take_up(as_mark(seen.case), seen.before)
