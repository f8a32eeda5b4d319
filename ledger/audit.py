"""What must hold for the rows of one checkout; pure, so that it judges only what it is shown."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Row

from domain.checkout import HoldPolicy
from domain.errors import PaysagaError
from domain.postings import TransactionKind
from domain.states import CheckoutState, check_transition
from domain.timeline import CHAIN_START, row_hash
from ledger.audit_money import money_faults, total_faults
from ledger.audit_projections import projection_faults
from ledger.chapter import Chapter, Moved
from ledger.contract import Breach

_TERMS = {
    "amount": "amount_minor",
    "currency": "currency",
    "gateway": "gateway",
    "capture": "capture",
    "route": "route",
    "parent_id": "parent_id",
    "leg": "leg",
    "on_hold_expiry": "on_hold_expiry",
}
_UNSAID = {"on_hold_expiry": HoldPolicy.CANCEL}
"""What a first row that says nothing of it means."""
"""Details of a first row → the checkout's columns they must be equal to."""


def audit(chapter: Chapter) -> Breach | None:
    """The first thing that does not hold."""
    return next(_breaches(chapter), None)


def _breaches(chapter: Chapter) -> Iterator[Breach]:
    """Lazily, for a check may rely on those before it: a hash is only computed of rows that can be read at all."""
    id_ = chapter.checkout.id
    if not chapter.rows:
        yield Breach(id_, None, "the checkout has no timeline")
    state, previous_hash = None, CHAIN_START
    moved_at: dict[int, list[Moved]] = {}
    for moved in chapter.moved:
        moved_at.setdefault(moved.sequence, []).append(moved)
    for expected, row in enumerate(chapter.rows, start=1):
        here = moved_at.pop(row.sequence, [])
        for reason in _faults(row, expected, state, previous_hash, here, chapter.checkout.currency):
            yield Breach(id_, row.sequence, reason)
        state, previous_hash = CheckoutState(row.state), row.hash
    for reason in _term_faults(chapter):
        yield Breach(id_, chapter.rows[0].sequence, reason)
    for sequence in sorted(moved_at):
        yield Breach(id_, sequence, "money moved in a row that is not there")
    for sequence, reason in money_faults(chapter):
        yield Breach(id_, sequence, reason)
    for reason in (*_status_faults(chapter), *projection_faults(chapter)):
        yield Breach(id_, chapter.rows[-1].sequence if chapter.rows else None, reason)


def _term_faults(chapter: Chapter) -> Iterator[str]:
    """The checkout itself is in no hash; its first row, which is, says what was asked for. Older ones say nothing."""
    asked = (_UNSAID | chapter.rows[0].details) if chapter.rows else {}
    for name, column in _TERMS.items():
        stands = getattr(chapter.checkout, column)
        if asked.get(name, stands) != stands:
            yield f"the checkout's {name} is {stands}, its first row says {asked[name]}"
    alternatives = ",".join(chapter.checkout.alternatives)
    if asked.get("alternatives", alternatives) != alternatives:
        yield f"the checkout's alternatives are {alternatives}, its first row says {asked['alternatives']}"


def _faults(
    row: Row[Any], expected: int, state: CheckoutState | None, previous_hash: str, moved: list[Moved], currency: str
) -> Iterator[str]:
    if row.sequence != expected:
        yield f"sequence {row.sequence} stands where {expected} should"
    if row.previous_hash != previous_hash:
        yield "the previous hash is not that of the row before"
    yield from _state_faults(row, state)
    for transaction in moved:
        yield from _balance_faults(transaction, currency)
    if not isinstance(row.details, dict):
        yield "the details are no object"
    if row.hash != _hash_of(row, moved):
        yield "the hash does not match the row and its postings"


def _state_faults(row: Row[Any], state: CheckoutState | None) -> Iterator[str]:
    try:
        check_transition(state, CheckoutState(row.state))
    except (PaysagaError, ValueError) as error:
        yield str(error)


def _balance_faults(moved: Moved, currency: str) -> Iterator[str]:
    sums: Counter[str] = Counter()
    for _, posted_in, amount in moved.postings:
        sums[posted_in] += amount
    if not moved.postings or any(sums.values()):
        yield f"transaction {moved.kind} {moved.reference} does not sum to zero: {dict(sums)}"
    if set(sums) != {currency}:
        yield f"transaction {moved.kind} {moved.reference} is not in the checkout's currency {currency}"
    if moved.kind not in frozenset(TransactionKind):
        yield f"transaction {moved.reference} is of no known kind: {moved.kind}"


def _hash_of(row: Row[Any], moved: list[Moved]) -> str:
    return row_hash(
        row.checkout_id,
        row.sequence,
        row.previous_hash,
        row.key,
        row.state,
        row.cause,
        row.at,
        row.details,
        tuple(transaction.whole() for transaction in moved),
    )


def _status_faults(chapter: Chapter) -> Iterator[str]:
    status = chapter.status
    if status is None:
        yield "the checkout has no status"
        return
    if chapter.rows:
        last = chapter.rows[-1]
        if (status.last_sequence, status.last_hash, status.state) != (last.sequence, last.hash, last.state):
            yield "the status is not that of the timeline's last row"
    yield from total_faults(status, chapter.moved)
