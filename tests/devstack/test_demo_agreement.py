"""The demo's agreement check: it passes what agrees and finds every kind of disagreement."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from devstack.demo.agreement import compare, disagreements
from devstack.demo.evidence import Evidence, Kind, Learnt, Movement, Standing, WorkflowEnd
from devstack.demo.promise import CAPTURED, COMPLETED, REFUNDED, VOIDED, Promise, broken
from devstack.demo.witnesses import movements_of
from domain import postings
from domain.money import Money
from ledger.contract import PostingRow

TAKE = Movement(Kind.TAKE, "pi_1", 4200, "USD")
HOLD = Movement(Kind.HOLD, "pi_1", 4200, "USD")
RELEASE = Movement(Kind.RELEASE, "pi_1", 4200, "USD")
BACK = Movement(Kind.REFUND, "re_1", 4200, "USD")
FINAL = Movement(Kind.REFUND_FINAL, "re_1", 4200, "USD")


def evidence(state: str, *moved: Movement, captured: int = 0, refunded: int = 0) -> Evidence:
    """Evidence on which all agree."""
    standing = Standing(state, captured, refunded)
    return Evidence(
        checkout_id="chk_1",
        order_id="order-1",
        amount_minor=4200,
        currency="USD",
        payments=1,
        attempts=1,
        gateway=moved,
        ledger=moved,
        api=standing,
        timeline=(Learnt("processing", "api"), Learnt("paid", "webhook:evt_1"), Learnt(state, "api")),
        workflows=(WorkflowEnd("checkout/chk_1", "run-1", "COMPLETED", standing),),
    )


SOLD = evidence("completed", TAKE, captured=4200)
GIVEN_BACK = evidence("refunded", TAKE, BACK, FINAL, captured=4200, refunded=4200)
RELEASED = evidence("canceled", HOLD, RELEASE)


@pytest.mark.parametrize("good", [SOLD, GIVEN_BACK, RELEASED, evidence("expired")])
def test_agreeing_parties_pass(good: Evidence) -> None:
    """Where all say the same and the state fits the money there is nothing to find."""
    assert list(disagreements(good)) == []


def test_a_workflow_that_took_over_has_the_last_word() -> None:
    """Late money: the first workflow ended as expired, the second as refunded, and that is what counts."""
    expired = WorkflowEnd("checkout/chk_1", "run-1", "COMPLETED", Standing("expired", 0, 0))
    late = WorkflowEnd("late/chk_1", "run-2", "COMPLETED", GIVEN_BACK.api)
    assert list(disagreements(replace(GIVEN_BACK, workflows=(expired, late)))) == []
    assert list(disagreements(replace(GIVEN_BACK, workflows=(late, expired)))) != []


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (replace(SOLD, ledger=()), "1 times at the gateway, 0 times in the ledger"),
        (replace(evidence("expired"), ledger=(TAKE,)), "0 times at the gateway, 1 times in the ledger"),
        (replace(SOLD, ledger=(TAKE, TAKE)), "1 times at the gateway, 2 times in the ledger"),
        (replace(SOLD, ledger=(replace(TAKE, amount_minor=4199),)), "take of 4199 USD"),
        (replace(SOLD, ledger=(replace(TAKE, currency="EUR"),)), "take of 4200 EUR"),
        (replace(SOLD, ledger=(replace(TAKE, reference="pi_2"),)), "(pi_2)"),
        (evidence("completed", TAKE, TAKE, captured=8400), "charged 2 times"),
        (evidence("completed", replace(TAKE, amount_minor=100), captured=100), "charged (100,), asked was 4200"),
        (replace(SOLD, payments=2), "2 payments for one checkout"),
        (evidence("refunded", TAKE, BACK, FINAL, BACK, FINAL, captured=4200, refunded=8400), "more than was taken"),
        (replace(SOLD, api=Standing("completed", 0, 0)), "the postings captured 4200"),
        (replace(GIVEN_BACK, api=Standing("refunded", 4200, 0)), "refunded 4200"),
        (replace(SOLD, timeline=(Learnt("paid", "poll"),)), "the timeline ends with paid"),
        (replace(SOLD, timeline=()), "the timeline ends with nothing"),
        (replace(SOLD, workflows=()), "no workflow"),
        (evidence("completed"), "but the gateway took 0"),
        (evidence("expired", TAKE, captured=4200), "but the gateway took 4200"),
        (evidence("completed", TAKE, BACK, FINAL, captured=4200, refunded=4200), "gave back 4200"),
        (evidence("refunded", TAKE, BACK, captured=4200), "gave back 0"),
        (evidence("canceled", HOLD), "still holds 4200"),
        (evidence("paid", TAKE, captured=4200), "has not ended"),
    ],
)
def test_every_disagreement_is_found(bad: Evidence, said: str) -> None:
    """Each way in which two parties can differ, or agree on what must not be, is named."""
    assert any(said in what for what in disagreements(bad)), list(disagreements(bad))


@pytest.mark.parametrize(
    ("status", "standing", "said"),
    [
        ("RUNNING", None, "is RUNNING"),
        ("FAILED", None, "is FAILED"),
        ("COMPLETED", Standing("expired", 0, 0), "ended with expired"),
        ("COMPLETED", Standing("completed", 1, 0), "captured 1"),
    ],
)
def test_workflows_must_end_as_the_books_say(status: str, standing: Standing | None, said: str) -> None:
    """A workflow that runs on, failed, or ended with another word than the API's is a disagreement."""
    bad = replace(SOLD, workflows=(WorkflowEnd("checkout/chk_1", "run-1", status, standing),))
    assert any(said in what for what in disagreements(bad))


