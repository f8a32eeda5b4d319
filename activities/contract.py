"""What the workflows hand to the activities. Pure, frozen, free of personal data."""

from dataclasses import dataclass

from domain.booked import Booked
from domain.checkout import CheckoutStatus
from domain.timeline import Entry
from gateways.contract import AuthorizePayment, CapturePayment, CreatePayment, RefundPayment, VoidPayment


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
class OnBooks:
    """Where a checkout stands on the books, the money that is on them, and the number of its last timeline row.

    `refunds_asked`, `voids_asked`: the number of the last refund and void that was asked for, 0 when none was.
    """

    status: CheckoutStatus
    booked: Booked
    sequence: int
    refunds_asked: int = 0
    voids_asked: int = 0
