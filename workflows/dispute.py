"""A dispute, watched over from its first sight until it is decided and on the books."""

from collections import deque
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from activities.disputes import DisputeActivities, DisputeOnBooks, LookUpDispute, ReadDispute
from domain.dispute import OPEN, DisputeCommand, DisputeSnapshot, DisputeState
from gateways.contract import Verb
from ledger.contract import DisputeRecord
from workflows import options
from workflows.answering import Answering, Wish
from workflows.board import Board
from workflows.deadline import Deadline
from workflows.errand import NO_REFUND, Errand, Stake
from workflows.notebook import Notebook, on_books
from workflows.orders import Acting, Orders, refused
from workflows.reachable import Reachable
from workflows.shield import shielded

_ANSWERABLE = frozenset({DisputeState.INQUIRY, DisputeState.NEEDS_RESPONSE})


@workflow.defn(name="Dispute")
class DisputeWorkflow(Acting, Reachable):
    """It may run again, when what was decided is decided otherwise: what it did is on the books."""

    @workflow.init
    def __init__(self, command: DisputeCommand) -> None:
        super().__init__()
        self._command = command
        self._seen = command.seen
        self._record: DisputeRecord | None = None
        self._said: deque[str] = deque()
        self._wishes: deque[Wish] = deque()
        self._pen = Notebook(command.checkout_id, command.dispute_id)
        self._orders = Orders(command.checkout_id, command.seen.amount.currency, command.policy, self._pen)
        self._board = Board(command.seen.state)
        stake = Stake(f"dispute/{command.dispute_id}", command.seen.amount, command.policy, NO_REFUND)
        self._errand = Errand(stake, self._pen, self._orders, self._mailbox, self._show, self._news)
        self._deadline = Deadline(command, self._pen, self._orders)
        self._answering = Answering(command, self._errand)

    @workflow.run
    async def run(self, command: DisputeCommand) -> DisputeState:
        """How it was decided. A cancel changes nothing: the money is out, and has to be watched."""
        state = await shielded(self._watch())
        await workflow.wait_condition(workflow.all_handlers_finished)
        return state

    @workflow.signal(description="The gateway has told something of this dispute, so it is looked at")
    def gateway_said(self, cause: str) -> None:
        """Look at it; the cause is that of the rows which come of it."""
        self._said.append(cause)

    @workflow.update(description="Answer the dispute with evidence that Postgres keeps under this id")
    async def submit_evidence(self, evidence_id: str, who: str) -> DisputeState:
        """Where the dispute stands after it. Fails when the gateway declines."""
        return await self._granted(Wish(who, evidence_id))

    @submit_evidence.validator
    def _may_submit(self, evidence_id: str, who: str) -> None:
        self._refuse_unless_open_to(Verb.SUBMIT_EVIDENCE)

    @workflow.update(description="Let the customer have the disputed money")
    async def accept(self, who: str) -> DisputeState:
        """Where the dispute stands after it. Fails when the gateway declines."""
        return await self._granted(Wish(who, None))

    @accept.validator
    def _may_accept(self, who: str) -> None:
        self._refuse_unless_open_to(Verb.ACCEPT_DISPUTE)

    @workflow.query
    def dispute(self) -> DisputeSnapshot:
        """The dispute as it was last seen."""
        return self._seen

    async def _watch(self) -> DisputeState:
        await self._take_up()
        pause = options.DISPUTE_POLL
        while self._seen.state in OPEN or self._wishes or self._said:
            self._show("", False)
            if self._seen.state in OPEN:
                await self._deadline.keep(self._seen, self._is_answered())
            told = await self._told(pause)
            if self._wishes:
                await self._grant(self._wishes.popleft())
            elif told == "operator" and self._deadline.is_closed_by_order():
                await self._deadline.close("operator", "operator")
            else:
                await self._look(told)
            pause = options.DISPUTE_POLL if told != "poll" else min(2 * pause, options.DISPUTE_POLL_AT_MOST)
        await self._deadline.close("decided", "poll")
        self._show("", False)
        return self._seen.state

    async def _take_up(self) -> None:
        """What is on the books, what the workflow was started with, and what the gateway says now."""
        call = ReadDispute(self._command.dispute_id, self._command.checkout_id)
        found: DisputeOnBooks = await on_books(DisputeActivities.read_dispute, call, "read the dispute")
        self._pen.begin(found.status, found.sequence)
        self._deadline.begin(found.unanswered)
        cause = self._said.popleft() if self._said else "poll"
        if found.record is None:
            await self._note(self._command.seen, cause)
        else:
            self._record, self._seen = found.record, found.record.snapshot
        await self._look(cause)

    async def _told(self, pause: timedelta) -> str:
        """The cause of the next step: what is told, what is due, or that nothing was told for long."""
        self._mailbox.retry_requested = False
        due = self._deadline.next(self._seen, self._is_answered())
        # Not to the second: disputes that were reminded of one deadline would all be looked at in one moment.
        pause *= workflow.random().uniform(0.9, 1)
        wait = pause if due is None else min(pause, max(due - workflow.now(), timedelta()))
        try:
            await workflow.wait_condition(self._is_called, timeout=wait, timeout_summary="look at the dispute")
        except TimeoutError:
            return "poll" if wait == pause else "timer"
        if self._said and not self._wishes:
            return self._said.popleft()
        return "operator"

    def _is_called(self) -> bool:
        asked = self._mailbox.retry_requested or self._orders.pending()
        return bool(self._said or self._wishes) or asked

    async def _look(self, cause: str) -> None:
        """Put on the books what the gateway says now. It may not show what it told of a moment ago."""
        call = LookUpDispute(self._command.seen.gateway, self._command.seen.dispute_id)
        seen = await self._errand.answer("look up the dispute", DisputeActivities.look_up_dispute, call)
        if seen is not None:
            await self._note(seen, cause)

    async def _note(self, seen: DisputeSnapshot, cause: str) -> None:
        noted = await self._pen.note(cause, dispute=seen)
        assert noted.dispute is not None, "a dispute that was noted is on the books"
        self._record, self._seen = noted.dispute, noted.dispute.snapshot

    async def _granted(self, wish: Wish) -> DisputeState:
        self._wishes.append(wish)
        await workflow.wait_condition(lambda: wish.is_done)
        if wish.refusal is not None:
            raise wish.refusal
        return self._seen.state

    async def _grant(self, wish: Wish) -> None:
        """Carry one out; what was decided meanwhile cannot be answered any more."""
        verb = wish.verb
        if (reason := self._obstacle(verb)) is not None:
            wish.refusal = refused(reason)
        elif (decline := await self._answering.give(wish)) is not None:
            wish.refusal = ApplicationError(
                decline.message, decline.gateway_code, type="AnswerDeclined", non_retryable=True
            )
        else:
            self._record = await self._answering.note(wish)
            await self._look("api")
        wish.is_done = True

    def _refuse_unless_open_to(self, verb: Verb) -> None:
        if (reason := self._obstacle(verb)) is not None:
            raise refused(reason)

    def _obstacle(self, verb: Verb) -> str | None:
        """Why it cannot be answered so now, in a sentence."""
        seen = self._seen
        if verb not in self._command.account.answers_disputes:
            return f"{seen.gateway} does not take this answer from a program: give it there"
        if seen.state not in _ANSWERABLE:
            return f"the dispute is {seen.state}"
        if seen.respond_by is not None and workflow.now() >= seen.respond_by:
            return f"the dispute had to be answered by {seen.respond_by:%Y-%m-%d %H:%M} UTC"
        if self._record is not None and self._record.answered == Verb.ACCEPT_DISPUTE:
            return "the dispute is accepted"
        return None

    def _is_answered(self) -> bool:
        answered = self._record is not None and self._record.answered is not None
        return answered or self._seen.state not in _ANSWERABLE

    def _news(self) -> int:
        return len(self._said) + len(self._wishes)

    def _show(self, waiting_for: str, stuck: bool) -> None:
        seen, c = self._seen, self._command
        lines = [
            f"dispute `{c.dispute_id}` (`{seen.dispute_id}` at `{seen.gateway}`) of checkout `{c.checkout_id}`",
            f"{seen.amount} disputed ({seen.reason}), {seen.withdrawn} withdrawn",
        ]
        if seen.respond_by is not None and not self._is_answered():
            lines.append(f"to be answered by {seen.respond_by:%Y-%m-%d %H:%M} UTC")
        usual = "somebody to answer it" if not self._is_answered() else "the decision"
        self._board.show(seen.state, waiting_for or (usual if seen.state in OPEN else ""), lines, stuck)
