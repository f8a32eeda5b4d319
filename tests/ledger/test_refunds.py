"""Refunds that the shop asks for: reserved at once or refused, and free again when they come to nothing."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.checkout import CheckoutStatus, Failure
from domain.dispute import DisputeState
from domain.errors import BooksError
from domain.money import Money
from domain.payment import RefundSnapshot, RefundStatus
from domain.postings import capture
from domain.refund import RefundRecord
from domain.states import CheckoutState
from domain.timeline import Entry
from ledger.books import Books
from ledger.cases import CaseBook
from ledger.contract import Note, RefundRefusedError
from ledger.operations import Operations
from ledger.refunds import Refunds
from ledger.verify import verify
from tests.ledger.samples import NOW, asked, checkout, created, disputed, sale, shown, snapshot

S, P, F = RefundStatus.SUCCEEDED, RefundStatus.PENDING, RefundStatus.FAILED


@pytest.fixture
def refunds(engine: AsyncEngine) -> Refunds:
    """The store on the shared database."""
    return Refunds(engine)


def parted(results: Sequence[object]) -> tuple[list[RefundRecord], list[RefundRefusedError]]:
    """What was reserved, and what was refused."""
    reserved = [result for result in results if isinstance(result, RefundRecord)]
    return reserved, [result for result in results if isinstance(result, RefundRefusedError)]


async def test_two_of_sixty_on_a_hundred_are_one(books: Books, refunds: Refunds, engine: AsyncEngine) -> None:
    """Asked for at the same moment, one is reserved and the other is told what is left."""
    made = await sale(books, 100)
    both = await asyncio.gather(*(refunds.reserve(asked(made, 60)) for _ in range(2)), return_exceptions=True)
    reserved, refused = parted(both)
    assert len(reserved) == len(refused) == 1
    assert (refused[0].code, refused[0].available_minor) == ("amount_exceeds_available", 40)
    assert await refunds.of_checkout(made.id) == tuple(reserved)
    assert (await verify(engine, made.id)).breach is None


async def test_equal_parts_are_different_refunds(books: Books, refunds: Refunds) -> None:
    """Two refunds of the same amount are two; the same refund asked for again, also at once, is one."""
    made = await sale(books, 100)
    one, other = asked(made, 40), asked(made, 40)
    found = await asyncio.gather(*(refunds.reserve(refund) for refund in (one, other, one, other, one)))
    assert {record.refund.id for record in found} == {one.id, other.id}
    assert (await refunds.available(made.id)).minor == 20
    assert await refunds.get(one.id) == RefundRecord(one, P, NOW)


async def test_an_id_stands_for_one_refund(books: Books, refunds: Refunds) -> None:
    """The same id with another amount or another checkout is a mistake, not a second refund."""
    made, other = await sale(books, 100), await sale(books, 100)
    refund = asked(made, 40)
    await refunds.reserve(refund)
    for wrong in (replace(refund, amount=Money(41, "EUR")), replace(refund, checkout_id=other.id)):
        with pytest.raises(BooksError):
            await refunds.reserve(wrong)
    assert (await refunds.available(other.id)).minor == 100


async def test_an_id_is_found_again_after_its_end(books: Books, refunds: Refunds) -> None:
    """A shop that repeats its request weeks later gets the refund as it ended, also when nothing is left."""
    made = await sale(books, 100)
    refund = asked(made, 100)
    await refunds.reserve(refund)
    await books.note(made.id, Note("poll", NOW, snapshot(made, shown(refund, S))))
    record = await refunds.reserve(refund)
    assert (record.status, record.gateway_refund_id) == (S, f"re_{refund.id}_1")


async def test_only_a_sale_can_be_refunded(books: Books, refunds: Refunds) -> None:
    """Not before it is made, nor while a person looks into it, nor in another currency, nor one that is not there."""
    made = checkout()
    await books.create_checkout(made, created())
    sold = await sale(books, 100)
    await books.append(sold.id, [Entry("review", CheckoutStatus(CheckoutState.NEEDS_REVIEW), "poll", NOW)])
    for one in (made, sold):
        with pytest.raises(RefundRefusedError) as refused:
            await refunds.reserve(asked(one, 1))
        assert (refused.value.code, refused.value.available_minor) == ("nothing_to_refund", 0)
        assert (await refunds.available(one.id)).minor == 0
    with pytest.raises(BooksError, match="is in EUR"):
        await refunds.reserve(asked(await sale(books), 1, amount=Money(1, "USD")))
    with pytest.raises(BooksError, match="no checkout"):
        await refunds.reserve(asked(made, 1, checkout_id="chk_none"))


async def test_what_was_refunded_by_hand_is_gone(books: Books, refunds: Refunds) -> None:
    """Refunds made at the gateway count, pending ones too."""
    made = await sale(books, 100)
    by_hand = RefundSnapshot(f"re_{made.id}", Money(70, "EUR"), P)
    await books.note(made.id, Note("poll", NOW, snapshot(made, by_hand)))
    with pytest.raises(RefundRefusedError) as refused:
        await refunds.reserve(asked(made, 31))
    assert refused.value.available_minor == 30
    await refunds.reserve(asked(made, 30))
    assert (await refunds.available(made.id)).minor == 0


async def test_a_refund_counts_once_on_its_way(books: Books, refunds: Refunds) -> None:
    """Reserved, taken on, done: the same amount is off all the time, never twice."""
    made = await sale(books, 100)
    refund = asked(made, 60)
    await refunds.reserve(refund)
    left = [(await refunds.available(made.id)).minor]
    for status in (P, S):
        await books.note(made.id, Note("poll", NOW, snapshot(made, shown(refund, status))))
        left.append((await refunds.available(made.id)).minor)
    assert left == [40, 40, 40]


async def test_a_declined_refund_frees_its_amount(books: Books, refunds: Refunds, engine: AsyncEngine) -> None:
    """The gateway would not take it on: told once, with its code, no case; the amount can be asked for anew."""
    made = await sale(books, 100)
    refund = asked(made, 60)
    await refunds.reserve(refund)
    failure = Failure("insufficient_funds", "the account is empty")
    for _ in range(2):
        record = await refunds.fail(refund.id, failure, "api", NOW)
        assert (record.status, record.failure) == (F, failure)
    assert await refunds.get(refund.id) == record
    assert [row.key for row in await books.timeline(made.id)][5:] == [f"refund:{refund.id}:failed"]
    assert await CaseBook(engine).open_of(made.id) == ()
    assert (await refunds.reserve(asked(made, 100))).status is P
    assert (await verify(engine, made.id)).breach is None


async def test_a_refund_that_was_taken_on_is_not_declined(books: Books, refunds: Refunds) -> None:
    """What the gateway shows outranks a no that came later."""
    made = await sale(books, 100)
    refund = asked(made, 60)
    await refunds.reserve(refund)
    await books.note(made.id, Note("webhook:evt_1", NOW, snapshot(made, shown(refund, P))))
    record = await refunds.fail(refund.id, Failure("declined", "no"), "api", NOW)
    assert (record.status, record.failure) == (P, None)
    with pytest.raises(BooksError, match="no refund"):
        await refunds.fail("rfd_none", Failure("declined", "no"), "api", NOW)


async def test_one_that_was_declined_and_goes_through_after_all(
    books: Books, refunds: Refunds, engine: AsyncEngine
) -> None:
    """The books follow the gateway: it counts again, although its amount may have been promised anew."""
    made = await sale(books, 100)
    refund = asked(made, 60)
    await refunds.reserve(refund)
    await refunds.fail(refund.id, Failure("declined", "no"), "api", NOW)
    await refunds.reserve(asked(made, 50))
    noted = await books.note(made.id, Note("poll", NOW, snapshot(made, shown(refund, S))))
    assert {record.refund.id: record.status for record in noted.refunds}[refund.id] is S
    assert (await refunds.available(made.id)).minor == 0
    assert (await verify(engine, made.id)).breach is None


@pytest.mark.parametrize("state", [DisputeState.NEEDS_RESPONSE, DisputeState.UNDER_REVIEW])
async def test_an_open_dispute_blocks_refunds(books: Books, refunds: Refunds, state: DisputeState) -> None:
    """While the bank decides nothing is given back beside it; won, everything can be again."""
    made = await sale(books, 100)
    await books.note(made.id, Note("poll", NOW, dispute=disputed(made, state, 0)))
    with pytest.raises(RefundRefusedError) as refused:
        await refunds.reserve(asked(made, 1))
    assert refused.value.code == "dispute_open"
    assert (await refunds.available(made.id)).minor == 0
    await books.note(made.id, Note("poll", NOW, dispute=disputed(made, DisputeState.WON)))
    assert (await refunds.available(made.id)).minor == 100


async def test_a_question_is_answered_by_a_refund(books: Books, refunds: Refunds) -> None:
    """An inquiry has withdrawn nothing: giving the money back is one way to answer it."""
    made = await sale(books, 100)
    await books.note(made.id, Note("poll", NOW, dispute=disputed(made, DisputeState.INQUIRY)))
    assert (await refunds.reserve(asked(made, 100))).status is P


async def test_what_a_lost_dispute_took_is_not_given_back_again(books: Books, refunds: Refunds) -> None:
    """Sixty were refunded, a hundred disputed and forty of them lost: nothing is left."""
    made = await sale(books, 100)
    refund = asked(made, 60)
    await refunds.reserve(refund)
    await books.note(made.id, Note("poll", NOW, snapshot(made, shown(refund, S))))
    await books.note(made.id, Note("poll", NOW, dispute=disputed(made, DisputeState.LOST, 40)))
    with pytest.raises(RefundRefusedError) as refused:
        await refunds.reserve(asked(made, 1))
    assert (refused.value.code, refused.value.available_minor) == ("amount_exceeds_available", 0)


async def test_refunds_that_nobody_started_are_found(books: Books, refunds: Refunds, engine: AsyncEngine) -> None:
    """Those without an operation of their own; the saga's operations on the same checkout do not count."""
    made = await sale(books, 100)
    lately = datetime.now(UTC) - timedelta(minutes=1)
    started, unstarted, failed = (asked(made, minor, created_at=lately) for minor in (10, 20, 30))
    for refund in (started, unstarted, failed):
        await refunds.reserve(refund)
    await refunds.fail(failed.id, Failure("declined", "no"), "api", NOW)
    await Operations(engine).begin(f"{made.id}:{started.id}:1", made.id, "stripe", "refund", {})
    await Operations(engine).begin(f"{made.id}:refund:1", made.id, "stripe", "refund", {})

    async def mine(older_than: timedelta) -> list[str]:
        found = await refunds.find_unstarted(older_than, 1000)
        return [record.refund.id for record in found if record.refund.checkout_id == made.id]

    assert await mine(timedelta(seconds=1)) == [unstarted.id]
    assert await mine(timedelta(days=36500)) == []
    await Operations(engine).begin(f"{made.id}:{unstarted.id}:1", made.id, "stripe", "refund", {})
    assert await mine(timedelta(seconds=1)) == []


