"""What became of a dispute is understood from the set of its notifications, whatever their order."""

import itertools
from datetime import UTC, datetime

import pytest

from domain.dispute import DisputeSnapshot, DisputeState
from domain.errors import OutcomeUnknownError
from domain.money import Money
from gateways.adyen import disputes
from tests.gateways.adyen.examples import PRICE
from tests.gateways.adyen.notices import CHECKOUT, PAYMENT, Item, after, done, item, parse, refused, told
from tests.gateways.adyen.notices import body as delivery

DISPUTE = "PSPDISPUTE000001"
NAME = f"{CHECKOUT}:{DISPUTE}"
S = DisputeState
NOTHING = PRICE.zero()
RFI, NOC, TAKEN, BACK, AGAIN = (
    "REQUEST_FOR_INFORMATION",
    "NOTIFICATION_OF_CHARGEBACK",
    "CHARGEBACK",
    "CHARGEBACK_REVERSED",
    "SECOND_CHARGEBACK",
)
ANSWERED, NO_ANSWER, UNANSWERED = (
    "INFORMATION_SUPPLIED",
    "DISPUTE_DEFENSE_PERIOD_ENDED",
    "ISSUER_RESPONSE_TIMEFRAME_EXPIRED",
)


def about(code: str, value: int = 4200, **changes: object) -> Item:
    """One notification about the dispute."""
    more = {"pspReference": DISPUTE, "originalReference": PAYMENT, "amount": {"currency": "USD", "value": value}}
    return item(code, **{"reason": "Not received", **more, **changes})


def dispute(*items: Item) -> DisputeSnapshot:
    """The dispute after these."""
    found = disputes.snapshot(NAME, told(*items), live=False)
    assert found is not None
    return found


LIVES: dict[tuple[str, ...], tuple[DisputeState, Money]] = {
    (RFI,): (S.INQUIRY, NOTHING),
    (RFI, ANSWERED): (S.INQUIRY, NOTHING),
    (RFI, UNANSWERED): (S.WON, NOTHING),
    (RFI, NO_ANSWER): (S.INQUIRY, NOTHING),
    (RFI, NOC, TAKEN): (S.NEEDS_RESPONSE, PRICE),
    (RFI, ANSWERED, NOC, TAKEN): (S.NEEDS_RESPONSE, PRICE),
    (NOC,): (S.NEEDS_RESPONSE, NOTHING),
    (NOC, NO_ANSWER): (S.LOST, NOTHING),
    (NOC, TAKEN): (S.NEEDS_RESPONSE, PRICE),
    (TAKEN,): (S.NEEDS_RESPONSE, PRICE),
    (NOC, TAKEN, ANSWERED): (S.UNDER_REVIEW, PRICE),
    (NOC, TAKEN, NO_ANSWER): (S.LOST, PRICE),
    (TAKEN, ANSWERED, BACK): (S.UNDER_REVIEW, NOTHING),
    (TAKEN, BACK, UNANSWERED): (S.WON, NOTHING),
    (TAKEN, BACK, AGAIN): (S.LOST, PRICE),
    (TAKEN, BACK, AGAIN, "PREARBITRATION_WON"): (S.WON, PRICE),
    (TAKEN, ANSWERED, "PREARBITRATION_LOST"): (S.LOST, PRICE),
    (TAKEN, BACK, "PREARBITRATION_OPEN"): (S.UNDER_REVIEW, NOTHING),
    (TAKEN, BACK, "PREARBITRATION_OPEN", "PREARBITRATION_ISSUER_WITHDRAWN"): (S.WON, NOTHING),
    (TAKEN, "PREARBITRATION_LOST", "SCHEME_ARBITRATION", "SCHEME_ARBITRATION_WON"): (S.WON, PRICE),
    (TAKEN, "PREARBITRATION_WON", "SCHEME_ARBITRATION_LOST"): (S.LOST, PRICE),
    # What was never told of is clear from what was.
    (BACK,): (S.UNDER_REVIEW, NOTHING),
    (AGAIN,): (S.LOST, PRICE),
    (TAKEN, AGAIN): (S.LOST, PRICE),
    (BACK, AGAIN): (S.LOST, PRICE),
    (ANSWERED,): (S.NEEDS_RESPONSE, NOTHING),
    (NO_ANSWER,): (S.LOST, NOTHING),
}


@pytest.mark.parametrize(("codes", "expected"), LIVES.items(), ids=map(" ".join, LIVES))
def test_lives(codes: tuple[str, ...], expected: tuple[DisputeState, Money]) -> None:
    """Each life of a dispute has its state and its money, in every order in which it may be told, and told twice."""
    items = [after(about(code), minutes) for minutes, code in enumerate(codes)]
    for order in itertools.permutations(items):
        found = dispute(*order, order[0])
        assert (found.state, found.withdrawn) == expected
        assert (found.amount, found.reference, found.payment_id) == (PRICE, CHECKOUT, None)


