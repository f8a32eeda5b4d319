"""The demo's agreement check: it passes what agrees and finds every kind of disagreement, also across gateways."""

from dataclasses import replace

import pytest

from devstack.demo.agreement import Booked, Share, compare, disagreements
from devstack.demo.evidence import Evidence, Kind, Learnt, Movement, Standing, WorkflowEnd
from devstack.demo.promise import CAPTURED, COMPLETED, REFUNDED, VOIDED, Promise, broken

NAMES = ("stripe", "paypal", "adyen")
TAKE = Movement(Kind.TAKE, "stripe", "pi_1", 4200, "USD")
HOLD = Movement(Kind.HOLD, "stripe", "pi_1", 4200, "USD")
RELEASE = Movement(Kind.RELEASE, "stripe", "pi_1", 4200, "USD")
BACK = Movement(Kind.REFUND, "stripe", "re_1", 4200, "USD")
FINAL = Movement(Kind.REFUND_FINAL, "stripe", "re_1", 4200, "USD")
ELSEWHERE = replace(TAKE, gateway="paypal", reference="5O190127TN364715T")


def evidence(state: str, *moved: Movement, captured: int = 0, refunded: int = 0) -> Evidence:
    """Evidence on which all agree."""
    standing = Standing(state, captured, refunded)
    return Evidence(
        checkout_id="chk_1",
        order_id="order-1",
        amount_minor=4200,
        currency="USD",
        at="stripe",
        payments={"stripe": 1, "paypal": 0, "adyen": 0},
        attempts=1,
        moved=moved,
        ledger=moved,
        api=standing,
        timeline=(Learnt("processing", "api"), Learnt("paid", "webhook:evt_1"), Learnt(state, "api")),
        workflows=(WorkflowEnd("checkout/chk_1", "run-1", "COMPLETED", standing),),
        stated={"stripe": tuple(movement for movement in moved if movement.kind is Kind.TAKE)},
    )


def moved_to(gateway: str, one: Evidence, amount_minor: int, checkout_id: str) -> Evidence:
    """The same story at another gateway, over another amount."""

    def there(movements: tuple[Movement, ...]) -> tuple[Movement, ...]:
        return tuple(replace(each, gateway=gateway, amount_minor=amount_minor) for each in movements)

    def scaled(standing: Standing) -> Standing:
        captured, refunded = (
            amount_minor if minor else 0 for minor in (standing.captured_minor, standing.refunded_minor)
        )
        return Standing(standing.state, captured, refunded)

    return replace(
        one,
        checkout_id=checkout_id,
        amount_minor=amount_minor,
        at=gateway,
        payments={gateway: 1},
        moved=there(one.moved),
        ledger=there(one.ledger),
        stated={},
        api=scaled(one.api),
        workflows=(WorkflowEnd(f"checkout/{checkout_id}", "run-1", "COMPLETED", scaled(one.api)),),
    )


def split(state: str, *legs: Evidence, captured: int = 0, refunded: int = 0) -> Evidence:
    """A split checkout on which all agree; it moves nothing itself."""
    whole = evidence(state, captured=captured, refunded=refunded)
    workflow = replace(whole.workflows[0], standing=Standing(state, 0, 0))
    return replace(whole, at="split", payments={}, legs=legs, workflows=(workflow,))


SOLD = evidence("completed", TAKE, captured=4200)
GIVEN_BACK = evidence("refunded", TAKE, BACK, FINAL, captured=4200, refunded=4200)
RELEASED = evidence("canceled", HOLD, RELEASE)
FAILED_OVER = replace(
    moved_to("paypal", SOLD, 4200, "chk_1"), left=("stripe",), payments={"stripe": 0, "paypal": 1}, attempts=None
)
SPLIT = split(
    "completed",
    moved_to("stripe", SOLD, 3000, "chk_2"),
    moved_to("adyen", SOLD, 1200, "chk_3"),
    captured=4200,
)
SPLIT_UNDONE = split(
    "refunded",
    moved_to("stripe", GIVEN_BACK, 3000, "chk_2"),
    moved_to("adyen", RELEASED, 1200, "chk_3"),
    captured=3000,
    refunded=3000,
)


@pytest.mark.parametrize("good", [SOLD, GIVEN_BACK, RELEASED, evidence("expired"), FAILED_OVER, SPLIT, SPLIT_UNDONE])
def test_agreeing_parties_pass(good: Evidence) -> None:
    """Where all say the same and the state fits the money there is nothing to find, whichever gateways it took."""
    assert compare([good], NAMES).disagreements == ()


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
        (replace(SOLD, payments={"stripe": 2}), "2 payments for one checkout"),
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
        (replace(SOLD, stated={"stripe": ()}), "the gateway's API does not state it"),
        (replace(SOLD, stated={"stripe": (TAKE, replace(TAKE, reference="pi_2"))}), "its books do not have it"),
        (evidence("completed", TAKE, ELSEWHERE, captured=8400), "charged 2 times"),
        (evidence("completed", ELSEWHERE, captured=4200), "money moved at paypal, its payment is at stripe"),
        (replace(SOLD, ledger=(replace(TAKE, gateway="paypal"),)), "take of 4200 USD at paypal (pi_1): 0 times at"),
        (replace(SOLD, payments={"stripe": 1, "paypal": 1}), "2 payments for one checkout"),
        (replace(FAILED_OVER, payments={"stripe": 1, "paypal": 1}), "stripe was left because nothing had happened"),
        (replace(FAILED_OVER, moved=(*FAILED_OVER.moved, HOLD)), "money moved at stripe, its payment is at paypal"),
        (replace(SPLIT, amount_minor=4300), "its tenders are [3000, 1200], asked was 4300"),
        (replace(SPLIT, legs=SPLIT.legs[:1]), "the postings captured 3000"),
        (replace(SPLIT, moved=(TAKE,), ledger=(TAKE,)), "money moved at stripe, its payment is at split"),
        (
            split("completed", SPLIT.legs[0], moved_to("adyen", RELEASED, 1200, "chk_3"), captured=3000),
            "it is completed, but the gateway took 3000",
        ),
        (
            split("refunded", *SPLIT_UNDONE.legs[:1], SPLIT.legs[1], captured=4200, refunded=3000),
            "it is refunded, but the gateway took 4200 and gave back 3000",
        ),
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


