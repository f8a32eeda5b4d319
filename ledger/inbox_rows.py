"""Stored events as rows: which of them a filter is about, and how one is made due again."""

from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Update, func, null, select, update

from ledger.contract import EventSource, InboxFilter, StoredEvent
from ledger.cursors import NOT_OURS, decode_cursor
from ledger.tables import webhook_inbox

_SHOWN = (
    "id", "gateway", "event_id", "type", "payment_id", "reference", "dispute_id", "source", "relevant", "received_at",
    "attempts", "processed_at", "outcome", "replays",
)  # fmt: skip

_LONGEST_NUMBER = len(str(2**63))


def select_events() -> Select[Any]:
    """Events without body and headers; `event_of` reads the rows."""
    return select(*(webhook_inbox.c[name] for name in _SHOWN))


def event_of(row: Row[Any]) -> StoredEvent:
    """A row of `select_events`."""
    return StoredEvent(**{**row._mapping, "source": EventSource(row.source)})


def listing(wanted: InboxFilter) -> Select[Any]:
    """The events of a filter, newest first. Raises ValueError for a cursor that no page gave."""
    query = select_events().where(*conditions(wanted)).order_by(webhook_inbox.c.id.desc())
    return query if wanted.cursor is None else query.where(webhook_inbox.c.id < _number(wanted.cursor))


def _number(cursor: str) -> int:
    number = decode_cursor(cursor)[1]
    if not (number.isascii() and number.isdigit() and len(number) < _LONGEST_NUMBER):
        raise ValueError(NOT_OURS)
    return int(number)


def conditions(wanted: InboxFilter) -> list[ColumnElement[bool]]:
    """What a filter asks for, but for its page."""
    w = webhook_inbox.c
    equal = ("gateway", "outcome", "payment_id", "reference")
    found = [w[name] == getattr(wanted, name) for name in equal if getattr(wanted, name) is not None]
    if wanted.since is not None:
        found.append(w.received_at >= wanted.since)
    if wanted.until is not None:
        found.append(w.received_at < wanted.until)
    return found


def again_due(*which: ColumnElement[bool]) -> Update:
    """Make these events due again; those that are not relevant are evidence, and nobody waits for them."""
    w = webhook_inbox.c
    change = update(webhook_inbox).where(w.relevant, *which)
    return change.values(
        processed_at=null(), outcome=null(), attempts=0, next_attempt_at=func.now(), replays=w.replays + 1
    )
