"""A payment link and its notifications as a snapshot: what each of them means, alone and after others."""

from datetime import UTC, datetime
from typing import Any

import pytest

from domain.errors import OutcomeUnknownError
from domain.money import Money
from domain.payment import DeclineCode, NextAction, PaymentSnapshot, PaymentStatus
from gateways.adyen.client import link_of
from gateways.adyen.translate import Seen, seen
from tests.gateways.adyen.examples import PRICE, link, read_link
from tests.gateways.adyen.notices import ACCOUNT, CHECKOUT, LINK_ID, PAYMENT, Item, after, done, item, refused, told

CAPTURED = done("CAPTURE", "capture:1")
CAPTURE_KEY = f"{CHECKOUT}:capture:1"


def look(*items: Item, status: str = "completed") -> PaymentSnapshot:
    """The payment after these notifications."""
    return sight(*items, status=status).payment


def sight(*items: Item, status: str = "completed") -> Seen:
    """The same, with what the adapter needs besides."""
    return seen(read_link(status=status), told(*items), live=False)


def test_an_unpaid_link() -> None:
    """A link that can be paid awaits its customer, who has to follow its address."""
    assert look(status="active") == PaymentSnapshot(
        gateway="adyen",
        payment_id=LINK_ID,
        reference=CHECKOUT,
        status=PaymentStatus.AWAITING_CUSTOMER,
        amount=PRICE,
        captured=PRICE.zero(),
        live=False,
        next_action=NextAction("redirect", url=f"https://test.adyen.link/{LINK_ID}"),
        account=ACCOUNT,
    )


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("paymentPending", PaymentStatus.PROCESSING),
        ("completed", PaymentStatus.PROCESSING),
        ("paid", PaymentStatus.PROCESSING),
        ("expired", PaymentStatus.CANCELED),
    ],
)
def test_a_link_without_notifications(word: str, status: PaymentStatus) -> None:
    """That a link is paid is no proof of money yet; nothing more can be done at its page."""
    payment = look(status=word)
    assert (payment.status, payment.next_action, payment.captured) == (status, None, PRICE.zero())


def test_a_declined_try() -> None:
    """The latest refusal is told with its pspReference as the attempt, and the link can still be paid."""
    first = refused(item(pspReference="PSPTRY1"), "Not enough balance")
    second = refused(after(item(pspReference="PSPTRY0"), 5), "FRAUD")
    payment = look(second, first, status="active")
    assert (payment.status, payment.attempt) == (PaymentStatus.AWAITING_CUSTOMER, "PSPTRY0")
    assert payment.decline is not None
    assert (payment.decline.code, payment.decline.hard) == (DeclineCode.FRAUD_SUSPECTED, True)
    assert payment.next_action is not None


@pytest.mark.parametrize("status", ["completed", "expired"])
def test_a_link_that_is_closed_declines_nothing(status: str) -> None:
    """Once a link can no longer be paid, an earlier refusal is no reason that anybody waits for."""
    payment = look(refused(item(pspReference="PSPTRY1"), "Refused"), status=status)
    assert (payment.attempt, payment.decline, payment.next_action) == ("PSPTRY1", None, None)


def test_an_authorisation_is_a_payment_of_its_own() -> None:
    """Where an authorisation names an earlier one, captures still go to it itself."""
    result = sight(item(originalReference="PSPEARLIER"), CAPTURED)
    assert (result.psp_reference, result.payment.amount, result.payment.captured) == (PAYMENT, PRICE, PRICE)


@pytest.mark.parametrize("status", ["active", "completed", "paymentPending", "expired"])
def test_an_authorised_payment(status: str) -> None:
    """Whatever the link says, a success is a hold: with the attempt that made it, for as long as networks honour it."""
    refusal = refused(item(pspReference="PSPTRY1"), "Refused")
    result = sight(refusal, item(), status=status)
    payment = result.payment
    assert (payment.status, payment.amount, payment.captured) == (PaymentStatus.AUTHORIZED, PRICE, PRICE.zero())
    assert (payment.attempt, payment.decline, payment.next_action) == (PAYMENT, None, None)
    assert payment.authorized_until == datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
    assert result.psp_reference == PAYMENT


def test_a_captured_payment() -> None:
    """A capture that succeeded is money taken; the attempt stays the payment's."""
    payment = look(item(), CAPTURED)
    assert (payment.status, payment.captured, payment.attempt) == (PaymentStatus.CAPTURED, PRICE, PAYMENT)
    assert (payment.decline, payment.authorized_until) == (None, None)


