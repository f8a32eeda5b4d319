"""Rows of the outbox as events."""

from events.contract import Event, event_id
from ledger.outbox_store import OutboxRow


def event_of(row: OutboxRow) -> Event:
    """The event that the row tells, the same one however often it is read.

    Its time is when it went on the books; the data's own `at` is the clock of the saga, which may be a little behind.
    """
    return Event(
        id=event_id(row.subject, row.sequence),
        type=row.type,
        subject=row.subject,
        sequence=row.ordinal,
        time=row.created_at,
        data=row.payload,
    )
