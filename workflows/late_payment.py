"""Money that moved after a checkout had ended: given back where there was no sale, put on the books in any case."""

from collections.abc import Sequence

from temporalio import workflow
from temporalio.common import RawValue

from activities.books import BookActivities
from domain.booked import catch_up
from domain.checkout import CheckoutStatus
from domain.saga import CheckoutCommand, EndReason, Fact
from domain.states import CheckoutState
from workflows import options
from workflows.desk import Desk
from workflows.journal import Journal
from workflows.mailbox import Mailbox
from workflows.shield import shielded
from workflows.undo import Undo


@workflow.defn(name="LatePayment")
class LatePaymentWorkflow:
    """Writes the state of a checkout whose own workflow has ended. It never charges.

    At most one runs for a checkout at a time. It may run again: whatever it does is keyed by what is on the books.
    """

    @workflow.init
    def __init__(self, command: CheckoutCommand) -> None:
        self._command = command
        self._mailbox = Mailbox()

    @workflow.run
    async def run(self, command: CheckoutCommand) -> CheckoutStatus:
        """The checkout's status once the gateway and the books agree."""
        on_books = await workflow.execute_local_activity_method(
            BookActivities.read_books,
            command.checkout_id,
            start_to_close_timeout=options.BOOKS_ATTEMPT,
            retry_policy=options.BOOKS_RETRY,
        )
        journal = Journal(command, on_books, prefix=f"late{on_books.sequence}:")
        desk = Desk(journal, self._mailbox, on_books.booked.failed_refunds)
        cause = self._mailbox.facts.popleft().cause if self._mailbox.facts else "poll"
        if on_books.status.state is CheckoutState.COMPLETED:
            await self._put_on_books(journal, desk, cause)
        else:
            await shielded(Undo(journal, desk, EndReason.LATE_MONEY, cause).run())
        return journal.status

    async def _put_on_books(self, journal: Journal, desk: Desk, cause: str) -> None:
        """A sale stays a sale; what somebody did at the gateway itself is written down."""
        payment = await desk.look_up()
        if payment is not None and catch_up(journal.booked, payment):
            journal.enter(CheckoutState.COMPLETED, cause, name="found_at_gateway", payment=payment)
            await journal.write()

    @workflow.signal(description="What the gateway was seen to say, brought by the dispatcher")
    def gateway_fact(self, fact: Fact) -> None:
        """Take a look-up that a webhook caused."""
        self._mailbox.facts.append(fact)

    @workflow.signal(description="An operator asks to try again now")
    def retry_now(self) -> None:
        """End a pause between tries, or a case."""
        self._mailbox.retry_requested = True

    @workflow.signal(dynamic=True)
    def unknown_signal(self, name: str, arguments: Sequence[RawValue]) -> None:
        """Keep a signal nobody knows; it would be dropped without a trace."""
        workflow.logger.warning("unknown signal %s", name)
        self._mailbox.put_stranger(name, arguments)
