"""This Adyen: its links, payments and modifications, its books, and what it tells."""

import json
import secrets
from dataclasses import dataclass
from typing import Literal

from sandbox.adyen import notifications, shapes
from sandbox.books import Entry, Movement
from sandbox.gateway import Gateway
from sandbox.ids import new_id
from sandbox.store import Json
from sandbox.tools import Tools
from sandbox.webhooks.deliveries import Told

LINK, PAYMENT, MODIFICATION = "payment_link", "payment", "modification"
_REFUNDS: frozenset[Movement] = frozenset({"refund", "refund_failure"})


@dataclass(frozen=True, slots=True)
class Origin:
    """Which idempotency key caused a change, if one did, and how a customer reaches this sandbox."""

    key: str | None = None
    base_url: str = ""


def new_hmac_key() -> str:
    """A key as Adyen generates it: 32 bytes in hexadecimal."""
    return secrets.token_hex(32).upper()


class AdyenGateway(Gateway):
    """Everything a call may touch. A payment goes by the id of its link, because a link has one payment."""

    name = "adyen"
    payment_kind = LINK
    keep_trying = 30 * 86_400

    def __init__(self, tools: Tools, merchant_account: str, several_captures: frozenset[str] = frozenset()) -> None:
        super().__init__(tools)
        self.merchant_account = merchant_account
        self._several_captures = several_captures
        self.batch_size, self.batch_seconds = 1, 0.0

    @property
    def collects_for(self) -> float:
        """How long a notification waits for others, where they are sent in batches."""
        return self.batch_seconds

    def takes_several_captures(self, payment: Json) -> bool:
        """Whether Adyen has switched on multiple partial captures for the payment's account."""
        return payment["merchantAccount"] in self._several_captures

    def metadata_of(self, payment: str | None) -> dict[str, str]:
        """A link's metadata with the reference and the checkout that the shop gave it."""
        link = None if payment is None else self.store.get(LINK, payment)
        return {} if link is None else labels(link)

    def link(self, link_id: str) -> Json | None:
        """One payment link, which may have run out since it was written."""
        found = self.store.get(LINK, link_id)
        if found is not None and found["status"] == "active" and found["expiresAt"] <= shapes.stamp(self.clock.now()):
            self.change_link(found, "expired")
        return found

    def change_link(self, link: Json, status: str, payment: str | None = None) -> None:
        """A link is paid, or can no longer be."""
        link.update(status=status, challenge=None, payment=payment, updatedAt=shapes.stamp(self.clock.now()))
        self.save_link(link)

    def save_link(self, link: Json) -> None:
        """Write a link."""
        self.store.put(LINK, link, payment=link["id"], created=self.clock.now())

    def save_payment(self, payment: Json) -> None:
        """Write an attempt to pay."""
        self.store.put(PAYMENT, payment, payment=payment["link"], created=self.clock.now())

    def save_modification(self, modification: Json) -> None:
        """Write a capture, cancel, refund or reversal."""
        self.store.put(MODIFICATION, modification, payment=modification["link"], created=self.clock.now())

    def payment(self, psp_reference: str) -> Json:
        """A payment that is known to exist."""
        found = self.store.get(PAYMENT, psp_reference)
        assert found is not None, f"payment {psp_reference} is gone"
        return found

    def notify(self, event_code: str, payment: Json, fields: Json, *, reason: str = "", success: bool = True) -> None:
        """Tell of a change, or of a request that came to nothing."""
        item = notifications.item(event_code, fields, at=self.clock.now(), reason=reason, success=success)
        self.tell(Told(new_id("ntf"), event_code, payment["link"]), json.dumps(item))

    def book_dispute(
        self, movement: Literal["dispute", "dispute_reversed"], payment: Json, dispute: str, amount: int
    ) -> None:
        """Write what a bank took back for its customer, or returned."""
        self.books.append(self._entry(movement, payment, payment["id"], amount, dispute=dispute))

    def book(self, movement: Movement, payment: Json, movement_id: str, amount: int, key: str | None) -> None:
        """Write a movement of money into the books; `movement_id` is the pspReference under which it was asked for."""
        refund = movement_id if movement in _REFUNDS else None
        moved = movement_id if refund is None else payment["id"]
        self.books.append(self._entry(movement, payment, moved, amount, refund=refund, key=key))

    def _entry(
        self, movement: Movement, payment: Json, movement_id: str, amount: int, *, refund: str | None = None,
        key: str | None = None, dispute: str | None = None,
    ) -> Entry:  # fmt: skip
        return Entry(
            gateway=self.name,
            operation=movement,
            payment=payment["link"],
            movement_id=movement_id,
            refund=refund,
            amount=amount,
            currency=payment["currency"].lower(),
            checkout_id=_checkout(payment["reference"]),
            idempotency_key=key,
            at=self.clock.stamp(),
            dispute=dispute,
        )


def labels(fields: Json) -> dict[str, str]:
    """What a fault's `match` may name: metadata, the reference, and the checkout the reference begins with."""
    given = fields.get("reference")
    reference = given if isinstance(given, str) else ""
    found = {"reference": reference, "checkout_id": _checkout(reference)}
    if isinstance(fields.get("metadata"), dict):
        found.update({name: value for name, value in fields["metadata"].items() if isinstance(value, str)})
    return found


def _checkout(reference: str) -> str:
    return reference.partition(":")[0]
