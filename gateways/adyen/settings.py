"""One Adyen merchant account in the environment."""

import re
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from config.environment import comma_separated
from gateways.adyen.options import AdyenOptions
from gateways.settings import GatewaySettings

ADYEN_URL = "https://checkout-test.adyen.com/v72"

_HEADER_VALUE = re.compile(r"[\x21-\x7e]+")
_ACCOUNT = re.compile(r"[A-Za-z0-9_.\-]{1,80}")
# Live addresses carry the company's own prefix: https://prefix-checkout-live.adyenpayments.com/checkout/v72.
_LIVE_DOMAIN = "adyenpayments.com"
_VENDOR_DOMAINS = ("adyen.com", _LIVE_DOMAIN)
_DISPUTES_PATH = "/ca/services/DisputeService/v30"
_DISPUTES_TEST, _DISPUTES_LIVE = (
    f"https://ca-test.adyen.com{_DISPUTES_PATH}",
    f"https://ca-live.adyen.com{_DISPUTES_PATH}",
)


class AdyenSettings(GatewaySettings):
    """The Adyen account. Several HMAC keys, parted by commas, are all accepted while one is being rotated out.

    `ADYEN_MERCHANT_ACCOUNT` is the account that the payments go to. `ADYEN_API_BASE` ends with the version (v72); it is
    the account's own address for live payments and points elsewhere for the sandbox. `ADYEN_TIMEOUT_SECONDS` bounds one
    call; a worker's drain and the time of an activity are longer than its maximum. `ADYEN_SEVERAL_CAPTURES` is true
    where Adyen has switched on multiple partial captures for the account. `ADYEN_DISPUTES_BASE` is where the Disputes
    API is; with Adyen's own `ADYEN_API_BASE` it is known, elsewhere disputes cannot be answered without it.
    """

    adyen_api_key: SecretStr
    adyen_merchant_account: str
    adyen_hmac_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(validation_alias="ADYEN_HMAC_KEYS", default=())
    adyen_hmac_key: SecretStr | None = None
    adyen_api_base: str = ADYEN_URL
    adyen_disputes_base: str | None = None
    adyen_several_captures: bool = False
    adyen_timeout_seconds: float = Field(default=20, ge=1, le=20)

    @field_validator("adyen_hmac_keys", mode="before")
    @classmethod
    def _several(cls, value: object) -> object:
        return comma_separated(value)

    @field_validator("adyen_api_key")
    @classmethod
    def _fits_a_header(cls, value: SecretStr) -> SecretStr:
        if not _HEADER_VALUE.fullmatch(value.get_secret_value()):
            raise ValueError("must be an API key: printable ASCII without spaces")
        return value

    @field_validator("adyen_merchant_account")
    @classmethod
    def _account(cls, value: str) -> str:
        if not _ACCOUNT.fullmatch(value):
            raise ValueError("must be the name of a merchant account")
        return value

    @model_validator(mode="after")
    def _safe(self) -> Self:
        if not self.hmac_keys:
            raise ValueError("ADYEN_HMAC_KEY (or ADYEN_HMAC_KEYS) is missing: webhooks could be forged")
        _check_address("ADYEN_API_BASE", self.adyen_api_base)
        if self.adyen_disputes_base is not None:
            _check_address("ADYEN_DISPUTES_BASE", self.adyen_disputes_base)
        try:
            self.options()
        except ValueError as error:
            raise ValueError(f"ADYEN_HMAC_KEY: {error}") from None
        return self

    @property
    def live(self) -> bool:
        """Whether real money moves: Adyen's keys do not tell, its live addresses do."""
        return _within(self.adyen_api_base, _LIVE_DOMAIN)

    @property
    def disputes_base(self) -> str | None:
        """Where disputes are answered; what Adyen's own address is must never be guessed for an account elsewhere."""
        if self.adyen_disputes_base is not None or not _within(self.adyen_api_base, *_VENDOR_DOMAINS):
            return self.adyen_disputes_base
        return _DISPUTES_LIVE if self.live else _DISPUTES_TEST

    @property
    def hmac_keys(self) -> tuple[str, ...]:
        """Every key that is accepted now."""
        alone = (self.adyen_hmac_key,) if self.adyen_hmac_key else ()
        return tuple(key.get_secret_value() for key in (*alone, *self.adyen_hmac_keys))

    def options(self) -> AdyenOptions:
        """The account as the adapter takes it."""
        return AdyenOptions(
            api_key=self.adyen_api_key.get_secret_value(),
            merchant_account=self.adyen_merchant_account,
            hmac_keys=self.hmac_keys,
            api_base=self.adyen_api_base,
            live=self.live,
            timeout_seconds=self.adyen_timeout_seconds,
            disputes_base=self.disputes_base,
            several_captures=self.adyen_several_captures,
        )


def _check_address(variable: str, address: str) -> None:
    if not address.startswith(("https://", "http://")):
        raise ValueError(f"{variable} must be an http(s) address")
    if _within(address, *_VENDOR_DOMAINS) and not address.startswith("https://"):
        raise ValueError(f"{variable} must be https:// at Adyen: the API key goes with every call")


def _within(address: str, *domains: str) -> bool:
    host = (urlsplit(address).hostname or "").rstrip(".")
    return any(host == domain or host.endswith(f".{domain}") for domain in domains)
