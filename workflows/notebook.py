"""The pen of those who look after money beside a checkout's own story: its state stays as they find it."""

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from activities.books import BookActivities
from activities.contract import NoteCall
from activities.remarks import RemarkActivities, RemarkCall
from domain.case import CaseMark
from domain.checkout import CheckoutStatus
from domain.dispute import DisputeSnapshot
from domain.payment import PaymentSnapshot
from domain.states import CheckoutState
from domain.timeline import EventType, JsonScalar
from ledger.contract import Note, Noted
from ledger.remarks import Remark
from workflows import options

A = TypeVar("A")
C = TypeVar("C")


class Notebook:
    """Writes what was learnt and what was done about it. `subject`: the refund or dispute that it is about.

    `begin` before the first row: the number of the row that a run found parts its rows from those of a run before it.
    """

    def __init__(self, checkout_id: str, subject: str) -> None:
        self.checkout_id, self.subject = checkout_id, subject
        self.status = CheckoutStatus(CheckoutState.COMPLETED)
        self._prefix = f"{subject}:"
        self._names: Counter[str] = Counter()

    def begin(self, status: CheckoutStatus, sequence: int) -> None:
        """Take over where the checkout stands on the books."""
        self.status = status
        self._prefix = f"{self.subject}@{sequence}:"

    @property
    def state(self) -> CheckoutState:
        """Where the checkout stood when it was last read or written."""
        return self.status.state

    async def note(
        self, cause: str, *, payment: PaymentSnapshot | None = None, dispute: DisputeSnapshot | None = None
    ) -> Noted:
        """Put on the books what of this is not there yet."""
        call = NoteCall(self.checkout_id, Note(cause, workflow.now(), payment, dispute))
        noted = await on_books(BookActivities.note, call, "note what the gateway says")
        self.status = noted.status
        return noted

    async def mark(
        self,
        name: str,
        cause: str,
        details: dict[str, JsonScalar],
        case: CaseMark | None = None,
        event: EventType | None = None,
    ) -> None:
        """Append a row under this name; a second one of the same name gets a number."""
        self._names[name] += 1
        number = self._names[name]
        unique = name if number == 1 else f"{name}:{number}"
        await self.once(f"{self._prefix}{unique}", cause, details, case, event)

    async def once(
        self,
        key: str,
        cause: str,
        details: dict[str, JsonScalar],
        case: CaseMark | None = None,
        event: EventType | None = None,
    ) -> None:
        """Append a row whose key is the checkout's own, so that no later run writes it again."""
        remark = Remark(key, cause, workflow.now(), details, event, case)
        self.status = await on_books(RemarkActivities.remark, RemarkCall(self.checkout_id, (remark,)), key)


async def on_books(method: Callable[[Any, C], Awaitable[A]], call: C, summary: str) -> A:
    """What a local activity on the books answers.

    A refusal of the books is a defect of ours: the task stops, shows as a problem in the Temporal UI, and goes on when
    mended code is deployed.
    """
    try:
        return await workflow.execute_local_activity_method(
            method,
            call,
            start_to_close_timeout=options.BOOKS_ATTEMPT,
            retry_policy=options.BOOKS_RETRY,
            summary=summary,
        )
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise
        raise RuntimeError(f"the books refuse ({summary}): {error.cause}") from error
