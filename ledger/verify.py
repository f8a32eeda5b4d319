"""Proves the books: `python -m ledger.verify` walks every checkout and names the first row that does not hold."""

import asyncio
import sys
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from sqlalchemy import Row, Select, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from config.environment import SettingsError
from config.settings import DatabaseSettings
from domain.errors import BooksError
from ledger.audit import audit
from ledger.chapter import Chapter, Moved
from ledger.contract import Breach, StoreUnavailableError, Verification
from ledger.engine import create_engine
from ledger.failures import translated
from ledger.later_tables import cases, dispute_status, disputes, refund_status, refunds
from ledger.tables import checkout_status, checkouts, postings, timeline, transactions

_CHECKOUTS_AT_ONCE = 200


async def verify(engine: AsyncEngine, checkout_id: str | None = None) -> Verification:
    """Walk all checkouts, or one, in one snapshot, and stop at the first breach. Raises StoreUnavailableError."""
    seen = rows = moved = 0
    with translated():
        async with engine.connect() as connection:
            await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            after = ""
            while chapters := await _chapters(connection, after, checkout_id):
                for chapter in chapters:
                    breach = audit(chapter)
                    seen, rows, moved = seen + 1, rows + len(chapter.rows), moved + len(chapter.moved)
                    if breach is not None:
                        return Verification(seen, rows, moved, breach)
                after = chapters[-1].checkout.id
    if checkout_id is not None and not seen:
        return Verification(0, 0, 0, Breach(checkout_id, None, "there is no such checkout"))
    return Verification(seen, rows, moved, None)


async def _chapters(connection: AsyncConnection, after: str, only: str | None) -> list[Chapter]:
    """The next checkouts by id, with all that the books say of them."""
    which = checkouts.c.id == only if only is not None else literal(True)
    page = select(checkouts).where(which, checkouts.c.id > after).order_by(checkouts.c.id).limit(_CHECKOUTS_AT_ONCE)
    found = (await connection.execute(page)).all()
    ids = [row.id for row in found]
    s, t, m = checkout_status.c, timeline.c, transactions.c
    statuses = await connection.execute(select(checkout_status).where(s.checkout_id.in_(ids)))
    status_by_id = {row.checkout_id: row for row in statuses}
    rows = await connection.execute(select(timeline).where(t.checkout_id.in_(ids)).order_by(t.checkout_id, t.sequence))
    rows_by_id = _by_checkout(rows.all())
    lines = await connection.execute(
        select(transactions, postings.c.account, postings.c.currency, postings.c.amount_minor)
        .outerjoin(postings, postings.c.transaction_id == m.id)
        .where(m.checkout_id.in_(ids))
        .order_by(m.checkout_id, m.sequence, m.position, postings.c.position)
    )
    moved_by_id = {id_: tuple(_moved(lines)) for id_, lines in _by_checkout(lines.all()).items()}
    later = [_by_checkout((await connection.execute(query)).all()) for query in _later(ids)]
    return [
        Chapter(
            row,
            status_by_id.get(row.id),
            rows_by_id.get(row.id, ()),
            moved_by_id.get(row.id, ()),
            *(group.get(row.id, ()) for group in later),
        )
        for row in found
    ]


def _later(ids: list[str]) -> tuple[Select[Any], Select[Any], Select[Any]]:
    """What stands of refunds, disputes and cases; outer joins, for a status may be missing."""
    f, d, c = refunds.c, disputes.c, cases.c
    return (
        select(refunds, refund_status).outerjoin(refund_status).where(f.checkout_id.in_(ids)).order_by(f.checkout_id),
        select(disputes, dispute_status)
        .outerjoin(dispute_status)
        .where(d.checkout_id.in_(ids))
        .order_by(d.checkout_id),
        select(cases).where(c.checkout_id.in_(ids)).order_by(c.checkout_id, c.sequence),
    )


def _by_checkout(rows: Any) -> dict[str, tuple[Row[Any], ...]]:
    return {id_: tuple(group) for id_, group in groupby(rows, lambda row: row.checkout_id)}


def _moved(lines: tuple[Row[Any], ...]) -> Iterator[Moved]:
    for _, group in groupby(lines, lambda line: line.id):
        first, *others = group
        posted = tuple(
            (line.account, line.currency, line.amount_minor) for line in (first, *others) if line.account is not None
        )
        yield Moved(first.sequence, first.kind, first.reference, posted)


async def _main() -> int:
    engine = create_engine(DatabaseSettings.read().database_url, pool_size=1)
    try:
        found = await verify(engine)
    finally:
        await engine.dispose()
    counts = f"{found.checkouts} checkouts, {found.rows} timeline rows, {found.transactions} transactions"
    if found.breach is None:
        sys.stdout.write(f"the books hold: {counts}\n")
        return 0
    where = "" if found.breach.sequence is None else f", row {found.breach.sequence}"
    sys.stdout.write(f"BREACH at {found.breach.checkout_id}{where}: {found.breach.reason}\n(walked {counts})\n")
    return 1


def main() -> int:
    """Verify the books of DATABASE_URL: 0 when they hold, 1 at a breach, 2 when they cannot be read."""
    try:
        return asyncio.run(_main())
    except (SettingsError, StoreUnavailableError, BooksError) as error:
        sys.stderr.write(f"{error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
