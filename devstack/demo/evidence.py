"""What each party says of one checkout, in one vocabulary, so that their words can be laid side by side. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """A movement of money, as both a gateway's books and ours can tell it."""

    HOLD = "hold"
    RELEASE = "release"
    TAKE = "take"
    TAKE_BACK = "take came back"
    """What looked captured was not. Our books know no such movement, so it never agrees."""
    REFUND = "refund"
    """The gateway accepted to give money back."""
    REFUND_FINAL = "refund final"
    """The customer has it."""
    REFUND_BACK = "refund came back"


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
    """One workflow of a checkout: how it ended, and its last word; None while it has none."""

    workflow_id: str
    run_id: str
    status: str
    standing: Standing | None


@dataclass(frozen=True)
class Learnt:
    """One row of the timeline: the state it led to and what caused it."""

    state: str
    cause: str


@dataclass(frozen=True)
class Evidence:
    """Everything about one checkout, each part from the party itself.

    `at`: the gateway that the API names for it; `left`: those that its timeline says it left before. `payments`: how
    many payments each gateway has for it; `attempts`: how often the customer's means were charged there, refusals
    included, None where the gateway does not tell. `stated`: by gateway, the takings that its own API lists, where it
    lists them. `moved` (all the gateways' books) and `ledger` are in the order of the books. `workflows` begins with
    the checkout's own; where there is another, it took over after the end. `legs`: the tenders of a split checkout,
    which moves no money itself. `route`: why the rules chose its gateway, None where the shop did.
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

    def each(self) -> tuple["Evidence", ...]:
        """Itself and its legs."""
        return (self, *self.legs)

    def at_gateways(self, kind: Kind) -> tuple[int, ...]:
        """The amounts of the movements of that kind at all gateways together, those of its legs included."""
        return tuple(m.amount_minor for one in self.each() for m in one.moved if m.kind is kind)

    def on_books(self, kind: Kind) -> int:
        """The sum of our movements of that kind, those of its legs included."""
        return sum(m.amount_minor for one in self.each() for m in one.ledger if m.kind is kind)

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