def test_partial_amounts() -> None:
    """What came back in part leaves the rest out, and a second chargeback takes it again."""
    assert dispute(about(TAKEN, 3000), about(BACK, 1000)).withdrawn == Money(2000, "USD")
    assert dispute(about(TAKEN, 3000), about(BACK, 1000), about(AGAIN, 1000)).withdrawn == Money(3000, "USD")
    assert dispute(about(RFI, 3000), about(TAKEN, 2000)).amount == Money(2000, "USD")
    assert dispute(about(TAKEN, 1000), about(BACK, 3000)).withdrawn == NOTHING


def test_what_is_not_about_it() -> None:
    """Other disputes, other checkouts, other payments' refunds and what was not successful say nothing of it."""
    others = (
        about(TAKEN, pspReference="PSPDISPUTE000002"),
        about(TAKEN, merchantReference="chk_2"),
        refused(about(TAKEN), "no"),
    )
    assert disputes.snapshot(NAME, told(*others), live=False) is None
    assert dispute(about(RFI), *others).state is S.INQUIRY


@pytest.mark.parametrize(
    ("refunds", "state"),
    [
        ((done("REFUND", "refund:1"),), S.WON),
        ((done("REFUND", "refund:1", amount={"currency": "USD", "value": 4199}),), S.INQUIRY),
        ((refused(done("REFUND", "refund:1"), "no"),), S.INQUIRY),
        ((done("REFUND", "refund:1"), done("REFUND_FAILED", "refund:1")), S.INQUIRY),
        (({**done("REFUND", "refund:1"), "originalReference": "PSPPAYMENT000002"},), S.INQUIRY),
    ],
    ids=["all", "less", "refused", "failed later", "another payment"],
)
def test_a_refund_answers_an_inquiry(refunds: tuple[Item, ...], state: DisputeState) -> None:
    """An inquiry is over once as much as it asks about has gone back, and stands while it has not."""
    assert dispute(about(RFI), item(), done("CAPTURE", "capture:1"), *refunds).state is state


def test_a_refund_answers_no_chargeback() -> None:
    """The money of a chargeback is with the bank, whatever else went back."""
    found = dispute(about(TAKEN), item(), done("CAPTURE", "capture:1"), done("REFUND", "refund:1"))
    assert (found.state, found.withdrawn) == (S.NEEDS_RESPONSE, PRICE)


def test_the_deadline_is_the_stages_earliest() -> None:
    """Of several ends of one stage the earliest holds, and an inquiry's is forgotten once it is a chargeback."""
    inquiry = about(RFI, data={"defensePeriodEndsAt": "2026-12-01T00:00:00+01:00"})
    first = about(NOC, data={"defensePeriodEndsAt": "2026-12-10T00:00:00Z"})
    later = about(TAKEN, data={"defensePeriodEndsAt": "2026-12-11T00:00:00Z"})
    assert dispute(inquiry).respond_by == datetime(2026, 11, 30, 23, tzinfo=UTC)
    assert dispute(inquiry, later, first).respond_by == datetime(2026, 12, 10, tzinfo=UTC)


@pytest.mark.parametrize("stated", [None, 5, "", "soon", "2026-12-10T00:00:00", "2026-13-10T00:00:00Z"])
def test_an_unreadable_deadline_is_none(stated: object) -> None:
    """It is not signed, and costs neither the delivery nor the dispute."""
    notice = about(TAKEN, data={"defensePeriodEndsAt": stated})
    assert dispute(notice).respond_by is None
    assert parse(delivery(notice))[0].relevant


def test_the_reason_is_cut_and_scrubbed() -> None:
    """What Adyen says for a reason is kept short, without anything that looks like a credential."""
    assert dispute(about(TAKEN)).reason == "Not received"
    assert dispute(about(TAKEN, reason="")).reason == "unknown"
    assert len(dispute(about(TAKEN, reason="x" * 900)).reason) == 100
    assert "AQE" not in dispute(about(TAKEN, reason="AQEsecretsecretsecret")).reason


def test_doubtful_money_is_unknown() -> None:
    """An amount that cannot be read, or several currencies, is no reason to book anything."""
    for items in (
        (about(TAKEN, -1),),
        (about(TAKEN), about(BACK, amount={"currency": "EUR", "value": 4200})),
        (about(TAKEN), about(BACK, 100), about(AGAIN, amount={"currency": "EUR", "value": 4200})),
    ):
        with pytest.raises(OutcomeUnknownError):
            dispute(*items)


def test_events_name_the_dispute() -> None:
    """An event about a dispute names it and its checkout; one of another account names none."""
    (event,) = parse(delivery(about(TAKEN)))
    assert (event.dispute_id, event.reference, event.relevant) == (NAME, CHECKOUT, True)
    (foreign,) = parse(delivery(about(TAKEN, merchantAccountCode="SomebodyElse")))
    assert (foreign.dispute_id, foreign.relevant) == (None, False)
    (payments,) = parse(delivery(done("REFUND", "refund:1")))
    assert payments.dispute_id is None


def test_a_refund_of_before_answers_nothing() -> None:
    """42.00 paid, 21.00 given back; a month later the bank asks about the other 21.00. Nobody has answered that."""
    half = {"currency": "USD", "value": 2100}
    history = [item(), done("CAPTURE", "capture:1"), after(done("REFUND", "refund:1", amount=half), 10)]
    assert dispute(*history, after(about(RFI, 2100), 60 * 24 * 30)).state is S.INQUIRY
