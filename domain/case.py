"""Cases: what waits for a person, and what a person may do about it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.states import CheckoutState


class CaseKind(StrEnum):
    """Why a person has to look."""

    CONTRADICTION = "contradiction"
    """The gateway's payment is not what was asked for."""
    UNKNOWN_OUTCOME = "unknown_outcome"
    """The gateway has given no answer for long."""
    KEY_EXPIRED = "key_expired"
    """The gateway may have forgotten the key, and shows nothing done under it."""
    OPERATION_MISMATCH = "operation_mismatch"
    """A key was used with another request: a defect of ours."""
    PAYMENT_UNKNOWN = "payment_unknown"
    """The gateway no longer shows a payment that was captured."""
    VOID_DECLINED = "void_declined"
    REFUND_DECLINED = "refund_declined"
    REFUND_FAILED = "refund_failed"
    """A refund that the saga needs came to nothing."""
    COMPENSATION_FAILING = "compensation_failing"
    """Money must go back, and the gateway does not answer."""
    CAPTURE_LOST = "capture_lost"
    """Captured money went away again after the sale."""
    STRAY_PAYMENT = "stray_payment"
    """Money at a gateway that the saga had left."""
    TENDER_GONE = "tender_gone"
    TENDER_AGAINST_DECISION = "tender_against_decision"
    REFUND_FAILED_LATER = "refund_failed_later"
    """A refund that the shop was told of as taken on or done came back."""
    DISPUTE_UNANSWERED = "dispute_unanswered"
    """A dispute's deadline is near and nobody has answered."""
    HOLD_LOST = "hold_lost"
    """A hold was to be renewed and could not be."""


class CaseAction(StrEnum):
    """What a person may do about a case."""

    LOOK_AGAIN = "look_again"
    """Read the gateway; the case closes when that settles it."""
    RETRY_NOW = "retry_now"
    """Go on: ask the gateway again for what came to nothing."""
    MARK_PAID = "mark_paid"
    """The money is there, as the evidence (the gateway's own id of the capture) shows."""
    REFUND = "refund"
    """Give everything back that was taken."""
    VOID = "void"
    """Release what is held, and take nothing."""
    WRITE_OFF = "write_off"
    """Let the difference be: it goes to the write-offs, and the case is closed."""
    CLOSE = "close"
    """Nothing is to be done."""


@dataclass(frozen=True)
class OpenCase:
    """The mark of a timeline row that opens a case. `workflow_id`: who waits for the person."""

    kind: CaseKind
    message: str
    workflow_id: str
    amount_minor: int = 0
    """What is at stake."""
    subject: str | None = None
    """The refund or dispute that it is about."""


@dataclass(frozen=True)
class CloseCase:
    """The mark of a timeline row that closes the checkout's open case of this kind (and subject)."""

    kind: CaseKind
    how: str
    subject: str | None = None


CaseMark = OpenCase | CloseCase


@dataclass(frozen=True)
class Case:
    """A case as the books have it: the projection of the two timeline rows that opened and closed it."""

    id: str
    checkout_id: str
    kind: CaseKind
    message: str
    workflow_id: str
    amount_minor: int
    currency: str
    subject: str | None
    sequence: int
    opened_at: datetime
    closed_at: datetime | None = None
    closed_how: str | None = None


@dataclass(frozen=True)
class CaseOrder:
    """What a person orders. `who` names the API key, or the person where it comes through Temporal.

    `evidence` belongs to `mark_paid`: the gateway's own id of the money.
    """

    case_id: str
    action: CaseAction
    reason: str
    who: str
    evidence: str | None = None


class CaseAnswer(StrEnum):
    """What became of an order."""

    DONE = "done"
    """Taken on; the timeline has a row of it."""
    AWAITS_SECOND = "awaits_second"
    """It moves more than one person may: another one has to order the same."""


A, K, S = CaseAction, CaseKind, CheckoutState
_ASK = frozenset({A.LOOK_AGAIN, A.RETRY_NOW})

ACTIONS: dict[CaseKind, frozenset[CaseAction]] = {
    K.CONTRADICTION: _ASK | {A.REFUND, A.VOID},
    K.UNKNOWN_OUTCOME: _ASK | {A.MARK_PAID, A.REFUND, A.VOID},
    K.KEY_EXPIRED: _ASK | {A.MARK_PAID, A.REFUND, A.VOID},
    K.OPERATION_MISMATCH: _ASK | {A.REFUND, A.VOID},
    K.PAYMENT_UNKNOWN: _ASK | {A.WRITE_OFF},
    K.VOID_DECLINED: _ASK | {A.VOID, A.WRITE_OFF},
    K.REFUND_DECLINED: _ASK | {A.REFUND, A.WRITE_OFF},
    K.REFUND_FAILED: _ASK | {A.REFUND, A.WRITE_OFF},
    K.COMPENSATION_FAILING: _ASK,
    K.CAPTURE_LOST: _ASK | {A.WRITE_OFF, A.CLOSE},
    K.STRAY_PAYMENT: frozenset({A.LOOK_AGAIN, A.CLOSE}),
    K.TENDER_GONE: _ASK | {A.CLOSE},
    K.TENDER_AGAINST_DECISION: _ASK | {A.CLOSE},
    K.REFUND_FAILED_LATER: frozenset({A.LOOK_AGAIN, A.CLOSE, A.WRITE_OFF}),
    K.DISPUTE_UNANSWERED: frozenset({A.LOOK_AGAIN, A.CLOSE}),
    K.HOLD_LOST: _ASK | {A.VOID, A.CLOSE},
}
"""What may be ordered by kind of case; `allowed` narrows it by where the checkout stands."""

_UNPAID = frozenset({S.PROCESSING, S.AWAITING_PAYMENT, S.AUTHORIZED, S.NEEDS_REVIEW})
_TAKEN = frozenset({S.PAID, S.PARTIALLY_CAPTURED, S.COMPLETED, S.REFUNDING, S.NEEDS_REVIEW})

NEEDS: dict[CaseAction, frozenset[CheckoutState]] = {
    A.LOOK_AGAIN: frozenset(S),
    A.RETRY_NOW: frozenset(S),
    A.MARK_PAID: _UNPAID,
    A.REFUND: _TAKEN | _UNPAID,
    A.VOID: _UNPAID | {S.REFUNDING},
    A.WRITE_OFF: _TAKEN,
    A.CLOSE: frozenset(S),
}
"""The states in which an action has a meaning."""

MOVES_MONEY = frozenset({A.MARK_PAID, A.REFUND, A.WRITE_OFF})
"""What two people have to order where it is about more than a set amount. A void takes nothing from anybody."""


def allowed(kind: CaseKind, state: CheckoutState) -> frozenset[CaseAction]:
    """What a person may do about a case of this kind while the checkout stands there."""
    return frozenset(action for action in ACTIONS[kind] if state in NEEDS[action])