def test_parts_that_were_captured_add_up() -> None:
    """Several captures are all money taken, and what was authorised stays the amount."""
    parts = [done("CAPTURE", f"capture:{n}", amount={"currency": "USD", "value": 1000 * n}) for n in (1, 2)]
    payment = look(item(), *parts)
    assert (payment.amount, payment.captured) == (PRICE, Money(3000, "USD"))


@pytest.mark.parametrize(
    "items",
    [
        [refused(CAPTURED, "Insufficient balance on payment")],
        [CAPTURED, done("CAPTURE_FAILED", "capture:1", reason="Insufficient balance on payment")],
        [done("CAPTURE_FAILED", "capture:1", reason="Insufficient balance on payment")],
        [CAPTURED, done("CAPTURE_FAILED", "capture:1", psp="PSPOTHER", reason="Insufficient balance on payment")],
    ],
    ids=["refused", "failed later", "only its failure told", "failed under a reference of its own"],
)
def test_a_capture_that_came_to_nothing(items: list[Item]) -> None:
    """The hold stands again, with a decline whose attempt is the key of the capture, so that nobody waits for it."""
    result = sight(item(), *items)
    payment = result.payment
    assert (payment.status, payment.captured) == (PaymentStatus.AUTHORIZED, PRICE.zero())
    assert payment.attempt == CAPTURE_KEY
    assert payment.decline is not None
    assert (payment.decline.code, payment.decline.hard) == (DeclineCode.INVALID_REQUEST, True)
    assert result.failures == {CAPTURE_KEY: payment.decline}


def test_the_latest_failure_is_told() -> None:
    """After a capture and a cancel that failed, the one that was told of last is the decline."""
    failures = [
        refused(after(done("CANCELLATION", "void:1"), 9), "Payment was already captured"),
        refused(after(done("CAPTURE", "capture:2"), 5), "Refused"),
    ]
    result = sight(item(), *failures)
    assert result.payment.attempt == f"{CHECKOUT}:void:1"
    assert set(result.failures) == {f"{CHECKOUT}:void:1", f"{CHECKOUT}:capture:2"}


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        (done("CAPTURE", "capture:9", psp="PSPZ"), done("CAPTURE", "capture:10", psp="PSPA")),
        (done("CAPTURE", "capture:2", psp="PSPZ"), done("CANCELLATION", "void:1", psp="PSPA")),
        (done("CANCELLATION", "void:1", psp="PSPZ"), done("CANCELLATION", "void:2", psp="PSPA")),
    ],
)
def test_failures_of_one_second_are_told_in_the_order_of_their_keys(earlier: Item, later: Item) -> None:
    """Adyen's dates have whole seconds: within one, whoever waits for the later operation learns of its end."""
    result = sight(item(), refused(later, "Refused"), refused(earlier, "Refused"))
    assert result.payment.attempt == later["merchantReference"]


def test_a_second_capture_heals_a_first() -> None:
    """A capture that succeeds after one that failed is money taken, and nothing is declined."""
    payment = look(item(), refused(CAPTURED, "Refused"), done("CAPTURE", "capture:2"))
    assert (payment.status, payment.captured, payment.decline) == (PaymentStatus.CAPTURED, PRICE, None)


@pytest.mark.parametrize(
    "end",
    [
        done("CANCELLATION", "void:1"),
        done("CANCELLATION"),
        done("TECHNICAL_CANCEL"),
        done("EXPIRE"),
        item("EXPIRE", pspReference="PSPEXPIRY"),
        item("EXPIRE"),
        done("CANCEL_OR_REFUND", "void:1", data={"modification.action": "cancel"}),
        done("CANCEL_OR_REFUND", "void:1"),
    ],
    ids=lambda end: f"{end['eventCode']} {end['merchantReference']}",
)
def test_a_released_payment(end: Item) -> None:
    """Cancelled by us or by anybody, or expired: nothing is held and nothing was taken."""
    payment = look(item(), end)
    assert (payment.status, payment.captured, payment.refunds) == (PaymentStatus.CANCELED, PRICE.zero(), ())


def test_a_cancel_that_failed_releases_nothing() -> None:
    """The hold stays, and the decline names the cancel's key."""
    payment = look(item(), refused(done("CANCELLATION", "void:1"), "Payment was already captured"))
    assert (payment.status, payment.attempt) == (PaymentStatus.AUTHORIZED, f"{CHECKOUT}:void:1")


