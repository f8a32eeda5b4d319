"""Notes: whoever learns what happened after a sale may write it down, and it stands there once."""

import asyncio
from dataclasses import replace

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.checkout import CheckoutStatus
from domain.dispute import DisputeState, dispute_id_of
from domain.errors import BooksError
from domain.money import Money
from domain.payment import PaymentStatus, RefundSnapshot, RefundStatus
from domain.states import CheckoutState
from domain.timeline import Entry
from ledger.books import Books
from ledger.cases import CaseBook
from ledger.contract import Note, NotSoldError
from ledger.disputes import Disputes
from ledger.refunds import Refunds
from ledger.verify import verify
from tests.ledger.samples import NOW, PRICE, asked, checkout, created, disputed, opened, sale, shown, snapshot

S, P, F = RefundStatus.SUCCEEDED, RefundStatus.PENDING, RefundStatus.FAILED


async def test_ten_at_once_write_it_once(books: Books, engine: AsyncEngine) -> None:
    """A refund that ten writers see succeed at the same moment is two rows, one event and one total."""
    made = await sale(books)
    refund = asked(made, 1000)
    await Refunds(engine).reserve(refund)
    note = Note("poll", NOW, snapshot(made, shown(refund, S)))
    noted = await asyncio.gather(*(books.note(made.id, note) for _ in range(10)))
    assert sum(one.news for one in noted) == 1
    assert {(one.status.captured_minor, one.status.refunded_minor) for one in noted} == {(PRICE.minor, 1000)}
    assert {one.refunds[0].status for one in noted} == {S}
    keys = [row.key for row in await books.timeline(made.id)]
    assert keys[4:] == [f"refund:{refund.id}", f"refund:re_{refund.id}_1:pending", f"refund:re_{refund.id}_1:succeeded"]
    assert (await verify(engine, made.id)).breach is None


async def test_the_state_stays_and_the_totals_tell(books: Books) -> None:
    """A sale that was refunded is a sale still; what went back is beside it."""
    made = await sale(books)
    by_hand = RefundSnapshot("re_by_hand_" + made.id, PRICE, S)
    noted = await books.note(made.id, Note("webhook:evt_1", NOW, snapshot(made, by_hand)))
    assert (noted.status.state, noted.status.refunded_minor) == (CheckoutState.COMPLETED, PRICE.minor)
    assert noted.refunds == ()
    record = await books.get(made.id)
    assert record is not None
    assert (record.status, record.sequence) == (noted.status, 6)


async def test_what_is_known_already_writes_nothing(books: Books) -> None:
    """A look at a sale as it is on the books is no news."""
    made = await sale(books)
    before = await books.get(made.id)
    assert not (await books.note(made.id, Note("poll", NOW, snapshot(made)))).news
    assert await books.get(made.id) == before


async def test_before_the_sale_its_own_workflow_writes(books: Books) -> None:
    """A payment cannot be noted before the sale is made; a dispute can, for nobody else writes its money."""
    made = checkout()
    await books.create_checkout(made, created())
    await books.append(made.id, [opened(f"pi_{made.id}")])
    with pytest.raises(NotSoldError):
        await books.note(made.id, Note("poll", NOW, snapshot(made)))
    assert not await books.sold(made.id)
    noted = await books.note(made.id, Note("poll", NOW, dispute=disputed(made, DisputeState.NEEDS_RESPONSE, 100)))
    assert noted.dispute is not None
    assert noted.status.state is CheckoutState.AWAITING_PAYMENT


async def test_after_the_sale_it_is_noted_whatever_a_person_looks_into(books: Books, engine: AsyncEngine) -> None:
    """A case about a sale does not keep what happens to its money from the books."""
    made = await sale(books)
    status = CheckoutStatus(CheckoutState.NEEDS_REVIEW, f"pi_{made.id}")
    await books.append(made.id, [Entry("review", status, "poll", NOW)])
    assert await books.sold(made.id)
    noted = await books.note(made.id, Note("poll", NOW, snapshot(made, RefundSnapshot(f"re_{made.id}", PRICE, S))))
    assert (noted.status.state, noted.status.refunded_minor) == (CheckoutState.NEEDS_REVIEW, PRICE.minor)
    assert (await verify(engine, made.id)).breach is None


async def test_what_is_not_the_checkouts_is_refused(books: Books) -> None:
    """Another payment, another gateway, another currency, another checkout's dispute, an unknown checkout."""
    made, other = await sale(books), await sale(books)
    dollars = Money(PRICE.minor, "USD")
    for wrong in (
        Note("poll", NOW, snapshot(other)),
        Note("poll", NOW, snapshot(made, gateway="paypal")),
        Note("poll", NOW, snapshot(made, amount=dollars, captured=dollars)),
        Note("poll", NOW, snapshot(made, RefundSnapshot("re", dollars, S))),
        Note("poll", NOW, dispute=disputed(made, DisputeState.INQUIRY, amount=dollars)),
    ):
        with pytest.raises(BooksError):
            await books.note(made.id, wrong)
    await books.note(other.id, Note("poll", NOW, dispute=disputed(other, DisputeState.INQUIRY)))
    with pytest.raises(BooksError, match="is about"):
        await books.note(made.id, Note("poll", NOW, dispute=disputed(other, DisputeState.LOST)))
    with pytest.raises(BooksError, match="no checkout"):
        await books.note("chk_none", Note("poll", NOW, snapshot(made)))


