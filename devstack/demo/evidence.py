"""What each party says of one checkout, in one vocabulary, so that their words can be laid side by side. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """A movement of money, as both a gateway's books and ours can tell it."""

    HOLD = "hold"
    RELEASE = "release"
    TAKE = "take"
    TAKE_BACK = "take came back"
    """What looked captured was not."""
    REFUND = "refund"
    """The gateway accepted to give money back."""
    REFUND_FINAL = "refund final"
    """The customer has it, and it has not come back since."""
    REFUND_BACK = "refund came back"
    WITHDRAWN = "withdrawn"
    """Taken from us for a dispute; the reference is the dispute's."""
    REINSTATED = "reinstated"


@dataclass(frozen=True)
class Movement:
    """One movement; `reference` is the gateway's id of the payment or the refund, amounts are in our minor units."""

    kind: Kind
    gateway: str
    reference: str
    amount_minor: int
    currency: str

    def __str__(self) -> str:
        return f"{self.kind} of {self.amount_minor} {self.currency} at {self.gateway} ({self.reference})"


@dataclass(frozen=True)
class Standing:
    """Where a checkout stands according to one party. `captured_minor` and `refunded_minor` are totals."""

    state: str
    captured_minor: int
    refunded_minor: int

    def __str__(self) -> str:
        return f"{self.state}, captured {self.captured_minor}, refunded {self.refunded_minor}"


@dataclass(frozen=True)
class WorkflowEnd:
    """One workflow of a checkout: how it ended, and its last word; None while it has none.

    The last word of a checkout's own or of one that took over is a `standing`, that of a refund or a dispute a `word`.
    """

    workflow_id: str
    run_id: str
    status: str
    standing: Standing | None
    word: str | None = None


@dataclass(frozen=True)
class Learnt:
    """One row of the timeline: the state it led to and what caused it."""

    state: str
    cause: str


@dataclass(frozen=True)
class Refunded:
    """A refund that the shop asked for, as our API shows it; `reference` is the gateway's id, None without one."""

    refund_id: str
    reference: str | None
    status: str
    amount_minor: int


@dataclass(frozen=True)
class Disputed:
    """A dispute as our API shows it; `withdrawn_minor` is what is out for it now."""

    dispute_id: str
    reference: str
    state: str
    withdrawn_minor: int


@dataclass(frozen=True)
class Afterwards:
    """What came after the sale, by our API, and how often a person was or still is waited for."""

    refunds: tuple[Refunded, ...] = ()
    disputes: tuple[Disputed, ...] = ()
    cases_open: int = 0
    cases_closed: int = 0

    @property
    def refunded_minor(self) -> int:
        """What the shop's refunds have given back."""
        return sum(refund.amount_minor for refund in self.refunds if refund.status == "succeeded")

    @property
    def withdrawn_minor(self) -> int:
        """What is out for disputes."""
        return sum(dispute.withdrawn_minor for dispute in self.disputes)


@dataclass(frozen=True)
class Evidence:
    """Everything about one checkout, each part from the party itself.

    `at`: the gateway that the API names for it; `left`: those that its timeline says it left before. `payments`: how
    many payments each gateway has for it; `attempts`: how often the customer's means were charged there, refusals
    included, None where the gateway does not tell. `stated`: by gateway, the takings that its own API lists, where it
    lists them. `moved` (all the gateways' books) and `ledger` are in the order of the books. `workflows` begins with
    the checkout's own; where there is another of checkouts, it took over after the end; refunds' and disputes' follow.
    `legs`: the tenders of a split checkout, which moves no money itself. `route`: why the rules chose its gateway, None
    where the shop did. `parts`: what the shop asked to be captured, where it did so in parts.
    """

    checkout_id: str
    order_id: str
    amount_minor: int
    currency: str
    at: str
    payments: Mapping[str, int]
    attempts: int | None
    moved: tuple[Movement, ...]
    ledger: tuple[Movement, ...]
    api: Standing
    timeline: tuple[Learnt, ...]
    workflows: tuple[WorkflowEnd, ...]
    stated: Mapping[str, tuple[Movement, ...]] = field(default_factory=dict)
    left: tuple[str, ...] = ()
    legs: tuple["Evidence", ...] = ()
    route: str | None = None
    parts: tuple[int, ...] = ()
    afterwards: Afterwards = Afterwards()

    @property
    def asked(self) -> tuple[int, ...]:
        """The takings that the shop asked for, in minor units."""
        return self.parts or (self.amount_minor,)

    def each(self) -> tuple["Evidence", ...]:
        """Itself and its legs."""
        return (self, *self.legs)

    def at_gateways(self, kind: Kind) -> tuple[int, ...]:
        """The amounts of the movements of that kind at all gateways together, those of its legs included."""
        return tuple(m.amount_minor for one in self.each() for m in one.moved if m.kind is kind)

    def on_books(self, kind: Kind) -> int:
        """The sum of our movements of that kind, those of its legs included."""
        return sum(m.amount_minor for one in self.each() for m in one.ledger if m.kind is kind)

    def kept_at_gateways(self) -> int:
        """What the gateways took, less what they took back; disputes and refunds aside."""
        return sum(self.at_gateways(Kind.TAKE)) - sum(self.at_gateways(Kind.TAKE_BACK))

    @property
    def taken(self) -> int:
        """How often money was taken, at whichever gateway."""
        return len(self.at_gateways(Kind.TAKE))

    @property
    def learnt_by(self) -> str:
        """What told us how it turned out: of a sale, that it was paid; otherwise, what brought the final state."""
        wanted = "paid" if self.api.state == "completed" else self.api.state
        causes = [row.cause for row in self.timeline if row.state == wanted]
        return causes[0].partition(":")[0] if causes else "?"


def still_final(moved: Iterable[Movement]) -> tuple[Movement, ...]:
    """The movements without the finality of refunds that came back: a gateway that says so says it was never final."""
    all_of_it = tuple(moved)
    back = {(m.gateway, m.reference) for m in all_of_it if m.kind is Kind.REFUND_BACK}
    return tuple(m for m in all_of_it if m.kind is not Kind.REFUND_FINAL or (m.gateway, m.reference) not in back)
