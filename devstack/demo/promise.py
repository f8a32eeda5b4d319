"""What a scenario promises, and whether what happened keeps it. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from devstack.demo.evidence import Evidence, Kind


@dataclass(frozen=True)
class Promise:
    """How a checkout must end: its state, and what the gateway's own books must show of the whole amount.

    `held`: authorized first. `cause`: what we must have learnt it by, where only one way is possible. `attempts`: how
    often a card is charged at the gateway, refusals included.
    """

    state: str
    held: bool = False
    taken: bool = False
    returned: bool = False
    attempts: int = 1
    cause: str | None = None


COMPLETED = Promise("completed", taken=True)
CAPTURED = Promise("completed", held=True, taken=True)
REFUNDED = Promise("refunded", taken=True, returned=True)
VOIDED = Promise("canceled", held=True)


def broken(promise: Promise, seen: Evidence) -> Iterator[str]:
    """Each way in which the promise was not kept, in a sentence."""
    if seen.api.state != promise.state:
        yield f"ended {seen.api.state}, promised {promise.state}"
    whole = (seen.amount_minor,)
    for kind, promised in (
        (Kind.HOLD, promise.held),
        (Kind.TAKE, promise.taken),
        (Kind.REFUND_FINAL, promise.returned),
        (Kind.RELEASE, promise.held and not promise.taken),
    ):
        if seen.at_gateway(kind) != (whole if promised else ()):
            amounts = " and ".join(map(str, seen.at_gateway(kind))) or "nothing"
            yield f"{kind} at the gateway: {amounts}, promised {seen.amount_minor if promised else 'nothing'}"
    if seen.attempts != promise.attempts:
        yield f"the card was charged {seen.attempts} times, promised {promise.attempts}"
    if promise.cause is not None and seen.learnt_by != promise.cause:
        yield f"learnt by {seen.learnt_by}, promised {promise.cause}"
