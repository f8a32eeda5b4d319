"""One Stripe account in the environment."""

from typing import Annotated, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from config.environment import comma_separated
from gateways.settings import GatewaySettings
from gateways.stripe.options import StripeOptions

STRIPE_URL = "https://api.stripe.com"


class StripeSettings(GatewaySettings):
    """The Stripe account. Several webhook secrets, parted by commas, are all accepted while one is being rotated out.

    `STRIPE_API_BASE` points elsewhere for the sandbox. `STRIPE_PAYMENT_PAGE` is a page that confirms a payment; the
    client secret is appended. It is offered to customers of shops that have no such page of their own.
    `STRIPE_TIMEOUT_SECONDS` bounds one call; a worker's drain and the time of an activity are longer than its maximum.
    """

    stripe_api_key: SecretStr
    stripe_webhook_secrets: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        validation_alias="STRIPE_WEBHOOK_SECRETS", default=()
    )
    stripe_webhook_secret: SecretStr | None = None
    stripe_api_base: str = STRIPE_URL
    stripe_payment_page: str | None = None
    stripe_timeout_seconds: float = Field(default=20, ge=1, le=20)

    @field_validator("stripe_webhook_secrets", mode="before")
    @classmethod
    def _several(cls, value: object) -> object:
        return comma_separated(value)

    @field_validator("stripe_api_key")
    @classmethod
    def _secret_key(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().startswith(("sk_test_", "sk_live_", "rk_test_", "rk_live_")):
            raise ValueError("must be a secret or restricted key (sk_test_…, sk_live_…, rk_test_…, rk_live_…)")
        return value

    @model_validator(mode="after")
    def _safe(self) -> Self:
        if not self.webhook_secrets:
            raise ValueError("STRIPE_WEBHOOK_SECRET (or STRIPE_WEBHOOK_SECRETS) is missing: webhooks could be forged")
        if any(not secret.startswith("whsec_") for secret in self.webhook_secrets):
            raise ValueError("STRIPE_WEBHOOK_SECRET must start with whsec_")
        # The prefix alone is no secret: everybody could sign with it.
        if any(secret.strip() == "whsec_" for secret in self.webhook_secrets):
            raise ValueError("STRIPE_WEBHOOK_SECRET has nothing after whsec_")
        if self.live and not self.stripe_api_base.startswith("https://"):
            raise ValueError("STRIPE_API_BASE must be https:// with a live key")
        if not self.stripe_api_base.startswith(("https://", "http://")):
            raise ValueError("STRIPE_API_BASE must be an http(s) address")
        return self

    @property
    def live(self) -> bool:
        """Whether real money moves."""
        return "_live_" in self.stripe_api_key.get_secret_value()[:8]

    @property
    def webhook_secrets(self) -> tuple[str, ...]:
        """Every secret that is accepted now."""
        alone = (self.stripe_webhook_secret,) if self.stripe_webhook_secret else ()
        return tuple(s.get_secret_value() for s in (*alone, *self.stripe_webhook_secrets))

    def options(self) -> StripeOptions:
        """The account as the adapter takes it."""
        return StripeOptions(
            api_key=self.stripe_api_key.get_secret_value(),
            webhook_secrets=self.webhook_secrets,
            api_base=self.stripe_api_base,
            live=self.live,
            payment_page=self.stripe_payment_page,
            timeout_seconds=self.stripe_timeout_seconds,
        )
