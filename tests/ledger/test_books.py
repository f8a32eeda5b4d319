"""The books: what is written is what is read, nothing twice, nothing in between."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from domain.checkout import CheckoutStatus, Failure, HoldPolicy
from domain.errors import BooksError, EntryMismatchError, IllegalTransitionError, OrderExistsError
from domain.postings import TransactionKind, capture
from domain.states import CheckoutState
from domain.timeline import CHAIN_START, Entry
from ledger.books import Books
from ledger.operations import Operations
from tests.ledger.samples import NOW, PRICE, checkout, created, note, opened, paid, refunding, whole_life


async def test_a_checkout_reads_as_it_was_written(books: Books) -> None:
    """Every field survives, also the empty ones, and the record says where it stands."""
    bare = checkout(return_url=None, email=None, metadata=None, confirm_within_seconds=60)
    for made in (checkout(), bare, *(checkout(on_hold_expiry=policy) for policy in HoldPolicy)):
        record = await books.create_checkout(made, created())
        assert record == await books.get(made.id) == await books.find_by_order(made.order_id)
        assert record.checkout == made
        assert (record.status, record.sequence, record.updated_at) == (created().status, 1, NOW)


async def test_a_status_reads_as_it_was_written(books: Books) -> None:
    """Next action, failure and flags survive, and are gone when the next row has none."""
    made = checkout()
    await books.create_checkout(made, created())
    payment_id = f"pi_{made.id}"
    stuck = replace(opened(payment_id).status, stuck=True, failure=Failure("do_not_honor", "The bank said no."))
    record = await books.append(made.id, [replace(opened(payment_id), status=stuck)])
    assert record.status == stuck
    assert record == await books.get(made.id) == await books.find_by_payment("stripe", payment_id)
    await books.append(made.id, [paid(payment_id)])
    read = await books.get(made.id)
    assert read is not None
    assert read.status == paid(payment_id).status


async def test_what_is_not_there_is_none(books: Books) -> None:
    """Reading an unknown checkout, order or payment gives nothing; appending to one is refused."""
    assert await books.get("chk_none") is None
    assert await books.find_by_order("none") is None
    assert await books.find_by_payment("stripe", "pi_none") is None
    assert await books.timeline("chk_none") == ()
    with pytest.raises(BooksError, match="no checkout 'chk_none'"):
        await books.append("chk_none", [note("a")])


async def test_an_order_has_one_checkout(books: Books) -> None:
    """A second checkout for the order is refused, names the first and leaves no trace."""
    first = checkout()
    await books.create_checkout(first, created())
    second = checkout(order_id=first.order_id)
    with pytest.raises(OrderExistsError) as caught:
        await books.create_checkout(second, created())
    assert caught.value.checkout_id == first.id
    assert await books.get(second.id) is None


async def test_twenty_at_once_make_one_checkout(books: Books) -> None:
    """Of many simultaneous creations of one order exactly one succeeds and the others learn its id."""
    order = checkout().order_id
    made = [checkout(order_id=order) for _ in range(20)]
    results = await asyncio.gather(*(books.create_checkout(c, created()) for c in made), return_exceptions=True)
    winners = [c.id for c, result in zip(made, results, strict=True) if not isinstance(result, BaseException)]
    losers = [result for result in results if isinstance(result, OrderExistsError)]
    assert len(winners) == 1
    assert {loser.checkout_id for loser in losers} == set(winners)
    assert len(losers) == 19


async def test_fifty_appends_at_once_make_one_chain(books: Books) -> None:
    """Sequences have no gaps and each row is chained to the one before, whatever the order of arrival."""
    made = checkout()
    await books.create_checkout(made, created())
    await asyncio.gather(*(books.append(made.id, [note(f"n{n}")]) for n in range(50)))
    rows = await books.timeline(made.id)
    assert [row.sequence for row in rows] == list(range(1, 52))
    assert {row.key for row in rows} == {"created"} | {f"n{n}" for n in range(50)}
    assert [row.previous_hash for row in rows] == [CHAIN_START] + [row.hash for row in rows[:-1]]


async def test_fifty_times_the_same_append_writes_once(books: Books, owner: asyncpg.Connection) -> None:
    """A repeated entry changes nothing: one row, one transaction, one event."""
    made = checkout()
    await books.create_checkout(made, created())
    entries = [opened(f"pi_{made.id}"), paid(f"pi_{made.id}")]
    records = await asyncio.gather(*(books.append(made.id, entries) for _ in range(50)))
    assert {record.sequence for record in records} == {3}
    assert len(await books.postings(made.id)) == 2
    assert await owner.fetchval("SELECT count(*) FROM outbox WHERE checkout_id = $1", made.id) == 3


async def test_a_late_repeat_does_not_turn_back_the_status(books: Books) -> None:
    """An entry from before, repeated after newer ones, is skipped; new ones of the same call are written."""
    made = await whole_life(books)
    payment_id = f"pi_{made.id}"
    record = await books.append(made.id, [opened(payment_id), paid(payment_id)])
    assert (record.status.state, record.sequence) == (CheckoutState.REFUNDED, 5)
    again = Entry("again", replace(record.status, stuck=True), "operator", NOW)
    record = await books.append(made.id, [paid(payment_id), again, again])
    assert (record.status.stuck, record.sequence) == (True, 6)


async def test_a_key_that_leads_elsewhere_is_refused(books: Books) -> None:
    """The same key with another state is a bug that writes nothing, not even the entries beside it."""
    made = checkout()
    entry = paid(f"pi_{made.id}")
    await books.create_checkout(made, created())
    await books.append(made.id, [entry])
    other = replace(entry, status=CheckoutStatus(CheckoutState.DECLINED))
    with pytest.raises(EntryMismatchError):
        await books.append(made.id, [replace(entry, key="before", transactions=()), other])
    assert [row.key for row in await books.timeline(made.id)] == ["created", "paid"]


async def test_the_same_fact_told_later_is_the_same_entry(books: Books) -> None:
    """A workflow task that is tried again tells the same fact with a later clock: the first row stands."""
    made = checkout()
    entry = paid(f"pi_{made.id}")
    await books.create_checkout(made, created())
    await books.append(made.id, [entry])
    later = replace(entry, at=NOW + timedelta(seconds=3), cause="poll")
    assert (await books.append(made.id, [later])).sequence == 2
    assert (await books.timeline(made.id))[-1].cause == entry.cause
    assert len(await books.postings(made.id)) == 2


async def test_an_illegal_change_writes_nothing(books: Books) -> None:
    """A state that the table does not allow refuses the whole call, what came before it too."""
    made = checkout()
    await books.create_checkout(made, created())
    completed = Entry("completed", CheckoutStatus(CheckoutState.COMPLETED), "api", NOW)
    with pytest.raises(IllegalTransitionError):
        await books.append(made.id, [note("a"), completed])
    assert len(await books.timeline(made.id)) == 1
    with pytest.raises(IllegalTransitionError):
        await books.create_checkout(checkout(), replace(created(), status=completed.status))


async def test_postings_read_as_they_were_written(books: Books) -> None:
    """Double entry, in the order of the rows, each with its transaction and the gateway's reference."""
    made = await whole_life(books)
    lines = await books.postings(made.id)
    assert [(line.kind, line.account, line.amount_minor) for line in lines] == [
        (TransactionKind.CAPTURE, "stripe:sales", -4200),
        (TransactionKind.CAPTURE, "stripe:balance", 4200),
        (TransactionKind.REFUND, "stripe:refunds_pending", -4200),
        (TransactionKind.REFUND, "stripe:sales", 4200),
        (TransactionKind.REFUND_SETTLED, "stripe:balance", -4200),
        (TransactionKind.REFUND_SETTLED, "stripe:refunds_pending", 4200),
    ]
    assert [line.sequence for line in lines] == [3, 3, 4, 4, 5, 5]
    assert {line.reference for line in lines} == {f"pi_{made.id}", "re_1"}
    assert {line.currency for line in lines} == {"EUR"}


