"""The demo's check of what comes after a sale: parts, refunds, disputes and cases, and each way they can disagree."""

from dataclasses import replace

import pytest

from devstack.demo.agreement import compare, disagreements
from devstack.demo.evidence import (
    Afterwards,
    Disputed,
    Evidence,
    Kind,
    Movement,
    Refunded,
    Standing,
    WorkflowEnd,
    still_final,
)
from devstack.demo.promise import COMPLETED, Promise, broken
from tests.devstack.test_demo_agreement import NAMES, SOLD, TAKE, evidence

OWN = "checkout/chk_1"


def moved(kind: Kind, reference: str, minor: int, gateway: str = "stripe") -> Movement:
    """A movement in dollars."""
    return Movement(kind, gateway, reference, minor, "USD")


def sale(
    *movements: Movement, afterwards: Afterwards, refunded: int = 0, words: dict[str, str] | None = None
) -> Evidence:
    """A sale over 42 dollars after which this moved, on which all agree; its own workflow ended before that."""
    sold = evidence("completed", TAKE, *movements, captured=4200, refunded=refunded)
    own = WorkflowEnd(OWN, "run-1", "COMPLETED", Standing("completed", 4200, 0))
    later = tuple(WorkflowEnd(id_, "run-2", "COMPLETED", None, word) for id_, word in (words or {}).items())
    return replace(sold, afterwards=afterwards, workflows=(own, *later))


def given(reference: str, minor: int, *more: Kind) -> tuple[Movement, ...]:
    """A refund at the gateway, done or with what became of it instead."""
    return tuple(moved(kind, reference, minor) for kind in (Kind.REFUND, *(more or (Kind.REFUND_FINAL,))))


TWICE = sale(
    *given("re_1", 1000),
    *given("re_2", 1000),
    afterwards=Afterwards((Refunded("rfd_1", "re_1", "succeeded", 1000), Refunded("rfd_2", "re_2", "succeeded", 1000))),
    refunded=2000,
    words={"refund/rfd_1": "succeeded", "refund/rfd_2": "succeeded"},
)
CAME_BACK = sale(
    *given("re_1", 4200, Kind.REFUND_BACK),
    afterwards=Afterwards((Refunded("rfd_1", "re_1", "failed", 4200),), cases_closed=1),
    words={"refund/rfd_1": "succeeded"},
)
LOST = sale(
    *given("re_1", 1200),
    moved(Kind.WITHDRAWN, "dp_1", 3000),
    afterwards=Afterwards((Refunded("rfd_1", "re_1", "succeeded", 1200),), (Disputed("dsp_1", "dp_1", "lost", 3000),)),
    refunded=1200,
    words={"refund/rfd_1": "succeeded", "dispute/dsp_1": "lost"},
)
WON = sale(
    moved(Kind.WITHDRAWN, "dp_1", 4200),
    moved(Kind.REINSTATED, "dp_1", 4200),
    afterwards=Afterwards(disputes=(Disputed("dsp_1", "dp_1", "won", 0),)),
    words={"dispute/dsp_1": "won"},
)


def in_parts(*parts: int, captured: tuple[int, ...] | None = None, released: int = 0) -> Evidence:
    """A hold of 42 dollars of which the shop asked for these parts; the gateway took `captured`, or just those."""
    takes = [moved(Kind.TAKE, "pi_1", minor) for minor in (captured or parts)]
    rest = [moved(Kind.RELEASE, "pi_1", released)] if released else []
    everything = (moved(Kind.HOLD, "pi_1", 4200), *takes, *rest)
    total = sum(captured or parts)
    stated = {"stripe": (moved(Kind.TAKE, "pi_1", total),)}
    return replace(evidence("completed", *everything, captured=total), parts=parts, stated=stated)


PARTS = in_parts(1000, 1000, 1500, released=700)


@pytest.mark.parametrize("good", [TWICE, CAME_BACK, LOST, WON, PARTS])
def test_what_fits_passes(good: Evidence) -> None:
    """Refunds, a refund that came back, disputes and parts as the gateways, the API and the workflows tell them."""
    found = compare([good], NAMES)
    assert found.disagreements == ()
    assert found.double_charges == 0


def _without(good: Evidence, *kinds: Kind) -> Evidence:
    """Neither the gateway nor the ledger has these movements."""
    left = tuple(movement for movement in good.moved if movement.kind not in kinds)
    return replace(good, moved=left, ledger=left)


