"""What the workflows hand to the activities. Pure, frozen, free of personal data."""

from dataclasses import dataclass

from domain.booked import Booked
from domain.case import Case
from domain.checkout import CheckoutStatus
from domain.timeline import Entry
from gateways.contract import (
    AuthorizePayment,
    CapturePayment,
    CreatePayment,
    ReauthorizePayment,
    RefundPayment,
    VoidPayment,
)
from ledger.contract import Note


@dataclass(frozen=True)
class Create:
    """Open a payment for a checkout.

    `may_leave`: there is another gateway to go to, so a first call that certainly did nothing is not repeated here.
    `unwanted`: nobody wants it any more, so it is answered as far as it was asked for, and never asked for anew.
    """

    gateway: str
    checkout_id: str
    request: CreatePayment
    may_leave: bool = False
    unwanted: bool = False


@dataclass(frozen=True)
class Authorize:
    """Hold the money of a checkout's payment that the customer approved."""

    gateway: str
    checkout_id: str
    request: AuthorizePayment


@dataclass(frozen=True)
class Capture:
    """Take what a checkout's payment holds, or what its customer approved."""

    gateway: str
    checkout_id: str
    request: CapturePayment


@dataclass(frozen=True)
class Void:
    """End a checkout's payment that took nothing."""

    gateway: str
    checkout_id: str
    request: VoidPayment


@dataclass(frozen=True)
class Refund:
    """Give back what a checkout's payment took."""

    gateway: str
    checkout_id: str
    request: RefundPayment


@dataclass(frozen=True)
class Reauthorize:
    """Make a checkout's hold anew; `known` is the gateway's id of the hold that is to be replaced."""

    gateway: str
    checkout_id: str
    request: ReauthorizePayment
    known: str | None = None


@dataclass(frozen=True)
class DisputeAnswer:
    """What is kept of an answer's request: which evidence it was (None: the dispute is accepted), not what it says."""

    key: str
    dispute_id: str
    evidence_id: str | None


@dataclass(frozen=True)
class AnswerDispute:
    """Answer a checkout's dispute with evidence, or accept it."""

    gateway: str
    checkout_id: str
    request: DisputeAnswer


@dataclass(frozen=True)
class LookUp:
    """Read a payment: by the gateway's id where it is known, else by our reference."""

    gateway: str
    checkout_id: str
    payment_id: str | None


@dataclass(frozen=True)
class Record:
    """Append these entries to a checkout's timeline, all or none."""

    checkout_id: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class NoteCall:
    """Write down what was learnt of a checkout after its own workflow had no more say."""

    checkout_id: str
    note: Note


@dataclass(frozen=True)
class OpenOnBooks:
    """An open case; `before` is where the checkout goes when it is closed, None where the case is beside its state."""

    case: Case
    before: CheckoutStatus | None = None


@dataclass(frozen=True)
class OnBooks:
    """Where a checkout stands on the books, the money that is on them, and the number of its last timeline row.

    `refunds_asked`, `voids_asked` and the like: the number of the last one that was asked for, 0 when none was.
    `sold`: the sale was made, whatever came of it. `lost_minor`: what went away after it and no case was opened about.
    """

    status: CheckoutStatus
    booked: Booked
    sequence: int
    refunds_asked: int = 0
    voids_asked: int = 0
    sold: bool = False
    lost_minor: int = 0
    captures_asked: int = 0
    reauthorizations_asked: int = 0
