"""What may be sent: strict types, no unknown fields, every bound here or with the gateway's rules in `ordering`."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, EmailStr, Field

from activities.guard import OPERATIONS
from domain.country import COUNTRIES
from domain.currency import exponent_of
from domain.errors import UnknownCurrencyError
from domain.money import LARGEST_MINOR
from domain.states import CheckoutState
from gateways.registry import REGISTRY

# No wait of a checkout is longer, whatever its gateway could bear.
LONGEST_WAIT_SECONDS = 30 * 86_400
DEFAULT_CONFIRMATION_SECONDS = 86_400


def _printable(value: str) -> str:
    if not value.isprintable():
        raise ValueError("must hold printable characters only")
    return value


def _currency(value: str) -> str:
    try:
        exponent_of(value)
    except UnknownCurrencyError as error:
        raise ValueError(str(error)) from None
    return value


def _operation(value: str) -> str:
    if value not in OPERATIONS:
        raise ValueError(f"must be one of: {', '.join(OPERATIONS)}")
    return value


def _country(value: str) -> str:
    if value not in COUNTRIES:
        raise ValueError("must be an ISO 3166 country code of two capital letters, like 'DE'")
    return value


def _web_address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise ValueError("must be an http:// or https:// address without user and password")
    if not value.isascii() or not value.isprintable() or " " in value or parts.port == 0:
        raise ValueError("must be an address in plain ASCII, everything else percent-encoded")
    return value


Operation = Annotated[str, AfterValidator(_operation), Field(json_schema_extra={"enum": [*OPERATIONS]})]
OrderId = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_printable)]
MetadataName = Annotated[str, Field(min_length=1, max_length=40), AfterValidator(_printable)]
MetadataValue = Annotated[str, Field(max_length=500)]


class _Sent(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Confirmation(_Sent):
    """Whether the shop must confirm the order after payment, and within how long; otherwise the money goes back."""

    required: bool
    within_seconds: Annotated[int, Field(ge=1, le=LONGEST_WAIT_SECONDS)] | None = None


class Customer(_Sent):
    """The customer. The address is kept in the database only; country and method serve to choose the gateway."""

    email: Annotated[EmailStr, Field(max_length=254)] | None = None
    country: Annotated[str, AfterValidator(_country), Field(description="ISO 3166, two capital letters.")] | None = None
    method: Annotated[str, Field(min_length=1, max_length=32, pattern=r"^[a-z0-9_]+$")] | None = Field(
        default=None, description="How the customer means to pay, by the names that the routing rules use."
    )


class NewTender(_Sent):
    """A part of the amount, and the gateway that takes it."""

    gateway: Annotated[str, Field(min_length=1, max_length=32, pattern=r"^[a-z0-9_]+$")]
    amount: Annotated[int, Field(gt=0, le=LARGEST_MINOR, description="In minor units of the checkout's currency.")]


class NewCheckout(_Sent):
    """What is to be paid and how."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"order_id": "order-1001", "amount": 4200, "currency": "USD"},
                {
                    "order_id": "order-1002",
                    "amount": 4200,
                    "currency": "EUR",
                    "gateway": next(iter(REGISTRY)),
                    "capture": "on_confirm",
                    "confirmation": {"required": True, "within_seconds": 86400},
                    "expires_in_seconds": 1800,
                    "return_url": "https://shop.example/thanks",
                    "customer": {"email": "ada@example.com", "country": "DE", "method": "card"},
                    "metadata": {"basket": "b-77"},
                },
                {
                    "order_id": "order-1003",
                    "amount": 4200,
                    "currency": "EUR",
                    "tenders": [
                        {"gateway": next(iter(REGISTRY)), "amount": 3000},
                        {"gateway": next(iter(REGISTRY)), "amount": 1200},
                    ],
                },
            ]
        }
    )

    order_id: Annotated[OrderId, Field(description="The shop's own id of the order; an order has one checkout.")]
    amount: Annotated[
        int, Field(gt=0, le=LARGEST_MINOR, description="In minor units of the currency: 4200 USD is 42 dollars.")
    ]
    currency: Annotated[str, AfterValidator(_currency), Field(description="ISO 4217, in capitals.")]
    gateway: Annotated[str, Field(min_length=1, max_length=32, pattern=r"^[a-z0-9_]+$")] | None = Field(
        default=None, description="Left out or null, the routing rules choose; see POST /v1/routes/explain."
    )
    tenders: Annotated[list[NewTender], Field(min_length=2, max_length=5)] | None = Field(
        default=None,
        description="Pay at several gateways, all or nothing; their amounts sum to `amount`, `gateway` is left out.",
    )
    capture: Literal["automatic", "on_confirm"] = Field(
        default="automatic", description="`on_confirm` holds the money until the shop confirms the order."
    )
    confirmation: Confirmation | None = None
    expires_in_seconds: Annotated[int, Field(ge=1, le=LONGEST_WAIT_SECONDS)] = 1800
    return_url: Annotated[str, Field(max_length=2048), AfterValidator(_web_address)] | None = None
    customer: Customer | None = None
    metadata: Annotated[dict[MetadataName, MetadataValue], Field(max_length=20)] | None = None


class Rejection(_Sent):
    """Why the shop does not take the order; the money goes back."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "out of stock"}]})

    reason: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_printable)]


class BreakerCommand(_Sent):
    """An operator's word on a gateway's breakers: keep calls back whatever happens, or leave it to the breaker."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"state": "forced_open", "operation": "create", "reason": "maintenance until 4"}]
        }
    )

    state: Literal["forced_open", "automatic"]
    operation: Operation | None = Field(default=None, description="Left out or null: all operations of the gateway.")
    reason: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_printable)]


class Nothing(_Sent):
    """An empty object."""


class Listing(BaseModel):
    """Which checkouts to list."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    state: CheckoutState | None = None
    gateway: Annotated[str, Field(min_length=1, max_length=32, pattern=r"^[a-z0-9_]+$")] | None = None
    order_id: OrderId | None = None
    stuck: Literal["true", "false"] | None = None
    cursor: Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[ -~]+$")] | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50
