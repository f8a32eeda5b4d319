"""The cases that timeline rows open and close, as rows of their own: a projection that can be made again from them."""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.case import Case, CaseKind, CloseCase, OpenCase
from domain.checkout import Checkout
from domain.timeline import Entry, JsonScalar
from ledger.later_tables import cases

_Key = tuple[CaseKind, str | None]


@dataclass
class CaseRows:
    """The cases of one checkout that are open, and what the rows of a batch change about them."""

    checkout: Checkout
    open: dict[_Key, dict[str, Any]] = field(default_factory=dict)
    changed: dict[str, dict[str, Any]] = field(default_factory=dict)

    def take(self, entry: Entry, sequence: int) -> dict[str, JsonScalar]:
        """What the row of this entry says of the case it opens or closes, in its details; nothing where it does not.

        A case that is open already stays as it was opened first, and one that is not open cannot be closed.
        """
        match entry.case:
            case OpenCase() as mark if (mark.kind, mark.subject) not in self.open:
                return self._opened(mark, entry, sequence)
            case CloseCase() as mark if (mark.kind, mark.subject) in self.open:
                return self._closed(mark, entry, sequence)
            case _:
                return {}

    def _opened(self, mark: OpenCase, entry: Entry, sequence: int) -> dict[str, JsonScalar]:
        id_ = case_id(self.checkout.id, sequence)
        self.open[mark.kind, mark.subject] = self.changed[id_] = {
            "id": id_,
            "checkout_id": self.checkout.id,
            "kind": str(mark.kind),
            "message": mark.message,
            "workflow_id": mark.workflow_id,
            "amount_minor": mark.amount_minor,
            "currency": self.checkout.amount.currency,
            "subject": mark.subject,
            "sequence": sequence,
            "opened_at": entry.at,
            "closed_sequence": None,
            "closed_at": None,
            "closed_how": None,
        }
        told: dict[str, JsonScalar] = {
            "case_opened": id_,
            "case_kind": str(mark.kind),
            "case_amount": mark.amount_minor,
        }
        return told if mark.subject is None else told | {"case_subject": mark.subject}

    def _closed(self, mark: CloseCase, entry: Entry, sequence: int) -> dict[str, JsonScalar]:
        row = self.open.pop((mark.kind, mark.subject))
        row |= {"closed_sequence": sequence, "closed_at": entry.at, "closed_how": mark.how}
        self.changed[row["id"]] = row
        return {"case_closed": row["id"], "case_how": mark.how}


def case_id(checkout_id: str, sequence: int) -> str:
    """The id of the case that this row opened."""
    return f"case_{checkout_id.removeprefix('chk_')}_{sequence}"


def case_of(row: Row[Any]) -> Case:
    """A row of the projection."""
    return Case(
        id=row.id,
        checkout_id=row.checkout_id,
        kind=CaseKind(row.kind),
        message=row.message,
        workflow_id=row.workflow_id,
        amount_minor=row.amount_minor,
        currency=row.currency,
        subject=row.subject,
        sequence=row.sequence,
        opened_at=row.opened_at,
        closed_at=row.closed_at,
        closed_how=row.closed_how,
    )


async def open_rows(connection: AsyncConnection, checkout: Checkout) -> CaseRows:
    """The checkout's open cases, read under the lock of its status row."""
    query = select(cases).where(cases.c.checkout_id == checkout.id, cases.c.closed_at.is_(None))
    found = [dict(row._mapping) for row in await connection.execute(query)]
    return CaseRows(checkout, {(CaseKind(row["kind"]), row["subject"]): row for row in found})


async def write_cases(connection: AsyncConnection, rows: CaseRows) -> None:
    """Write what has changed, after the timeline rows that it points at."""
    if not rows.changed:
        return
    new = insert(cases)
    kept = {name: new.excluded[name] for name in ("closed_sequence", "closed_at", "closed_how")}
    for row in rows.changed.values():
        await connection.execute(new.values(row).on_conflict_do_update(index_elements=["id"], set_=kept))
