"""What the shop wants taken of a hold: its orders, one after the other, each carried out once."""

from collections import deque
from dataclasses import dataclass, replace

from domain.money import Money
from domain.payment import Decline
from domain.saga import CaptureOrder
from domain.states import CheckoutState
from workflows.journal import Journal

HELD = frozenset({CheckoutState.AUTHORIZED, CheckoutState.PARTIALLY_CAPTURED})
"""The gateway holds something that can be taken."""


@dataclass(eq=False)
class Ticket:
    """One order on its way. `cause`: `api`, or `timer` where it is the checkout's policy that orders.

    `taken`: what was ordered is on the books as captured, though maybe not written yet. `refusal` is the gateway's no
    where the checkout goes on without what was ordered.
    """

    order: CaptureOrder
    cause: str
    taken: bool = False
    done: bool = False
    refusal: Decline | None = None


class CaptureQueue:
    """Orders wait here until the story has carried out those before them.

    `last` is the order after which no other is taken: it takes all that is left, or releases what it does not take.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.waiting: deque[Ticket] = deque()
        self.last: Ticket | None = None

    @property
    def left(self) -> Money:
        """What is held and not ordered yet."""
        ordered = sum(ticket.order.amount_minor or 0 for ticket in self.waiting if not ticket.taken)
        return Money(max(0, self._open.minor - ordered), self._open.currency)

    @property
    def _open(self) -> Money:
        amount = self._journal.command.amount
        return amount - Money(self._journal.booked.captured_minor, amount.currency)

    def objection(self, order: CaptureOrder) -> str | None:
        """What is wrong with an order, beginning with the field's name; None when nothing is."""
        left, account = self.left, self._journal.account
        minor = left.minor if order.amount_minor is None else order.amount_minor
        if minor < 0:
            return "amount: must not be negative"
        if minor > left.minor:
            return f"amount: {Money(minor, left.currency)} is more than the {left} that is left"
        if not minor and not (order.final and self._follows_a_part()):
            return "amount: 0 releases the rest of the hold: it has to be final, and to follow a capture"
        if minor == left.minor:
            return None
        if not order.final and not account.several_captures:
            return f"final: {account.gateway} takes one capture only, which releases the rest"
        if not account.partial_capture:
            return f"amount: {account.gateway} captures all or nothing"
        return None

    def add(self, order: CaptureOrder, cause: str = "api") -> Ticket:
        """Take the order on."""
        ticket = Ticket(replace(order, final=order.final or order.amount_minor is None), cause)
        self.waiting.append(ticket)
        if ticket.order.final:
            self.last = ticket
        return ticket

    def everything(self, cause: str = "api") -> Ticket:
        """The order to take all that is left: a new one, unless the last one is on its way."""
        return self.last or self.add(CaptureOrder(), cause)

    def begin(self, ticket: Ticket) -> Money:
        """What the first in the queue takes now. One that leaves nothing to be taken is the last one, said or not.

        That is known only now: an order before it may have been refused.
        """
        minor = ticket.order.amount_minor
        amount = self._open if minor is None else Money(minor, self._journal.command.amount.currency)
        if amount == self._open and not ticket.order.final:
            ticket.order = replace(ticket.order, final=True)
            self.last = self.last or ticket
        return amount

    def finish(self, ticket: Ticket, refusal: Decline | None = None) -> None:
        """It is carried out, or refused; after the refusal of the last one the shop may order anew."""
        self.waiting.remove(ticket)
        ticket.done, ticket.refusal = True, refusal
        if refusal is not None and ticket is self.last:
            self.last = None

    def _follows_a_part(self) -> bool:
        return bool(self._journal.booked.captured_minor or self.waiting)
