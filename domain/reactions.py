"""What a checkout makes of what a gateway shows: one table of (state, sight), the only place where that is decided.

Before the table is asked, the payment is known to be the checkout's own and as it was asked for (`contradiction`; what
is not has a person look), and a look that shows less than the books have was made anew, since reads may lag.
"""

from enum import StrEnum

from domain.booked import Booked, is_lost
from domain.payment import PaymentSnapshot, PaymentStatus, RefundStatus
from domain.states import CheckoutState


class Sight(StrEnum):
    """What a gateway can show of a payment."""

    UNPAID = "unpaid"
    """Nothing attempted, or the last attempt declined."""
    ACTION = "action"
    """The customer must act once more."""
    APPROVED = "approved"
    PROCESSING = "processing"
    HELD = "held"
    PARTLY_CAPTURED = "partly_captured"
    """Part is taken, the rest still held."""
    CAPTURED = "captured"
    """Taken, and nothing more can be."""
    RETURNED = "returned"
    """Taken, and all of it given back."""
    CANCELED = "canceled"
    LOST = "lost"
    """Less is taken than the books have, and nothing is held any more."""
    LOST_HELD = "lost_held"
    """Less is taken than the books have, and the hold is open again."""


class Reaction(StrEnum):
    """What the checkout does then."""

    NONE = "none"
    """Nothing: no money has moved."""
    NEVER = "never"
    """It cannot be seen: nothing is on the books that could be lost, or it would be seen as a loss."""
    SHOW_STEP = "show_step"
    """A decline is told, once for each attempt; the customer's next step is shown."""
    TAKE = "take"
    """The customer has agreed: we hold or take the money, and judge what it is then."""
    HOLD = "hold"
    """The checkout is authorized."""
    PART = "part"
    """The checkout is partially captured."""
    PAY = "pay"
    """The checkout is paid."""
    BOOK = "book"
    """What is new of the money goes on the books; the checkout stays where it is."""
    CLOSE = "close"
    """The gateway takes no more: the sale is made with what is taken."""
    DOUBT = "doubt"
    """Nobody asked for this: a person has to look."""
    NO_SALE = "no_sale"
    """Ended at the gateway: there is no sale, what is held or kept is given back."""
    NO_SALE_LOST = "no_sale_lost"
    """The money is gone before the sale was made: there is none."""
    CASE = "case"
    """The money is gone and what it was for is done: on the books, and a person has to look."""
    LOOK = "look"
    """The checkout is giving back: it reads the gateway itself and acts on what that shows."""
    KEEP = "keep"
    """A person is being waited for: it is kept until they have answered."""
    GIVE_BACK = "give_back"
    """Money where there is no sale: released or refunded, once, by the late path."""


S, G, R = CheckoutState, Sight, Reaction

_UNMOVED: dict[Sight, Reaction] = dict.fromkeys((G.UNPAID, G.ACTION, G.APPROVED, G.PROCESSING), R.NONE)
_NOTHING_TO_LOSE: dict[Sight, Reaction] = dict.fromkeys((G.LOST, G.LOST_HELD), R.NEVER)

_UNPAID: dict[Sight, Reaction] = {
    G.UNPAID: R.SHOW_STEP,
    G.ACTION: R.SHOW_STEP,
    G.APPROVED: R.TAKE,
    G.PROCESSING: R.NONE,
    G.HELD: R.HOLD,
    G.PARTLY_CAPTURED: R.DOUBT,
    G.CAPTURED: R.PAY,
    G.RETURNED: R.PAY,
    G.CANCELED: R.NO_SALE,
    **_NOTHING_TO_LOSE,
}
_NO_SALE: dict[Sight, Reaction] = {
    **_UNMOVED,
    **dict.fromkeys((G.HELD, G.PARTLY_CAPTURED, G.CAPTURED, G.RETURNED), R.GIVE_BACK),
    G.CANCELED: R.NONE,
    **_NOTHING_TO_LOSE,
}
_GIVEN_BACK: dict[Sight, Reaction] = {
    **_UNMOVED,
    # A look from before the money was taken.
    G.HELD: R.NONE,
    G.PARTLY_CAPTURED: R.NONE,
    # A refund that comes back after its end makes it captured again.
    G.CAPTURED: R.GIVE_BACK,
    G.RETURNED: R.NONE,
    G.CANCELED: R.NONE,
    G.LOST: R.CASE,
    G.LOST_HELD: R.CASE,
}

