"""What the adapter has to know of one Stripe account."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class StripeOptions:
    """One Stripe account. Neither the key nor the webhook secrets show in the repr.

    `webhook_secrets`: all that are accepted now, several while one is being rotated out. `payment_page`: a page that
    confirms a payment, to which the client secret is appended. `timeout_seconds` bounds one call as a whole.
    Raises ValueError for credentials that could never work or would let anybody sign webhooks.
    """

    api_key: str = field(repr=False)
    webhook_secrets: tuple[str, ...] = field(repr=False)
    api_base: str
    live: bool
    payment_page: str | None = None
    timeout_seconds: float = 20

    def __post_init__(self) -> None:
        if not self.api_key.strip():
            raise ValueError("the Stripe API key is empty")
        if any(not secret.strip() for secret in self.webhook_secrets):
            raise ValueError("an empty webhook secret would let anybody sign")
        if self.timeout_seconds <= 0:
            raise ValueError("timeout_seconds must be above 0")
