"""Every setting of api and worker that belongs to no gateway, read once and refused when missing or unsafe."""

from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from config.environment import FromEnvironment, comma_separated


class DatabaseSettings(FromEnvironment):
    """`DATABASE_URL`: postgresql://user@host/name, or with a socket folder postgresql://user@/name?host=/folder."""

    database_url: str

    @field_validator("database_url")
    @classmethod
    def _postgres(cls, value: str) -> str:
        if urlsplit(value).scheme not in ("postgresql", "postgres", "postgresql+asyncpg"):
            raise ValueError("must be a postgresql:// address; no other database keeps the books")
        return value


class TemporalSettings(FromEnvironment):
    """Where the Temporal server is. `TEMPORAL_API_KEY` goes over TLS only.

    `BUILD_ID` names the code of this worker: running checkouts stay with the build that they started on. Without it a
    worker takes tasks of every build, and an incompatible change can break what is under way.

    `TEMPORAL_PING_SECONDS` is the pause between the pings that keep a quiet connection alive. 0 sends none, for what
    stands before the server and cuts off who pings.
    """

    temporal_address: str = "127.0.0.1:7233"
    temporal_namespace: str = "default"
    temporal_api_key: SecretStr | None = None
    temporal_tls: bool = False
    temporal_ping_seconds: Annotated[int, Field(ge=0, le=3600)] = 30
    task_queue: str = "checkout"
    build_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.+-]{1,128}$")] | None = None

    @model_validator(mode="after")
    def _key_needs_tls(self) -> Self:
        if self.temporal_api_key is not None and not self.temporal_tls:
            raise ValueError("TEMPORAL_API_KEY would go over the wire in the clear: set TEMPORAL_TLS=true")
        return self


class GatewaySelection(FromEnvironment):
    """`GATEWAYS`: the names of the gateways that are on, parted by commas. Unset, those are on that have a variable."""

    gateways: Annotated[tuple[str, ...] | None, NoDecode] = None

    @field_validator("gateways", mode="before")
    @classmethod
    def _names(cls, value: object) -> object:
        return comma_separated(value)


class RoutingSettings(FromEnvironment):
    """`ROUTES_FILE`: the TOML file with the rules by which a checkout that names no gateway gets one."""

    routes_file: Path | None = None


class PolicySettings(FromEnvironment):
    """How patient the saga is, in seconds.

    `POLL_AFTER_SECONDS`: ask the gateway when no webhook has come for this long, then with growing pauses up to
    `POLL_AT_MOST_SECONDS`. `STUCK_AFTER_SECONDS`: a gateway call that fails for this long is shown as stuck.
    `FAILOVER_AFTER_SECONDS`: where there is another gateway, one that does not open a payment for this long is asked
    whether it has it, and left when it has not. `PAGE_AFTER_SECONDS`: a call that has had no answer for this long is a
    case, and a line in the log. `FOUR_EYES_ABOVE`: in whole units of any currency; what a person orders about more than
    that, another one has to order too.
    """

    poll_after_seconds: float = Field(default=60, ge=0.1, le=3600)
    poll_at_most_seconds: float = Field(default=900, ge=0.1, le=86400)
    stuck_after_seconds: float = Field(default=120, ge=1, le=86400)
    # Above the gateways' longest HTTP time-out: none is left while a call to it is under way.
    failover_after_seconds: float = Field(default=25, ge=1, le=3600)
    page_after_seconds: float = Field(default=3600, ge=1, le=2592000)
    four_eyes_above: int = Field(default=1000, ge=0, le=1_000_000_000)


class ReconcileSettings(FromEnvironment):
    """`RECONCILE_EVERY_SECONDS`: how often a gateway's own list of events is read for those that no webhook told."""

    reconcile_every_seconds: float = Field(default=300, ge=1, le=86400)


class BrokerSettings(FromEnvironment):
    """`BROKER_URL`: nats://, kafka://, amqp:// or redis:// and where it is. `EVENT_SUBSCRIBERS`: who gets every event.

    A broker that keeps a queue for each reader has to know them before the first event is published.
    """

    broker_url: SecretStr = SecretStr("nats://127.0.0.1:4222")
    event_subscribers: Annotated[tuple[str, ...], NoDecode] = ("orders", "notifications", "analytics", "webhooks")

    @property
    def scheme(self) -> str:
        """Which broker it is, without where and with which password."""
        return urlsplit(self.broker_url.get_secret_value()).scheme

    @field_validator("broker_url")
    @classmethod
    def _known(cls, value: SecretStr) -> SecretStr:
        parts = urlsplit(value.get_secret_value())
        if parts.scheme not in ("nats", "kafka", "amqp", "redis") or not parts.hostname:
            raise ValueError("must be a nats://, kafka://, amqp:// or redis:// address")
        return value

    @field_validator("event_subscribers", mode="before")
    @classmethod
    def _names(cls, value: object) -> object:
        return comma_separated(value)


class MetricsSettings(FromEnvironment):
    """`METRICS_PORT`: where a relay or subscriber answers /metrics, on `METRICS_HOST`; 0 for nowhere."""

    metrics_host: str = "127.0.0.1"
    metrics_port: int = Field(default=0, ge=0, le=65535)


class ShopApiSettings(FromEnvironment):
    """`PAYSAGA_API_URL` and `PAYSAGA_API_KEY`: our own API as the subscribers orders and notifications call it."""

    paysaga_api_url: str = "http://127.0.0.1:8080"
    paysaga_api_key: SecretStr

    @field_validator("paysaga_api_url")
    @classmethod
    def _http(cls, value: str) -> str:
        if urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).hostname:
            raise ValueError("must be an http:// or https:// address")
        return value.rstrip("/")


class MailSettings(FromEnvironment):
    """`SMTP_URL`: smtp://user:password@host:port, or smtps:// for TLS from the first byte.

    `MAIL_FROM` is who writes; `MAIL_SHOP` gets what concerns the shop: disputes.
    """

    smtp_url: SecretStr
    mail_from: str
    mail_shop: str

    @field_validator("smtp_url")
    @classmethod
    def _smtp(cls, value: SecretStr) -> SecretStr:
        parts = urlsplit(value.get_secret_value())
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise ValueError("must be an smtp:// or smtps:// address")
        return value


class WebhookSettings(FromEnvironment):
    """Webhooks to shops.

    `WEBHOOKS_DEVELOPMENT`: endpoints may also be plain http, and on this machine. `WEBHOOKS_TIMEOUT_SECONDS`: what a
    receiver has for its answer. `WEBHOOKS_DISABLE_AFTER_DAYS`: an endpoint that has taken nothing for this long is
    disabled.
    """

    webhooks_development: bool = False
    webhooks_timeout_seconds: float = Field(default=15, ge=0.1, le=30)
    webhooks_disable_after_days: float = Field(default=5, ge=1, le=30)
