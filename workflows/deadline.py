"""The day by which a dispute has to be answered: reminders before it, in the end a case."""

from datetime import datetime, timedelta

from temporalio import workflow

from domain.case import CaseAction, CaseKind, CloseCase, OpenCase
from domain.dispute import DisputeCommand, DisputeSnapshot
from domain.timeline import EventType, JsonScalar
from workflows import options
from workflows.notebook import Notebook
from workflows.orders import Orders, Waiting

_DAYS = (7, 3, 1)
"""A reminder is a row on the timeline, this long before the deadline. The last one opens a case."""
_KIND = CaseKind.DISPUTE_UNANSWERED


class Deadline:
    """Reminds once for each of the days, whichever run of the workflow gets there; a new deadline counts anew."""

    def __init__(self, command: DisputeCommand, pen: Notebook, orders: Orders) -> None:
        self._command = command
        self._pen = pen
        self._orders = orders
        self._case: Waiting | None = None
        self._done: set[tuple[datetime, int]] = set()
        self._margin = options.DECISION_MARGIN + workflow.random().random() * options.DECISION_SPREAD

    def begin(self, unanswered: bool) -> None:
        """Take up the case that a run before this one has left open."""
        if unanswered:
            self._case = self._orders.opened(self._mark())

    def next(self, seen: DisputeSnapshot, is_answered: bool) -> datetime | None:
        """When something is due; None when nothing is."""
        due = seen.respond_by
        if due is None or is_answered:
            return None
        reminders = (due - timedelta(days=days) for days in _DAYS if (due, days) not in self._done)
        upcoming = [*reminders, due + self._margin]
        return min((at for at in upcoming if at > workflow.now()), default=None)

    async def keep(self, seen: DisputeSnapshot, is_answered: bool) -> None:
        """Remind where it is time to; an answer ends the case."""
        due = seen.respond_by
        if is_answered:
            await self.close("answered", "poll")
            return
        if due is None or workflow.now() >= due:
            return
        passed = [days for days in _DAYS if workflow.now() >= due - timedelta(days=days)]
        if passed and (due, min(passed)) not in self._done:
            self._done |= {(due, days) for days in passed}
            await self._remind(due, min(passed))

    def is_closed_by_order(self) -> bool:
        """Take a person's order about the case, if there is one: whether it ends the case; else it asks for a look."""
        order = self._orders.take(self._case) if self._case else None
        return order is not None and order.action is CaseAction.CLOSE

    async def close(self, how: str, cause: str) -> None:
        """End the case, if there is one."""
        if self._case is None:
            return
        case, self._case = self._case, None
        closing = CloseCase(_KIND, how, self._command.dispute_id)
        await self._pen.mark(f"{_KIND}_closed", cause, {"reason": how}, closing, EventType.CASE_CLOSED)
        self._orders.closed(case)

    async def _remind(self, due: datetime, days: int) -> None:
        details: dict[str, JsonScalar] = {
            "dispute_id": self._command.dispute_id,
            "days": days,
            "respond_by": f"{due:%Y-%m-%dT%H:%M:%SZ}",
        }
        key = f"{self._command.dispute_id}:reminder:{due:%Y%m%dT%H%M%S}:{days}"
        if days == min(_DAYS) and self._case is None:
            mark = self._mark()
            self._case = self._orders.opened(mark)
            await self._pen.once(key, "timer", details, mark, EventType.CASE_OPENED)
        else:
            await self._pen.once(key, "timer", details)

    def _mark(self) -> OpenCase:
        c = self._command
        message = f"the dispute {c.seen.dispute_id} at {c.seen.gateway} is lost unless somebody answers it in time"
        return OpenCase(_KIND, message, f"dispute/{c.dispute_id}", c.seen.amount.minor, c.dispute_id)