def test_the_workflow_of_a_split_checkout_tells_its_state_alone() -> None:
    """It moves nothing, so it has no sums to tell; another state than the API's is a disagreement all the same."""
    for standing, agrees in ((Standing("completed", 0, 0), True), (Standing("expired", 0, 0), False)):
        workflow = replace(SPLIT.workflows[0], standing=standing)
        assert (list(disagreements(replace(SPLIT, workflows=(workflow,)))) == []) is agrees


def test_figures_count_what_was_compared() -> None:
    """Rows are counted once whether both have them or one; a double charge shows as such and names its checkout."""
    double = replace(evidence("completed", TAKE, replace(TAKE, reference="pi_2"), captured=8400), checkout_id="chk_2")
    found = compare([SOLD, GIVEN_BACK, replace(SOLD, ledger=()), double], NAMES)
    assert (found.checkouts, found.rows, found.charges, found.double_charges) == (4, 1 + 3 + 1 + 2, 5, 1)
    assert found.workflows == 4
    assert "chk_2" in {each.checkout_id for each in found.disagreements}


def test_a_double_charge_is_judged_across_gateways() -> None:
    """One checkout charged once at each of two gateways is charged twice; two tenders charged once each are not."""
    twice = replace(evidence("completed", TAKE, ELSEWHERE, captured=8400), checkout_id="chk_2")
    assert compare([twice], NAMES).double_charges == 1
    assert compare([SPLIT, FAILED_OVER], NAMES).double_charges == 0
    leg = replace(SPLIT.legs[0], moved=(*SPLIT.legs[0].moved, ELSEWHERE))
    assert compare([replace(SPLIT, legs=(leg, SPLIT.legs[1]))], NAMES).double_charges == 1
    assert compare([replace(SPLIT, moved=(TAKE,))], NAMES).double_charges == 1


def test_money_that_moved_for_nobody_is_found() -> None:
    """What is on a gateway's books must be some checkout's, a tender's included; one that names none is nobody's."""
    known = [Booked("chk_1", "take"), Booked("chk_2", "take"), Booked("chk_3", "take")]
    assert compare([SPLIT], NAMES, known).disagreements == ()
    found = compare([SPLIT], NAMES, [*known, Booked("chk_9", "take of 1 USD"), Booked(None, "hold")]).disagreements
    assert [(each.checkout_id, each.what) for each in found] == [
        ("chk_9", "take of 1 USD: of nobody's asking"),
        ("no checkout", "hold: of nobody's asking"),
    ]


def test_every_gateway_has_its_share() -> None:
    """Payments, movements and charges are counted where they were, tenders each at their own gateway."""
    found = compare([SOLD, GIVEN_BACK, FAILED_OVER, SPLIT, SPLIT_UNDONE], NAMES)
    shares = (Share("stripe", 4, 1 + 3 + 1 + 3, 4), Share("paypal", 1, 1, 1), Share("adyen", 2, 1 + 2, 1))
    assert found.shares == shares
    assert (found.checkouts, found.rows) == (5, sum(share.rows for share in shares))


def test_a_disagreement_in_a_tender_is_found() -> None:
    """The legs of a split checkout are looked at like any other checkout, and named by their own ids."""
    leg = replace(SPLIT.legs[1], ledger=())
    found = compare([replace(SPLIT, legs=(SPLIT.legs[0], leg))], NAMES).disagreements
    assert any(each.checkout_id == "chk_3" and "0 times in the ledger" in each.what for each in found)


@pytest.mark.parametrize(
    ("promise", "kept"),
    [
        (COMPLETED, SOLD),
        (REFUNDED, GIVEN_BACK),
        (VOIDED, RELEASED),
        (CAPTURED, evidence("completed", HOLD, TAKE, captured=4200)),
        (Promise("completed", taken=True, cause="webhook"), SOLD),
        (Promise("completed", taken=True, at="paypal", left=("stripe",), attempts=3), FAILED_OVER),
        (Promise("completed", legs=(COMPLETED, COMPLETED)), SPLIT),
        (Promise("refunded", legs=(REFUNDED, VOIDED)), SPLIT_UNDONE),
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
        (Promise("completed", taken=True, at="paypal"), SOLD, "its payment is at stripe, promised paypal"),
        (COMPLETED, FAILED_OVER, "left stripe, promised none"),
        (Promise("completed", taken=True, left=("paypal",)), SOLD, "left no gateway, promised paypal"),
        (Promise("completed", legs=(COMPLETED,)), SPLIT, "it has 2 tenders, promised 1"),
        (Promise("completed", legs=(COMPLETED, VOIDED)), SPLIT, "tender 2 (adyen): ended completed, promised canceled"),
        (COMPLETED, SPLIT, "it has 2 tenders, promised 0"),
    ],
)
def test_a_broken_promise_is_named(promise: Promise, seen: Evidence, said: str) -> None:
    """Each part of a promise is checked, against the gateway's own books where money is meant."""
    assert any(said in what for what in broken(promise, seen)), list(broken(promise, seen))