async def test_a_refund_that_comes_back_opens_one_case(books: Books, engine: AsyncEngine) -> None:
    """The money is back, the amount is free again, and a person finds a case about the refund, once."""
    made = await sale(books)
    refunds, refund = Refunds(engine), asked(made, 1000)
    await refunds.reserve(refund)
    for status in (P, S, F, F, S):
        noted = await books.note(made.id, Note("poll", NOW, snapshot(made, shown(refund, status))))
    assert noted.status.refunded_minor == 0
    (record,) = noted.refunds
    assert (record.status, record.failure and record.failure.code) == (F, "lost_card")
    (case,) = await CaseBook(engine).open_of(made.id)
    assert (case.subject, case.amount_minor, case.workflow_id) == (refund.id, 1000, f"late/{made.id}")
    assert await refunds.available(made.id) == PRICE
    assert (await verify(engine, made.id)).breach is None


async def test_a_refund_that_failed_unseen_frees_its_amount(books: Books, engine: AsyncEngine) -> None:
    """The first that is seen of it is that it failed: nothing moved, no case, and an old look changes nothing."""
    made = await sale(books)
    refunds, refund = Refunds(engine), asked(made, 1000)
    await refunds.reserve(refund)
    for status in (F, F, P):
        await books.note(made.id, Note("poll", NOW, snapshot(made, shown(refund, status))))
    record = await refunds.get(refund.id)
    assert record is not None
    assert record.status is F
    assert await refunds.available(made.id) == PRICE
    assert await CaseBook(engine).open_of(made.id) == ()
    assert (await verify(engine, made.id)).breach is None


async def test_a_dispute_lives_on_the_books(books: Books, engine: AsyncEngine) -> None:
    """Asked about, withdrawn, answered, won, and lost in the end: the projection is always the latest look."""
    made = await sale(books)
    disputes = Disputes(engine)
    for state, out in (
        (DisputeState.INQUIRY, 0),
        (DisputeState.NEEDS_RESPONSE, PRICE.minor),
        (DisputeState.INQUIRY, 0),
        (DisputeState.UNDER_REVIEW, PRICE.minor),
        (DisputeState.WON, 0),
        (DisputeState.NEEDS_RESPONSE, PRICE.minor),
        (DisputeState.LOST, PRICE.minor),
    ):
        noted = await books.note(made.id, Note("poll", NOW, dispute=disputed(made, state, out)))
        assert noted.dispute == await disputes.find("stripe", f"dp_{made.id}")
    assert noted.dispute is not None
    assert noted.dispute.id == dispute_id_of("stripe", f"dp_{made.id}")
    assert noted.dispute.snapshot == disputed(made, DisputeState.LOST, PRICE.minor)
    balance = sum(row.amount_minor for row in await books.postings(made.id) if row.account == "stripe:balance")
    assert balance == 0
    assert (await verify(engine, made.id)).breach is None


async def test_a_late_absolute_writer_spoils_no_totals(books: Books, engine: AsyncEngine) -> None:
    """A workflow that knows nothing of a refund writes its old totals; the books keep the true ones, events too."""
    made = await sale(books)
    stale = await books.get(made.id)
    assert stale is not None
    refund = RefundSnapshot(f"re_{made.id}", Money(1000, "EUR"), S)
    await books.note(made.id, Note("poll", NOW, snapshot(made, refund)))
    for status in (stale.status, CheckoutStatus(CheckoutState.COMPLETED, f"pi_{made.id}")):
        record = await books.append(made.id, [Entry(f"late:{status.captured_minor}", status, "api", NOW)])
        assert (record.status.captured_minor, record.status.refunded_minor) == (PRICE.minor, 1000)
    assert (await verify(engine, made.id)).breach is None


async def test_others_are_told_of_amounts_and_ids(books: Books, engine: AsyncEngine, owner: asyncpg.Connection) -> None:
    """Each event once, in order, with the totals of then; the shop's words for the reason stay where they are."""
    made = await sale(books)
    refund = asked(made, 1000, reason="Mr Miller of Main Street was not at home")
    await Refunds(engine).reserve(refund)
    await books.note(made.id, Note("poll", NOW, snapshot(made, shown(refund, S))))
    await books.note(made.id, Note("poll", NOW, dispute=disputed(made, DisputeState.NEEDS_RESPONSE, 3200)))
    told = await owner.fetch(
        "SELECT type, payload::text AS text FROM outbox WHERE checkout_id = $1 ORDER BY id", made.id
    )
    assert [row["type"] for row in told][4:] == ["refund.created", "refund.succeeded", "dispute.opened"]
    assert not any("Miller" in row["text"] for row in told)
    assert '"amount_refunded": 0' in told[4]["text"]
    assert '"amount_refunded": 1000' in told[5]["text"]
    for word in (refund.id, '"amount": 1000', '"status": "succeeded"'):
        assert word in told[5]["text"]
    for word in (dispute_id_of("stripe", f"dp_{made.id}"), '"withdrawn": 3200', '"respond_by": "2026-03-11T05:06:07'):
        assert word in told[6]["text"]


async def test_payment_and_dispute_in_one_note(books: Books, engine: AsyncEngine) -> None:
    """Both are written, all or none, each row with a number of its own."""
    made = await sale(books)
    lost = snapshot(made, status=PaymentStatus.CANCELED, captured=PRICE.zero())
    note = Note("poll", NOW, lost, disputed(made, DisputeState.LOST, 0))
    noted = await books.note(made.id, note)
    assert noted.status.captured_minor == 0
    keys = [row.key for row in await books.timeline(made.id)][4:]
    dispute = dispute_id_of("stripe", f"dp_{made.id}")
    assert keys == ["lost:5", f"dispute:{dispute}:6", f"dispute:{dispute}:7"]
    assert not (await books.note(made.id, replace(note, cause="webhook:evt_2"))).news
    assert (await verify(engine, made.id)).breach is None
