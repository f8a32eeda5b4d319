"""Pages of checkouts, newest first."""

from typing import Any

from sqlalchemy import Row, Select, tuple_

from ledger.contract import CheckoutFilter, Page
from ledger.cursors import decode_cursor, encode_cursor, page_size
from ledger.rows import record_of, select_records
from ledger.tables import checkout_status, checkouts


def listing(wanted: CheckoutFilter) -> Select[Any]:
    """The query of one page; it asks for one row more, to know whether there is a next one. Raises ValueError."""
    position = (checkout_status.c.created_at, checkout_status.c.checkout_id)
    query = select_records().order_by(*(column.desc() for column in position)).limit(page_size(wanted.limit) + 1)
    # A split checkout stands for its legs.
    query = query.where(checkouts.c.parent_id.is_(None))
    if wanted.state is not None:
        query = query.where(checkout_status.c.state == wanted.state)
    if wanted.gateway is not None:
        query = query.where(checkout_status.c.gateway == wanted.gateway)
    if wanted.order_id is not None:
        query = query.where(checkouts.c.order_id == wanted.order_id)
    if wanted.stuck is not None:
        query = query.where(checkout_status.c.stuck.is_(wanted.stuck))
    if wanted.cursor is not None:
        query = query.where(tuple_(*position) < decode_cursor(wanted.cursor))
    return query


def page_of(wanted: CheckoutFilter, rows: "list[Row[Any]] | tuple[Row[Any], ...]") -> Page:
    """The page that the query's rows come to."""
    records = tuple(record_of(row) for row in rows[: page_size(wanted.limit)])
    more = len(rows) > len(records)
    return Page(records, encode_cursor(records[-1].checkout.created_at, records[-1].checkout.id) if more else None)
