"""Cursors say where the page before ended, so that what is new shifts nothing."""

import base64
import binascii
import json
from datetime import UTC, datetime

LARGEST_PAGE = 200
NOT_OURS = "cursor is not one that a page gave as next_cursor"


def page_size(limit: int) -> int:
    """How many a page holds when that many are asked for."""
    return min(max(limit, 1), LARGEST_PAGE)


def encode_cursor(moment: datetime, id_: str) -> str:
    """The cursor after an entry of that moment and id."""
    text = json.dumps([moment.isoformat(), id_])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> tuple[datetime, str]:
    """The moment and the id. Raises ValueError for a cursor that no page gave."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        text, id_ = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        moment = datetime.fromisoformat(text)
        # The pair must be one we could have made; Postgres would refuse anything else, less kindly.
        if moment.tzinfo is None or not isinstance(id_, str) or "\0" in id_:
            raise ValueError
        id_.encode()
        # Near the first and the last year an offset can lead to a moment that no calendar has.
        return moment.astimezone(UTC), id_
    except (ValueError, TypeError, OverflowError, RecursionError, binascii.Error):
        raise ValueError(NOT_OURS) from None
