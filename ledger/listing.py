"""Pages of checkouts, newest first. A cursor says where the page before ended, so new checkouts shift nothing."""

import base64
import binascii
import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, Select, tuple_

from ledger.contract import CheckoutFilter, Page
from ledger.rows import record_of, select_records
from ledger.tables import checkout_status, checkouts

LARGEST_PAGE = 200


def listing(wanted: CheckoutFilter) -> Select[Any]:
    """The query of one page; it asks for one row more, to know whether there is a next one. Raises ValueError."""
    position = (checkout_status.c.created_at, checkout_status.c.checkout_id)
    query = select_records().order_by(*(column.desc() for column in position)).limit(_limit(wanted) + 1)
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
        query = query.where(tuple_(*position) < _decode(wanted.cursor))
    return query


def page_of(wanted: CheckoutFilter, rows: "list[Row[Any]] | tuple[Row[Any], ...]") -> Page:
    """The page that the query's rows come to."""
    records = tuple(record_of(row) for row in rows[: _limit(wanted)])
    more = len(rows) > len(records)
    return Page(records, _encode(records[-1].checkout.created_at, records[-1].checkout.id) if more else None)


def _limit(wanted: CheckoutFilter) -> int:
    return min(max(wanted.limit, 1), LARGEST_PAGE)


def _encode(created_at: datetime, checkout_id: str) -> str:
    text = json.dumps([created_at.isoformat(), checkout_id])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(cursor: str) -> tuple[datetime, str]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        created_at, checkout_id = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        moment = datetime.fromisoformat(created_at)
        # The pair must be one we could have made; Postgres would refuse anything else, less kindly.
        if moment.tzinfo is None or not isinstance(checkout_id, str) or "\0" in checkout_id:
            raise ValueError
        checkout_id.encode()
        # Near the first and the last year an offset can lead to a moment that no calendar has.
        return moment.astimezone(UTC), checkout_id
    except (ValueError, TypeError, OverflowError, RecursionError, binascii.Error):
        raise ValueError("cursor is not one that a page gave as next_cursor") from None
