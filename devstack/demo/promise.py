"""What a scenario promises, and whether what happened keeps it. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from devstack.demo.evidence import Evidence, Kind

_LOOKED_AT = (
    *(Kind.HOLD, Kind.TAKE, Kind.REFUND_FINAL, Kind.RELEASE),
    *(Kind.TAKE_BACK, Kind.REFUND_BACK, Kind.WITHDRAWN, Kind.REINSTATED),
)
"""What is promised by amounts, each of which is nothing unless the promise says otherwise."""


@dataclass(frozen=True)
class Promise:
    """How a checkout must end: its state, and what the gateways' own books must show of the whole amount.

    `held`: authorized first. `cause`: what we must have learnt it by, where only one way is possible. `attempts`: how
    often the customer's means are charged, refusals included, where the gateway tells. `at`: the gateway that must
    have the payment, where it matters; `left`: those that the payment must have left. `legs`: what each tender of a
    split checkout must come to; the checkout itself then promises its state alone. `amounts`: what must move by kind,
    where that is not all or nothing: parts that are taken, given back, or lost in a dispute. `disputes`: how those of
    the customer's end. `cases`: how often a person was asked and has answered.
    """

    state: str
    held: bool = False
    taken: bool = False
    returned: bool = False
    attempts: int = 1
    cause: str | None = None
    at: str | None = None
    left: tuple[str, ...] = ()
    legs: tuple["Promise", ...] = ()
    amounts: Mapping[Kind, tuple[int, ...]] = field(default_factory=dict)
    disputes: tuple[str, ...] = ()
    cases: int = 0

    def of_kind(self, kind: Kind, whole: int) -> tuple[int, ...]:
        """The amounts that must have moved, in minor units; `whole` is the checkout's."""
        all_of_it = {
            Kind.HOLD: self.held,
            Kind.TAKE: self.taken,
            Kind.REFUND_FINAL: self.returned,
            Kind.RELEASE: self.held and not self.taken,
        }
        return self.amounts.get(kind, (whole,) if all_of_it.get(kind) else ())


COMPLETED = Promise("completed", taken=True)
CAPTURED = Promise("completed", held=True, taken=True)
REFUNDED = Promise("refunded", taken=True, returned=True)
VOIDED = Promise("canceled", held=True)


def broken(promise: Promise, seen: Evidence) -> Iterator[str]:
    """Each way in which the promise was not kept, in a sentence."""
    if seen.api.state != promise.state:
        yield f"ended {seen.api.state}, promised {promise.state}"
    if promise.legs or seen.legs:
        yield from _broken_legs(promise, seen)
        return
    for kind in _LOOKED_AT:
        promised, moved = promise.of_kind(kind, seen.amount_minor), seen.at_gateways(kind)
        if sorted(moved) != sorted(promised):
            yield f"{kind} at the gateway: {_together(moved)}, promised {_together(promised)}"
    if seen.attempts not in (None, promise.attempts):
        yield f"the customer was charged {seen.attempts} times, promised {promise.attempts}"
    yield from _broken_way(promise, seen)
    yield from _broken_afterwards(promise, seen)


def _together(amounts: tuple[int, ...]) -> str:
    return " and ".join(map(str, amounts)) or "nothing"


def _broken_afterwards(promise: Promise, seen: Evidence) -> Iterator[str]:
    states = tuple(dispute.state for dispute in seen.afterwards.disputes)
    if states != promise.disputes:
        yield f"disputes {' and '.join(states) or 'none'}, promised {' and '.join(promise.disputes) or 'none'}"
    if seen.afterwards.cases_closed != promise.cases:
        yield f"{seen.afterwards.cases_closed} cases were closed, promised {promise.cases}"


def _broken_way(promise: Promise, seen: Evidence) -> Iterator[str]:
    if promise.cause is not None and seen.learnt_by != promise.cause:
        yield f"learnt by {seen.learnt_by}, promised {promise.cause}"
    if promise.at is not None and seen.at != promise.at:
        yield f"its payment is at {seen.at}, promised {promise.at}"
    if seen.left != promise.left:
        yield f"left {' and '.join(seen.left) or 'no gateway'}, promised {' and '.join(promise.left) or 'none'}"


def _broken_legs(promise: Promise, seen: Evidence) -> Iterator[str]:
    if len(promise.legs) != len(seen.legs):
        yield f"it has {len(seen.legs)} tenders, promised {len(promise.legs)}"
        return
    for number, (wanted, leg) in enumerate(zip(promise.legs, seen.legs, strict=True), start=1):
        yield from (f"tender {number} ({leg.at}): {what}" for what in broken(wanted, leg))
