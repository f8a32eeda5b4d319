"""The one pen that writes a checkout's state: on the books, and where people look."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import datetime
from typing import Any

from temporalio import workflow
from temporalio.common import SearchAttributeUpdate
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

from activities.books import BookActivities
from activities.contract import NoteCall, OnBooks, Record
from domain.booked import catch_up
from domain.case import CaseMark
from domain.checkout import CheckoutStatus
from domain.money import Money
from domain.payment import PaymentSnapshot
from domain.postings import Transaction
from domain.saga import CheckoutCommand, GatewayAccount
from domain.states import ENDED, NOTHING_TAKEN, CheckoutState, check_transition
from domain.timeline import Entry, EventType, JsonScalar
from ledger.contract import Note
from workflows import options
from workflows.letters import tell
from workflows.search_attributes import GATEWAY, PAYMENT_STATE, STUCK, WAITING_SINCE

_HELP = (
    "**Stuck**: `act` (an update) does what its open case allows, `retry_now` (a signal) tries again at once; "
    "a cancel gives everything back."
)
_OVERTAKING = ENDED | {CheckoutState.REFUNDING}
_BEFORE_PARTS = frozenset({CheckoutState.PROCESSING, CheckoutState.AWAITING_PAYMENT, CheckoutState.AUTHORIZED})


class OvertakenError(Exception):
    """The books are further than the workflow knows: it was reset, or its worker died right after a write."""


class Journal:
    """Notes state changes at once, and writes all that was noted in one transaction before the saga goes on.

    `prefix` parts the entries of a later workflow on the same checkout from those of the first. `forgot_parts`: a reset
    has made the workflow forget captures in part, which stand on the books.
    """

    def __init__(self, command: CheckoutCommand, on_books: OnBooks) -> None:
        self.command = command
        self.status = on_books.status
        self.booked = on_books.booked
        self.written = on_books.status
        self.prefix = ""
        self.overtaken: OvertakenError | None = None
        self.forgot_parts = False
        self._sold = False
        self._writing = asyncio.Lock()
        self._names: Counter[str] = Counter()
        self._noted: list[Entry] = []
        self._waiting_since: datetime | None = None

    @property
    def account(self) -> GatewayAccount:
        """Where the payment is, or is to be opened."""
        return self.command.account(self.status.gateway or self.command.gateway)

    @property
    def sold(self) -> bool:
        """Whether the sale was made, whatever came of it."""
        return self._sold or self.state is CheckoutState.COMPLETED

    @property
    def state(self) -> CheckoutState:
        """Where the checkout stands, noted or written."""
        return self.status.state

    def enter(
        self,
        state: CheckoutState,
        cause: str,
        *,
        name: str | None = None,
        payment: PaymentSnapshot | None = None,
        event: EventType | None = None,
        details: dict[str, JsonScalar] | None = None,
        transactions: tuple[Transaction, ...] = (),
        case: CaseMark | None = None,
        **changes: Any,
    ) -> None:
        """Note a state change, or a fact learnt in the same state, with the money that `payment` shows has moved.

        `transactions` are those that no gateway shows, but a person has ordered; `case` is opened or closed by the row.
        A `payment` that shows less captured than the books have must be fresh: see `Desk.fresh`.
        `name` tells the row apart within the checkout (the state's own name by default); `changes` are fields of
        CheckoutStatus.
        """
        check_transition(self.state, state)
        transactions += catch_up(self.booked, payment) if payment else ()
        for transaction in transactions:
            self.booked = self.booked.after(transaction)
        assert state not in NOTHING_TAKEN or not self.booked.captured_minor, f"{state} with money on the books"
        self.status = replace(
            self.status,
            state=state,
            payment_id=payment.payment_id if payment else self.status.payment_id,
            captured_minor=self.booked.captured_minor,
            refunded_minor=self.booked.refunded_minor,
            **changes,
        )
        key = self._key(name or state)
        self._noted.append(Entry(key, self.status, cause, workflow.now(), details or {}, transactions, event, case))

    async def write(self) -> None:
        """Put on the books what was noted. Repeated or interrupted, it writes each entry once."""
        async with self._writing:
            if self.overtaken is not None:
                overtaken, self.overtaken = self.overtaken, None
                raise overtaken
            await self._write()

    async def mark(
        self,
        name: str,
        cause: str,
        details: dict[str, JsonScalar],
        case: CaseMark | None = None,
        event: EventType | None = None,
    ) -> None:
        """Write a row that leaves the state as it is; for handlers, which run beside the story.

        Raises ApplicationError when the books are further than the workflow knows; the story learns it by `overtaken`.
        """
        self.enter(self.state, cause, name=name, details=details, case=case, event=event)
        try:
            await self.write()
        except OvertakenError as overtaken:
            self.overtaken = overtaken
            raise ApplicationError(f"the checkout is {overtaken}", type="NotAllowed", non_retryable=True) from overtaken

    async def note(self, payment: PaymentSnapshot, cause: str) -> OnBooks:
        """Write down what was learnt after the sale, as others may do at the same time; answers where it stands now."""
        await self.write()
        before = self.written
        await workflow.execute_local_activity_method(
            BookActivities.note,
            NoteCall(self.command.checkout_id, Note(cause, workflow.now(), payment)),
            start_to_close_timeout=options.BOOKS_ATTEMPT,
            retry_policy=options.BOOKS_RETRY,
        )
        on_books = await self.read()
        self.written = before
        self._show()
        return on_books

    async def _write(self) -> None:
        if not self._noted:
            return
        entries = tuple(self._noted)
        on_books = await self._record(entries)
        self._noted = self._noted[len(entries) :]
        if on_books is not entries[-1].status.state and on_books in _OVERTAKING:
            await self.read()
            raise OvertakenError(on_books)
        parts = on_books is CheckoutState.PARTIALLY_CAPTURED
        self.forgot_parts = parts and entries[-1].status.state in _BEFORE_PARTS
        self._show()
        if self.command.parent_id is not None:
            # Only a hint: the split checkout reads the books, so it is no loss when that has ended already.
            await tell(self.command.parent_id, "tender_moved", self.command.checkout_id)

    async def remember(self) -> OnBooks:
        """Go on from the books after `forgot_parts`; what is written from now on is no row that they have."""
        before = self.written
        on_books = await self.read()
        self.prefix, self.forgot_parts = f"again{on_books.sequence}:", False
        self.written = before
        self._show()
        return on_books

    async def read(self) -> OnBooks:
        """Take over where the checkout stands on the books, forgetting what was noted."""
        on_books = await workflow.execute_local_activity_method(
            BookActivities.read_books,
            self.command.checkout_id,
            start_to_close_timeout=options.BOOKS_ATTEMPT,
            retry_policy=options.BOOKS_RETRY,
        )
        self.status = self.written = on_books.status
        self.booked = on_books.booked
        self._sold = on_books.sold
        self._noted = []
        return on_books

    async def _record(self, entries: tuple[Entry, ...]) -> CheckoutState:
        try:
            return await workflow.execute_local_activity_method(
                BookActivities.record,
                Record(self.command.checkout_id, entries),
                start_to_close_timeout=options.BOOKS_ATTEMPT,
                retry_policy=options.BOOKS_RETRY,
                summary=", ".join(entry.key for entry in entries),
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            # The books refuse: a bug of ours, and no reason to give a customer's money back. The task stops, shows as a
            # problem in the Temporal UI, and goes on when mended code is deployed.
            raise RuntimeError(f"the books refuse {[entry.key for entry in entries]}: {error.cause}") from error

    def _key(self, name: str) -> str:
        """Unique within the checkout, and the same again when Temporal replays or resets the workflow."""
        self._names[name] += 1
        number = self._names[name]
        return f"{self.prefix}{name}" if number == 1 else f"{self.prefix}{name}:{number}"

    def _show(self) -> None:
        """Tell people where the checkout stands. Each change of search attributes costs one history event."""
        before, self.written = self.written, self.status
        if before.waiting_for != self.status.waiting_for:
            self._waiting_since = workflow.now() if self.status.waiting_for else None
        if _shown(before) != _shown(self.status):
            since = self._waiting_since
            updates: list[SearchAttributeUpdate[Any]] = [
                PAYMENT_STATE.value_set(self.status.state),
                WAITING_SINCE.value_set(since) if since else WAITING_SINCE.value_unset(),
            ]
            if before.stuck != self.status.stuck:
                updates.append(STUCK.value_set(self.status.stuck))
            if before.gateway != self.status.gateway:
                updates.append(GATEWAY.value_set(self.account.gateway))
            workflow.upsert_search_attributes(updates)
        workflow.set_current_details(self._details())

    def _details(self) -> str:
        status = self.status
        # A list, since the Temporal UI draws a table's columns without any space between them.
        lines = [f"### {status.state}", "", f"- checkout `{self.command.checkout_id}`", *self._money()]
        if status.failure:
            lines.append(f"- failure `{status.failure.code}`")
        if status.waiting_for and self._waiting_since:
            lines += ["", f"**Waits for** {status.waiting_for}, since {self._waiting_since:%Y-%m-%d %H:%M:%S} UTC."]
        if status.stuck:
            lines += ["", _HELP]
        return "\n".join(lines) + "\n"

    def _money(self) -> list[str]:
        status, amount = self.status, self.command.amount
        captured, refunded = (Money(m, amount.currency) for m in (status.captured_minor, status.refunded_minor))
        return [
            f"- amount {amount}, captured {captured}, refunded {refunded}",
            f"- gateway `{self.account.gateway}`, payment `{status.payment_id or 'not yet'}`",
        ]


def _shown(status: CheckoutStatus) -> tuple[object, ...]:
    """What of a status is among the search attributes."""
    return status.state, status.stuck, status.waiting_for, status.gateway
