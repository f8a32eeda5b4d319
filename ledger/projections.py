"""What the timeline's rows say of refunds, disputes and cases: what their own tables must say too.

Pure, and the one reading of the rows' details: the stores write by it and the audit judges by it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from domain.refund import refund_of

Row = tuple[int, Mapping[str, Any]]
"""The sequence of a timeline row and its details."""


@dataclass(frozen=True)
class RefundTold:
    """Where a refund of the shop's stands by its rows."""

    amount: int
    state: str
    gateway_refund_id: str | None = None
    code: str | None = None


@dataclass(frozen=True)
class DisputeTold:
    """Where a dispute stands by its rows, and how it was answered."""

    state: str
    amount: int
    withdrawn: int
    currency: str
    respond_by: str | None
    answered: str | None = None


@dataclass(frozen=True)
class CaseTold:
    """A case by the rows that opened and closed it."""

    kind: str
    subject: str | None
    amount: int
    sequence: int
    closed_sequence: int | None = None
    closed_how: str | None = None


def refunds_told(rows: Iterable[Row]) -> dict[str, RefundTold]:
    """The shop's refunds by their ids. A saga's own refunds have the gateway's ids, and no `status` in their rows."""
    told: dict[str, RefundTold] = {}
    for _, details in rows:
        id_ = details.get("refund_id")
        if isinstance(id_, str) and refund_of(id_) == id_ and "status" in details:
            before = told.get(id_)
            told[id_] = RefundTold(
                before.amount if before else details["amount"],
                details["status"],
                details.get("gateway_refund_id") or (before.gateway_refund_id if before else None),
                details.get("code"),
            )
    return told


def disputes_told(rows: Iterable[Row]) -> dict[str, DisputeTold]:
    """Disputes by our ids."""
    told: dict[str, DisputeTold] = {}
    for _, details in rows:
        id_ = details.get("dispute_id")
        if isinstance(id_, str) and "withdrawn" in details:
            told[id_] = DisputeTold(
                state=details["state"],
                amount=details["amount"],
                withdrawn=details["withdrawn"],
                currency=details["currency"],
                respond_by=details["respond_by"],
                answered=told[id_].answered if id_ in told else None,
            )
        elif isinstance(id_, str) and id_ in told and "verb" in details:
            told[id_] = replace(told[id_], answered=details["verb"])
    return told


def cases_told(rows: Iterable[Row]) -> dict[str, CaseTold]:
    """Cases by their ids."""
    told: dict[str, CaseTold] = {}
    for sequence, details in rows:
        if "case_opened" in details:
            told[details["case_opened"]] = CaseTold(
                details["case_kind"], details.get("case_subject"), details["case_amount"], sequence
            )
        closed = details.get("case_closed")
        if closed in told:
            told[closed] = replace(told[closed], closed_sequence=sequence, closed_how=details["case_how"])
    return told
