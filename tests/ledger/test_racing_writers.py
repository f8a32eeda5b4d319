"""Refunds, notes and stale writers at once, on connections of their own: the books hold whatever the order."""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.checkout import Checkout, Failure
from domain.dispute import DisputeState
from domain.payment import RefundSnapshot, RefundStatus
from domain.refund import Refund
from domain.timeline import Entry
from ledger.books import Books
from ledger.contract import Note, RefundRefusedError
from ledger.refunds import Refunds
from ledger.verify import verify
from tests.ledger.samples import NOW, asked, disputed, sale, shown, snapshot

FATES = st.sampled_from(RefundStatus)
DISPUTES = st.sampled_from([None, None, *DisputeState])


@dataclass(frozen=True)
class Part:
    """A refund that is asked for, what its looks show in turn, and whether the gateway declines it first."""

    minor: int
    fates: list[RefundStatus]
    declined: bool


PARTS = st.lists(
    st.builds(Part, st.integers(1, 80), st.lists(FATES, max_size=3), st.booleans()), min_size=2, max_size=4
)


@given(PARTS, DISPUTES, st.integers(1, 100))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_never_more_goes_back_than_was_captured(
    engine: AsyncEngine, books: Books, parts: list[Part], dispute: DisputeState | None, out: int
) -> None:
    """Every refund is asked for, shown and declined at once with the others, with a dispute and stale writers."""
    made = await sale(books, 100)
    wanted = [asked(made, part.minor) for part in parts]
    refunds = Refunds(engine)
    results = await asyncio.gather(*map(refunds.reserve, wanted), return_exceptions=True)
    kept = [(r, part) for r, part, result in zip(wanted, parts, results, strict=True) if not is_refused(result)]
    assert sum(refund.amount.minor for refund, _ in kept) <= 100
    works = [work for refund, part in kept for work in lives(books, refunds, made, refund, part)]
    if dispute is not None:
        lost = disputed(made, dispute, 0 if dispute is DisputeState.WON else out)
        works += [books.note(made.id, Note("poll", NOW, dispute=lost)) for _ in range(2)]
    works += [stale(books, made, number) for number in range(2)]
    failures = [r for r in await asyncio.gather(*works, return_exceptions=True) if isinstance(r, BaseException)]
    assert failures == []
    await check(engine, books, made)


def lives(books: Books, refunds: Refunds, made: Checkout, refund: Refund, part: Part) -> list[Awaitable[object]]:
    """Each look twice, as if by two workflows; and the gateway's no, which may come before or after them."""
    looks = [snapshot(made, shown(refund, fate)) for fate in part.fates for _ in range(2)]
    works: list[Awaitable[object]] = [books.note(made.id, Note("poll", NOW, look)) for look in looks]
    if part.declined:
        works.append(refunds.fail(refund.id, Failure("declined", "no"), "api", NOW))
    return works


async def stale(books: Books, made: Checkout, number: int) -> None:
    """A writer that read the books before all others, and writes what it believes the totals are."""
    record = await books.get(made.id)
    assert record is not None
    await asyncio.sleep(0)
    believed = replace(record.status, captured_minor=7, refunded_minor=99)
    await books.append(made.id, [Entry(f"stale:{number}", believed, "api", NOW)])


def is_refused(result: object) -> bool:
    """Whether the books would not reserve it; anything else that went wrong is no refusal."""
    assert not isinstance(result, BaseException) or isinstance(result, RefundRefusedError)
    return isinstance(result, RefundRefusedError)


async def check(engine: AsyncEngine, books: Books, made: Checkout) -> None:
    """The chain, the sums and the projections hold; no row, event or movement stands twice."""
    assert (await verify(engine, made.id)).breach is None
    keys = [row.key for row in await books.timeline(made.id)]
    assert len(keys) == len(set(keys))
    rows = await books.postings(made.id)
    assert sum(row.amount_minor for row in rows) == 0
    steps = {(row.transaction_id, row.kind, row.reference) for row in rows}
    assert len(steps) == len({(kind, reference) for _, kind, reference in steps})
    record = await books.get(made.id)
    assert record is not None
    assert 0 <= record.status.refunded_minor <= record.status.captured_minor == 100


@given(st.lists(st.integers(1, 60), min_size=2, max_size=6))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_what_can_be_reserved_is(engine: AsyncEngine, books: Books, parts: Sequence[int]) -> None:
    """Whoever is refused was refused rightly: what is left at the end is less than any refused amount."""
    made, refunds = await sale(books, 100), Refunds(engine)
    results = await asyncio.gather(*(refunds.reserve(asked(made, part)) for part in parts), return_exceptions=True)
    left = (await refunds.available(made.id)).minor
    refused = [part for part, result in zip(parts, results, strict=True) if is_refused(result)]
    assert left == 100 - (sum(parts) - sum(refused))
    assert all(part > left for part in refused)


async def test_a_refund_made_by_hand_at_the_same_moment(engine: AsyncEngine, books: Books) -> None:
    """The gateway shows one that nobody here asked for while another is reserved: each order leaves true books."""
    for _ in range(10):
        made, refunds = await sale(books, 100), Refunds(engine)
        by_hand = RefundSnapshot(f"re_{made.id}", asked(made, 60).amount, RefundStatus.SUCCEEDED)
        await asyncio.gather(
            books.note(made.id, Note("poll", NOW, snapshot(made, by_hand))),
            refunds.reserve(asked(made, 60)),
            return_exceptions=True,
        )
        assert (await refunds.available(made.id)).minor in (0, 40)
        await check(engine, books, made)
