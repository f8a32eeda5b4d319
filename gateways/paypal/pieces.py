"""One refund of ours as several of PayPal's: how they say that they belong together, and which of them speaks for all.

Each carries our key as its custom id; pieces of a larger refund add the whole's amount. All of them are shown, each
with its own id and amount, so that what went out is on the books whatever becomes of the rest. The last one alone
carries our reference, since the refund is done with it and not before.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from domain.money import Money
from domain.payment import RefundSnapshot, RefundStatus
from domain.refund import refund_of

_SWAPPED = str.maketrans(":.", ".:")
_JOINT = ","


@dataclass(frozen=True)
class Piece:
    """A refund of PayPal's; `whole` is what it is a part of, in our minor units, None for one that is all of it."""

    refund: RefundSnapshot
    whole: int | None


def swapped(key: str) -> str:
    """A refund's key as its `custom_id`, and back: PayPal states those without colons, so they change with the dots."""
    return key.translate(_SWAPPED)


def custom_id(key: str, whole: Money | None) -> str:
    """What a refund carries: its key, and of a piece the whole's amount."""
    return swapped(key) if whole is None else f"{swapped(key)}{_JOINT}{whole.minor}"


def key_of(custom: str) -> str:
    """The key in what a refund carries."""
    return swapped(custom if whole_of(custom) is None else custom.rpartition(_JOINT)[0])


def whole_of(custom: str) -> int | None:
    """The whole's amount in what a refund carries, if it is a piece."""
    before, _, amount = custom.rpartition(_JOINT)
    return int(amount) if before and amount.isascii() and amount.isdigit() and len(amount) <= 16 else None


def operation_of(key: str | None) -> str | None:
    """What the key asks for: a refund of the shop's is the same one under each of its keys."""
    return refund_of(key) or key


def shown(pieces: Sequence[Piece]) -> tuple[RefundSnapshot, ...]:
    """The refunds of a payment, in the order in which they were made."""
    groups: dict[tuple[str | None, int], list[RefundSnapshot]] = {}
    for piece in pieces:
        if piece.whole is not None:
            groups.setdefault((operation_of(piece.refund.reference), piece.whole), []).append(piece.refund)
    last = {refund.refund_id: refund for (_, whole), parts in groups.items() for refund in _closing(parts, whole)}
    return tuple(last.get(piece.refund.refund_id) or _bare(piece) for piece in pieces)


def _closing(parts: Sequence[RefundSnapshot], whole: int) -> list[RefundSnapshot]:
    """The piece that completed the whole, and that is pending as long as any is. None while some is to be asked for.

    None either when a piece of the latest try failed: then the refund failed, and what went out stands for itself.
    """
    alive = [part for part in parts if part.status is not RefundStatus.FAILED]
    failed = any(part.status is RefundStatus.FAILED and part.reference == parts[-1].reference for part in parts)
    if failed or sum(part.amount.minor for part in alive) < whole:
        return []
    pending = any(part.status is RefundStatus.PENDING for part in alive)
    return [replace(alive[-1], status=RefundStatus.PENDING if pending else RefundStatus.SUCCEEDED)]


def _bare(piece: Piece) -> RefundSnapshot:
    """A piece that went out says of itself only that it did; that one failed, it says of the whole."""
    if piece.whole is None or piece.refund.status is RefundStatus.FAILED:
        return piece.refund
    return replace(piece.refund, reference=None)
