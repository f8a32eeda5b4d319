"""Double entry: every step balances, and what goes out and comes back leaves nothing behind."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import postings
from domain.currency import EXPONENTS
from domain.errors import UnbalancedTransactionError
from domain.money import LARGEST_MINOR, Money
from domain.postings import AccountKind, Posting, Transaction, TransactionKind, account

MONEY = st.builds(Money, st.integers(1, LARGEST_MINOR), st.sampled_from(sorted(EXPONENTS)))
GATEWAYS = st.sampled_from(["stripe", "paypal", "adyen"])


def balances(*transactions: Transaction) -> dict[str, int]:
    """What each account holds after the transactions; accounts at zero are left out."""
    sums: Counter[str] = Counter()
    for transaction in transactions:
        for posting in transaction.postings:
            sums[posting.account] += posting.amount_minor
    return {name: total for name, total in sums.items() if total}


@given(GATEWAYS, MONEY)
def test_every_step_balances_and_is_named(gateway: str, amount: Money) -> None:
    """All steps sum to zero in the amount's currency, touch the gateway's accounts only, and keep the reference."""
    steps = [
        postings.authorize(gateway, "x", amount),
        postings.void(gateway, "x", amount),
        postings.capture(gateway, "x", amount, amount.zero()),
        postings.capture(gateway, "x", amount, amount),
        postings.capture_failed(gateway, "x", amount, amount.zero()),
        postings.capture_failed(gateway, "x", amount, amount),
        postings.refund(gateway, "x", amount),
        postings.refund_settled(gateway, "x", amount),
        postings.refund_failed(gateway, "x", amount, settled=False),
        postings.refund_failed(gateway, "x", amount, settled=True),
        postings.dispute_withdrawn(gateway, "x", amount),
        postings.dispute_reinstated(gateway, "x", amount),
        postings.write_off(gateway, "x", amount, ours=True),
        postings.write_off(gateway, "x", amount, ours=False),
    ]
    assert {step.kind for step in steps} == set(TransactionKind)
    for step in steps:
        assert sum(posting.amount_minor for posting in step.postings) == 0
        assert {posting.currency for posting in step.postings} == {amount.currency}
        assert all(posting.account.startswith(f"{gateway}:") for posting in step.postings)
        assert step.reference == "x"


@given(GATEWAYS, MONEY)
def test_a_hold_released_leaves_nothing(gateway: str, amount: Money) -> None:
    """Authorize and void undo each other."""
    held = postings.authorize(gateway, "pi", amount)
    assert balances(held) == {
        account(gateway, AccountKind.HOLDS): -amount.minor,
        account(gateway, AccountKind.AUTHORIZED): amount.minor,
    }
    assert balances(held, postings.void(gateway, "pi", amount)) == {}


@given(GATEWAYS, MONEY, st.booleans())
def test_money_taken_and_given_back_leaves_nothing(gateway: str, amount: Money, held: bool) -> None:
    """Capture, with a hold or without, then refund and its settlement: every account is where it began."""
    before = [postings.authorize(gateway, "pi", amount)] if held else []
    taken = postings.capture(gateway, "pi", amount, amount if held else amount.zero())
    sold = {
        account(gateway, AccountKind.SALES): -amount.minor,
        account(gateway, AccountKind.BALANCE): amount.minor,
    }
    assert balances(*before, taken) == sold
    back, settled = postings.refund(gateway, "re", amount), postings.refund_settled(gateway, "re", amount)
    assert balances(*before, taken, back) == {
        account(gateway, AccountKind.BALANCE): amount.minor,
        account(gateway, AccountKind.REFUNDS_PENDING): -amount.minor,
    }
    assert balances(*before, taken, back, settled) == {}
    assert balances(*before, taken, back, postings.refund_failed(gateway, "re", amount, settled=False)) == sold
    came_back = postings.refund_failed(gateway, "re", amount, settled=True)
    assert balances(*before, taken, back, settled, came_back) == sold


@given(GATEWAYS, MONEY, st.booleans())
def test_a_capture_that_fails_leaves_what_was_before(gateway: str, amount: Money, held: bool) -> None:
    """The reverse of the capture, with the hold that was released by it or without one."""
    before = [postings.authorize(gateway, "pi", amount)] if held else []
    hold = amount if held else amount.zero()
    taken = postings.capture(gateway, "pi", amount, hold)
    assert balances(*before, taken, postings.capture_failed(gateway, "pi", amount, hold)) == balances(*before)


@given(GATEWAYS, MONEY)
def test_what_a_dispute_takes_comes_back_or_stays_disputed(gateway: str, amount: Money) -> None:
    """Withdrawn, it is off the balance and among what is disputed; reinstated, every account is as after the sale."""
    taken = postings.capture(gateway, "pi", amount, amount.zero())
    out = postings.dispute_withdrawn(gateway, "dp", amount)
    assert balances(taken, out) == {
        account(gateway, AccountKind.SALES): -amount.minor,
        account(gateway, AccountKind.DISPUTED): amount.minor,
    }
    assert balances(taken, out, postings.dispute_reinstated(gateway, "dp", amount)) == balances(taken)


@given(GATEWAYS, MONEY)
def test_money_of_ours_that_is_let_go_stands_among_the_write_offs(gateway: str, amount: Money) -> None:
    """Taken, lost again, and written off: the sale stands, nothing is on the balance, and the loss has its account."""
    steps = (
        postings.capture(gateway, "pi", amount, amount.zero()),
        postings.capture_failed(gateway, "pi", amount, amount.zero()),
        postings.write_off(gateway, "pi", amount, ours=True),
    )
    assert balances(*steps) == {
        account(gateway, AccountKind.SALES): -amount.minor,
        account(gateway, AccountKind.WRITE_OFFS): amount.minor,
    }


@given(GATEWAYS, MONEY)
def test_money_of_the_customer_that_stays_with_us_is_no_sale(gateway: str, amount: Money) -> None:
    """Taken, and it could not go back: what is on the balance is not sales but stands against the write-offs."""
    steps = (
        postings.capture(gateway, "pi", amount, amount.zero()),
        postings.write_off(gateway, "pi", amount, ours=False),
    )
    assert balances(*steps) == {
        account(gateway, AccountKind.BALANCE): amount.minor,
        account(gateway, AccountKind.WRITE_OFFS): -amount.minor,
    }


@given(GATEWAYS, st.lists(st.integers(1, 10**6), min_size=1, max_size=6))
def test_partial_refunds_add_up(gateway: str, parts: list[int]) -> None:
    """Refunds in parts that sum to the capture leave nothing, in whatever parts."""
    total = Money(sum(parts), "EUR")
    steps = [postings.capture(gateway, "pi", total, total.zero())]
    for number, part in enumerate(parts):
        steps.append(postings.refund(gateway, f"re_{number}", Money(part, "EUR")))
        steps.append(postings.refund_settled(gateway, f"re_{number}", Money(part, "EUR")))
    assert balances(*steps) == {}


@pytest.mark.parametrize(
    "lines",
    [
        (),
        (Posting("a", "EUR", 1),),
        (Posting("a", "EUR", -100), Posting("b", "EUR", 99)),
        (Posting("a", "EUR", -100), Posting("b", "USD", 100)),
    ],
)
def test_what_does_not_balance_cannot_be_made(lines: tuple[Posting, ...]) -> None:
    """No postings, one side, a unit off, or only balanced across currencies."""
    with pytest.raises(UnbalancedTransactionError):
        Transaction(TransactionKind.CAPTURE, "pi", lines)


@given(st.lists(st.tuples(st.sampled_from(["EUR", "USD", "JPY"]), st.integers(-5, 5)), max_size=6))
def test_only_what_balances_in_every_currency_can_be_made(lines: list[tuple[str, int]]) -> None:
    """A transaction exists exactly when there are postings and each currency sums to zero."""
    sums: Counter[str] = Counter()
    for currency, amount in lines:
        sums[currency] += amount
    made = tuple(Posting(f"a{n}", currency, amount) for n, (currency, amount) in enumerate(lines))
    if lines and not any(sums.values()):
        assert Transaction(TransactionKind.CAPTURE, "pi", made).postings == made
    else:
        with pytest.raises(UnbalancedTransactionError):
            Transaction(TransactionKind.CAPTURE, "pi", made)