def test_figures_count_what_was_compared() -> None:
    """Rows are counted once whether both have them or one; a double charge shows as such and names its checkout."""
    double = replace(evidence("completed", TAKE, TAKE, captured=8400), checkout_id="chk_2")
    found = compare([SOLD, GIVEN_BACK, replace(SOLD, ledger=()), double])
    assert (found.checkouts, found.rows, found.charges, found.double_charges) == (4, 1 + 3 + 1 + 1, 5, 1)
    assert found.workflows == 4
    assert "chk_2" in {each.checkout_id for each in found.disagreements}


@pytest.mark.parametrize(
    ("promise", "kept"),
    [
        (COMPLETED, SOLD),
        (REFUNDED, GIVEN_BACK),
        (VOIDED, RELEASED),
        (CAPTURED, evidence("completed", HOLD, TAKE, captured=4200)),
        (Promise("completed", taken=True, cause="webhook"), SOLD),
    ],
)
def test_a_kept_promise_passes(promise: Promise, kept: Evidence) -> None:
    """Nothing is said of a promise that was kept."""
    assert list(broken(promise, kept)) == []


@pytest.mark.parametrize(
    ("promise", "seen", "said"),
    [
        (COMPLETED, evidence("expired"), "ended expired, promised completed"),
        (COMPLETED, evidence("completed"), "take at the gateway: nothing, promised 4200"),
        (COMPLETED, evidence("completed", TAKE, TAKE), "take at the gateway: 4200 and 4200, promised 4200"),
        (COMPLETED, evidence("completed", replace(TAKE, amount_minor=1)), "take at the gateway: 1, promised 4200"),
        (CAPTURED, SOLD, "hold at the gateway: nothing, promised 4200"),
        (REFUNDED, evidence("refunded", TAKE), "refund final at the gateway: nothing, promised 4200"),
        (VOIDED, evidence("canceled", HOLD), "release at the gateway: nothing, promised 4200"),
        (COMPLETED, replace(SOLD, attempts=2), "charged 2 times, promised 1"),
        (Promise("completed", taken=True, cause="poll"), SOLD, "learnt by webhook, promised poll"),
    ],
)
def test_a_broken_promise_is_named(promise: Promise, seen: Evidence, said: str) -> None:
    """Each part of a promise is checked, against the gateway's own books where money is meant."""
    assert any(said in what for what in broken(promise, seen)), list(broken(promise, seen))


def test_postings_are_read_as_movements() -> None:
    """Every kind of transaction is one movement, over the amount that its postings say."""
    amount = Money(4200, "USD")
    made = (
        postings.authorize("stripe", "pi_1", amount),
        postings.capture("stripe", "pi_1", amount, held=amount),
        postings.refund("stripe", "re_1", amount),
        postings.refund_settled("stripe", "re_1", amount),
        postings.refund_failed("stripe", "re_1", amount, settled=True),
        postings.void("stripe", "pi_1", amount),
    )
    now = datetime.now(UTC)
    rows = [
        PostingRow(n, f"t{n}", t.kind, t.reference, p.account, p.currency, p.amount_minor, now)
        for n, t in enumerate(made)
        for p in t.postings
    ]
    came_back = Movement(Kind.REFUND_BACK, "re_1", 4200, "USD")
    assert movements_of(rows) == (HOLD, TAKE, BACK, FINAL, came_back, RELEASE)
    turned = [replace(row, amount_minor=-row.amount_minor) for row in rows[:2]]
    assert movements_of(turned) == (replace(HOLD, amount_minor=-4200),)
