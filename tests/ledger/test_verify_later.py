"""Verification of what comes after a sale: impossible money, and tables that say other than the rows."""

from collections.abc import AsyncIterator, Callable

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.case import CaseKind, CloseCase, OpenCase
from domain.checkout import Checkout, CheckoutStatus
from domain.dispute import DisputeState
from domain.money import Money
from domain.payment import RefundStatus
from domain.postings import (
    Transaction,
    authorize,
    capture,
    capture_failed,
    dispute_reinstated,
    dispute_withdrawn,
    refund,
    void,
    write_off,
)
from domain.states import CheckoutState
from domain.timeline import Entry
from ledger.books import Books
from ledger.contract import Note
from ledger.disputes import Disputes
from ledger.engine import create_engine, dsn
from ledger.refunds import Refunds
from ledger.verify import verify
from tests.conftest import new_database
from tests.ledger.samples import NOW, asked, checkout, created, disputed, sale, shown, snapshot

GUARDED = ("refunds", "refund_status", "disputes", "dispute_status", "cases")
S = CheckoutState


def euro(minor: int) -> Money:
    """An amount in euro."""
    return Money(minor, "EUR")


@pytest.fixture(scope="module")
async def spoilt_url(server_url: str, template_database: str) -> AsyncIterator[str]:
    """A database that this module's tests share, each spoiling a checkout of its own."""
    async with new_database(server_url, template_database) as url:
        yield url


@pytest.fixture(scope="module")
async def spoilt(spoilt_url: str) -> AsyncIterator[AsyncEngine]:
    """A pool on the spoilt database."""
    pool = create_engine(spoilt_url)
    yield pool
    await pool.dispose()


