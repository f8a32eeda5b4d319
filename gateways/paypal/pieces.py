"""One refund of ours as several of PayPal's: how they say that they belong together, and what they are as one.

Each carries our key as its custom id; pieces of a larger refund add the whole's amount, because what is booked under a
refund's id never changes: a refund that is still in the making must not be seen as a smaller one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from domain.money import Money
from domain.payment import RefundSnapshot, RefundStatus

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


def merged(pieces: Sequence[Piece]) -> tuple[RefundSnapshot, ...]:
    """The refunds as we asked for them, in the order in which they were begun."""
    groups: dict[tuple[str, int], list[RefundSnapshot]] = {}
    shown: list[RefundSnapshot | tuple[str, int]] = []
    for piece in pieces:
        if piece.whole is None or piece.refund.reference is None:
            shown.append(piece.refund)
            continue
        key = (piece.refund.reference, piece.whole)
        if key not in groups:
            shown.append(key)
        groups.setdefault(key, []).append(piece.refund)
    found: list[RefundSnapshot] = []
    for each in shown:
        found += [each] if isinstance(each, RefundSnapshot) else _as_one(groups[each], each[1])
    return tuple(found)


def _as_one(parts: Sequence[RefundSnapshot], whole: int) -> list[RefundSnapshot]:
    """Nothing while some of it is still to be asked for.

    When a part failed and others did not, the refund as a whole failed, and what went out stands for itself.
    """
    failed = [part for part in parts if part.status is RefundStatus.FAILED]
    alive = [part for part in parts if part.status is not RefundStatus.FAILED]
    first = (failed or alive)[0]
    one = replace(
        first,
        refund_id=f"{min(part.refund_id for part in parts)}+{len(parts) - 1}",
        amount=Money(whole, first.amount.currency),
    )
    if failed:
        return [one, *(replace(part, reference=None) for part in alive)]
    if sum(part.amount.minor for part in alive) < whole:
        return []
    pending = any(part.status is RefundStatus.PENDING for part in alive)
    return [replace(one, status=RefundStatus.PENDING if pending else RefundStatus.SUCCEEDED)]