async def test_a_row_may_move_money_several_times(books: Books) -> None:
    """Two transactions of one row keep their order and are told apart."""
    made = checkout()
    await books.create_checkout(made, created())
    payment_id = f"pi_{made.id}"
    both = capture("stripe", payment_id, PRICE, PRICE), refunding(payment_id).transactions[0]
    await books.append(made.id, [replace(refunding(payment_id), transactions=both)])
    lines = await books.postings(made.id)
    assert [line.kind for line in lines] == ["capture"] * 4 + ["refund"] * 2
    assert len({line.transaction_id for line in lines}) == 2


async def test_a_payment_belongs_to_one_checkout(books: Books) -> None:
    """A second checkout cannot claim the gateway's payment of another."""
    first, second = checkout(), checkout()
    for made in (first, second):
        await books.create_checkout(made, created())
    await books.append(first.id, [opened("pi_shared")])
    with pytest.raises(BooksError, match="one_checkout_per_payment"):
        await books.append(second.id, [opened("pi_shared")])


@pytest.mark.parametrize("bad", ["nul \0", "lone surrogate \ud800"])
async def test_text_that_cannot_be_stored_is_a_typed_error(books: Books, bad: str) -> None:
    """What Postgres cannot hold is refused as BooksError, not as a driver's exception, and writes nothing."""
    made = checkout()
    await books.create_checkout(made, created())
    with pytest.raises(BooksError):
        await books.append(made.id, [replace(note("a"), details={"message": bad})])
    with pytest.raises(BooksError):
        await books.create_checkout(checkout(order_id=bad), created())
    assert len(await books.timeline(made.id)) == 1


