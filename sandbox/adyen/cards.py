"""The means of payment a customer may choose on the page, and what each of them does, at once and later."""

from dataclasses import dataclass
from typing import Literal

from sandbox.disputes import Kind

Later = Literal["succeeds", "pends", "fails"]


@dataclass(frozen=True, slots=True)
class Refused:
    """Why an issuer said no: Adyen's refusal reason with its number, and what the acquirer had answered."""

    reason: str
    code: int
    raw: str


@dataclass(frozen=True, slots=True)
class Card:
    """One test means: `capture` and `refund` say what becomes of a modification that Adyen has accepted.

    `dispute`: what its holder does once the money is captured.
    """

    label: str
    brand: str = "visa"
    last4: str = "1111"
    expiry: str = "03/2030"
    refused: Refused | None = None
    challenged: bool = False
    capture: Later = "succeeds"
    refund: Later = "succeeds"
    dispute: Kind | None = None


REFUSED = Refused("Refused", 2, "05 : Do not honor")
NOT_AUTHENTICATED = Refused("3D Not Authenticated", 11, "3d-secure: authentication failed")
_FUNDS = Refused("Not enough balance", 12, "51 : Insufficient funds/over credit limit")
_FRAUD = Refused("FRAUD", 20, "59 : Suspected fraud")

CARDS: dict[str, Card] = {
    "good": Card("Visa, succeeds"),
    "declined_soft": Card("Declined: not enough balance", last4="0051", refused=_FUNDS),
    "declined_hard": Card("Declined: fraud", last4="0059", refused=_FRAUD),
    "challenged": Card("3D Secure required", "mc", "5454", challenged=True),
    "refund_pending": Card("Succeeds, refunds are told only when settled", last4="7726", refund="pends"),
    "refund_fails": Card("Succeeds, refunds fail later", last4="5126", refund="fails"),
    "capture_slow": Card("Succeeds, captures are told only when settled", last4="0201", capture="pends"),
    "capture_fails": Card("Succeeds, captures fail later", last4="0202", capture="fails"),
    "disputed": Card("Succeeds, charged back once captured", last4="0259", dispute="chargeback"),
    "inquired": Card("Succeeds, asked about once captured", last4="1976", dispute="inquiry"),
}
