"""Whether the gateways, the books, the API and the workflows tell the same story of every checkout. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace

from devstack.demo.afterwards import unfitting
from devstack.demo.evidence import Evidence, Kind, Movement, Standing

_KEPT_NOTHING = frozenset({"canceled", "expired", "declined"})


@dataclass(frozen=True)
class Disagreement:
    """Two parties say different things of a checkout, or what they say must not be."""

    checkout_id: str
    what: str


@dataclass(frozen=True)
class Booked:
    """One row of a gateway's books: for which checkout, None where it names none, and what it is, in words."""

    checkout_id: str | None
    what: str


@dataclass(frozen=True)
class Share:
    """One gateway's part in it: the payments that ended there, movements of money and how often it took some."""

    gateway: str
    payments: int
    rows: int
    charges: int


@dataclass(frozen=True)
class Agreement:
    """What a comparison found. `rows`: movements of money that were laid side by side; `charges`: money takings.

    `refunds` and `disputes` are those of after the sale, `cases` those that were closed.
    """

    checkouts: int
    rows: int
    charges: int
    double_charges: int
    workflows: int
    refunds: int
    disputes: int
    cases: int
    shares: tuple[Share, ...]
    disagreements: tuple[Disagreement, ...]


def compare(evidence: Iterable[Evidence], gateways: Sequence[str], booked: Iterable[Booked] = ()) -> Agreement:
    """Lay all the evidence side by side; each of `gateways` gets its share told, also where it had none.

    `booked` is all that moved at the gateways in the meantime: each of it must be some checkout's.
    """
    whole = tuple(evidence)
    single = [part for one in whole for part in one.each()]
    found = [Disagreement(part.checkout_id, what) for part in single for what in disagreements(part)]
    found += _strays(booked, {part.checkout_id for part in single})
    return Agreement(
        checkouts=len(whole),
        rows=sum(len(_movements(part)) for part in single),
        charges=sum(one.taken for one in whole),
        double_charges=sum(_double_charges(one) for one in whole),
        workflows=sum(len(part.workflows) for part in single),
        refunds=sum(len(part.afterwards.refunds) for part in single),
        disputes=sum(len(part.afterwards.disputes) for part in single),
        cases=sum(part.afterwards.cases_closed for part in single),
        shares=tuple(_share(name, single) for name in gateways),
        disagreements=tuple(found),
    )


def disagreements(evidence: Evidence) -> Iterator[str]:
    """Everything that does not fit in one checkout (its legs are looked at one by one), in sentences."""
    yield from _row_by_row(evidence)
    yield from _as_stated(evidence)
    yield from _in_its_place(evidence)
    yield from _at_most_once(evidence)
    yield from _standings(evidence)
    yield from _workflows(evidence)
    yield from _state_fits_money(evidence)
    yield from unfitting(evidence)


def _strays(booked: Iterable[Booked], known: Set[str]) -> Iterator[Disagreement]:
    """Money that moved for nobody whom we asked about."""
    for row in booked:
        if row.checkout_id not in known:
            yield Disagreement(row.checkout_id or "no checkout", f"{row.what}: of nobody's asking")


def _movements(evidence: Evidence) -> set[object]:
    return set(evidence.moved) | set(evidence.ledger)


def _share(gateway: str, all_of_it: Sequence[Evidence]) -> Share:
    here = [part for part in all_of_it if part.at == gateway]
    rows = sum(m.gateway == gateway for part in all_of_it for m in {*part.moved, *part.ledger})
    charges = sum(m.gateway == gateway and m.kind is Kind.TAKE for part in all_of_it for m in part.moved)
    return Share(gateway, len(here), rows, charges)


