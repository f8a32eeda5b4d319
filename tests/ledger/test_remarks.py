"""Remarks: rows beside a checkout's story, written by those who have no say in where it stands."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.case import CaseKind, CloseCase, OpenCase
from domain.checkout import CheckoutStatus
from domain.errors import BooksError
from domain.states import CheckoutState
from domain.timeline import Entry, EventType
from ledger.books import Books
from ledger.cases import CaseBook
from ledger.remarks import Remark, Remarks
from ledger.verify import verify
from tests.ledger.samples import NOW, PRICE, sale


async def test_a_remark_leaves_the_state_as_it_is(books: Books, engine: AsyncEngine) -> None:
    """It is written once, whatever the state is when it comes again, and the status is the one that was found."""
    made, remarks = await sale(books), Remarks(engine)
    remark = Remark("dispute:dsp_1:reminder:7", "timer", NOW, {"days": 7})
    first = await remarks.append(made.id, [remark])
    assert (first.state, first.captured_minor) == (CheckoutState.COMPLETED, PRICE.minor)
    review = CheckoutStatus(CheckoutState.NEEDS_REVIEW, f"pi_{made.id}", stuck=True, waiting_for="a person")
    await books.append(made.id, [Entry("review", review, "poll", NOW)])
    again = await remarks.append(made.id, [remark, replace(remark, key="dispute:dsp_1:reminder:3")])
    assert again == replace(review, captured_minor=PRICE.minor)
    rows = await books.timeline(made.id)
    assert [(row.key, row.state) for row in rows][4:] == [
        ("dispute:dsp_1:reminder:7", "completed"),
        ("review", "needs_review"),
        ("dispute:dsp_1:reminder:3", "needs_review"),
    ]
    assert (await verify(engine, made.id)).breach is None


async def test_remarks_open_and_close_cases(books: Books, engine: AsyncEngine) -> None:
    """All or none, in order, also when several write the same at once."""
    made, remarks = await sale(books), Remarks(engine)
    mark = OpenCase(CaseKind.DISPUTE_UNANSWERED, "nobody has answered", "dispute/dsp_1", 1, "dsp_1")
    opening = Remark("unanswered", "timer", NOW, case=mark, event=EventType.CASE_OPENED)
    await asyncio.gather(*(remarks.append(made.id, [opening]) for _ in range(5)))
    (case,) = await CaseBook(engine).open_of(made.id)
    assert (case.subject, case.workflow_id) == ("dsp_1", "dispute/dsp_1")
    closing = Remark("answered", "api", NOW, case=CloseCase(mark.kind, "answered", "dsp_1"))
    await remarks.append(made.id, [closing])
    assert await CaseBook(engine).open_of(made.id) == ()
    with pytest.raises(BooksError, match="no checkout"):
        await remarks.append("chk_none", [opening])
