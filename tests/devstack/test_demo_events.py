"""What the demo claims about events, on books and mails that fit and on those that do not."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from devstack.demo.claims import Claim
from devstack.demo.events import mails, told, totals
from devstack.demo.events.disturbing import Absence
from devstack.demo.events.mails import Mail
from devstack.demo.events.rush import rushes
from devstack.demo.events.told import EventsTold, ToldEvent
from devstack.demo.evidence import Disputed
from devstack.eventing import SHOP, SUBSCRIBERS
from ledger.analytics import Difference
from ledger.stock import StockLevel
from tests.devstack.test_demo_agreement import GIVEN_BACK, SOLD, SPLIT, SPLIT_UNDONE, evidence

AT = datetime(2026, 11, 22, 16, 30, tzinfo=UTC)
BUYER = "order-1@customers.example"


def event(number: int, type_: str, subject: str = "chk_1", **payload: Any) -> ToldEvent:
    """An event that was published a second later."""
    data = {"order_id": "order-1", "state": "completed"} | payload
    return ToldEvent(f"{subject}:{number}", subject, type_, data, AT, AT + timedelta(seconds=1))


def books(*events: ToldEvent) -> EventsTold:
    """Events that everybody has dealt with."""
    done = {name: {each.id: AT for each in events if each.type in told.WANTED[name]} for name in SUBSCRIBERS}
    return EventsTold(events, done)


def mail(event_id: str, subject: str, to: str = BUYER) -> Mail:
    """A mail as the mail server took it."""
    return Mail(event_id, to, subject, AT)


SALE = books(event(1, "checkout.created"), event(3, "payment.succeeded"), event(4, "order.confirmed"))
RECEIPT = mail("chk_1:3", "Receipt for order order-1: 42.00 USD")


def _trouble(claims: Any) -> list[str]:
    return [trouble for claim in claims for trouble in claim.trouble]


def test_every_subscriber_is_asked_about() -> None:
    """What each of them acts on is known, and it is something."""
    assert set(told.WANTED) == set(SUBSCRIBERS)
    assert all(told.WANTED.values())


def test_what_is_not_published_is_named() -> None:
    """One event that the broker does not have breaks the claim."""
    assert not told.published(SALE).trouble
    kept = replace(SALE.events[1], published_at=None)
    assert told.published(EventsTold((SALE.events[0], kept), {})).trouble == ("chk_1:3 is not published",)


def test_what_nobody_has_dealt_with_is_named() -> None:
    """Each subscriber is to have dealt with what it acts on, no less, and nothing else."""
    assert not _trouble(told.consumed(SALE, SUBSCRIBERS))
    done = {name: dict(marks) for name, marks in SALE.consumed.items()}
    del done["orders"]["chk_1:3"]
    done["analytics"]["chk_9:1"] = AT
    found = _trouble(told.consumed(EventsTold(SALE.events, done), SUBSCRIBERS))
    assert found == ["chk_9:1 was dealt with and is not on the books", "chk_1:3 was never dealt with"]


def test_a_subscriber_that_is_left_out_is_not_asked_about() -> None:
    """Nothing is claimed of a process that was never started."""
    assert [claim.title.split()[0] for claim in told.consumed(SALE, {"orders"})] == ["orders"]


def test_the_right_mails_are_no_trouble() -> None:
    """One receipt for a sale, one mail for each refund, and one to the shop for a dispute."""
    after = (event(5, "refund.succeeded"), event(6, "dispute.opened"))
    sent = [RECEIPT, mail("chk_1:5", "Refund for order order-1: 1.00 USD"), mail("chk_1:6", "Dispute over 1", SHOP)]
    assert not _trouble(mails.claims(books(*SALE.events, *after), sent, [SOLD]))


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        ([], "chk_1:3: 0 mails"),
        ([RECEIPT, RECEIPT], "chk_1:3: 2 mails"),
        ([replace(RECEIPT, to="somebody@else.example")], "went to somebody@else.example"),
        ([replace(RECEIPT, subject="Refund for order order-1: 42.00 USD")], "due was Receipt"),
        ([RECEIPT, mail("chk_1:4", "Receipt for order order-1: 42.00 USD")], "due was none to nobody"),
        ([replace(RECEIPT, subject="Receipt for order order-1: 42.01 USD")], "0 mails say"),
    ],
)
def test_wrong_mails_are_named(sent: list[Mail], found: str) -> None:
    """Missing, double, to somebody else, of another kind, of nobody's asking, over another sum."""
    assert any(found in trouble for trouble in _trouble(mails.claims(SALE, sent, [SOLD])))


def test_a_mail_of_a_run_without_them_is_named() -> None:
    """Where notifications were never started, there can be none."""
    assert not mails.silent([], 7).trouble
    assert mails.silent([RECEIPT], 7).trouble == (f"'{RECEIPT.subject}' went to {BUYER}",)


