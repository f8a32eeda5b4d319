"""An inquiry that a refund answered, and that becomes a chargeback all the same."""

from datetime import UTC, datetime

from domain.booked import Booked, BookedRefund
from domain.checkout import CheckoutStatus
from domain.dispute import DisputeSnapshot, DisputeState
from domain.noting import Learnt, Standing, dispute_entries
from domain.payment import RefundStatus
from domain.states import CheckoutState
from domain.timeline import EventType
from gateways.adyen import disputes
from gateways.paypal.disputes import dispute_of as paypal_dispute_of
from gateways.stripe.disputes import dispute_of as stripe_dispute_of
from tests.gateways.adyen.examples import PRICE
from tests.gateways.adyen.notices import CHECKOUT, PAYMENT, Item, after, done, item, told

LEARNT = Learnt("webhook:x", datetime(2026, 3, 4, tzinfo=UTC))
DISPUTE = "PSPDISPUTE000001"


def about(code: str) -> Item:
    """One notification about the dispute."""
    more = {"pspReference": DISPUTE, "originalReference": PAYMENT, "amount": {"currency": "USD", "value": PRICE.minor}}
    return item(code, **{"reason": "Not received", **more})


def noted(before: DisputeSnapshot) -> Standing:
    """The books: sold, refunded in full, and the inquiry closed by that."""
    refunds = {"re_1": BookedRefund(PRICE, RefundStatus.SUCCEEDED)}
    books = Booked("USD", captured_minor=PRICE.minor, refunds=refunds)
    status = CheckoutStatus(CheckoutState.COMPLETED, "PL1", captured_minor=PRICE.minor, refunded_minor=PRICE.minor)
    return Standing(CHECKOUT, status, 9, books, {}, before)


def test_adyen() -> None:
    """The chargeback takes the money a second time: it has to be on the books and somebody has to hear of it."""
    history = [item(), done("CAPTURE", "capture:1"), after(about("REQUEST_FOR_INFORMATION"), 10)]
    refunded = [*history, after(done("REFUND", "refund:1"), 20)]
    name = f"{CHECKOUT}:{DISPUTE}"
    closed = disputes.snapshot(name, told(*refunded), live=False)
    assert closed is not None
    assert closed.state is DisputeState.WON
    charged = [after(about("NOTIFICATION_OF_CHARGEBACK"), 30), after(about("CHARGEBACK"), 31)]
    taken = disputes.snapshot(name, told(*refunded, *charged), live=False)
    assert taken is not None
    assert (taken.state, taken.withdrawn) == (DisputeState.NEEDS_RESPONSE, PRICE)

    entries = dispute_entries(noted(closed), taken, LEARNT)

    assert [t.kind for entry in entries for t in entry.transactions] == ["dispute_withdrawn"], (
        "the chargeback of a refunded payment is on no row: no money booked, no event, no deadline"
    )


def test_stripe() -> None:
    """The same where Stripe had closed the inquiry (`warning_closed`) and the bank escalates it."""
    stated = {
        "id": "du_1", "amount": PRICE.minor, "currency": "usd", "balance_transactions": [], "payment_intent": "pi_1",
        "reason": "general", "livemode": False, "evidence_details": {}, "status": "warning_closed",
    }  # fmt: skip
    closed = stripe_dispute_of(stated)
    taken = stripe_dispute_of(
        stated
        | {"status": "needs_response", "balance_transactions": [{"id": "t", "amount": -PRICE.minor, "currency": "usd"}]}
    )
    assert [entry.event for entry in dispute_entries(noted(closed), taken, LEARNT)] == [EventType.DISPUTE_OPENED]


def test_paypal() -> None:
    """The same where PayPal's inquiry was closed by a refund and is a chargeback now."""
    stated = {
        "dispute_id": "PP-R-1", "dispute_amount": {"value": "42.00", "currency_code": "USD"}, "reason": "OTHER",
        "dispute_life_cycle_stage": "INQUIRY", "status": "RESOLVED",
        "dispute_outcome": {"outcome_code": "RESOLVED_BUYER_FAVOUR"},
    }  # fmt: skip
    closed = paypal_dispute_of(stated, "O1", CHECKOUT, False)
    assert closed.state is DisputeState.WON
    taken = paypal_dispute_of(
        stated | {"dispute_life_cycle_stage": "CHARGEBACK", "status": "WAITING_FOR_SELLER_RESPONSE"},
        "O1",
        CHECKOUT,
        False,
    )
    assert taken.withdrawn == taken.amount
    assert dispute_entries(noted(closed), taken, LEARNT)
