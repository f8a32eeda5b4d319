"""Whether the gateway, the books, the API and the workflows tell the same story of every checkout. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from devstack.demo.evidence import Evidence, Kind, Standing

_KEPT_NOTHING = frozenset({"canceled", "expired", "declined"})


@dataclass(frozen=True)
class Disagreement:
    """Two parties say different things of a checkout, or what they say must not be."""

    checkout_id: str
    what: str


@dataclass(frozen=True)
class Agreement:
    """What a comparison found. `rows`: movements of money that were laid side by side; `charges`: money takings."""

    checkouts: int
    rows: int
    charges: int
    double_charges: int
    workflows: int
    disagreements: tuple[Disagreement, ...]


def compare(evidence: Iterable[Evidence]) -> Agreement:
    """Lay all the evidence side by side."""
    all_of_it = tuple(evidence)
    found = [Disagreement(one.checkout_id, what) for one in all_of_it for what in disagreements(one)]
    return Agreement(
        checkouts=len(all_of_it),
        rows=sum(len(set(one.gateway) | set(one.ledger)) for one in all_of_it),
        charges=sum(one.taken for one in all_of_it),
        double_charges=sum(max(0, one.taken - 1) for one in all_of_it),
        workflows=sum(len(one.workflows) for one in all_of_it),
        disagreements=tuple(found),
    )


def disagreements(evidence: Evidence) -> Iterator[str]:
    """Everything that does not fit in one checkout, in sentences."""
    yield from _row_by_row(evidence)
    yield from _at_most_once(evidence)
    yield from _standings(evidence)
    yield from _workflows(evidence)
    yield from _state_fits_money(evidence)


def _row_by_row(evidence: Evidence) -> Iterator[str]:
    """Each movement stands as often in the gateway's books as in ours."""
    gateway, ledger = Counter(evidence.gateway), Counter(evidence.ledger)
    for movement in dict.fromkeys((*evidence.gateway, *evidence.ledger)):
        if gateway[movement] != ledger[movement]:
            yield f"{movement}: {gateway[movement]} times at the gateway, {ledger[movement]} times in the ledger"


def _at_most_once(evidence: Evidence) -> Iterator[str]:
    if evidence.payments > 1:
        yield f"the gateway has {evidence.payments} payments for one checkout"
    if evidence.taken > 1:
        yield f"charged {evidence.taken} times"
    if any(amount != evidence.amount_minor for amount in evidence.at_gateway(Kind.TAKE)):
        yield f"charged {evidence.at_gateway(Kind.TAKE)}, asked was {evidence.amount_minor}"
    given_back = sum(evidence.at_gateway(Kind.REFUND)) - sum(evidence.at_gateway(Kind.REFUND_BACK))
    if given_back > sum(evidence.at_gateway(Kind.TAKE)):
        yield f"given back {given_back}, more than was taken"


def _standings(evidence: Evidence) -> Iterator[str]:
    """The API's answer, the timeline's last row and the postings' sums are one."""
    last = evidence.timeline[-1].state if evidence.timeline else "nothing"
    if last != evidence.api.state:
        yield f"the API says {evidence.api.state}, the timeline ends with {last}"
    captured, refunded = evidence.on_books(Kind.TAKE), evidence.on_books(Kind.REFUND_FINAL)
    if (evidence.api.captured_minor, evidence.api.refunded_minor) != (captured, refunded):
        yield f"the API says {evidence.api}, the postings captured {captured}, refunded {refunded}"


def _workflows(evidence: Evidence) -> Iterator[str]:
    if not evidence.workflows:
        yield "it has no workflow"
        return
    for workflow in evidence.workflows:
        if workflow.status != "COMPLETED":
            yield f"workflow {workflow.workflow_id} is {workflow.status}"
    last = evidence.workflows[-1]
    if last.standing is not None and last.standing != evidence.api:
        yield f"workflow {last.workflow_id} ended with {last.standing}; the API says {evidence.api}"


def _state_fits_money(evidence: Evidence) -> Iterator[str]:
    """What the gateway kept and holds is what the state says; judged by the gateway's own books alone."""
    taken, returned = sum(evidence.at_gateway(Kind.TAKE)), sum(evidence.at_gateway(Kind.REFUND_FINAL))
    if (wanted := _wanted(evidence)) is None:
        yield f"it has not ended: {evidence.api}"
    elif (taken, returned) != (wanted.captured_minor, wanted.refunded_minor):
        yield f"it is {wanted.state}, but the gateway took {taken} and gave back {returned}"
    held = sum(evidence.at_gateway(Kind.HOLD)) - sum(evidence.at_gateway(Kind.RELEASE))
    if held > taken:
        yield f"the gateway still holds {held - taken}"


def _wanted(evidence: Evidence) -> Standing | None:
    """What the gateway must show for the state that the API tells; None for a state that is no end."""
    state, amount = evidence.api.state, evidence.amount_minor
    if state == "completed":
        return Standing(state, amount, 0)
    if state == "refunded":
        return Standing(state, amount, amount)
    return Standing(state, 0, 0) if state in _KEPT_NOTHING else None
