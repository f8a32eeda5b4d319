"""What was bought, as the shop has noted it with the checkout: `{"sku": "mug", "quantity": "2"}`."""

import re
from collections.abc import Mapping

from events.subscribers.contract import PoisonError
from ledger.stock import Item

_QUANTITY = re.compile(r"[1-9][0-9]{0,8}")
LONGEST_SKU = 100


def item_of(metadata: Mapping[str, str]) -> Item | None:
    """The goods; one piece where no quantity is said, None where none are named. Raises PoisonError."""
    sku, quantity = metadata.get("sku"), metadata.get("quantity", "1")
    if sku is None:
        return None
    if not is_sku(sku):
        raise PoisonError("the checkout's sku is no name of goods")
    if not _QUANTITY.fullmatch(quantity):
        raise PoisonError("the checkout's quantity is no number of pieces")
    return Item(sku, int(quantity))


def is_by_hand(metadata: Mapping[str, str]) -> bool:
    """Whether the shop decides on this order itself: `{"order": "by_hand"}`."""
    return metadata.get("order") == "by_hand"


def is_sku(text: str) -> bool:
    """Whether goods can have this name: printable, and more than spaces."""
    return 0 < len(text) <= LONGEST_SKU and text.isprintable() and text == text.strip()
