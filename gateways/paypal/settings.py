"""One PayPal account in the environment."""

from pathlib import Path
from typing import Self
from urllib.parse import SplitResult, urlsplit

from cryptography.x509 import load_pem_x509_certificates
from pydantic import Field, SecretStr, field_validator, model_validator

from gateways.paypal.options import LIVE_HOSTS, TEST_HOSTS, PayPalOptions
from gateways.settings import GatewaySettings

PAYPAL_TEST_URL = "https://api-m.sandbox.paypal.com"


class PayPalSettings(GatewaySettings):
    """The PayPal account: the REST app's client id and secret, and the id that PayPal gave our webhook.

    `PAYPAL_API_BASE` decides the mode: https://api-m.paypal.com moves real money, PayPal's test environment is used
    unless it is set, and any other host is a sandbox. `PAYPAL_MERCHANT_ID`: the account that must be paid; an answer
    that names another one stops the checkout. `PAYPAL_WEBHOOK_CA`: a file with the certificates (PEM) that a sandbox's
    webhooks are vouched for with. `PAYPAL_TIMEOUT_SECONDS` bounds one operation; a worker's drain and the time of an
    activity are longer than its maximum.
    """

    paypal_client_id: str
    paypal_client_secret: SecretStr
    paypal_webhook_id: str = Field(pattern=r"^[A-Za-z0-9_-]{1,50}$")
    paypal_api_base: str = PAYPAL_TEST_URL
    paypal_merchant_id: str | None = Field(default=None, pattern=r"^[A-Za-z0-9]{1,20}$")
    paypal_webhook_ca: Path | None = None
    paypal_timeout_seconds: float = Field(default=20, ge=1, le=20)

    @field_validator("paypal_client_id", "paypal_client_secret")
    @classmethod
    def _printable(cls, value: str | SecretStr) -> str | SecretStr:
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        # A colon would end the client id where PayPal reads the pair.
        if not text.isascii() or not text.isprintable() or " " in text or ":" in text:
            raise ValueError("must be as PayPal shows it: letters, digits, - and _")
        return value

    @field_validator("paypal_api_base")
    @classmethod
    def _address(cls, value: str) -> str:
        parts = _split(value)
        paypals = parts.hostname in LIVE_HOSTS | TEST_HOSTS
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.username or parts.query:
            raise ValueError("must be an http(s) address without user, query or fragment")
        if paypals and (parts.scheme != "https" or parts.port or parts.path.strip("/")):
            raise ValueError("must be https:// and nothing but PayPal's host")
        if parts.hostname.endswith("paypal.com") and not paypals:
            raise ValueError(f"PayPal's hosts are {', '.join(sorted(LIVE_HOSTS | TEST_HOSTS))}")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _safe(self) -> Self:
        if self.paypal_webhook_ca is not None:
            if urlsplit(self.paypal_api_base).hostname in LIVE_HOSTS:
                raise ValueError("PAYPAL_WEBHOOK_CA is for sandboxes: live webhooks need public roots")
            self._roots()
        return self

    def _roots(self) -> bytes | None:
        if self.paypal_webhook_ca is None:
            return None
        try:
            pem = self.paypal_webhook_ca.read_bytes()
            load_pem_x509_certificates(pem)
        except (OSError, ValueError) as error:
            raise ValueError(f"PAYPAL_WEBHOOK_CA cannot be read as certificates: {type(error).__name__}") from None
        return pem

    def options(self) -> PayPalOptions:
        """The account as the adapter takes it."""
        return PayPalOptions(
            client_id=self.paypal_client_id,
            client_secret=self.paypal_client_secret.get_secret_value(),
            webhook_id=self.paypal_webhook_id,
            api_base=self.paypal_api_base,
            merchant_id=self.paypal_merchant_id,
            webhook_roots=self._roots(),
            timeout_seconds=self.paypal_timeout_seconds,
        )


def _split(value: str) -> SplitResult:
    parts = urlsplit(value)
    # Reading the port is what finds out that it is none.
    if parts.port == 0 or parts.fragment:
        raise ValueError("must be an http(s) address without user, query or fragment")
    return parts
