"""Turns entries into rows: sequences without gaps, the hash chain, and one statement that writes them all."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, DateTime, Integer, Text, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.checkout import Checkout, CheckoutStatus
from domain.errors import EntryMismatchError
from domain.states import CheckoutState, check_transition
from domain.timeline import CHAIN_START, Entry, row_hash
from ledger.case_rows import CaseRows, write_cases
from ledger.movements import totals_after
from ledger.outbox import event_row
from ledger.rows import status_values


@dataclass
class Batch:
    """The rows that some entries come to, starting from where the checkout stands (`state` is None for a new one).

    `cases` need only be read where an entry opens or closes one.
    """

    checkout: Checkout
    known: dict[str, CheckoutState]
    cases: CaseRows
    state: CheckoutState | None = None
    sequence: int = 0
    hash: str = CHAIN_START
    captured_minor: int = 0
    refunded_minor: int = 0
    status: CheckoutStatus | None = None
    updated_at: datetime | None = None
    timeline: list[dict[str, Any]] = field(default_factory=list)
    transactions: list[dict[str, Any]] = field(default_factory=list)
    postings: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)

    def add(self, entries: Sequence[Entry]) -> None:
        """Add every entry that is not yet on the books. Raises EntryMismatchError, IllegalTransitionError.

        A key that is there with the same state is the same entry again, even at another time or by another cause: a
        workflow task that is tried again, or a workflow that is reset, tells the same fact with a later clock.
        """
        for entry in entries:
            state = self.known.get(entry.key)
            if state is None:
                self._add_new(entry)
            elif state is not entry.status.state:
                raise EntryMismatchError(self.checkout.id, entry.key)

    def _add_new(self, entry: Entry) -> None:
        check_transition(self.state, entry.status.state)
        sequence, previous_hash = self.sequence + 1, self.hash
        entry = self._completed(entry, sequence)
        hash_ = self._hash(entry, sequence, previous_hash)
        self.timeline.append(
            {
                "sequence": sequence,
                "key": entry.key,
                "state": entry.status.state,
                "cause": entry.cause,
                "at": entry.at.isoformat(),
                "details": entry.details,
                "previous_hash": previous_hash,
                "hash": hash_,
            }
        )
        self._add_transactions(entry, sequence)
        if entry.event is not None:
            self.events.append(event_row(self.checkout, sequence, entry, entry.event))
        self.known[entry.key] = entry.status.state
        self.state, self.sequence, self.hash = entry.status.state, sequence, hash_
        self.status, self.updated_at = entry.status, entry.at

    def _completed(self, entry: Entry, sequence: int) -> Entry:
        """The entry with what only the books know: the totals that its money leads to, and the case it is about.

        Whoever made the entry may not know of rows that others have written meanwhile, so its own totals are not used.
        """
        for transaction in entry.transactions:
            self.captured_minor, self.refunded_minor = totals_after(
                self.captured_minor, self.refunded_minor, transaction
            )
        status = replace(entry.status, captured_minor=self.captured_minor, refunded_minor=self.refunded_minor)
        return replace(entry, status=status, details={**entry.details, **self.cases.take(entry, sequence)})

    def _add_transactions(self, entry: Entry, sequence: int) -> None:
        for position, transaction in enumerate(entry.transactions):
            id_ = f"{self.checkout.id}/{sequence}/{position}"
            row = {"id": id_, "sequence": sequence, "position": position, "at": entry.at.isoformat()}
            self.transactions.append(row | {"kind": transaction.kind, "reference": transaction.reference})
            for line, posting in enumerate(transaction.postings):
                self.postings.append(
                    {
                        "transaction_id": id_,
                        "position": line,
                        "account": posting.account,
                        "currency": posting.currency,
                        "amount_minor": posting.amount_minor,
                    }
                )

    def _hash(self, entry: Entry, sequence: int, previous_hash: str) -> str:
        return row_hash(
            self.checkout.id,
            sequence,
            previous_hash,
            entry.key,
            entry.status.state,
            entry.cause,
            entry.at,
            entry.details,
            entry.transactions,
        )


# One statement instead of five: each round trip to Postgres is time in which the checkout's row stays locked.
_WRITE = text(
    """
    WITH appended AS (
        INSERT INTO timeline (checkout_id, sequence, key, state, cause, at, details, previous_hash, hash)
        SELECT :checkout_id, * FROM jsonb_to_recordset(:timeline) AS t(
            sequence integer, key text, state text, cause text, at timestamptz, details jsonb, previous_hash text,
            hash text)
    ), moved AS (
        INSERT INTO transactions (id, checkout_id, sequence, position, kind, reference, at)
        SELECT id, :checkout_id, sequence, position, kind, reference, at
        FROM jsonb_to_recordset(:transactions) AS t(
            id text, sequence integer, position integer, kind text, reference text, at timestamptz)
    ), lines AS (
        INSERT INTO postings (transaction_id, position, account, currency, amount_minor)
        SELECT * FROM jsonb_to_recordset(:postings) AS t(
            transaction_id text, position integer, account text, currency text, amount_minor bigint)
    ), told AS (
        INSERT INTO outbox (subject, sequence, type, payload)
        SELECT :checkout_id, * FROM jsonb_to_recordset(:events) AS t(sequence integer, type text, payload jsonb)
        ORDER BY sequence
    )
    INSERT INTO checkout_status AS s (
        checkout_id, gateway, created_at, state, payment_id, captured_minor, refunded_minor, next_action, failure,
        stuck, waiting_for, last_sequence, last_hash, updated_at)
    VALUES (
        :checkout_id, :gateway, :created_at, :state, :payment_id, :captured_minor, :refunded_minor, :next_action,
        :failure, :stuck, :waiting_for, :last_sequence, :last_hash, :updated_at)
    ON CONFLICT (checkout_id) DO UPDATE SET
        gateway = excluded.gateway, state = excluded.state, payment_id = excluded.payment_id,
        captured_minor = excluded.captured_minor, refunded_minor = excluded.refunded_minor,
        next_action = excluded.next_action, failure = excluded.failure, stuck = excluded.stuck,
        waiting_for = excluded.waiting_for, last_sequence = excluded.last_sequence, last_hash = excluded.last_hash,
        updated_at = excluded.updated_at
    """
).bindparams(
    *(bindparam(name, type_=JSONB()) for name in ("timeline", "transactions", "postings", "events")),
    *(bindparam(name, type_=JSONB(none_as_null=True)) for name in ("next_action", "failure")),
    *(bindparam(name, type_=DateTime(timezone=True)) for name in ("created_at", "updated_at")),
    *(bindparam(name, type_=Text()) for name in ("checkout_id", "payment_id", "waiting_for")),
    *(bindparam(name, type_=BigInteger()) for name in ("captured_minor", "refunded_minor")),
    bindparam("stuck", type_=Boolean()),
    bindparam("last_sequence", type_=Integer()),
)


async def write(connection: AsyncConnection, batch: Batch) -> None:
    """Write the batch, which must not be empty, in the caller's transaction."""
    assert batch.status is not None
    values: dict[str, Any] = {
        "checkout_id": batch.checkout.id,
        "gateway": batch.checkout.gateway,
        "created_at": batch.checkout.created_at,
        "timeline": batch.timeline,
        "transactions": batch.transactions,
        "postings": batch.postings,
        "events": batch.events,
        "last_sequence": batch.sequence,
        "last_hash": batch.hash,
        "updated_at": batch.updated_at,
    }
    await connection.execute(_WRITE, values | status_values(batch.status))
    await write_cases(connection, batch.cases)
