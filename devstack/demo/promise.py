"""What a scenario promises, and whether what happened keeps it. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from devstack.demo.evidence import Evidence, Kind


@dataclass(frozen=True)
class Promise:
    """How a checkout must end: its state, and what the gateways' own books must show of the whole amount.

    `held`: authorized first. `cause`: what we must have learnt it by, where only one way is possible. `attempts`: how
    often the customer's means are charged, refusals included, where the gateway tells. `at`: the gateway that must
    have the payment, where it matters; `left`: those that the payment must have left. `legs`: what each tender of a
    split checkout must come to; the checkout itself then promises its state alone.
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
    whole = (seen.amount_minor,)
    for kind, promised in (
        (Kind.HOLD, promise.held),
        (Kind.TAKE, promise.taken),
        (Kind.REFUND_FINAL, promise.returned),
        (Kind.RELEASE, promise.held and not promise.taken),
    ):
        if seen.at_gateways(kind) != (whole if promised else ()):
            amounts = " and ".join(map(str, seen.at_gateways(kind))) or "nothing"
            yield f"{kind} at the gateway: {amounts}, promised {seen.amount_minor if promised else 'nothing'}"
    if seen.attempts not in (None, promise.attempts):
        yield f"the customer was charged {seen.attempts} times, promised {promise.attempts}"
    yield from _broken_way(promise, seen)


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
