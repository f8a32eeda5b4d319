"""Disputes and their evidence: listed, found, answered, and nothing personal anywhere but in its table."""

from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.dispute import DisputeEvidence, DisputeState
from domain.errors import BooksError
from ledger.books import Books
from ledger.contract import DisputeFilter, DisputeRecord, Note
from ledger.disputes import Disputes
from ledger.verify import verify
from tests.ledger.samples import NOW, disputed, sale

EVIDENCE = DisputeEvidence("Delivered to Mr Miller, Main Street 1", tracking_carrier="Post", tracking_number="1Z")


async def opened_dispute(books: Books, day: int = 0, state: DisputeState = DisputeState.INQUIRY) -> DisputeRecord:
    """A dispute about a new sale, first seen on this day."""
    made = await sale(books)
    noted = await books.note(made.id, Note("poll", NOW + timedelta(days=day), dispute=disputed(made, state)))
    assert noted.dispute is not None
    return noted.dispute


async def test_evidence_is_kept_and_found_again(books: Books, engine: AsyncEngine) -> None:
    """Word for word, each time under an id of its own; nobody else's, and not for a dispute that is not there."""
    disputes, record = Disputes(engine), await opened_dispute(books)
    ids = [await disputes.save_evidence(record.id, EVIDENCE, "key_1") for _ in range(2)]
    assert await disputes.evidence_of(record.id) == tuple(ids)
    assert await disputes.evidence(ids[0]) == EVIDENCE
    assert await disputes.evidence("evi_none") is None
    with pytest.raises(BooksError, match="evidence_of_dispute"):
        await disputes.save_evidence("dsp_none", EVIDENCE, "key_1")


async def test_an_answer_is_noted_once(books: Books, engine: AsyncEngine) -> None:
    """On the dispute and on the timeline, with who gave it; the same again is none, and a later one replaces it."""
    disputes, record = Disputes(engine), await opened_dispute(books)
    evidence_id = await disputes.save_evidence(record.id, EVIDENCE, "key_1")
    for _ in range(3):
        answered = await disputes.answered(record.id, "submit_evidence", NOW, "api", "key_1", evidence_id)
    assert (answered.answered, answered.answered_at) == ("submit_evidence", NOW)
    row = (await books.timeline(record.checkout_id))[-1]
    assert row.sequence == 6
    assert row.details == {
        "dispute_id": record.id,
        "verb": "submit_evidence",
        "who": "key_1",
        "evidence_id": evidence_id,
    }
    await disputes.answered(record.id, "accept_dispute", NOW + timedelta(hours=1))
    late = await disputes.answered(record.id, "submit_evidence", NOW, "api", "key_1", evidence_id)
    assert late.answered == "accept_dispute"
    assert (await verify(engine, record.checkout_id)).breach is None
    with pytest.raises(BooksError, match="no dispute"):
        await disputes.answered("dsp_none", "submit_evidence", NOW)


async def test_an_answer_outlives_the_next_look(books: Books, engine: AsyncEngine) -> None:
    """What the gateway says next does not make it forgotten that the shop has answered."""
    disputes, record = Disputes(engine), await opened_dispute(books)
    await disputes.answered(record.id, "submit_evidence", NOW)
    made = await books.get(record.checkout_id)
    assert made is not None
    await books.note(made.checkout.id, Note("poll", NOW, dispute=disputed(made.checkout, DisputeState.WON)))
    found = await disputes.get(record.id)
    assert found is not None
    assert (found.answered, found.snapshot.state) == ("submit_evidence", DisputeState.WON)
    assert await disputes.of_checkout(record.checkout_id) == (found,)
    assert (await verify(engine, record.checkout_id)).breach is None


async def test_pages_of_disputes(fresh_engine: AsyncEngine) -> None:
    """Newest first, every one once, by state, gateway, checkout, and whether anything is open."""
    books, disputes = Books(fresh_engine), Disputes(fresh_engine)
    made = [await opened_dispute(books, day, state) for day in range(3) for state in DisputeState]
    seen, cursor = list[str](), None
    for _ in range(8):
        page = await disputes.list(DisputeFilter(cursor=cursor, limit=2))
        seen += [record.id for record in page.data]
        cursor = page.next_cursor
    assert cursor is None
    expected = sorted(made, key=lambda record: (record.opened_at, record.id), reverse=True)
    assert seen == [record.id for record in expected]
    counts = {
        DisputeFilter(state=DisputeState.LOST): 3,
        DisputeFilter(open=True): 9,
        DisputeFilter(open=False): 6,
        DisputeFilter(open=False, state=DisputeState.INQUIRY): 0,
        DisputeFilter(gateway="stripe"): 15,
        DisputeFilter(gateway="paypal"): 0,
        DisputeFilter(checkout_id=made[0].checkout_id): 1,
    }
    assert {wanted: len((await disputes.list(wanted)).data) for wanted in counts} == counts
    with pytest.raises(ValueError, match="cursor"):
        await disputes.list(DisputeFilter(cursor="x"))


async def test_unknown_disputes(engine: AsyncEngine) -> None:
    """Ids and names that nobody has heard of."""
    disputes = Disputes(engine)
    assert await disputes.get("dsp_none") is None
    assert await disputes.find("stripe", "dp_none") is None
    assert await disputes.of_checkout("chk_none") == ()
