"""Rows beside a checkout's own story: written whatever its state is, which they leave as it is."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from domain.case import CaseMark
from domain.checkout import CheckoutStatus
from domain.timeline import Entry, EventType, JsonScalar
from ledger.failures import translated
from ledger.held import hold


@dataclass(frozen=True)
class Remark:
    """One row to append. Like an `Entry`, without a say in where the checkout stands."""

    key: str
    cause: str
    at: datetime
    details: dict[str, JsonScalar] = field(default_factory=dict)
    event: EventType | None = None
    case: CaseMark | None = None


class Remarks:
    """For those who look after refunds and disputes while others may be writing the checkout's state."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def append(self, checkout_id: str, remarks: Sequence[Remark]) -> CheckoutStatus:
        """Append those whose key is not on the timeline, all or none; the status is the one they found.

        Raises StoreUnavailableError, and BooksError for an unknown checkout.
        """
        with translated():
            async with self._engine.begin() as connection:
                held = await hold(connection, checkout_id)
                status = held.record.status
                known = await held.known([remark.key for remark in remarks])
                await held.append([_entry(remark, status) for remark in remarks if remark.key not in known])
        return status


def _entry(remark: Remark, status: CheckoutStatus) -> Entry:
    return Entry(remark.key, status, remark.cause, remark.at, remark.details, event=remark.event, case=remark.case)