@pytest.fixture(scope="module")
async def spoiler(spoilt_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A superuser there who has switched every guard off."""
    connection = await asyncpg.connect(dsn(spoilt_url))
    for table in GUARDED:
        await connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
    yield connection
    await connection.close()


async def eventful(engine: AsyncEngine) -> Checkout:
    """A sale with a refund that failed later, a dispute that was answered, and two cases, one of them closed."""
    books, refunds = Books(engine), Refunds(engine)
    made = await sale(books)
    asked_for = asked(made, 1000)
    await refunds.reserve(asked_for)
    for status in RefundStatus:
        await books.note(made.id, Note("poll", NOW, snapshot(made, shown(asked_for, status))))
    looked_at = disputed(made, DisputeState.NEEDS_RESPONSE, 700)
    noted = await books.note(made.id, Note("poll", NOW, dispute=looked_at))
    assert noted.dispute is not None
    await Disputes(engine).answered(noted.dispute.id, "submit_evidence", NOW)
    marks = (OpenCase(CaseKind.STRAY_PAYMENT, "stray", "late/x", 5), CloseCase(CaseKind.STRAY_PAYMENT, "nothing"))
    entries = [Entry(f"row:{n}", noted.status, "api", NOW, case=mark) for n, mark in enumerate(marks)]
    await books.append(made.id, entries)
    return made


REFUND = "UPDATE refund_status SET {} WHERE refund_id IN (SELECT id FROM refunds WHERE checkout_id = $1)"
DISPUTE = "UPDATE dispute_status SET {} WHERE dispute_id IN (SELECT id FROM disputes WHERE checkout_id = $1)"
CASE = "UPDATE cases SET {} WHERE checkout_id = $1 AND kind = 'stray_payment'"


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("UPDATE refunds SET amount_minor = 1 WHERE checkout_id = $1", "refund rfd_"),
        (REFUND.format("state = 'succeeded'"), "refund rfd_"),
        (REFUND.format("gateway_refund_id = 're_other'"), "refund rfd_"),
        (REFUND.format("failure = NULL"), "refund rfd_"),
        (REFUND.format('failure = \'{"code": "other", "message": "x"}\''), "refund rfd_"),
        ("UPDATE refunds SET id = 'rfd_other' WHERE checkout_id = $1", "refund rfd_"),
        ("DELETE FROM refunds WHERE checkout_id = $1", "is on the timeline and not in its table"),
        (DISPUTE.format("state = 'won'"), "dispute dsp_"),
        (DISPUTE.format("withdrawn_minor = 0"), "dispute dsp_"),
        (DISPUTE.format("amount_minor = 1"), "dispute dsp_"),
        (DISPUTE.format("respond_by = respond_by + interval '1 day'"), "dispute dsp_"),
        (DISPUTE.format("answered = NULL, answered_at = NULL"), "dispute dsp_"),
        ("DELETE FROM disputes WHERE checkout_id = $1", "is on the timeline and not in its table"),
        (CASE.format("kind = 'tender_gone'"), "case case_"),
        (CASE.format("amount_minor = 6"), "case case_"),
        (CASE.format("subject = 'rfd_x'"), "case case_"),
        (CASE.format("closed_how = 'otherwise'"), "case case_"),
        (CASE.format("closed_sequence = NULL, closed_at = NULL, closed_how = NULL"), "case case_"),
        ("DELETE FROM cases WHERE checkout_id = $1", "is on the timeline and not in its table"),
    ],
)
async def test_a_table_that_says_other_than_the_rows(
    spoilt: AsyncEngine, spoiler: asyncpg.Connection, statement: str, reason: str
) -> None:
    """Whatever a superuser changes about refunds, disputes and cases is found: the rows say otherwise."""
    victim = await eventful(spoilt)
    assert (await verify(spoilt, victim.id)).breach is None
    await spoiler.execute(statement, victim.id)
    breach = (await verify(spoilt, victim.id)).breach
    assert breach is not None
    assert breach.checkout_id == victim.id
    assert reason in breach.reason


Steps = list[tuple[CheckoutState, str, tuple[Transaction, ...]]]


def paid_for(*more: tuple[CheckoutState, str, tuple[Transaction, ...]]) -> Steps:
    """A capture of 42 euro, and what comes after it."""
    taken = capture("stripe", "pi", euro(4200), euro(0))
    return [(S.PAID, "poll", (taken,)), *more]


HELD = authorize("stripe", "pi", euro(4200))
IMPOSSIBLE: list[tuple[Steps, int, str]] = [
    ([(S.AUTHORIZED, "poll", (HELD, void("stripe", "pi", euro(4201))))], 2, "more of the hold was released"),
    ([(S.AUTHORIZED, "poll", (HELD,)), (S.PAID, "poll", (capture("stripe", "pi", euro(9), euro(4201)),))], 3, "hold"),
    (paid_for((S.NEEDS_REVIEW, "poll", (capture_failed("stripe", "pi", euro(4201), euro(0)),))), 3, "went away"),
    (paid_for((S.REFUNDING, "poll", (refund("stripe", "re", euro(4201)),))), 3, "4201 was refunded"),
    (
        paid_for((S.REFUNDING, "poll", (refund("stripe", "a", euro(4000)), refund("stripe", "b", euro(201))))),
        3,
        "4201 was refunded",
    ),
    (
        paid_for((S.COMPLETED, "poll", (dispute_reinstated("stripe", "dp", euro(1)),))),
        3,
        "more came back for dispute dp",
    ),
    (paid_for((S.NEEDS_REVIEW, "api", (write_off("stripe", "pi", euro(1), ours=True),))), 3, "only a person may"),
    (
        paid_for(
            (S.NEEDS_REVIEW, "poll", ()),
            (S.WRITTEN_OFF, "operator", (write_off("stripe", "pi", euro(4199), ours=False),)),
        ),
        4,
        "written off with 1 of the customer's",
    ),
]


async def written(books: Books, steps: Steps) -> Checkout:
    """A checkout with these rows after its first."""
    made = checkout()
    await books.create_checkout(made, created())
    rows = [
        Entry(f"row:{number}", CheckoutStatus(state), cause, NOW, {}, moved)
        for number, (state, cause, moved) in enumerate(steps)
    ]
    await books.append(made.id, rows)
    return made


@pytest.mark.parametrize(("steps", "sequence", "reason"), IMPOSSIBLE)
async def test_money_that_cannot_be(spoilt: AsyncEngine, steps: Steps, sequence: int, reason: str) -> None:
    """Every transaction balances, and still together they say what cannot be: the row is named."""
    made = await written(Books(spoilt), steps)
    breach = (await verify(spoilt, made.id)).breach
    assert breach is not None
    assert (breach.checkout_id, breach.sequence) == (made.id, sequence)
    assert reason in breach.reason


POSSIBLE: list[Callable[[], Steps]] = [
    lambda: [
        (S.AUTHORIZED, "poll", (HELD,)),
        (S.PARTIALLY_CAPTURED, "api", (capture("stripe", "pi", euro(1000), euro(1000)),)),
        (S.PARTIALLY_CAPTURED, "api", (capture("stripe", "pi", euro(2000), euro(2000)),)),
        (S.PAID, "api", (void("stripe", "pi", euro(1200)),)),
        (S.REFUNDING, "api", (refund("stripe", "re", euro(3000)),)),
    ],
    lambda: paid_for(
        (S.REFUNDING, "poll", (refund("stripe", "re", euro(4200)),)),
        (S.NEEDS_REVIEW, "poll", (capture_failed("stripe", "pi", euro(4200), euro(0)),)),
    ),
    lambda: paid_for(
        (S.REFUNDING, "poll", (refund("stripe", "re", euro(1000)),)),
        (S.NEEDS_REVIEW, "poll", ()),
        (S.WRITTEN_OFF, "operator", (write_off("stripe", "pi", euro(3200), ours=False),)),
    ),
    lambda: paid_for(
        (S.COMPLETED, "poll", (dispute_withdrawn("stripe", "dp", euro(4200)),)),
        (S.COMPLETED, "poll", (dispute_reinstated("stripe", "dp", euro(4200)),)),
        (S.COMPLETED, "poll", (dispute_withdrawn("stripe", "dp", euro(4200)),)),
    ),
    lambda: paid_for(
        (S.COMPLETED, "poll", ()),
        (S.NEEDS_REVIEW, "poll", (capture_failed("stripe", "pi", euro(4200), euro(0)),)),
        (S.COMPLETED, "operator", (write_off("stripe", "pi", euro(4200), ours=True),)),
    ),
]


@pytest.mark.parametrize("steps", POSSIBLE)
async def test_what_can_be_holds(spoilt: AsyncEngine, steps: Callable[[], Steps]) -> None:
    """Captures in parts, a loss after a refund, and both kinds of write-off are no breach, and the totals are right."""
    made = await written(Books(spoilt), steps())
    assert (await verify(spoilt, made.id)).breach is None


async def test_a_refund_that_nobody_asked_for_in_the_table(spoilt: AsyncEngine, spoiler: asyncpg.Connection) -> None:
    """A refund slipped into the tables past the timeline reserves money, and is found."""
    made = await sale(Books(spoilt))
    extra = asked(made, 100)
    await spoiler.execute("INSERT INTO refunds VALUES ($1, $2, 100, 'EUR', NULL, now())", extra.id, made.id)
    await spoiler.execute("INSERT INTO refund_status VALUES ($1, 'pending', NULL, NULL, now())", extra.id)
    breach = (await verify(spoilt, made.id)).breach
    assert breach is not None
    assert breach.reason == f"refund {extra.id} is in no row of the timeline"
