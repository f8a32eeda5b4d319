"""What each party says of one checkout, in one vocabulary, so that their words can be laid side by side. Pure."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """A movement of money, as both the gateway's books and ours can tell it."""

    HOLD = "hold"
    RELEASE = "release"
    TAKE = "take"
    REFUND = "refund"
    """The gateway accepted to give money back."""
    REFUND_FINAL = "refund final"
    """The customer has it."""
    REFUND_BACK = "refund came back"


@dataclass(frozen=True)
class Movement:
    """One movement; `reference` is the gateway's id of the payment or the refund, amounts are in our minor units."""

    kind: Kind
    reference: str
    amount_minor: int
    currency: str

    def __str__(self) -> str:
        return f"{self.kind} of {self.amount_minor} {self.currency} ({self.reference})"


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

    `payments`: how many payments the gateway has for it; `attempts`: how often a card was charged there, refusals
    included. `gateway` and `ledger` are in the order of the books. `workflows` begins with the checkout's own; where
    there is another, it took over after the end.
    """

    checkout_id: str
    order_id: str
    amount_minor: int
    currency: str
    payments: int
    attempts: int
    gateway: tuple[Movement, ...]
    ledger: tuple[Movement, ...]
    api: Standing
    timeline: tuple[Learnt, ...]
    workflows: tuple[WorkflowEnd, ...]

    def at_gateway(self, kind: Kind) -> tuple[int, ...]:
        """The amounts of the gateway's movements of that kind."""
        return tuple(movement.amount_minor for movement in self.gateway if movement.kind is kind)

    def on_books(self, kind: Kind) -> int:
        """The sum of our movements of that kind."""
        return sum(movement.amount_minor for movement in self.ledger if movement.kind is kind)

    @property
    def taken(self) -> int:
        """How often the gateway took money."""
        return len(self.at_gateway(Kind.TAKE))

    @property
    def learnt_by(self) -> str:
        """What told us how it turned out: of a sale, that it was paid; otherwise, what brought the final state."""
        wanted = "paid" if self.api.state == "completed" else self.api.state
        causes = [row.cause for row in self.timeline if row.state == wanted]
        return causes[0].partition(":")[0] if causes else "?"
