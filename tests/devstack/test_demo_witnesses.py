"""What the parties say becomes movements in one vocabulary, each in our own minor units."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from devstack.demo import units
from devstack.demo.evidence import Kind, Movement
from devstack.demo.witnesses import _moved, movements_of
from domain import postings
from domain.money import Money
from ledger.contract import PostingRow
from tests.devstack.test_demo_agreement import BACK, FINAL, HOLD, RELEASE, TAKE


@pytest.mark.parametrize(
    ("gateway", "amount", "currency", "shown"),
    [
        ("stripe", 590_000, "isk", (5_900, "ISK")),
        ("adyen", 590_000, "isk", (5_900, "ISK")),
        ("stripe", 19_000, "clp", (19_000, "CLP")),
        ("adyen", 1_900_000, "clp", (19_000, "CLP")),
        ("paypal", 4_500, "huf", (450_000, "HUF")),
        ("stripe", 450_000, "huf", (450_000, "HUF")),
        ("adyen", 12, "cve", (1_200, "CVE")),
        ("stripe", 590_050, "isk", (590_050, "ISK/100")),
    ],
)
def test_each_gateway_counts_in_its_own_unit(gateway: str, amount: int, currency: str, shown: tuple[int, str]) -> None:
    """Amounts come out in our minor units; what is no whole number of them equals nothing on our books."""
    found = units.movement(Kind.TAKE, gateway, "ref", amount, currency)
    assert (found.amount_minor, found.currency) == shown


def test_decimal_amounts_are_read_exactly() -> None:
    """PayPal's numbers are text; more digits than the currency has would equal nothing on our books."""
    whole = units.stated_movement(Kind.TAKE, "paypal", "ref", {"currency_code": "USD", "value": "42.00"})
    odd = units.stated_movement(Kind.TAKE, "paypal", "ref", {"currency_code": "USD", "value": "42.005"})
    assert (whole.amount_minor, whole.currency) == (4_200, "USD")
    assert odd.currency != "USD"


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
    rows = _rows(*made)
    came_back = Movement(Kind.REFUND_BACK, "stripe", "re_1", 4200, "USD")
    assert movements_of(rows) == (HOLD, TAKE, BACK, FINAL, came_back, RELEASE)
    turned = [replace(row, amount_minor=-row.amount_minor) for row in rows[:2]]
    assert movements_of(turned) == (replace(HOLD, amount_minor=-4200),)


def test_parts_of_a_hold_are_read_as_the_gateway_tells_them() -> None:
    """With the last part the rest goes: one transaction of ours is two movements at the gateway, a part is one."""
    first, last, hold = (Money(minor, "USD") for minor in (1000, 2000, 4200))
    made = (
        postings.authorize("stripe", "pi_1", hold),
        postings.capture("stripe", "pi_1", first, held=first),
        postings.capture("stripe", "pi_1", last, held=Money(3200, "USD")),
    )
    takes = (replace(TAKE, amount_minor=1000), replace(TAKE, amount_minor=2000))
    assert movements_of(_rows(*made)) == (HOLD, *takes, replace(RELEASE, amount_minor=1200))


def test_disputes_go_by_the_gateways_own_name() -> None:
    """Where our name for a dispute begins with the checkout's, the gateway's book has the rest of it."""
    amount, named = Money(4200, "USD"), "chk_1:QX4BCBRRFJ5G8NX9"
    made = (
        postings.dispute_withdrawn("adyen", named, amount),
        postings.dispute_reinstated("adyen", named, amount),
    )
    row = {"gateway": "adyen", "refund": None, "payment": "PL1", "dispute": "QX4BCBRRFJ5G8NX9", "amount": 4200}
    told = [_moved(row | {"currency": "usd", "operation": each}) for each in ("dispute", "dispute_reversed")]
    assert list(movements_of(_rows(*made))) == told
    assert [movement.kind for movement in told] == [Kind.WITHDRAWN, Kind.REINSTATED]


def test_a_write_off_is_no_movement_at_a_gateway() -> None:
    """It goes from one account of ours to another."""
    assert movements_of(_rows(postings.write_off("stripe", "pi_1", Money(4200, "USD"), ours=True))) == ()


def _rows(*made: postings.Transaction) -> list[PostingRow]:
    now = datetime.now(UTC)
    return [
        PostingRow(n, f"t{n}", t.kind, t.reference, p.account, p.currency, p.amount_minor, now)
        for n, t in enumerate(made)
        for p in t.postings
    ]
