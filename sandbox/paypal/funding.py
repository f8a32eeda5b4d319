"""What a payer can pay with, and what each of these means will do."""

from dataclasses import dataclass
from typing import Literal

from sandbox.disputes import Kind


@dataclass(frozen=True, slots=True)
class Funding:
    """One means of payment. `refused` is the issue that capturing or authorizing answers with.

    `soft` says whether the payer may approve anew with other means; `pending` whether a capture waits until it is
    settled, and `settles` how it ends then; `outlives_honor` whether a hold is still good after the honour period;
    `disputed` what the payer begins as soon as the money is taken.
    """

    label: str
    refused: str | None = None
    soft: bool = False
    pending: bool = False
    settles: Literal["COMPLETED", "DECLINED"] = "COMPLETED"
    refund: Literal["completes", "pends", "fails"] = "completes"
    outlives_honor: bool = True
    disputed: Kind | None = None


GOOD = "good"
FUNDINGS: dict[str, Funding] = {
    GOOD: Funding("PayPal balance, succeeds"),
    "declined": Funding("Declined by the bank; other means may work", "INSTRUMENT_DECLINED", soft=True),
    "action_required": Funding("The payer has to come back", "PAYER_ACTION_REQUIRED", soft=True),
    "refused_hard": Funding("Refused by PayPal", "TRANSACTION_REFUSED"),
    "payer_cannot_pay": Funding("This payer cannot pay this shop", "PAYER_CANNOT_PAY"),
    "capture_pending": Funding("Bank transfer, settles later", pending=True),
    "capture_pending_declined": Funding("Bank transfer, fails later", pending=True, settles="DECLINED"),
    "refund_pending": Funding("Succeeds, refunds stay pending at first", refund="pends"),
    "refund_fails": Funding("Succeeds, refunds fail later", refund="fails"),
    "disputed": Funding("Succeeds, then the bank takes the money back", disputed="chargeback"),
    "inquired": Funding("Succeeds, then the payer asks for the money back", disputed="inquiry"),
    "honor_lapses": Funding("Holds cannot be captured after the honour period", outlives_honor=False),
}
