"""A gateway's no to the content of one request, before the adapter has decided what it means for the operation."""

from dataclasses import dataclass

from domain.errors import GatewayRefusedError
from domain.outcomes import Declined
from domain.payment import Decline, PaymentSnapshot


@dataclass(frozen=True)
class Refusal:
    """What the gateway said: its own word for the reason, and a decline when the refusal names one.

    `missing`: what the request was about does not exist. `payer_url`: where the payer may choose another means.
    """

    code: str
    message: str
    decline: Decline | None = None
    missing: bool = False
    payer_url: str | None = None


class RefusalError(Exception):
    """The gateway refused the content of one request. It never leaves the adapter: see `declined` and `as_error`."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"{refusal.code}: {refusal.message}")
        self.refusal = refusal

    @property
    def code(self) -> str:
        """The gateway's own word for the reason."""
        return self.refusal.code

    @property
    def missing(self) -> bool:
        """Whether the request was about something that does not exist."""
        return self.refusal.missing

    def declined(self, evidence: PaymentSnapshot | None = None) -> Declined:
        """The refusal as an answer. Raises GatewayRefusedError when the gateway named no reason."""
        if self.refusal.decline is None:
            raise self.as_error() from None
        return Declined(self.refusal.decline, evidence)

    def as_error(self) -> GatewayRefusedError:
        """The refusal as an error, for calls that cannot be declined."""
        return GatewayRefusedError(self.refusal.code, self.refusal.message)