async def test_refunds_that_were_asked_for_long_ago_are_found(
    books: Books, refunds: Refunds, engine: AsyncEngine
) -> None:
    """Their workflow may be gone, terminated or forgotten, and the amount stays reserved: one that runs is joined."""
    made = await sale(books, 100)
    old = asked(made, 10, created_at=datetime.now(UTC) - timedelta(hours=2))
    await refunds.reserve(old)
    await Operations(engine).begin(f"{made.id}:{old.id}:1", made.id, "stripe", "refund", {})
    found = await refunds.find_unstarted(timedelta(seconds=1), 1000)
    assert [record.refund.id for record in found if record.refund.checkout_id == made.id] == [old.id]


async def test_a_sale_without_a_known_payment_cannot_be_refunded(books: Books, refunds: Refunds) -> None:
    """A person marked it as paid when no payment was known: nothing at the gateway could be given back."""
    made = checkout(amount=Money(100, "EUR"))
    await books.create_checkout(made, created())
    unnamed = CheckoutStatus(CheckoutState.PAID)
    marked = Entry(
        "paid", unnamed, "operator", NOW, {}, (capture("stripe", "marked", made.amount, made.amount.zero()),)
    )
    done = Entry("completed", replace(unnamed, state=CheckoutState.COMPLETED), "operator", NOW)
    await books.append(made.id, [marked, done])
    with pytest.raises(RefundRefusedError, match="marked it as paid"):
        await refunds.reserve(asked(made, 10))
