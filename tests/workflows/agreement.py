"""Whether the gateway's own books and ours tell the same story of a checkout, row by row."""

from collections import Counter

from domain.checkout import Checkout, CheckoutStatus
from domain.postings import AccountKind, Transaction, TransactionKind
from domain.states import ENDED
from ledger.movements import transactions_of
from ledger.verify import verify
from tests.workflows.support import Shop

_AT_GATEWAY = {
    "authorization": "hold",
    "release": "release",
    "charge": "take",
    "capture": "take",
    "capture_failure": "take_back",
    "refund": "refund",
    "refund_failure": "refund_back",
    "dispute": "withdraw",
    "dispute_reversed": "reinstate",
}
_ON_BOOKS = {
    TransactionKind.AUTHORIZE: "hold",
    TransactionKind.VOID: "release",
    TransactionKind.CAPTURE: "take",
    TransactionKind.CAPTURE_FAILED: "take_back",
    TransactionKind.REFUND: "refund",
    TransactionKind.REFUND_FAILED: "refund_back",
    TransactionKind.DISPUTE_WITHDRAWN: "withdraw",
    TransactionKind.DISPUTE_REINSTATED: "reinstate",
}

Movement = tuple[str, str, int]
"""The gateway, what moved there, and how much of it in minor units."""


async def at_gateways(shop: Shop, checkout: Checkout) -> Counter[Movement]:
    """What the gateways' own books say of this checkout, whichever gateway it was at."""
    rows = await shop.gateway_rows(checkout)
    return Counter((row["gateway"], _AT_GATEWAY[row["operation"]], row["amount"]) for row in rows)


async def on_books(shop: Shop, checkout: Checkout) -> Counter[Movement]:
    """What our books say of it. That a refund has arrived is no movement of its own at the gateways."""
    moved: Counter[Movement] = Counter()
    for transaction in transactions_of(await shop.books.postings(checkout.id)):
        if (kind := _ON_BOOKS.get(transaction.kind)) is not None:
            first = transaction.postings[0]
            gateway, taken = first.account.partition(":")[0], abs(first.amount_minor)
            moved[(gateway, kind, taken)] += 1
            if transaction.kind is TransactionKind.CAPTURE and (rest := _let_go(transaction) - taken) > 0:
                # With the last part the hold goes: one transaction of ours, two movements at the gateway.
                moved[(gateway, "release", rest)] += 1
    return moved


def _let_go(capture: Transaction) -> int:
    return sum(p.amount_minor for p in capture.postings if p.account.endswith(f":{AccountKind.HOLDS}"))


async def agree(shop: Shop, checkout: Checkout, parts: tuple[int, ...] | None = None) -> CheckoutStatus:
    """Assert that nothing was taken twice and that books and gateways agree; the status they agree about.

    `parts` are the amounts that were to be captured, where it was to be done in parts.
    """
    gateways, books = await at_gateways(shop, checkout), await on_books(shop, checkout)
    status = await shop.status(checkout)
    context = (checkout.id, status, gateways, books)
    assert gateways == books, context
    assert (await verify(shop.parts.engine, checkout.id)).breach is None, context
    taken = [amount for _, kind, amount in gateways.elements() if kind == "take"]
    assert len(taken) <= 1 if parts is None else taken == list(parts), context
    assert sum(taken) - _sum(gateways, "take_back") == status.captured_minor, context
    if status.state in ENDED:
        sold = checkout.amount.minor if parts is None else sum(parts)
        kept = sold if status.state == "completed" else 0
        assert status.captured_minor - _sum(gateways, "refund") + _sum(gateways, "refund_back") == kept, context
        assert _sum(gateways, "hold") <= _sum(gateways, "release") + _sum(gateways, "take"), context
    return status


def _sum(moved: Counter[Movement], wanted: str) -> int:
    return sum(amount for _, kind, amount in moved.elements() if kind == wanted)
