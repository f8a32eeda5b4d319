"""Every setting of api and worker, read from the environment once and refused when missing or unsafe."""

from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

STRIPE_URL = "https://api.stripe.com"


class SettingsError(Exception):
    """The environment is not fit to start with; the message names each variable and what would be right."""


class _FromEnvironment(BaseSettings):
    model_config = SettingsConfigDict(extra="ignore", frozen=True, env_ignore_empty=True, hide_input_in_errors=True)

    @classmethod
    def read(cls) -> Self:
        """The settings of this process. Raises SettingsError."""
        try:
            return cls()
        except ValidationError as error:
            lines = [f"  {_complaint(e)}" for e in error.errors(include_url=False, include_input=False)]
            raise SettingsError("the environment is not fit to start with:\n" + "\n".join(lines)) from None


def _complaint(error: ErrorDetails) -> str:
    """One line a person can act on. A rule over several variables names them in its own text."""
    variable = ".".join(map(str, error["loc"])).upper()
    text = error["msg"].removeprefix("Value error, ")
    return f"{variable}: {text}" if variable else text


class DatabaseSettings(_FromEnvironment):
    """`DATABASE_URL`: postgresql://user@host/name, or with a socket folder postgresql://user@/name?host=/folder."""

    database_url: str

    @field_validator("database_url")
    @classmethod
    def _postgres(cls, value: str) -> str:
        if urlsplit(value).scheme not in ("postgresql", "postgres", "postgresql+asyncpg"):
            raise ValueError("must be a postgresql:// address; no other database keeps the books")
        return value


class TemporalSettings(_FromEnvironment):
    """Where the Temporal server is. `TEMPORAL_API_KEY` goes over TLS only."""

    temporal_address: str = "127.0.0.1:7233"
    temporal_namespace: str = "default"
    temporal_api_key: SecretStr | None = None
    temporal_tls: bool = False
    task_queue: str = "checkout"

    @model_validator(mode="after")
    def _key_needs_tls(self) -> Self:
        if self.temporal_api_key is not None and not self.temporal_tls:
            raise ValueError("TEMPORAL_API_KEY would go over the wire in the clear: set TEMPORAL_TLS=true")
        return self


class StripeSettings(_FromEnvironment):
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
    def _comma_separated(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

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


class PolicySettings(_FromEnvironment):
    """How patient the saga is, in seconds.

    `POLL_AFTER_SECONDS`: ask the gateway when no webhook has come for this long, then with growing pauses up to
    `POLL_AT_MOST_SECONDS`. `STUCK_AFTER_SECONDS`: a gateway call that fails for this long is shown as stuck.
    """

    poll_after_seconds: float = Field(default=60, ge=0.1, le=3600)
    poll_at_most_seconds: float = Field(default=900, ge=0.1, le=86400)
    stuck_after_seconds: float = Field(default=120, ge=1, le=86400)