async def test_the_outbox_holds_one_event_per_telling_row(books: Books, owner: asyncpg.Connection) -> None:
    """Events carry ids, codes and amounts; no address, no secret, no free text."""
    made = checkout()
    payment_id = f"pi_{made.id}"
    await books.create_checkout(made, created())
    details = {
        "code": "do_not_honor",
        "message": "Call your bank",
        "client_secret": "x",
        "attempt": 2,
        "email": "a@b.c",
    }
    told = replace(paid(payment_id), details=details)
    await books.append(made.id, [opened(payment_id), note_in(payment_id), told])
    rows = await owner.fetch("SELECT * FROM outbox WHERE checkout_id = $1 ORDER BY id", made.id)
    assert [(row["sequence"], row["type"]) for row in rows] == [
        (1, "checkout.created"),
        (2, "checkout.opened"),
        (4, "payment.succeeded"),
    ]
    assert all(row["published_at"] is None for row in rows)
    payload = await owner.fetchval("SELECT payload::text FROM outbox WHERE id = $1", rows[2]["id"])
    expected = {
        "checkout_id": made.id,
        "order_id": made.order_id,
        "timeline_sequence": 4,
        "state": "paid",
        "amount": 4200,
        "currency": "EUR",
        "gateway": "stripe",
        "amount_captured": 4200,
        "amount_refunded": 0,
        "cause_kind": "webhook",
        "at": NOW.isoformat(),
        "details": {"code": "do_not_honor", "attempt": 2},
    }
    assert json.loads(payload) == expected
    everything = await owner.fetchval(
        "SELECT string_agg(payload::text, '') FROM outbox WHERE checkout_id = $1", made.id
    )
    assert "_secret_" not in everything
    assert "@" not in everything


async def test_unopened_checkouts_are_found(books: Books) -> None:
    """Only checkouts for which nothing was done and that are older than asked, oldest first."""
    old, young, done, begun = checkout(), checkout(created_at=datetime.now(UTC)), checkout(), checkout()
    for made in (old, young, done, begun):
        await books.create_checkout(made, created())
    await Operations(books._engine).begin(f"{begun.id}:create:1", begun.id, "stripe", "create", {})
    await books.append(done.id, [opened(f"pi_{done.id}")])
    found = [record.checkout.id for record in await books.find_unopened(timedelta(minutes=1), 10_000)]
    assert old.id in found
    assert not {young.id, done.id, begun.id} & set(found)
    assert len(await books.find_unopened(timedelta(minutes=1), 1)) == 1


def note_in(payment_id: str) -> Entry:
    """A fact learnt while the customer pays, which tells nobody."""
    return replace(opened(payment_id), key="looked", event=None, details={})
