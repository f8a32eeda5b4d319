"""The tables of refunds, disputes and cases must say what the timeline's rows say, which hashes protect."""

from collections.abc import Iterator, Mapping
from typing import Any

from domain.noting import moment_text
from ledger.chapter import Chapter
from ledger.projections import CaseTold, DisputeTold, RefundTold, cases_told, disputes_told, refunds_told


def projection_faults(chapter: Chapter) -> Iterator[str]:
    """Every difference between a table and the rows."""
    rows = [(row.sequence, row.details) for row in chapter.rows]
    yield from _differences("refund", refunds_told(rows), {row.id: _refund(row) for row in chapter.refunds})
    yield from _differences("dispute", disputes_told(rows), {row.id: _dispute(row) for row in chapter.disputes})
    yield from _differences("case", cases_told(rows), {row.id: _case(row) for row in chapter.cases})


def _differences(what: str, told: Mapping[str, object], stands: Mapping[str, object]) -> Iterator[str]:
    for id_ in sorted(told.keys() | stands.keys()):
        if id_ not in told:
            yield f"{what} {id_} is in no row of the timeline"
        elif id_ not in stands:
            yield f"{what} {id_} is on the timeline and not in its table"
        elif told[id_] != stands[id_]:
            yield f"{what} {id_} stands as {stands[id_]}, its rows say {told[id_]}"


def _refund(row: Any) -> RefundTold:
    return RefundTold(row.amount_minor, row.state, row.gateway_refund_id, row.failure["code"] if row.failure else None)


def _dispute(row: Any) -> DisputeTold:
    return DisputeTold(
        row.state, row.amount_minor, row.withdrawn_minor, row.currency, moment_text(row.respond_by), row.answered
    )


def _case(row: Any) -> CaseTold:
    return CaseTold(row.kind, row.subject, row.amount_minor, row.sequence, row.closed_sequence, row.closed_how)
