"""Everything on the books about one checkout, as the audit is shown it."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from domain.postings import Posting, Transaction, TransactionKind

Posted = tuple[str, str, int]
"""Account, currency, amount."""


@dataclass(frozen=True)
class Moved:
    """A transaction as the tables have it, which need not balance."""

    sequence: int
    kind: str
    reference: str
    postings: tuple[Posted, ...]

    def whole(self) -> Transaction:
        """The transaction; raises where it does not balance or is of no known kind."""
        return Transaction(TransactionKind(self.kind), self.reference, tuple(Posting(*line) for line in self.postings))


@dataclass(frozen=True)
class Chapter:
    """All rows about one checkout, in order; a refund's and a dispute's with their status."""

    checkout: Row[Any]
    status: Row[Any] | None
    rows: tuple[Row[Any], ...]
    moved: tuple[Moved, ...]
    refunds: tuple[Row[Any], ...] = ()
    disputes: tuple[Row[Any], ...] = ()
    cases: tuple[Row[Any], ...] = ()
