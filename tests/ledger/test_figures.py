"""Figures: what waits is counted, with the moment since which the oldest does, and what is done is not."""

from dataclasses import replace
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from domain.case import CaseKind, CloseCase, OpenCase
from domain.dispute import DisputeState
from domain.payment import RefundStatus
from domain.timeline import Entry
from ledger.books import Books
from ledger.contract import Note
from ledger.figures import Figures, read_figures
from ledger.inbox import Inbox
from ledger.refunds import Refunds
from tests.ledger.samples import NOW, PROCESSING, asked, checkout, created, delivery, disputed, sale, shown, snapshot

LATER = NOW + timedelta(days=1)


async def test_nothing_waits(fresh_engine: AsyncEngine) -> None:
    """Books on which nothing waits, or which are empty, say so."""
    nothing = Figures(0, None, 0, None, 0, {}, None, 0, None)
    assert await read_figures(fresh_engine) == nothing
    await sale(Books(fresh_engine))
    assert await read_figures(fresh_engine) == nothing


async def test_what_waits_is_counted(fresh_engine: AsyncEngine) -> None:
    """One of everything that waits, beside one of everything that does not any more."""
    books, refunds = Books(fresh_engine), Refunds(fresh_engine)
    made = await sale(books)
    done, waiting = asked(made, 10, created_at=NOW - timedelta(days=9)), asked(made, 20)
    for refund in (done, waiting):
        await refunds.reserve(refund)
    await books.note(made.id, Note("poll", NOW, snapshot(made, shown(done, RefundStatus.SUCCEEDED))))
    await books.note(made.id, Note("poll", NOW, dispute=disputed(made, DisputeState.INQUIRY)))
    decided = disputed(made, DisputeState.LOST, dispute_id="dp_other")
    await books.note(made.id, Note("poll", NOW, dispute=decided))
    stuck = checkout()
    await books.create_checkout(stuck, created())
    marks = [
        OpenCase(CaseKind.CAPTURE_LOST, "gone", "late/chk"),
        OpenCase(CaseKind.STRAY_PAYMENT, "stray", "late/chk"),
        CloseCase(CaseKind.CAPTURE_LOST, "settled"),
    ]
    status = replace(PROCESSING, stuck=True)
    entries = [Entry(f"row:{n}", status, "api", NOW + n * (LATER - NOW), case=mark) for n, mark in enumerate(marks)]
    await books.append(stuck.id, entries)
    inbox = Inbox(fresh_engine)
    await inbox.start()
    for relevant in (True, False):
        await inbox.store(delivery(relevant=relevant))
    await inbox.close()
    assert await read_figures(fresh_engine) == Figures(
        unprocessed=1,
        oldest_unprocessed_at=NOW,
        refunds_pending=1,
        oldest_refund_at=NOW,
        disputes_open=1,
        cases_open={CaseKind.STRAY_PAYMENT: 1},
        oldest_case_at=LATER,
        stuck=1,
        oldest_stuck_at=NOW + 2 * (LATER - NOW),
    )
