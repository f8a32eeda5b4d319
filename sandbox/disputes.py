"""Disputes as the control interface asks for them, in words that are the same for every gateway."""

from dataclasses import dataclass
from typing import Any, Literal, cast

from sandbox.control.body import positive
from sandbox.control.errors import ControlError

DISPUTE = "dispute"
"""The kind under which every gateway keeps its disputes."""

Kind = Literal["inquiry", "chargeback"]
"""An inquiry withdraws nothing and may become a chargeback, which does."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A dispute to open: `amount` in the gateway's own unit, `days` to answer in; None is the gateway's own choice."""

    kind: Kind
    amount: int | None = None
    days: float | None = None


def wanted(body: dict[str, Any]) -> Wanted:
    """The dispute that a control request wants."""
    kind, amount = body.get("kind"), body.get("amount")
    if kind not in ("inquiry", "chargeback"):
        raise ControlError("kind", "must be inquiry or chargeback")
    if amount is not None and (isinstance(amount, bool) or not isinstance(amount, int) or amount < 1):
        raise ControlError("amount", "must be a whole number of the gateway's units from 1")
    return Wanted(cast("Kind", kind), amount, positive(body, "days"))


def outcome(body: dict[str, Any]) -> bool:
    """Whether the merchant wins."""
    told = body.get("outcome")
    if told not in ("won", "lost"):
        raise ControlError("outcome", "must be won or lost")
    return bool(told == "won")