def _double_charges(evidence: Evidence) -> int:
    """Takings that nobody asked for, whichever gateways they were at; a split checkout itself may have none."""
    if evidence.legs:
        own = sum(movement.kind is Kind.TAKE for movement in evidence.moved)
        return own + sum(_double_charges(leg) for leg in evidence.legs)
    takes = _takes(evidence)
    beyond = max(0, len(takes) - len(evidence.asked))
    if evidence.parts:
        unasked = Counter(m.amount_minor for m in takes) - Counter(evidence.parts)
        # Parts belong to one payment, and never to more than was agreed on, whatever was asked for.
        astray = len({(m.gateway, m.reference) for m in takes}) > 1 or _sum(takes) > evidence.amount_minor
        beyond = max(beyond, unasked.total(), astray)
    return beyond


def _takes(evidence: Evidence) -> list[Movement]:
    return [movement for movement in evidence.moved if movement.kind is Kind.TAKE]


def _sum(movements: Iterable[Movement]) -> int:
    return sum(movement.amount_minor for movement in movements)


def _row_by_row(evidence: Evidence) -> Iterator[str]:
    """Each movement stands as often in the gateways' books as in ours."""
    moved, ledger = Counter(evidence.moved), Counter(evidence.ledger)
    for movement in dict.fromkeys((*evidence.moved, *evidence.ledger)):
        if moved[movement] != ledger[movement]:
            yield f"{movement}: {moved[movement]} times at the gateway, {ledger[movement]} times in the ledger"


def _as_stated(evidence: Evidence) -> Iterator[str]:
    """A gateway's API says of the payment what its books say, in all: some tell of several takings as of one."""
    for gateway, stated in evidence.stated.items():
        told = _totals(stated)
        booked = _totals(m for m in evidence.moved if m.gateway == gateway and m.kind is Kind.TAKE)
        for movement in told - booked:
            yield f"{movement}: the gateway's API states it, its books do not have it"
        for movement in booked - told:
            yield f"{movement}: the gateway's API does not state it, its books have it"


def _totals(takes: Iterable[Movement]) -> set[Movement]:
    """One movement for each payment, over all that was taken of it."""
    sums: Counter[Movement] = Counter()
    for take in takes:
        sums[replace(take, amount_minor=0)] += take.amount_minor
    return {replace(take, amount_minor=total) for take, total in sums.items()}


def _in_its_place(evidence: Evidence) -> Iterator[str]:
    """Money moves where the payment is and nowhere else; a gateway that was left has nothing at all."""
    for gateway in dict.fromkeys(movement.gateway for movement in evidence.moved):
        if gateway != evidence.at:
            yield f"money moved at {gateway}, its payment is at {evidence.at}"
    for gateway in evidence.left:
        if count := evidence.payments.get(gateway, 0):
            yield f"{gateway} was left because nothing had happened there, and has {count} payments"


def _at_most_once(evidence: Evidence) -> Iterator[str]:
    takes = [movement.amount_minor for movement in _takes(evidence)]
    returned = (Kind.REFUND, Kind.REFUND_BACK, Kind.WITHDRAWN, Kind.REINSTATED)
    given, back, withdrawn, reinstated = (_sum(m for m in evidence.moved if m.kind is kind) for kind in returned)
    if (payments := sum(evidence.payments.values())) > 1:
        yield f"the gateways have {payments} payments for one checkout"
    if len(takes) > len(evidence.asked):
        yield f"charged {len(takes)} times"
    if len({(movement.gateway, movement.reference) for movement in _takes(evidence)}) > 1:
        yield "charged on several payments"
    if sum(takes) > evidence.amount_minor:
        yield f"charged {sum(takes)} in all, the checkout is over {evidence.amount_minor}"
    if unasked := Counter(takes) - Counter(evidence.asked) if evidence.parts else set(takes) - {evidence.amount_minor}:
        asked = " and ".join(map(str, evidence.asked))
        yield f"charged {tuple(takes)}, asked was {asked}: nobody asked for {' and '.join(map(str, unasked))}"
    if given - back + withdrawn - reinstated > sum(takes):
        yield f"given back {given - back}, withdrawn {withdrawn - reinstated}, more than was taken"


