"""The pen of a split checkout: its rows say how its tenders stand, and no money moves on them."""

from dataclasses import replace
from typing import Any

from activities.contract import OnBooks
from domain.checkout import CheckoutStatus
from domain.money import Money
from domain.payment import NextAction, PaymentSnapshot
from domain.split import SplitCommand
from domain.states import CheckoutState
from domain.timeline import EventType, JsonScalar
from workflows.journal import Journal


class SplitJournal(Journal):
    """Every row names what the tenders have taken and returned, and is stuck where one of them is.

    `tenders`: where they stand, as last seen.
    """

    def __init__(self, split: SplitCommand, on_books: OnBooks) -> None:
        super().__init__(split.checkout, on_books)
        self._split = split
        self._awaited: str | None = None
        self.tenders = tuple(CheckoutStatus(CheckoutState.PROCESSING) for _ in split.tenders)

    @property
    def captured_minor(self) -> int:
        """What the tenders have taken in all."""
        return sum(tender.captured_minor for tender in self.tenders)

    @property
    def refunded_minor(self) -> int:
        """What the tenders have given back."""
        return sum(tender.refunded_minor for tender in self.tenders)

    def see(self, place: int, tender: CheckoutStatus) -> None:
        """Take in where a tender stands; note it where that says something new."""
        before = self.tenders[place]
        self.tenders = (*self.tenders[:place], tender, *self.tenders[place + 1 :])
        if before.state is tender.state and replace(self.status, **self._mirrored(self.state)) == self.status:
            return
        number = place + 1
        self.enter(
            self.state,
            f"tender:{self._split.tenders[place].checkout_id}",
            name=f"tender_{number}_{tender.state}",
            details={"tender": number, "state": str(tender.state)},
        )

    def enter(
        self,
        state: CheckoutState,
        cause: str,
        *,
        name: str | None = None,
        payment: PaymentSnapshot | None = None,
        event: EventType | None = None,
        details: dict[str, JsonScalar] | None = None,
        **changes: Any,
    ) -> None:
        """As every journal; what is not said of being stuck and of next steps is what the tenders say of it."""
        if "stuck" not in changes:
            self._awaited = changes.pop("waiting_for", self._awaited)
            changes = self._mirrored(state) | changes
        sums: dict[str, JsonScalar] = {"captured": self.captured_minor, "refunded": self.refunded_minor}
        super().enter(
            state, cause, name=name, payment=payment, event=event, details={**(details or {}), **sums}, **changes
        )

    def _mirrored(self, state: CheckoutState) -> dict[str, Any]:
        numbered = list(enumerate(self.tenders, start=1))
        stuck = next((f"tender {n}: {t.waiting_for or t.state}" for n, t in numbered if t.stuck), None)
        open_ = state is CheckoutState.AWAITING_PAYMENT
        return {
            "stuck": stuck is not None,
            "waiting_for": stuck or self._awaited,
            "next_action": self._next_action() if open_ else None,
        }

    def _next_action(self) -> NextAction | None:
        """What the customer has to do for the first tender that is not yet paid."""
        unpaid = (tender for tender in self.tenders if tender.state is CheckoutState.AWAITING_PAYMENT)
        return next((tender.next_action for tender in unpaid if tender.next_action), None)

    def _money(self) -> list[str]:
        amount = self.command.amount
        captured, refunded = (Money(m, amount.currency) for m in (self.captured_minor, self.refunded_minor))
        tenders = zip(self._split.tenders, self.tenders, strict=True)
        return [
            f"- amount {amount}, captured {captured}, refunded {refunded}",
            *(f"- {c.amount} at `{c.gateway}`: {t.state}, checkout `{c.checkout_id}`" for c, t in tenders),
        ]
