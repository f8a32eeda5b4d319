"""The money that moved: transactions as they are read back from their lines, and the totals they come to."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.booked import moved
from domain.postings import AccountKind, Posting, Transaction, TransactionKind
from ledger.contract import PostingRow
from ledger.tables import postings, transactions


async def posting_rows(connection: AsyncConnection, checkout_id: str) -> tuple[PostingRow, ...]:
    """The lines of all transactions of a checkout, in order."""
    query = (
        select(transactions, postings.c.account, postings.c.currency, postings.c.amount_minor)
        .join(postings, postings.c.transaction_id == transactions.c.id)
        .where(transactions.c.checkout_id == checkout_id)
        .order_by(transactions.c.sequence, transactions.c.position, postings.c.position)
    )
    return tuple(
        PostingRow(r.sequence, r.id, r.kind, r.reference, r.account, r.currency, r.amount_minor, r.at)
        for r in await connection.execute(query)
    )


def transactions_of(rows: Sequence[PostingRow]) -> list[Transaction]:
    """The transactions that these rows, in their order on the books, make up."""
    grouped: dict[str, list[PostingRow]] = {}
    for row in rows:
        grouped.setdefault(row.transaction_id, []).append(row)
    return [
        Transaction(
            TransactionKind(group[0].kind),
            group[0].reference,
            tuple(Posting(row.account, row.currency, row.amount_minor) for row in group),
        )
        for group in grouped.values()
    ]


def totals_after(captured_minor: int, refunded_minor: int, transaction: Transaction) -> tuple[int, int]:
    """What is captured and what is refunded, finally, once this transaction is on the books."""
    amount = moved(transaction).minor
    match transaction.kind:
        case TransactionKind.CAPTURE:
            return captured_minor + amount, refunded_minor
        case TransactionKind.CAPTURE_FAILED:
            return captured_minor - amount, refunded_minor
        case TransactionKind.REFUND_SETTLED:
            return captured_minor, refunded_minor + amount
        case TransactionKind.REFUND_FAILED if _had_settled(transaction):
            return captured_minor, refunded_minor - amount
        case _:
            return captured_minor, refunded_minor


def _had_settled(failed: Transaction) -> bool:
    """A refund that had settled comes back to the balance, one that was pending never left it."""
    return any(posting.account.endswith(f":{AccountKind.BALANCE}") for posting in failed.postings)