def _standings(evidence: Evidence) -> Iterator[str]:
    """The API's answer, the timeline's last row and the postings' sums are one."""
    last = evidence.timeline[-1].state if evidence.timeline else "nothing"
    if last != evidence.api.state:
        yield f"the API says {evidence.api.state}, the timeline ends with {last}"
    captured = evidence.on_books(Kind.TAKE) - evidence.on_books(Kind.TAKE_BACK)
    refunded = evidence.on_books(Kind.REFUND_FINAL)
    out = evidence.on_books(Kind.WITHDRAWN) - evidence.on_books(Kind.REINSTATED)
    if out != evidence.afterwards.withdrawn_minor:
        yield f"the API says {evidence.afterwards.withdrawn_minor} is withdrawn, the postings {out}"
    if (evidence.api.captured_minor, evidence.api.refunded_minor) != (captured, refunded):
        yield f"the API says {evidence.api}, the postings captured {captured}, refunded {refunded}"
    if evidence.legs and sum(leg.amount_minor for leg in evidence.legs) != evidence.amount_minor:
        yield f"its tenders are {[leg.amount_minor for leg in evidence.legs]}, asked was {evidence.amount_minor}"


def _workflows(evidence: Evidence) -> Iterator[str]:
    if not evidence.workflows:
        yield "it has no workflow"
        return
    for workflow in evidence.workflows:
        if workflow.status != "COMPLETED":
            yield f"workflow {workflow.workflow_id} is {workflow.status}"
    told = [workflow for workflow in evidence.workflows if workflow.standing is not None]
    # The workflow of a split checkout moves no money: its word is the state alone, the sums are its tenders'.
    wanted = Standing(evidence.api.state, 0, 0) if evidence.legs else evidence.api
    if told and not _ended_as(told[-1].standing, wanted, evidence):
        yield f"workflow {told[-1].workflow_id} ended with {told[-1].standing}; the API says {evidence.api}"


def _ended_as(said: Standing | None, wanted: Standing, evidence: Evidence) -> bool:
    """Whether that was its last word. What is refunded after the sale comes after it, bit by bit."""
    if said is None or not evidence.afterwards.refunds:
        return said in (None, wanted)
    later = evidence.afterwards.refunded_minor
    same = (said.state, said.captured_minor) == (wanted.state, wanted.captured_minor)
    return same and wanted.refunded_minor - later <= said.refunded_minor


def _state_fits_money(evidence: Evidence) -> Iterator[str]:
    """What the gateways kept and hold is what the state says; judged by their own books alone."""
    taken = evidence.kept_at_gateways()
    returned = sum(evidence.at_gateways(Kind.REFUND_FINAL))
    if (wanted := _wanted(evidence, taken)) is None:
        yield f"it has not ended: {evidence.api}"
    elif (taken, returned) != (wanted.captured_minor, wanted.refunded_minor):
        yield f"it is {wanted.state}, but the gateway took {taken} and gave back {returned}"
    held = sum(evidence.at_gateways(Kind.HOLD)) - sum(evidence.at_gateways(Kind.RELEASE))
    if held > taken:
        yield f"the gateway still holds {held - taken}"


def _wanted(evidence: Evidence, taken: int) -> Standing | None:
    """What the gateways must show for the state that the API tells; None for a state that is no end."""
    state, amount = evidence.api.state, evidence.amount_minor
    if state == "completed":
        # What the shop gave back afterwards leaves the sale a sale.
        return Standing(state, sum(evidence.parts) or amount, evidence.afterwards.refunded_minor)
    if state == "refunded":
        # Of a split checkout only those tenders are given back that had been taken.
        back = taken if evidence.legs else amount
        return Standing(state, back, back)
    return Standing(state, 0, 0) if state in _KEPT_NOTHING else None
