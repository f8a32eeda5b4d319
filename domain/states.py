"""The states of a checkout and the one table of changes between them. States only move forward."""

from enum import StrEnum

from domain.errors import IllegalTransitionError


class CheckoutState(StrEnum):
    """Where a checkout stands, as the API, the books and the Temporal UI name it."""

    PROCESSING = "processing"
    """Recorded; the gateway has not yet answered with a next step for the customer."""
    AWAITING_PAYMENT = "awaiting_payment"
    """The customer has a next step; a decline leaves the checkout here where another try is possible."""
    AUTHORIZED = "authorized"
    """The gateway holds the money; the shop must confirm before it is captured."""
    PARTIALLY_CAPTURED = "partially_captured"
    """Part of the hold is captured, as the shop wished; the rest is still held."""
    PAID = "paid"
    """The money is captured; where confirmation is required the shop has not answered yet."""
    COMPLETED = "completed"
    """The saga ended well: paid and, where required, confirmed."""
    DECLINED = "declined"
    """The gateway refused for good."""
    CANCELED = "canceled"
    """Given up, with nothing taken or held in the end."""
    EXPIRED = "expired"
    """Nobody paid in time; the gateway confirmed that nothing was taken."""
    REFUNDING = "refunding"
    """Money was taken and is on its way back."""
    REFUNDED = "refunded"
    """All that was taken was given back, and the gateway says so finally."""
    WRITTEN_OFF = "written_off"
    """A person has closed it although money that should have gone back could not: it stands among the write-offs."""
    NEEDS_REVIEW = "needs_review"
    """Waits for a person, with a reason."""


S = CheckoutState

# A closed case puts the checkout back where it was, so review leads everywhere.
# Late money is why ended checkouts can go to refunding: a payment that arrives after the end is given back.
# From paid and refunding a way leads to the ends with nothing taken because a capture can fail after it was done. Only
# then is it gone: the journal refuses these states while money is on the books as captured (`NOTHING_TAKEN`).
TRANSITIONS: dict[CheckoutState, frozenset[CheckoutState]] = {
    S.PROCESSING: frozenset(
        {S.AWAITING_PAYMENT, S.AUTHORIZED, S.PAID, S.DECLINED, S.CANCELED, S.EXPIRED, S.REFUNDING, S.NEEDS_REVIEW}
    ),
    S.AWAITING_PAYMENT: frozenset(
        {S.AUTHORIZED, S.PAID, S.DECLINED, S.CANCELED, S.EXPIRED, S.REFUNDING, S.NEEDS_REVIEW}
    ),
    S.AUTHORIZED: frozenset(
        {S.PARTIALLY_CAPTURED, S.PAID, S.DECLINED, S.CANCELED, S.EXPIRED, S.REFUNDING, S.NEEDS_REVIEW}
    ),
    S.PARTIALLY_CAPTURED: frozenset({S.PAID, S.DECLINED, S.CANCELED, S.REFUNDING, S.NEEDS_REVIEW}),
    S.PAID: frozenset({S.COMPLETED, S.DECLINED, S.CANCELED, S.REFUNDING, S.NEEDS_REVIEW}),
    S.REFUNDING: frozenset({S.REFUNDED, S.DECLINED, S.CANCELED, S.EXPIRED, S.NEEDS_REVIEW}),
    S.NEEDS_REVIEW: frozenset(
        {
            S.PROCESSING,
            S.AWAITING_PAYMENT,
            S.AUTHORIZED,
            S.PARTIALLY_CAPTURED,
            S.PAID,
            S.COMPLETED,
            S.DECLINED,
            S.CANCELED,
            S.EXPIRED,
            S.REFUNDING,
            S.REFUNDED,
            S.WRITTEN_OFF,
        }
    ),
    S.DECLINED: frozenset({S.REFUNDING, S.NEEDS_REVIEW}),
    S.CANCELED: frozenset({S.REFUNDING, S.NEEDS_REVIEW}),
    S.EXPIRED: frozenset({S.REFUNDING, S.NEEDS_REVIEW}),
    S.COMPLETED: frozenset({S.NEEDS_REVIEW}),
    S.REFUNDED: frozenset({S.REFUNDING, S.NEEDS_REVIEW}),
    S.WRITTEN_OFF: frozenset({S.REFUNDING, S.NEEDS_REVIEW}),
}

ENDED: frozenset[CheckoutState] = frozenset({S.COMPLETED, S.DECLINED, S.CANCELED, S.EXPIRED, S.REFUNDED, S.WRITTEN_OFF})
"""The states in which the checkout's workflow has ended."""

NOTHING_TAKEN: frozenset[CheckoutState] = frozenset({S.DECLINED, S.CANCELED, S.EXPIRED})
"""The ends that no captured money is left behind in."""


def check_transition(current: CheckoutState | None, wanted: CheckoutState) -> None:
    """Raise IllegalTransitionError unless the table allows it. Staying is allowed: a fact was learnt."""
    reachable = {S.PROCESSING} if current is None else {current, *TRANSITIONS[current]}
    if wanted not in reachable:
        raise IllegalTransitionError(current or "nothing", wanted)