REACTIONS: dict[CheckoutState, dict[Sight, Reaction]] = {
    S.PROCESSING: _UNPAID,
    S.AWAITING_PAYMENT: _UNPAID,
    S.AUTHORIZED: {
        **_UNMOVED,
        G.HELD: R.BOOK,
        G.PARTLY_CAPTURED: R.PART,
        G.CAPTURED: R.PAY,
        G.RETURNED: R.NO_SALE,
        G.CANCELED: R.NO_SALE,
        **_NOTHING_TO_LOSE,
    },
    # The shop has said yes to what is taken: nothing that happens to it ends the sale without a person.
    S.PARTIALLY_CAPTURED: {
        **_UNMOVED,
        G.HELD: R.NONE,
        G.PARTLY_CAPTURED: R.BOOK,
        G.CAPTURED: R.CLOSE,
        G.RETURNED: R.CLOSE,
        G.CANCELED: R.CASE,
        G.LOST: R.CASE,
        G.LOST_HELD: R.BOOK,
    },
    S.PAID: {
        **_UNMOVED,
        G.HELD: R.NONE,
        G.PARTLY_CAPTURED: R.NONE,
        G.CAPTURED: R.BOOK,
        G.RETURNED: R.NO_SALE,
        G.CANCELED: R.NEVER,
        G.LOST: R.NO_SALE_LOST,
        G.LOST_HELD: R.NO_SALE_LOST,
    },
    S.COMPLETED: {
        **_UNMOVED,
        G.HELD: R.BOOK,
        G.PARTLY_CAPTURED: R.BOOK,
        G.CAPTURED: R.BOOK,
        G.RETURNED: R.BOOK,
        G.CANCELED: R.BOOK,
        G.LOST: R.CASE,
        G.LOST_HELD: R.CASE,
    },
    S.DECLINED: _NO_SALE,
    S.CANCELED: _NO_SALE,
    S.EXPIRED: _NO_SALE,
    S.REFUNDING: dict.fromkeys(G, R.LOOK),
    S.REFUNDED: _GIVEN_BACK,
    # What could not go back stands as captured; should it go back after all, the books follow.
    S.WRITTEN_OFF: {
        **_GIVEN_BACK,
        G.CAPTURED: R.NONE,
        G.RETURNED: R.GIVE_BACK,
        G.LOST: R.BOOK,
        G.LOST_HELD: R.GIVE_BACK,
    },
    S.NEEDS_REVIEW: dict.fromkeys(G, R.KEEP),
}
"""Total: every state has every sight."""

_SIGHTS = {
    PaymentStatus.AWAITING_CUSTOMER: G.UNPAID,
    PaymentStatus.REQUIRES_ACTION: G.ACTION,
    PaymentStatus.APPROVED: G.APPROVED,
    PaymentStatus.PROCESSING: G.PROCESSING,
    PaymentStatus.AUTHORIZED: G.HELD,
    PaymentStatus.CAPTURED: G.CAPTURED,
    PaymentStatus.CANCELED: G.CANCELED,
}


def seen_as(on_books: Booked, payment: PaymentSnapshot) -> Sight:
    """What this payment is to a checkout with these books."""
    held = payment.status is PaymentStatus.AUTHORIZED
    if is_lost(on_books, payment):
        return G.LOST_HELD if held else G.LOST
    taken = payment.captured.minor
    if held and taken:
        return G.PARTLY_CAPTURED if taken < payment.amount.minor else G.CAPTURED
    if taken and payment.refunded(RefundStatus.SUCCEEDED) == payment.captured:
        return G.RETURNED
    # A hold that was ended after a part of it was taken.
    return G.CAPTURED if taken and payment.status is PaymentStatus.CANCELED else _SIGHTS[payment.status]


def reaction(state: CheckoutState, sight: Sight) -> Reaction:
    """What a checkout in this state makes of this sight."""
    return REACTIONS[state][sight]
