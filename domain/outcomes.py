"""The answers a gateway call can have. Ignorance is none of them: it is an OutcomeUnknownError, never a failure."""

from dataclasses import dataclass
from typing import Literal

from domain.dispute import DisputeSnapshot
from domain.payment import Decline, NextAction, PaymentSnapshot, RefundSnapshot

Evidence = PaymentSnapshot | RefundSnapshot | DisputeSnapshot
"""What the gateway showed with its answer."""


@dataclass(frozen=True)
class Completed:
    """Done, finally."""

    evidence: Evidence
    kind: Literal["completed"] = "completed"


@dataclass(frozen=True)
class Pending:
    """Accepted; the end will be told by webhook or look-up."""

    evidence: Evidence
    kind: Literal["pending"] = "pending"


@dataclass(frozen=True)
class RequiresAction:
    """The customer has to act."""

    evidence: PaymentSnapshot
    action: NextAction
    kind: Literal["requires_action"] = "requires_action"


@dataclass(frozen=True)
class Declined:
    """The gateway said no; nothing moved. `evidence` where the gateway showed the payment."""

    decline: Decline
    evidence: PaymentSnapshot | None = None
    kind: Literal["declined"] = "declined"


Answer = Completed | Pending | RequiresAction | Declined
