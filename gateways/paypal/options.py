"""What the adapter has to know of one PayPal account."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

LIVE_HOSTS = frozenset({"api.paypal.com", "api-m.paypal.com"})
TEST_HOSTS = frozenset({"api.sandbox.paypal.com", "api-m.sandbox.paypal.com"})


@dataclass(frozen=True)
class PayPalOptions:
    """One PayPal account. Neither the secret nor the webhook's id shows in the repr.

    `webhook_id`: what PayPal calls our webhook; it is part of every signature. `merchant_id`: the account that must be
    paid, as PayPal's answers name it. `webhook_roots`: certificates (PEM) that alone are trusted to vouch for the
    signer of webhooks, instead of the system's. `timeout_seconds` bounds one operation as a whole, all its calls and
    the token's together. Raises ValueError for what could never work or would let others sign webhooks.
    """

    client_id: str
    client_secret: str = field(repr=False)
    webhook_id: str = field(repr=False)
    api_base: str
    merchant_id: str | None = None
    webhook_roots: bytes | None = field(default=None, repr=False)
    timeout_seconds: float = 20

    def __post_init__(self) -> None:
        if not self.client_id.strip() or not self.client_secret.strip():
            raise ValueError("the PayPal client id or secret is empty")
        if not self.webhook_id.strip() or "|" in self.webhook_id:
            raise ValueError("the PayPal webhook id is empty or none that PayPal gives")
        if self.live and self.webhook_roots is not None:
            raise ValueError("a live account trusts nobody but the system's roots")
        if self.timeout_seconds <= 0:
            raise ValueError("timeout_seconds must be above 0")

    @property
    def live(self) -> bool:
        """Whether real money moves: PayPal's two modes are two hosts."""
        return urlsplit(self.api_base).hostname in LIVE_HOSTS
