"""One event as other services see it, in words of no broker: an envelope as CloudEvents 1.0 has it, and its data."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain.errors import PaysagaError

SOURCE = "/paysaga"
"""The `source` of every event; with the id it tells two events apart."""
SCHEMA_VERSION = 1
"""Grows only when a change would break who reads the version before; additions do not."""


class UnreadableEventError(PaysagaError):
    """What came is no event of ours; it will be none however often it comes."""


@dataclass(frozen=True)
class Event:
    """One fact.

    `id` is the same however often the event comes. `subject` is what it is about, a checkout's id for most. `sequence`
    counts the subject's events from 1, without gaps. `data` is what happened, amounts in minor units of the currency.
    """

    id: str
    type: str
    subject: str
    sequence: int
    time: datetime
    data: Mapping[str, Any]
    schema_version: int = SCHEMA_VERSION


def event_id(subject: str, row: int) -> str:
    """The id of the event that this row of the subject tells."""
    return f"{subject}:{row}"
