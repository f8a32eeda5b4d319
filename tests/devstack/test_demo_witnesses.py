"""What the parties say becomes movements in one vocabulary, each in our own minor units."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from devstack.demo import units
from devstack.demo.evidence import Kind, Movement
from devstack.demo.witnesses import movements_of
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
    now = datetime.now(UTC)
    rows = [
        PostingRow(n, f"t{n}", t.kind, t.reference, p.account, p.currency, p.amount_minor, now)
        for n, t in enumerate(made)
        for p in t.postings
    ]
    came_back = Movement(Kind.REFUND_BACK, "stripe", "re_1", 4200, "USD")
    assert movements_of(rows) == (HOLD, TAKE, BACK, FINAL, came_back, RELEASE)
    turned = [replace(row, amount_minor=-row.amount_minor) for row in rows[:2]]
    assert movements_of(turned) == (replace(HOLD, amount_minor=-4200),)