def _with(good: Evidence, *movements: Movement) -> Evidence:
    """Both have these besides."""
    return replace(good, moved=(*good.moved, *movements), ledger=(*good.ledger, *movements))


def _later(good: Evidence, **changes: object) -> Evidence:
    return replace(good, afterwards=replace(good.afterwards, **changes))  # type: ignore[arg-type] # its own fields


def _ends(good: Evidence, workflow_id: str, **changes: object) -> Evidence:
    """One of its workflows ended otherwise."""
    ends = (
        replace(end, **changes) if end.workflow_id == workflow_id else end  # type: ignore[arg-type] # its own fields
        for end in good.workflows
    )
    return replace(good, workflows=tuple(ends))


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (_with(TWICE, *given("re_2", 1000)), "rfd_2 has succeeded, at the gateway: 2 times refund"),
        (_without(TWICE, Kind.REFUND_FINAL), "rfd_1 has succeeded, at the gateway: 0 times refund final"),
        (_with(TWICE, *given("re_9", 100)), "no refund and no dispute of ours tells of it"),
        (_later(TWICE, refunds=TWICE.afterwards.refunds[:1]), "(re_2): no refund and no dispute of ours"),
        (
            _later(
                TWICE, refunds=(replace(TWICE.afterwards.refunds[0], amount_minor=900), *TWICE.afterwards.refunds[1:])
            ),
            "rfd_1 is over 900, the gateway has a refund of 1000",
        ),
        (
            _later(
                TWICE, refunds=(replace(TWICE.afterwards.refunds[0], status="pending"), *TWICE.afterwards.refunds[1:])
            ),
            "rfd_1 is still pending",
        ),
        (replace(TWICE, api=Standing("completed", 4200, 1000)), "the postings captured 4200, refunded 2000"),
        (replace(TWICE, workflows=TWICE.workflows[:2]), "there is no workflow refund/rfd_2"),
        (_ends(TWICE, "refund/rfd_2", word="failed"), "workflow refund/rfd_2 ended with failed"),
        (_ends(TWICE, "refund/rfd_2", status="RUNNING"), "workflow refund/rfd_2 is RUNNING"),
        (_ends(TWICE, OWN, standing=Standing("completed", 4100, 0)), "ended with completed, captured 4100"),
        (_ends(TWICE, OWN, standing=Standing("refunded", 4200, 0)), "ended with refunded"),
        (_without(CAME_BACK, Kind.REFUND_BACK), "rfd_1 has failed, its money has not come back"),
        (_with(CAME_BACK, moved(Kind.REFUND_BACK, "re_1", 4200)), "was given 1 times and came back 2 times"),
        (_later(CAME_BACK, cases_open=1), "1 cases still wait for a person"),
        (_ends(CAME_BACK, "refund/rfd_1", word="pending"), "workflow refund/rfd_1 ended with pending"),
        (_with(LOST, moved(Kind.WITHDRAWN, "dp_1", 1200)), "withdrawn 4200, more than was taken"),
        (_without(LOST, Kind.WITHDRAWN), "dsp_1 has 3000 withdrawn, at the gateway 0 is out for it"),
        (
            replace(LOST, ledger=_without(LOST, Kind.WITHDRAWN).ledger),
            "withdrawn of 3000 USD at stripe (dp_1): 1 times at",
        ),
        (_later(LOST, disputes=()), "the API says 0 is withdrawn, the postings 3000"),
        (
            _later(LOST, disputes=(replace(LOST.afterwards.disputes[0], state="under_review"),)),
            "dsp_1 is under_review, nothing is decided",
        ),
        (_ends(LOST, "dispute/dsp_1", word="won"), "workflow dispute/dsp_1 ended with won, the API says lost"),
        (_without(WON, Kind.REINSTATED), "dsp_1 is won, and 4200 is still withdrawn"),
        (_with(SOLD, moved(Kind.WITHDRAWN, "dp_7", 10)), "(dp_7): no refund and no dispute of ours tells of it"),
        (in_parts(1000, 1000, 1500), "the gateway still holds 700"),
        (in_parts(1000, 1000, 1500, captured=(1000, 1000, 1000), released=1200), "nobody asked for 1000"),
        (in_parts(1000, captured=(1000, 1000), released=2200), "charged 2 times"),
        (
            replace(PARTS, stated={"stripe": (moved(Kind.TAKE, "pi_1", 2500),)}),
            "take of 2500 USD at stripe (pi_1): the gateway",
        ),
        (replace(PARTS, parts=()), "charged 3 times"),
    ],
)
def test_what_does_not_fit_is_found(bad: Evidence, said: str) -> None:
    """Each way in which what came after a sale can disagree is named."""
    assert any(said in what for what in disagreements(bad)), list(disagreements(bad))