def test_a_split_sale_has_one_receipt() -> None:
    """The whole's; its tenders are no sales of their own. Undone as a whole, its tenders' refunds tell nobody."""
    legs = (event(3, "payment.succeeded", leg, parent_id="chk_1") for leg in ("chk_2", "chk_3"))
    assert set(mails.due(books(*SALE.events, *legs), [SPLIT])) == {"chk_1:3"}
    back = event(5, "refund.succeeded", "chk_2", parent_id="chk_1", state="refunded")
    assert set(mails.due(books(back), [SPLIT_UNDONE])) == set()
    assert set(mails.due(books(back), [SPLIT])) == {"chk_2:5"}


def test_mails_are_read_from_their_files(tmp_path: Path) -> None:
    """The id of a mail names its event; who was told to get it is what the mail server was told."""
    message = EmailMessage()
    message["Delivered-To"], message["Subject"] = f"<{BUYER}>", "Receipt for order order-1: 42.00 USD"
    message["Message-ID"] = "<chk_1%3A3@paysaga.example>"
    for at in (AT, AT - timedelta(days=1)):
        (tmp_path / f"{int(at.timestamp() * 1e9)}-1-1.eml").write_bytes(message.as_bytes())
    assert mails.taken(tmp_path, AT) == [RECEIPT]


def test_totals_are_compared_with_the_gateways_books() -> None:
    """What the totals have grown by must be what moved, gateway by gateway; what was there before is no matter."""
    before = Counter({("stripe", "USD", "captured"): 100})
    after = before + Counter({("stripe", "USD", "captured"): 8_400, ("stripe", "USD", "refunded"): 4_200})
    seen = [SOLD, replace(GIVEN_BACK, checkout_id="chk_2")]
    heard = books(event(1, "checkout.created"), event(1, "checkout.created", "chk_2"))
    assert not _trouble(totals.claims(heard, before, after, seen, ()))
    after["stripe", "USD", "captured"] += 1
    assert _trouble(totals.claims(heard, before, after, seen, ())) == ["stripe USD captured: 8401 added up, 8400 there"]


def test_disputes_are_compared_too() -> None:
    """A dispute that was lost was opened as well."""
    lost = replace(SOLD.afterwards, disputes=(Disputed("d_1", "dp_1", "lost", 4_200),))
    counted = totals.at_gateways([replace(SOLD, afterwards=lost)])
    assert counted["stripe", "USD", "disputes opened"] == counted["stripe", "USD", "disputes lost"] == 1
    assert counted["stripe", "USD", "disputes won"] == 0


def test_totals_that_differ_from_our_books_are_named() -> None:
    """The product's own comparison is repeated word for word."""
    differences = [Difference("paypal", "EUR", "refunded", 5, 6)]
    first, _ = totals.claims(SALE, Counter(), Counter(), [evidence("expired")], differences)
    assert first.trouble == ("paypal EUR refunded: 5 added up, 6 on the books",)


def test_a_run_that_was_broken_off_is_no_trouble() -> None:
    """Its checkouts come to their ends in this one: then the sums cannot be compared, and it says so."""
    heard = books(event(1, "payment.succeeded", "chk_of_yesterday"))
    _, second = totals.claims(heard, Counter(), Counter({("a", "b", "c"): 1}), [SOLD], ())
    assert "not compared, 1 checkouts of an earlier run" in second.found
    assert not second.trouble
    _, second = totals.claims(SALE, Counter(), Counter({("a", "b", "c"): 1}), [SOLD], (), ["chk_2:1"])
    assert "not compared, 1 checkouts" in second.found


def _sold_out(ends: dict[str, str], level: StockLevel | None) -> Claim:
    rush = rushes("run")[0]
    rush.ends.update(ends)
    return rush.claim(level)


def test_stock_sells_what_there_is() -> None:
    """Two pieces, two sales; who was too late is named."""
    claim = _sold_out({"a": "completed", "b": "refunded", "c": "completed"}, StockLevel("print-run", 0, 2))
    assert not claim.trouble
    assert "too late: b refunded" in claim.found


@pytest.mark.parametrize(
    ("ends", "level"),
    [
        ({"a": "completed", "b": "completed", "c": "completed"}, StockLevel("print-run", 0, 2)),
        ({"a": "completed", "b": "refunded", "c": "refunded"}, StockLevel("print-run", 1, 1)),
        ({"a": "completed", "b": "refunded", "c": "completed"}, StockLevel("print-run", 1, 1)),
        ({"a": "completed", "b": "refunded", "c": "completed"}, None),
    ],
)
def test_stock_that_does_not_fit_is_trouble(ends: dict[str, str], level: StockLevel | None) -> None:
    """Sold too often, too seldom, or with a stock that says otherwise."""
    assert _sold_out(ends, level).trouble


def test_an_absence_covers_what_happened_in_it() -> None:
    """Its first and last moment included."""
    away = Absence(AT, AT + timedelta(seconds=8))
    assert away.seconds == 8
    assert away.covers(AT)
    assert away.covers(AT + timedelta(seconds=8))
    assert not away.covers(AT - timedelta(seconds=1))
