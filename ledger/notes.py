"""Notes: what is learnt of a checkout's money after the sale, written by whoever learns it, once.

Several workflows may learn the same fact at the same time. Each note reads what is on the books under the lock of the
checkout and writes what is missing, so that the order in which they come does not matter.
"""

from dataclasses import replace

from domain.booked import booked
from domain.errors import BooksError
from domain.money import Money
from domain.noting import Learnt, Standing, dispute_entries, payment_entries, refund_row
from domain.payment import PaymentSnapshot, RefundStatus
from domain.refund import RefundRecord
from domain.timeline import Entry
from ledger.contract import DisputeRecord, Note, Noted, NotSoldError
from ledger.dispute_rows import known_dispute, project_dispute
from ledger.held import HeldCheckout
from ledger.movements import posting_rows, transactions_of
from ledger.projections import refunds_told
from ledger.refund_rows import project_refunds, refunds_of


async def take_note(held: HeldCheckout, note: Note) -> Noted:
    """Append what the note tells and the books do not have; nothing where they have it all.

    Raises NotSoldError for a payment whose sale is not made, BooksError for what is not this checkout's.
    """
    if note.payment is not None:
        await _check_payment(held, note.payment)
    dispute = await _known(held, note)
    standing = replace(await standing_of(held, dispute), failed=await _failed(held, note.payment))
    entries = _entries(standing, note)
    if not entries:
        return Noted(held.record.status, False, tuple(standing.refunds.values()), dispute)
    await held.append(entries)
    return await _project(held, note, entries, dispute)


async def standing_of(held: HeldCheckout, dispute: DisputeRecord | None = None) -> Standing:
    """What the books have of the checkout now."""
    record = held.record
    money = transactions_of(await posting_rows(held.connection, held.id))
    refunds = await refunds_of(held.connection, held.id)
    on_books = booked(record.checkout.amount.currency, money)
    return Standing(held.id, record.status, record.sequence, on_books, refunds, dispute.snapshot if dispute else None)


async def _check_payment(held: HeldCheckout, payment: PaymentSnapshot) -> None:
    record = held.record
    if (payment.gateway, payment.payment_id) != (record.gateway, record.status.payment_id):
        raise BooksError(f"payment {payment.payment_id} at {payment.gateway} is not that of {held.id}")
    _check_currency(held, payment.amount, payment.captured, *(refund.amount for refund in payment.refunds))
    if not await held.sold():
        raise NotSoldError(f"{held.id} is not sold: its own workflow writes what its payment does")


async def _failed(held: HeldCheckout, payment: PaymentSnapshot | None) -> frozenset[str]:
    """Those of the payment's refunds whose failure is on the timeline."""
    rows = {refund_row(r.refund_id, RefundStatus.FAILED): r.refund_id for r in payment.refunds} if payment else {}
    return frozenset(rows[key] for key in await held.known(list(rows))) if rows else frozenset()


async def _known(held: HeldCheckout, note: Note) -> DisputeRecord | None:
    if note.dispute is None:
        return None
    _check_currency(held, note.dispute.amount, note.dispute.withdrawn)
    return await known_dispute(held.connection, held.id, note.dispute)


def _check_currency(held: HeldCheckout, *amounts: Money) -> None:
    expected = held.record.checkout.amount.currency
    for amount in amounts:
        if amount.currency != expected:
            raise BooksError(f"{held.id} is in {expected}, noted was {amount}")


def _entries(standing: Standing, note: Note) -> tuple[Entry, ...]:
    learnt = Learnt(note.cause, note.at)
    entries = payment_entries(standing, note.payment, learnt) if note.payment else ()
    if note.dispute is None:
        return entries
    after = replace(standing, sequence=standing.sequence + len(entries))
    return entries + dispute_entries(after, note.dispute, learnt)


async def _project(held: HeldCheckout, note: Note, entries: tuple[Entry, ...], dispute: DisputeRecord | None) -> Noted:
    """Bring the tables of refunds and disputes up to the new rows."""
    told = refunds_told((0, entry.details) for entry in entries)
    await project_refunds(held.connection, told, note.at)
    if note.dispute is not None and any("dispute_id" in entry.details for entry in entries):
        await project_dispute(held.connection, held.id, note.dispute, note.at)
        dispute = await known_dispute(held.connection, held.id, note.dispute)
    refunds: dict[str, RefundRecord] = await refunds_of(held.connection, held.id)
    return Noted(held.record.status, True, tuple(refunds.values()), dispute)