def test_what_was_not_captured_may_expire() -> None:
    """When the rest of a hold expires, what was captured of it stays captured."""
    part = done("CAPTURE", "capture:1", amount={"currency": "USD", "value": 1000})
    payment = look(item(), part, done("EXPIRE"))
    assert (payment.status, payment.captured) == (PaymentStatus.CAPTURED, Money(1000, "USD"))


def test_two_authorised_payments_contradict_each_other(caplog: pytest.LogCaptureFixture) -> None:
    """Both count into the amount, which then differs from what was asked; the first is the one to act on."""
    result = sight(item(), item(pspReference="PSPPAYMENT000000"))
    assert (result.payment.amount, result.psp_reference) == (Money(8400, "USD"), "PSPPAYMENT000000")
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert CHECKOUT in caplog.text


def test_two_payments_of_which_one_was_released() -> None:
    """Once a person has cancelled the superfluous one, the other is the payment."""
    result = sight(item(), item(pspReference="PSPPAYMENT000000"), done("CANCELLATION"))
    assert (result.payment.amount, result.psp_reference) == (PRICE, "PSPPAYMENT000000")
    assert result.payment.status is PaymentStatus.AUTHORIZED


def test_two_payments_of_which_one_was_captured_in_part() -> None:
    """Though the rest of its hold expired, the payment with money in it is the one that stands."""
    other = item(pspReference="PSPPAYMENT000000")
    gone = {**done("CANCELLATION", psp="PSPGONE"), "originalReference": "PSPPAYMENT000000"}
    part = done("CAPTURE", "capture:1", amount={"currency": "USD", "value": 1000})
    result = sight(other, gone, item(), part, done("EXPIRE"))
    assert (result.payment.amount, result.psp_reference) == (PRICE, PAYMENT)
    assert (result.payment.status, result.payment.captured) == (PaymentStatus.CAPTURED, Money(1000, "USD"))


def test_two_payments_of_which_both_were_released() -> None:
    """With nothing held the amount is that of one payment, not of both."""
    other = item(pspReference="PSPPAYMENT000000")
    gone = {**done("CANCELLATION", psp="PSPGONE"), "originalReference": "PSPPAYMENT000000"}
    payment = look(other, gone, item(), done("CANCELLATION"))
    assert (payment.status, payment.amount) == (PaymentStatus.CANCELED, PRICE)


def test_what_is_held_counts_before_what_the_link_asks() -> None:
    """An authorisation over another amount or in another currency is shown as it is, for the caller to compare."""
    assert look(item(amount={"currency": "USD", "value": 4201})).amount == Money(4201, "USD")
    assert look(item(amount={"currency": "EUR", "value": 4200})).amount == Money(4200, "EUR")


def test_amounts_in_adyens_unit() -> None:
    """Adyen's hundredths of króna become whole ones."""
    stated = link_of(link(amount={"currency": "ISK", "value": 90_000}))
    money = {"currency": "ISK", "value": 90_000}
    payment = seen(stated, told(item(amount=money), done("CAPTURE", "capture:1", amount=money)), live=True).payment
    assert (payment.amount, payment.captured, payment.live) == (Money(900, "ISK"), Money(900, "ISK"), True)


@pytest.mark.parametrize(
    "money",
    [
        {"currency": "ISK", "value": 90_001},
        {"currency": "USD", "value": -4200},
        {"currency": "XXX", "value": 4200},
        {"currency": "USD", "value": 10**30},
    ],
    ids=str,
)
def test_money_that_is_none_is_unknown(money: dict[str, Any]) -> None:
    """A signed amount that is no money of ours proves nothing."""
    with pytest.raises(OutcomeUnknownError):
        look(item(amount=money))


def test_captures_in_two_currencies_are_unknown() -> None:
    """What cannot be added up is not guessed."""
    euros = done("CAPTURE", "capture:2", amount={"currency": "EUR", "value": 1})
    with pytest.raises(OutcomeUnknownError):
        look(item(), CAPTURED, euros)


def test_others_are_left_out() -> None:
    """Notifications about another checkout, another account or nothing that moves money change nothing."""
    others = [
        item(merchantReference="chk_10", pspReference="PSPOTHER"),
        item(merchantAccountCode="SomebodyElse", pspReference="PSPOTHER"),
        item("CHARGEBACK", originalReference=PAYMENT, pspReference="PSPOTHER"),
        item("OFFER_CLOSED", pspReference="PSPOTHER"),
        item("REPORT_AVAILABLE", pspReference="settlement_report_1.csv", merchantReference=""),
    ]
    assert look(*others, status="active") == look(status="active")
    assert look(item(), *others) == look(item())
