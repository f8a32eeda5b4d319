"""What may be sent: strict types, no unknown fields, every bound here or with the gateway's rules in `ordering`."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, EmailStr, Field

from api.fields import (
    Country,
    Currency,
    Cursor,
    GatewayName,
    MetadataName,
    MetadataValue,
    Minor,
    Operation,
    OrderId,
    PageSize,
    Reason,
    Sent,
    WebAddress,
)
from domain.money import LARGEST_MINOR
from domain.states import CheckoutState
from gateways.registry import REGISTRY

# No wait of a checkout is longer, whatever its gateway could bear.
LONGEST_WAIT_SECONDS = 30 * 86_400
DEFAULT_CONFIRMATION_SECONDS = 86_400


class Confirmation(Sent):
    """Whether the shop must confirm the order after payment, and within how long; otherwise the money goes back."""

    required: bool
    within_seconds: Annotated[int, Field(ge=1, le=LONGEST_WAIT_SECONDS)] | None = None


class Customer(Sent):
    """The customer. The address is kept in the database only; country and method serve to choose the gateway."""

    email: Annotated[EmailStr, Field(max_length=254)] | None = None
    country: Annotated[Country, Field(description="ISO 3166, two capital letters.")] | None = None
    method: Annotated[str, Field(min_length=1, max_length=32, pattern=r"^[a-z0-9_]+$")] | None = Field(
        default=None, description="How the customer means to pay, by the names that the routing rules use."
    )


class NewTender(Sent):
    """A part of the amount, and the gateway that takes it."""

    gateway: GatewayName
    amount: Annotated[Minor, Field(description="In minor units of the checkout's currency.")]


class NewCheckout(Sent):
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
    amount: Annotated[Minor, Field(description="In minor units of the currency: 4200 USD is 42 dollars.")]
    currency: Annotated[Currency, Field(description="ISO 4217, in capitals.")]
    gateway: GatewayName | None = Field(
        default=None, description="Left out or null, the routing rules choose; see POST /v1/routes/explain."
    )
    tenders: Annotated[list[NewTender], Field(min_length=2, max_length=5)] | None = Field(
        default=None,
        description="Pay at several gateways, all or nothing; their amounts sum to `amount`, `gateway` is left out.",
    )
    capture: Literal["automatic", "on_confirm"] = Field(
        default="automatic", description="`on_confirm` holds the money until the shop confirms the order."
    )
    on_hold_expiry: Literal["cancel", "capture", "reauthorize"] = Field(
        default="cancel",
        description="With `on_confirm`: what becomes of a hold that is about to lapse while the shop is silent.",
    )
    confirmation: Confirmation | None = None
    expires_in_seconds: Annotated[int, Field(ge=1, le=LONGEST_WAIT_SECONDS)] = 1800
    return_url: WebAddress | None = None
    customer: Customer | None = None
    metadata: Annotated[dict[MetadataName, MetadataValue], Field(max_length=20)] | None = None


class Rejection(Sent):
    """Why the shop does not take the order; the money goes back."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "out of stock"}]})

    reason: Reason


class Capture(Sent):
    """What to take of the hold."""

    model_config = ConfigDict(json_schema_extra={"examples": [{}, {"amount": 1500, "final": False}]})

    amount: Annotated[int, Field(ge=0, le=LARGEST_MINOR)] | None = Field(
        default=None, description="In minor units; left out or null: all that is left. 0 with `final` only releases it."
    )
    final: bool = Field(default=True, description="Nothing more will be captured: what is left is released.")


class BreakerCommand(Sent):
    """An operator's word on a gateway's breakers: keep calls back whatever happens, or leave it to the breaker."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"state": "forced_open", "operation": "create", "reason": "maintenance until 4"}]
        }
    )

    state: Literal["forced_open", "automatic"]
    operation: Operation | None = Field(default=None, description="Left out or null: all operations of the gateway.")
    reason: Reason


class Nothing(Sent):
    """An empty object."""


class Listing(BaseModel):
    """Which checkouts to list."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    state: CheckoutState | None = None
    gateway: GatewayName | None = None
    order_id: OrderId | None = None
    stuck: Literal["true", "false"] | None = None
    cursor: Cursor | None = None
    limit: PageSize = 50
