"""What may be sent: strict types, no unknown fields, every bound here or with the gateway's rules in `ordering`."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, EmailStr, Field

from domain.currency import exponent_of
from domain.errors import UnknownCurrencyError
from domain.money import LARGEST_MINOR
from domain.states import CheckoutState

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


def _web_address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise ValueError("must be an http:// or https:// address without user and password")
    if not value.isascii() or not value.isprintable() or " " in value or parts.port == 0:
        raise ValueError("must be an address in plain ASCII, everything else percent-encoded")
    return value


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
    """The customer. The address is kept in the database only."""

    email: Annotated[EmailStr, Field(max_length=254)]


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
                    "gateway": "stripe",
                    "capture": "on_confirm",
                    "confirmation": {"required": True, "within_seconds": 86400},
                    "expires_in_seconds": 1800,
                    "return_url": "https://shop.example/thanks",
                    "customer": {"email": "ada@example.com"},
                    "metadata": {"basket": "b-77"},
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
        default=None, description="May be left out where only one gateway is configured."
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
