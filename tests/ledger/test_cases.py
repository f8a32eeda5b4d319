"""Cases: opened and closed by timeline rows, and never two of the same at once."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.case import CaseKind, CloseCase, OpenCase
from domain.checkout import Checkout
from domain.timeline import Entry
from ledger.books import Books
from ledger.cases import CaseBook
from ledger.contract import CaseFilter
from ledger.verify import verify
from tests.ledger.samples import NOW, PROCESSING, checkout, created

LOST = OpenCase(CaseKind.CAPTURE_LOST, "the money went away", "late/chk", 4200)


def row(key: str, mark: OpenCase | CloseCase, hour: int = 0) -> Entry:
    """A row that opens or closes a case."""
    return Entry(key, PROCESSING, "api", NOW + timedelta(hours=hour), {"seen": key}, case=mark)


async def begun(books: Books) -> Checkout:
    """A checkout with its first row."""
    made = checkout()
    await books.create_checkout(made, created())
    return made


async def test_a_case_is_opened_and_closed(books: Books, engine: AsyncEngine) -> None:
    """Its id names the row; both rows say what they did; closed, it is still there, with how and when."""
    made, cases = await begun(books), CaseBook(engine)
    await books.append(made.id, [row("lost", LOST)])
    (case,) = await cases.open_of(made.id)
    assert case.id == f"case_{made.id.removeprefix('chk_')}_2"
    assert (case.kind, case.message, case.workflow_id) == (LOST.kind, LOST.message, LOST.workflow_id)
    assert (case.amount_minor, case.currency, case.opened_at) == (4200, "EUR", NOW)
    await books.append(made.id, [row("back", CloseCase(LOST.kind, "the gateway paid"), 1)])
    assert await cases.open_of(made.id) == ()
    closed = replace(case, closed_at=NOW + timedelta(hours=1), closed_how="the gateway paid")
    assert await cases.get(case.id) == closed
    details = [r.details for r in await books.timeline(made.id)]
    told = {"case_opened": case.id, "case_kind": "capture_lost", "case_amount": 4200}
    assert details[1:] == [
        {"seen": "lost", **told},
        {"seen": "back", "case_closed": case.id, "case_how": "the gateway paid"},
    ]
    assert (await verify(engine, made.id)).breach is None


async def test_the_first_of_two_stays(books: Books, engine: AsyncEngine) -> None:
    """Opened again while it is open, also by others at the same moment: one case, as it was opened first."""
    made, cases = await begun(books), CaseBook(engine)
    rows = [row(f"lost:{number}", replace(LOST, message=str(number))) for number in range(8)]
    await asyncio.gather(*(books.append(made.id, [one]) for one in rows))
    (case,) = await cases.open_of(made.id)
    first = (await books.timeline(made.id))[1]
    assert first.key == f"lost:{case.message}"
    assert (await verify(engine, made.id)).breach is None


async def test_a_case_can_come_again(books: Books, engine: AsyncEngine) -> None:
    """Closed and opened anew, in one write too, it is another case; closing what is not open does nothing."""
    made, cases = await begun(books), CaseBook(engine)
    close = CloseCase(LOST.kind, "settled")
    await books.append(made.id, [row("none", close), row("a", LOST), row("b", close), row("c", LOST), row("d", LOST)])
    found = (await cases.list(CaseFilter(checkout_id=made.id, open=None))).data
    assert [(case.sequence, case.closed_how) for case in found] == [(3, "settled"), (5, None)]
    assert (await verify(engine, made.id)).breach is None


async def test_subjects_and_kinds_are_told_apart(books: Books, engine: AsyncEngine) -> None:
    """Two refunds that came back are two cases, closed one by one, and another kind is another case."""
    made, cases = await begun(books), CaseBook(engine)
    one, other = (replace(LOST, kind=CaseKind.REFUND_FAILED_LATER, subject=id_) for id_ in ("rfd_1", "rfd_2"))
    await books.append(made.id, [row("a", one), row("b", other), row("c", LOST)])
    await books.append(made.id, [row("d", CloseCase(one.kind, "settled", "rfd_2"))])
    left = await cases.open_of(made.id)
    assert [(case.kind, case.subject) for case in left] == [(one.kind, "rfd_1"), (LOST.kind, None)]
    assert (await verify(engine, made.id)).breach is None


async def test_a_repeated_write_opens_nothing_again(books: Books, engine: AsyncEngine) -> None:
    """The row is on the books, so the case that was closed meanwhile stays closed."""
    made = await begun(books)
    entry = row("lost", LOST)
    await books.append(made.id, [entry, row("back", CloseCase(LOST.kind, "settled"))])
    await books.append(made.id, [entry])
    assert await CaseBook(engine).open_of(made.id) == ()


async def test_pages_of_cases(fresh_engine: AsyncEngine) -> None:
    """Oldest first, every one once, by kind and checkout, open ones unless others are asked for."""
    books, cases = Books(fresh_engine), CaseBook(fresh_engine)
    made = [await begun(books) for _ in range(5)]
    for hour, one in enumerate(made):
        await books.append(one.id, [row("lost", LOST, hour)])
    await books.append(made[0].id, [row("back", CloseCase(LOST.kind, "settled"), 9)])
    seen, cursor = list[str](), None
    for _ in range(3):
        page = await cases.list(CaseFilter(open=None, cursor=cursor, limit=2))
        seen += [case.checkout_id for case in page.data]
        cursor = page.next_cursor
    assert (seen, cursor) == ([one.id for one in made], None)
    counts = {
        CaseFilter(): 4,
        CaseFilter(open=False): 1,
        CaseFilter(open=None): 5,
        CaseFilter(kind=CaseKind.STRAY_PAYMENT): 0,
        CaseFilter(kind=CaseKind.CAPTURE_LOST): 4,
        CaseFilter(checkout_id=made[1].id): 1,
    }
    assert {wanted: len((await cases.list(wanted)).data) for wanted in counts} == counts
    assert await cases.get("case_none") is None
    with pytest.raises(ValueError, match="cursor"):
        await cases.list(CaseFilter(cursor="!"))
