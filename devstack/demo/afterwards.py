"""Whether what came after a sale fits together: refunds, disputes, the workflows that carried them, and cases. Pure."""

from collections import Counter
from collections.abc import Iterator

from devstack.demo.evidence import Disputed, Evidence, Kind, Refunded

_DECIDED = frozenset({"won", "lost"})


def unfitting(evidence: Evidence) -> Iterator[str]:
    """Everything about a checkout's refunds, disputes and cases that does not fit, in sentences."""
    for refund in evidence.afterwards.refunds:
        yield from _refund(evidence, refund)
    for dispute in evidence.afterwards.disputes:
        yield from _dispute(evidence, dispute)
    yield from _of_nobodys_asking(evidence)
    if evidence.afterwards.cases_open:
        yield f"{evidence.afterwards.cases_open} cases still wait for a person"


def _refund(evidence: Evidence, refund: Refunded) -> Iterator[str]:
    """The gateway has it as often as it should, over what was asked for, and its own workflow says so."""
    if refund.status == "pending":
        yield f"{refund.refund_id} is still pending"
    wanted = {
        "succeeded": {Kind.REFUND: 1, Kind.REFUND_FINAL: 1, Kind.REFUND_BACK: 0},
        "failed": {Kind.REFUND_FINAL: 0},
    }.get(refund.status, {})
    own = [m for m in evidence.moved if m.reference == refund.reference and m.gateway == evidence.at]
    moved = Counter(m.kind for m in own)
    for kind, times in wanted.items():
        if moved[kind] != times:
            yield f"{refund.refund_id} has {refund.status}, at the gateway: {moved[kind]} times {kind}"
    if moved[Kind.REFUND] - moved[Kind.REFUND_BACK] not in (0, 1):
        yield f"{refund.refund_id} was given {moved[Kind.REFUND]} times and came back {moved[Kind.REFUND_BACK]} times"
    if refund.status == "failed" and moved[Kind.REFUND] != moved[Kind.REFUND_BACK]:
        yield f"{refund.refund_id} has failed, its money has not come back at the gateway"
    for movement in own:
        if movement.amount_minor != refund.amount_minor:
            yield f"{refund.refund_id} is over {refund.amount_minor}, the gateway has a {movement}"
    # Its workflow may have ended before the money came back: then it says that it succeeded.
    words = {refund.status, "succeeded"} if moved[Kind.REFUND_BACK] else {refund.status}
    yield from _own_workflow(evidence, f"refund/{refund.refund_id}", words)


def _dispute(evidence: Evidence, dispute: Disputed) -> Iterator[str]:
    """It is decided, and what the gateway has withdrawn and not reinstated is what we show."""
    if dispute.state not in _DECIDED:
        yield f"{dispute.dispute_id} is {dispute.state}, nothing is decided"
    own = [m for m in evidence.moved if m.reference == dispute.reference and m.gateway == evidence.at]
    out = sum(m.amount_minor for m in own if m.kind is Kind.WITHDRAWN)
    out -= sum(m.amount_minor for m in own if m.kind is Kind.REINSTATED)
    if out != dispute.withdrawn_minor:
        yield f"{dispute.dispute_id} has {dispute.withdrawn_minor} withdrawn, at the gateway {out} is out for it"
    if dispute.state == "won" and out:
        yield f"{dispute.dispute_id} is won, and {out} is still withdrawn"
    yield from _own_workflow(evidence, f"dispute/{dispute.dispute_id}", {dispute.state})


def _own_workflow(evidence: Evidence, workflow_id: str, words: set[str]) -> Iterator[str]:
    ends = [end for end in evidence.workflows if end.workflow_id == workflow_id]
    if not ends:
        yield f"there is no workflow {workflow_id}"
    for end in ends:
        if end.status == "COMPLETED" and end.word not in words:
            yield f"workflow {workflow_id} ended with {end.word}, the API says {' or '.join(sorted(words))}"


def _of_nobodys_asking(evidence: Evidence) -> Iterator[str]:
    """After a sale, money goes back for a refund that was asked for, or for a dispute that is shown."""
    known = {dispute.reference for dispute in evidence.afterwards.disputes}
    if evidence.api.state == "completed":
        known |= {str(refund.reference) for refund in evidence.afterwards.refunds}
        looked_at = {Kind.REFUND, Kind.WITHDRAWN, Kind.REINSTATED}
    else:
        looked_at = {Kind.WITHDRAWN, Kind.REINSTATED}
    for movement in evidence.moved:
        if movement.kind in looked_at and movement.reference not in known:
            yield f"{movement}: no refund and no dispute of ours tells of it"