@pytest.mark.parametrize(
    ("bad", "times"),
    [
        (in_parts(1000, captured=(1000, 1000), released=2200), 1),
        (in_parts(1000, 1000, captured=(1000, 1000, 1000, 1000), released=200), 2),
        (in_parts(1000, 1500, captured=(1000, 1000), released=2200), 1),
        (in_parts(2000, 2000, 2000), 1),
        (_with(in_parts(1000, 1000, released=2200), moved(Kind.TAKE, "pi_2", 1000)), 1),
        (
            replace(PARTS, moved=(*PARTS.moved[:1], moved(Kind.TAKE, "ord_1", 1000, "paypal"), *PARTS.moved[2:])),
            1,
        ),
        (replace(PARTS, parts=()), 2),
    ],
)
def test_parts_that_nobody_asked_for_are_double_charges(bad: Evidence, times: int) -> None:
    """A part taken twice, instead of another, on another payment, or beyond the amount: asking in parts hides none."""
    found = compare([bad], NAMES)
    assert found.double_charges == times
    assert found.disagreements


def test_figures_count_what_came_after() -> None:
    """Refunds, disputes, closed cases and their workflows are counted."""
    found = compare([TWICE, CAME_BACK, LOST, WON, PARTS], NAMES)
    assert (found.refunds, found.disputes, found.cases) == (4, 2, 1)
    assert found.workflows == 3 + 2 + 3 + 2 + 1
    assert (found.charges, found.double_charges) == (4 + 3, 0)


def test_a_refund_that_came_back_was_never_final() -> None:
    """Also where it had counted as done: a gateway that failed it says nothing of that any more."""
    back = moved(Kind.REFUND_BACK, "re_1", 1000)
    assert still_final((*given("re_1", 1000), back)) == (moved(Kind.REFUND, "re_1", 1000), back)
    assert still_final((*given("re_1", 1000), replace(back, reference="re_2")))[1].kind is Kind.REFUND_FINAL


@pytest.mark.parametrize(
    ("promise", "seen"),
    [
        (Promise("completed", taken=True, amounts={Kind.REFUND_FINAL: (1000, 1000)}), TWICE),
        (Promise("completed", taken=True, amounts={Kind.REFUND_BACK: (4200,)}, cases=1), CAME_BACK),
        (
            Promise(
                "completed",
                taken=True,
                amounts={Kind.REFUND_FINAL: (1200,), Kind.WITHDRAWN: (3000,)},
                disputes=("lost",),
            ),
            LOST,
        ),
        (
            Promise("completed", held=True, amounts={Kind.TAKE: (1500, 1000, 1000), Kind.RELEASE: (700,)}),
            PARTS,
        ),
    ],
)
def test_a_promise_of_amounts_is_kept(promise: Promise, seen: Evidence) -> None:
    """What moves after a sale is promised by its amounts, in whatever order it happens."""
    assert list(broken(promise, seen)) == []


@pytest.mark.parametrize(
    ("promise", "seen", "said"),
    [
        (COMPLETED, TWICE, "refund final at the gateway: 1000 and 1000, promised nothing"),
        (COMPLETED, CAME_BACK, "refund came back at the gateway: 4200, promised nothing"),
        (COMPLETED, CAME_BACK, "1 cases were closed, promised 0"),
        (COMPLETED, LOST, "withdrawn at the gateway: 3000, promised nothing"),
        (COMPLETED, WON, "reinstated at the gateway: 4200, promised nothing"),
        (COMPLETED, WON, "disputes won, promised none"),
        (Promise("completed", taken=True, disputes=("lost",)), WON, "disputes won, promised lost"),
        (Promise("completed", taken=True, cases=1), SOLD, "0 cases were closed, promised 1"),
        (COMPLETED, PARTS, "take at the gateway: 1000 and 1000 and 1500, promised 4200"),
        (COMPLETED, PARTS, "release at the gateway: 700, promised nothing"),
    ],
)
def test_a_promise_of_amounts_that_is_broken_is_named(promise: Promise, seen: Evidence, said: str) -> None:
    """What was not promised must not move."""
    assert any(said in what for what in broken(promise, seen)), list(broken(promise, seen))
