"""What became of authorised payments, understood from the set of the notifications about them.

The order in which notifications came plays no part, and only what Adyen signed decides; see `AuthorisedPayment.unclear`
for the one unsigned word that can make us wait.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.money import Money
from gateways.adyen.capabilities import HOLD_LIFETIME
from gateways.adyen.currencies import stated_amount
from gateways.adyen.webhooks import Notification

_REVERSAL = "CANCEL_OR_REFUND"
_CANCELS = frozenset({"CANCELLATION", "TECHNICAL_CANCEL"})
_CAPTURES = frozenset({"CAPTURE", "CAPTURE_FAILED"})
_REFUNDS = frozenset({"REFUND", "REFUND_FAILED", "REFUNDED_REVERSED"})
_UNDOINGS = frozenset({"CAPTURE_FAILED", "REFUND_FAILED", "REFUNDED_REVERSED"})


@dataclass(frozen=True)
class Part:
    """One capture, refund or cancel, from all notifications about it. `last`: the one that tells how it ended."""

    psp_reference: str
    last: Notification
    done: bool

    @property
    def money(self) -> Money:
        """Its amount, in our minor units."""
        return money_of(self.last)


@dataclass(frozen=True)
class AuthorisedPayment:
    """One authorised payment and what was done to it. `opening` is None where only what was done to it was told of."""

    psp_reference: str
    opening: Notification | None
    captures: tuple[Part, ...]
    refunds: tuple[Part, ...]
    cancels: tuple[Part, ...]
    reversals: tuple[Part, ...]
    lapsed: bool

    @property
    def amount(self) -> Money | None:
        """What was authorised, as far as that is known."""
        return money_of(self.opening) if self.opening else None

    @property
    def held_until(self) -> datetime | None:
        """Adyen states no end. Its date is not signed: one that is too early costs a sale, none moves money."""
        try:
            return self.opening.at + HOLD_LIFETIME if self.opening else None
        except OverflowError:
            return None

    @property
    def taken(self) -> bool:
        """Whether money was captured."""
        return any(capture.done for capture in self.captures)

    @property
    def over(self) -> bool:
        """Whether it was ended. A reversal cancels what was not captured and refunds what was."""
        return self.lapsed or any(part.done for part in (*self.cancels, *self.reversals))

    @property
    def released(self) -> bool:
        """Whether it was ended before it took anything."""
        return self.over and not self.taken

    @property
    def unclear(self) -> bool:
        """Money is said to have gone back, but the capture is not told of yet: no time to conclude."""
        returned = any(part.done for part in self.refunds)
        returned = returned or any(part.done and part.last.action == "refund" for part in self.reversals)
        return returned and not self.captures

    def all_refunds(self) -> tuple[Part, ...]:
        """What gave money back or was to."""
        return (*self.refunds, *self.reversals) if self.taken else self.refunds

    def failures(self) -> list[Part]:
        """The captures and cancels that came to nothing."""
        return [part for part in (*self.captures, *self.cancels) if not part.done]


def authorised(told: Sequence[Notification]) -> list[AuthorisedPayment]:
    """Those that were authorised; also one of which we only know that something was done to it."""
    by_payment: dict[str, list[Notification]] = defaultdict(list)
    for n in told:
        by_payment[_payment_of(n)].append(n)
    known = {psp for psp, items in by_payment.items() if any(n.success and _proves(n) for n in items)}
    # An expiry that names no payment is the reference's, which has one.
    lapsed = any(n.code == "EXPIRE" and n.success and _payment_of(n) not in known for n in told)
    return [_payment(psp, by_payment[psp], lapsed) for psp in known]


def _payment_of(n: Notification) -> str:
    return n.psp_reference if n.code == "AUTHORISATION" else n.original_reference or n.psp_reference


def _proves(n: Notification) -> bool:
    """Whether it shows that its payment was authorised: nothing can be done to one that was not."""
    return n.code == "AUTHORISATION" or bool(n.original_reference)


def _payment(psp_reference: str, told: Sequence[Notification], lapsed: bool) -> AuthorisedPayment:
    openings = [n for n in told if n.code == "AUTHORISATION" and n.success]
    return AuthorisedPayment(
        psp_reference=psp_reference,
        opening=openings[0] if openings else None,
        captures=_parts(n for n in told if n.code in _CAPTURES),
        refunds=_parts(n for n in told if n.code in _REFUNDS),
        cancels=_parts(n for n in told if n.code in _CANCELS),
        reversals=_parts(n for n in told if n.code == _REVERSAL),
        lapsed=lapsed or any(n.code == "EXPIRE" and n.success for n in told),
    )


def _parts(told: Iterable[Notification]) -> tuple[Part, ...]:
    """What was done, each with all that was told of it."""
    by_part: dict[str, list[Notification]] = defaultdict(list)
    for n in sorted(told, key=lambda n: n.code in _UNDOINGS):
        by_part[_part_of(n, by_part)].append(n)
    return tuple(_part(psp, items) for psp, items in sorted(by_part.items()))


def _part_of(n: Notification, known: Mapping[str, Sequence[Notification]]) -> str:
    """The pspReference of the request; where an undoing has one of its own, its key leads to the request."""
    if n.code in _UNDOINGS and n.psp_reference not in known and n.key is not None:
        same = [psp for psp, items in known.items() if items[0].key == n.key]
        if len(same) == 1:
            return same[0]
    return n.psp_reference


def _part(psp_reference: str, told: Sequence[Notification]) -> Part:
    """One of them. A failure is final: what Adyen captures again by itself counts under a reference of its own only."""
    undone = [n for n in told if n.code in _UNDOINGS and n.success]
    done = [n for n in told if n.code not in _UNDOINGS and n.success]
    last = max(undone or done or told, key=lambda n: (n.code, n.event_id))
    return Part(psp_reference, last, done=bool(done) and not undone)


def money_of(n: Notification) -> Money:
    """The amount that a notification states. Raises OutcomeUnknownError when it cannot be read."""
    return stated_amount(n.value, n.currency)
