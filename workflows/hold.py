"""The clock of a hold: what is done before the gateway lets it lapse, by the checkout's policy."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.checkout import HoldPolicy
from domain.money import Money
from domain.outcomes import Completed, Declined
from domain.payment import PaymentSnapshot
from domain.saga import CaptureOrder
from domain.states import CheckoutState
from domain.timeline import JsonScalar
from workflows import options
from workflows.capture_orders import HELD, CaptureQueue
from workflows.desk import Desk
from workflows.journal import Journal
from workflows.mailbox import Decision, Mailbox
from workflows.till import Till


@dataclass(frozen=True)
class Due:
    """When the hold has to be seen to: to `renew` it, or because it ends."""

    at: datetime
    renew: bool


class Hold:
    """Says when the hold has to be seen to, and sees to it: captures, holds anew, or lets go."""

    def __init__(self, journal: Journal, mailbox: Mailbox, desk: Desk, till: Till, orders: CaptureQueue) -> None:
        self._journal = journal
        self._mailbox = mailbox
        self._desk = desk
        self._till = till
        self._orders = orders
        self._policy = journal.command.on_hold_expiry
        self._asked_anew = False
        self._captured = False

    def due(self) -> Due | None:
        """What is to be done next, and when; None while the gateway names no end."""
        end, renewal = self._end(), self._renewal()
        if renewal is not None and (end is None or renewal < end):
            return Due(renewal, renew=True)
        return None if end is None else Due(end, renew=False)

    async def see_to(self, due: Due) -> bool:
        """Do it. False where that is to let go of a hold of which nothing was taken: there is no sale."""
        if due.renew:
            await self._reauthorize()
            return True
        return self._conclude()

    def _end(self) -> datetime | None:
        until = self._till.held_until
        return until - options.HOLD_MARGIN if until is not None and self._journal.state in HELD else None

    def _renewal(self) -> datetime | None:
        """Once, at the age from which on the gateway does it."""
        after, since = self._journal.account.reauthorize_after_seconds, self._till.held_since
        if self._policy is not HoldPolicy.REAUTHORIZE or self._asked_anew or after is None or since is None:
            return None
        return since + timedelta(seconds=after) + options.RENEWAL_MARGIN if self._journal.state in HELD else None

    def _conclude(self) -> bool:
        """At the end: nobody has said what else is to be taken, so the policy does. What is taken stays sold."""
        if self._policy is HoldPolicy.CAPTURE and not self._captured:
            self._captured = True
            self._mailbox.decision = Decision.CONFIRM
            self._orders.everything("timer")
            return True
        if self._journal.state is CheckoutState.PARTIALLY_CAPTURED:
            self._orders.add(CaptureOrder(0, final=True), "timer")
            return True
        return False

    async def _reauthorize(self) -> None:
        self._asked_anew = True
        payment_id, amount = self._journal.status.payment_id, self._journal.command.amount
        assert payment_id is not None, "what is held has an id"
        left = amount - Money(self._journal.booked.captured_minor, amount.currency)
        match await self._desk.reauthorize(payment_id, left, self._till.authorization_id):
            case Completed(evidence=PaymentSnapshot() as payment):
                self._till.renewed(await self._till.agreed(payment))
            case Declined(decline=decline):
                # The hold goes on until its end.
                details: dict[str, JsonScalar] = {"code": decline.code, "gateway_code": decline.gateway_code}
                self._journal.enter(self._journal.state, "timer", name="reauthorize_declined", details=details)
            case answer:
                raise AssertionError(f"a gateway answered a reauthorize with {answer}")
        await self._journal.write()
